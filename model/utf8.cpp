#include "model/utf8.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace model {
namespace {

// Unicode's marks, embeddings, overrides and isolates (UAX #9, 2).
bool turns_direction(char32_t c) {
  return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

Utf8Char decode_utf8(std::string_view text, size_t pos) noexcept {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[pos + i]); };
  const Utf8Char invalid{byte(0), 1, false};
  if (byte(0) < 0x80) return {byte(0), 1, true};
  size_t n = 0;
  char32_t code = 0;
  if ((byte(0) & 0xE0) == 0xC0) {
    n = 2, code = byte(0) & 0x1F;
  } else if ((byte(0) & 0xF0) == 0xE0) {
    n = 3, code = byte(0) & 0x0F;
  } else if ((byte(0) & 0xF8) == 0xF0) {
    n = 4, code = byte(0) & 0x07;
  } else {
    return invalid;
  }
  if (text.size() - pos < n) return invalid;
  for (size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return invalid;
    code = (code << 6) | (byte(i) & 0x3F);
  }
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kSmallest[n] || code > 0x10FFFF || surrogate) return invalid;
  return {code, n, true};
}

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&](char32_t b) { out += static_cast<char>(static_cast<unsigned char>(b)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6)), put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12)), put(0x80 | ((code >> 6) & 0x3F)), put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18)), put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F)), put(0x80 | (code & 0x3F));
  }
}

std::string lower_ascii(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

namespace {

// Joiners, zero-width spaces, variation selectors: between letters they do their work, alone they
// are nothing that can be seen.
bool has_no_width(char32_t c) {
  return c == 0xAD || c == 0x34F || (c >= 0x200B && c <= 0x200F) || (c >= 0x2060 && c <= 0x2064) ||
         (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF;
}

bool all_without_width(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = decode_utf8(text, i);
    if (!c.valid || !has_no_width(c.code)) return false;
    i += c.bytes;
  }
  return true;
}

}  // namespace

std::string printable(std::string_view text, size_t max_bytes) {
  const bool nothing_to_see = all_without_width(text);
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = decode_utf8(text, i);
    if (i + c.bytes > max_bytes) return out + "...";
    const bool control = c.code < 0x20 || (c.code >= 0x7F && c.code < 0xA0);
    if (c.valid && !control && !turns_direction(c.code) && !nothing_to_see) {
      out += text.substr(i, c.bytes);
    } else {
      constexpr std::string_view kHex = "0123456789ABCDEF";
      for (size_t b = i; b < i + c.bytes; ++b) {
        const auto byte = static_cast<unsigned char>(text[b]);
        out += "\\x";
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
      }
    }
    i += c.bytes;
  }
  return out;
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  out += printable(text);
  out += '\'';
  return out;
}

namespace {

template <class T>
std::string shortest(T x) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.begin(), text.end(), x).ptr};
}

}  // namespace

std::string digits_of(double x) {
  if (!(std::abs(x) <= double{std::numeric_limits<float>::max()})) return shortest(x);
  const auto narrow = static_cast<float>(x);
  return double{narrow} == x ? shortest(narrow) : shortest(x);
}

}  // namespace model
