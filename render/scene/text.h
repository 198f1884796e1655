// Token bytes -> text that can be shown: one line, valid UTF-8, nothing invisible.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace scene {

// New line and tab as symbols, carriage return as \r, spaces alone as open boxes, other control
// characters and bytes that are no UTF-8 as \xNN.
std::string visible_text(std::string_view bytes);

// Length of the well-formed UTF-8 sequence at the front (Unicode 15, table 3-7); 0: none.
size_t sequence_length(std::string_view s);

// Bytes at the end that begin a character which is not complete: a token may hold a part of one.
size_t unfinished(std::string_view bytes);

// For running text: keeps line breaks, replaces what is no UTF-8.
std::string readable_text(std::string_view bytes);

}  // namespace scene
