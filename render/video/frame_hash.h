// One number per frame: two runs that draw the same frames give the same numbers.
#pragma once

#include <cstdint>
#include <span>

namespace render {

// 64 bits, over the bytes in order, eight at a time; the same on every machine. Not cryptographic.
uint64_t frame_hash(std::span<const uint8_t> bytes) noexcept;

}  // namespace render
