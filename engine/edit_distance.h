// How far a name that somebody wrote is from one that there is.
#pragma once

#include <cstddef>
#include <string_view>

namespace engine {

// Levenshtein's distance (1966): insertions, deletions and changes of bytes that make b of a.
size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace engine
