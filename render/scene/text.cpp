#include "render/scene/text.h"

#include <algorithm>
#include <cstdint>

namespace scene {

namespace {

constexpr size_t kMostBehindLead = 3;  // bytes of a character

bool continues(char byte) {
  return (static_cast<uint8_t>(byte) & 0xC0) == 0x80;
}

// Bytes of the character that begins so.
size_t announced(char lead) {
  const auto b = static_cast<uint8_t>(lead);
  return b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : b >= 0xC0 ? 2 : 1;
}

std::string hex(char byte) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const auto b = static_cast<uint8_t>(byte);
  return {'\\', 'x', digits[b >> 4], digits[b & 15]};
}

}  // namespace

std::string candidate_text(const trace::Candidate& candidate) {
  const std::string_view text(candidate.text.data(), candidate.text_bytes);
  std::string out = visible_text(text);
  // One that was cut is as long as there is room, but for a character that had none.
  const bool cut = text.size() + kMostBehindLead >= candidate.text.size();
  if (cut && text.ends_with("\u2026")) out += " #" + std::to_string(candidate.id);
  return out;
}

std::string encode_utf8(char32_t c) {
  if (c < 0x80) return {static_cast<char>(c)};
  const int behind = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;  // bytes behind the lead
  constexpr unsigned kLeads[] = {0, 0xC0, 0xE0, 0xF0};
  std::string out{static_cast<char>(kLeads[behind] | c >> (6 * behind))};
  for (int shift = 6 * (behind - 1); shift >= 0; shift -= 6)
    out += static_cast<char>(0x80U | (c >> shift & 0x3FU));
  return out;
}

size_t sequence_length(std::string_view s) {
  const auto at = [&](size_t i) { return i < s.size() ? static_cast<uint8_t>(s[i]) : 0U; };
  const auto tail = [&](size_t i, unsigned low = 0x80U, unsigned high = 0xBFU) {
    return at(i) >= low && at(i) <= high;
  };
  const unsigned b = at(0);
  if (b < 0x80) return 1;
  if (b >= 0xC2 && b <= 0xDF) return tail(1) ? 2 : 0;
  if (b >= 0xE0 && b <= 0xEF) {
    return tail(1, b == 0xE0 ? 0xA0U : 0x80U, b == 0xED ? 0x9FU : 0xBFU) && tail(2) ? 3 : 0;
  }
  if (b >= 0xF0 && b <= 0xF4) {
    return tail(1, b == 0xF0 ? 0x90U : 0x80U, b == 0xF4 ? 0x8FU : 0xBFU) && tail(2) && tail(3) ? 4
                                                                                               : 0;
  }
  return 0;
}

std::string visible_text(std::string_view bytes) {
  std::string out;
  if (!bytes.empty() && bytes.find_first_not_of(' ') == std::string_view::npos) {
    for (size_t i = 0; i < bytes.size(); ++i) out += "\u2423";
    return out;
  }
  for (size_t i = 0; i < bytes.size();) {
    const size_t n = sequence_length(bytes.substr(i));
    const char c = bytes[i];
    if (n == 0) {
      out += hex(c);
    } else if (c == '\n') {
      out += "\u21B5";
    } else if (c == '\t') {
      out += "\u21E5";
    } else if (c == '\r') {
      out += "\\r";
    } else if (n == 1 && (static_cast<uint8_t>(c) < 0x20 || c == 0x7F)) {
      out += hex(c);
    } else if (n == 2 && c == '\xC2' && static_cast<uint8_t>(bytes[i + 1]) < 0xA0) {  // C1
      out += hex(c) + hex(bytes[i + 1]);
    } else {
      out += bytes.substr(i, n);
    }
    i += n == 0 ? 1 : n;
  }
  return out;
}

size_t unfinished(std::string_view bytes) {
  for (size_t n = 1; n <= std::min(kMostBehindLead, bytes.size()); ++n) {
    const char c = bytes[bytes.size() - n];
    if (!continues(c)) return announced(c) > n ? n : 0;
  }
  return 0;
}

std::string part_of_character(std::string_view before, std::string_view token,
                              std::string_view after) {
  if (before.size() > kMostBehindLead) before.remove_prefix(before.size() - kMostBehindLead);
  std::string text(before);
  text.append(token).append(after.substr(0, kMostBehindLead));
  const size_t end = before.size() + token.size();
  size_t lead = before.size();
  while (lead > 0 && continues(text[lead])) --lead;
  const size_t length = announced(text[lead]);
  const bool whole = sequence_length(text.substr(lead)) == length;
  const bool cut =
      text.size() < lead + length && static_cast<uint8_t>(text[lead]) <= 0xF4 &&
      std::all_of(text.begin() + static_cast<std::ptrdiff_t>(lead) + 1, text.end(), continues);
  if (token.empty() || length == 1 || continues(text[lead]) || end > lead + length ||
      token.size() == length || !(whole || cut))
    return {};
  const size_t first = before.size() - lead + 1;
  const size_t last = first + token.size() - 1;
  std::string out = first == last
                        ? "byte " + std::to_string(first)
                        : "bytes " + std::to_string(first) + " to " + std::to_string(last);
  out += " of " + std::to_string(length) + " of ";
  return out + (whole ? text.substr(lead, length) : "a character");
}

std::string readable_text(std::string_view bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size();) {
    const size_t n = sequence_length(bytes.substr(i));
    if (n == 0) {
      out += "\uFFFD";
    } else if (n > 1 || bytes[i] == '\n' || static_cast<uint8_t>(bytes[i]) >= 0x20) {
      out += bytes.substr(i, n);
    }
    i += n == 0 ? 1 : n;
  }
  return out;
}

}  // namespace scene
