// The patterns that pre-tokenizers are made of: each gives the length of the first piece of a
// text that is not empty, whether the pattern matches it or only what comes before a match.
#pragma once

#include <cstddef>
#include <string_view>

namespace model::cuts {

//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
size_t gpt2(std::string_view rest) noexcept;

// The family that began with GPT-4's
//   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}
//   | ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
size_t llama3(std::string_view rest) noexcept;
// with \p{N} for \p{N}{1,3}
size_t qwen2(std::string_view rest) noexcept;
// and with [\p{L}\p{M}] for \p{L}; marks are no symbols then
size_t qwen35(std::string_view rest) noexcept;
// as qwen2, but new lines never go with the symbols before them
size_t seed_coder(std::string_view rest) noexcept;
// For the words of letters
//   [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+
//   |[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*
// without contractions, \p{N}, and slashes go with new lines after symbols: [\r\n/]*
size_t tekken(std::string_view rest) noexcept;
// the same with \p{N}{1,3} and (?i:'s|'t|'re|'ve|'m|'ll|'d)? behind a word
size_t gpt4o(std::string_view rest) noexcept;
// the same without slashes behind \p{Han}+, and without Han in words (Moonshot's tiktoken pattern)
size_t kimi(std::string_view rest) noexcept;
// DeepSeek-V3, behind cuts by numbers and CJK characters:
//   [!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*
//   |\s*[\r\n]+|\s+(?!\S)|\s+
size_t deepseek3(std::string_view rest) noexcept;

size_t number(std::string_view rest) noexcept;               // \p{N}
size_t numbers(std::string_view rest) noexcept;              // \p{N}+
size_t three_numbers(std::string_view rest) noexcept;        // \p{N}{1,3}
size_t three_digits(std::string_view rest) noexcept;         // [0-9][0-9][0-9]
size_t punctuation(std::string_view rest) noexcept;          // [\p{P}$+<=>^~|]+
size_t punctuation_or_tick(std::string_view rest) noexcept;  // [\p{P}$+<=>^~|`]+
size_t newline(std::string_view rest) noexcept;              // [\r\n]
size_t space_letters(std::string_view rest) noexcept;        // \s?\p{L}+
size_t space_punctuation(std::string_view rest) noexcept;    // \s?\p{P}+
size_t trailing_space(std::string_view rest) noexcept;       // \s+$
size_t east_asian(std::string_view rest) noexcept;    // [\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+
size_t han_and_kana(std::string_view rest) noexcept;  // [\u4E00-\u9FA5\u3040-\u30FF]+

// DeepSeek-LLM lists the cased letters of scripts that have cases, and marks of ASCII, its
// full-width forms, general quotation marks and three CJK signs: \s?[...]+
size_t deepseek_letters(std::string_view rest) noexcept;
size_t deepseek_punctuation(std::string_view rest) noexcept;

}  // namespace model::cuts
