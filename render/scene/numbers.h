// Numbers as people write them.
#pragma once

#include <cstdint>
#include <string>

namespace scene {

// 49152 -> "49,152"
std::string grouped(uint64_t n);
// 1 -> "1 layer", 6 -> "6 layers", 49152 -> "49,152 layers"
std::string counted(uint64_t n, const char* noun);
// To four digits with the unit that fits: 124439808 -> "124.4 M", 405853388800 -> "405.9 B"
std::string rounded(uint64_t n);

}  // namespace scene
