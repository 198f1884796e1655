// How far a name that somebody wrote is from one that there is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

// Levenshtein's distance (1966): insertions, deletions and changes of bytes that make b of a.
size_t edit_distance(std::string_view a, std::string_view b);

// The n names that are nearest to the word, capitals or not, the nearest first.
std::vector<std::string> nearest(std::string_view word, std::vector<std::string> names, size_t n);

// The name that was probably meant: a letter or a third of it is wrong, capitals or not. Empty:
// none.
std::string probably(std::string_view word, const std::vector<std::string>& names);

}  // namespace engine
