#include "render/scene/editable.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "render/scene/text.h"

namespace scene {

namespace {

constexpr std::string_view kLineEnd = "\u21B5";
constexpr std::string_view kTab = "\u21E5";
constexpr size_t kFirst = 0xE000;
constexpr size_t kStandIns = 0x1000;  // the rest is for letters: render/ui/letters.cpp

std::string stand_in(size_t number) {
  return encode_utf8(static_cast<char32_t>(kFirst + number));
}

// Which stand-in these three bytes are; kStandIns: none.
size_t number_of(std::string_view bytes) {
  const auto at = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(bytes[i])); };
  const size_t c = (at(0) & 0x0F) << 12 | (at(1) & 0x3F) << 6 | (at(2) & 0x3F);
  return c >= kFirst && c < kFirst + kStandIns ? c - kFirst : kStandIns;
}

bool is_private(std::string_view bytes) {
  return bytes >= "\uE000" && bytes <= "\uF8FF";
}

}  // namespace

std::string Editable::shown(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t n = sequence_length(text.substr(i));
    const std::string_view c = text.substr(i, std::max<size_t>(n, 1));
    i += c.size();
    if (c == "\n" || c == "\t") {
      out += c == "\n" ? kLineEnd : kTab;
      continue;
    }
    const bool arrow = c == kLineEnd || c == kTab;
    const bool keeps = n == 1 || n == 2 || (n == 3 && !is_private(c) && !arrow);
    if (keeps && c[0] != '\0') {
      out += c;
      continue;
    }
    const auto known = std::find(kept_.begin(), kept_.end(), c);
    const auto number = static_cast<size_t>(known - kept_.begin());
    if (number == kStandIns) return out;  // nobody writes so many
    if (known == kept_.end()) kept_.emplace_back(c);
    out += stand_in(number);
  }
  return out;
}

bool Editable::keep_typed(char32_t c) {
  const std::string one = encode_utf8(c);
  if (typed_.empty() && shown(one) == one) return false;
  typed_ += one;
  return true;
}

std::string Editable::take_typed() {
  return shown(std::exchange(typed_, {}));
}

std::string Editable::meant(std::string_view shown) const {
  std::string out;
  for (size_t i = 0; i < shown.size();) {
    const size_t n = std::max<size_t>(sequence_length(shown.substr(i)), 1);
    const size_t number = n == 3 ? number_of(shown.substr(i, n)) : kStandIns;
    const std::string_view c = shown.substr(i, n);
    if (c == kLineEnd || c == kTab) {
      out += c == kTab ? '\t' : '\n';
    } else if (number < kept_.size()) {
      out += kept_[number];
    } else {
      out += c;
    }
    i += n;
  }
  return out;
}

std::string Editable::pasted(std::string_view text) {
  std::string lines;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    lines += text[i] == '\r' ? '\n' : text[i];
  }
  return shown(lines);
}

}  // namespace scene
