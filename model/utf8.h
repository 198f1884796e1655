// UTF-8 (RFC 3629) over bytes that need not be UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace model {

struct Utf8Char {
  char32_t code = 0;  // for an invalid byte: the byte itself
  size_t bytes = 1;   // 1..4; an invalid byte is passed over alone
  bool valid = false;
};

// The character that begins at text[pos]; pos < text.size(). Overlong forms, surrogates and
// values above U+10FFFF are invalid.
Utf8Char decode_utf8(std::string_view text, size_t pos) noexcept;

void append_utf8(std::string& out, char32_t code);

// A to Z become a to z.
std::string lower_ascii(std::string text);

// `text` fit for one line of a terminal: control characters, those that turn the direction of
// writing and invalid bytes become \xNN, and so does all of a text without width; what exceeds
// max_bytes of the input is cut and marked with "...".
std::string printable(std::string_view text, size_t max_bytes = 80);

// As few digits as tell x from its neighbours, of a float's value from other floats: "0.22",
// "1e+300".
std::string digits_of(double x);

// printable(text) between single quotes, as errors name keys and tensors.
std::string quoted(std::string_view text);

}  // namespace model
