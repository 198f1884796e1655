// Token bytes -> text that can be shown: one line, valid UTF-8, nothing invisible.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "engine/trace/schema.h"

namespace scene {

// New line and tab as symbols, carriage return as \r, spaces alone as open boxes, other control
// characters and bytes that are no UTF-8 as \xNN.
std::string visible_text(std::string_view bytes);

// The same of a candidate; one whose text was too long for the trace has its id as well.
std::string candidate_text(const trace::Candidate& candidate);

// Of a token that is a part of one character, as others around it tell: "byte 1 of 3 of X", of one
// that never ends "of a character". Empty: it is none. before, after: at least three bytes, where
// there are so many.
std::string part_of_character(std::string_view before, std::string_view token,
                              std::string_view after);

// Length of the well-formed UTF-8 sequence at the front (Unicode 15, table 3-7); 0: none.
size_t sequence_length(std::string_view s);

// Bytes at the end that begin a character which is not complete: a token may hold a part of one.
size_t unfinished(std::string_view bytes);

// c: a code point, <= U+10FFFF.
std::string encode_utf8(char32_t c);

// In every locale: C's functions leave 'i' and 'I' as they are in Turkish.
constexpr char lower_ascii(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
constexpr char upper_ascii(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

// For running text: keeps line breaks, replaces what is no UTF-8.
std::string readable_text(std::string_view bytes);

}  // namespace scene
