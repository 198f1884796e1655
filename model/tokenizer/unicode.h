// What the pre-tokenizers ask about a character (Unicode 17.0).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace model {

// General categories as the patterns of tokenizers tell them apart: Lu Ll Lt Lm Lo M* N* P* S*.
// White_Space, which is what \s means there, is a category of its own and comes before the
// others; control characters, private use and what is not assigned are kOther.
enum class Category : uint8_t {
  kUpper,
  kLower,
  kTitle,
  kModifier,
  kOtherLetter,
  kMark,
  kNumber,
  kPunctuation,
  kSymbol,
  kSpace,
  kOther,
};

Category category(char32_t c) noexcept;

constexpr bool is_letter(Category c) noexcept {
  return c <= Category::kOtherLetter;
}

// One character of a text. A byte that is not UTF-8 is a character of category kOther.
struct Character {
  char32_t code = 0;
  uint32_t bytes = 0;
  Category category = Category::kOther;
  bool valid = false;
};

// The character that begins at text[pos]; pos < text.size().
Character character_at(std::string_view text, size_t pos) noexcept;

}  // namespace model
