#include "model/tokenizer/cuts.h"

#include <algorithm>
#include <iterator>

#include "model/tokenizer/unicode.h"

namespace model::cuts {
namespace {

bool is_newline(const Character& c) noexcept {
  return c.code == '\n' || c.code == '\r';
}

bool is_number(const Character& c) noexcept {
  return c.category == Category::kNumber;
}

bool is_space(const Character& c) noexcept {
  return c.category == Category::kSpace;
}

// Where the characters from `pos` on that satisfy `is` end.
template <class Is>
size_t run_end(std::string_view text, size_t pos, Is&& is) noexcept {
  while (pos < text.size()) {
    const Character c = character_at(text, pos);
    if (!is(c)) break;
    pos += c.bytes;
  }
  return pos;
}

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Length of 's|'t|'re|'ve|'m|'ll|'d at `pos`, or 0.
size_t contraction(std::string_view text, size_t pos, bool any_case) noexcept {
  if (pos + 1 >= text.size() || text[pos] != '\'') return 0;
  const auto at = [&](size_t i) { return any_case ? lower(text[i]) : text[i]; };
  const char a = at(pos + 1);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if (pos + 2 >= text.size()) return 0;
  const char b = at(pos + 2);
  return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

// \s+(?!\S)|\s+, after \s*[\r\n]+ where new lines come first; text begins with white space.
// All of it at the end of a text, else all but the last character, which goes with the next
// word or stands alone when it is the only one.
size_t white_space(std::string_view text, bool newlines_first) noexcept {
  size_t last = 0;
  size_t after_newline = 0;
  size_t end = 0;
  while (end < text.size()) {
    const Character c = character_at(text, end);
    if (!is_space(c)) break;
    last = end;
    end += c.bytes;
    if (is_newline(c)) after_newline = end;
  }
  if (newlines_first && after_newline > 0) return after_newline;
  return end < text.size() && last > 0 ? last : end;
}

struct Range {
  char32_t first, last;
};

template <size_t N>
bool contains(const Range (&ranges)[N], char32_t c) noexcept {
  const auto* after = std::upper_bound(std::begin(ranges), std::end(ranges), c,
                                       [](char32_t x, const Range& r) { return x < r.first; });
  return after != std::begin(ranges) && c <= std::prev(after)->last;
}

// Script=Han (Unicode 17.0, Scripts.txt).
// clang-format off
constexpr Range kHan[] = {
    {0x2E80, 0x2E99}, {0x2E9B, 0x2EF3}, {0x2F00, 0x2FD5}, {0x3005, 0x3005}, {0x3007, 0x3007},
    {0x3021, 0x3029}, {0x3038, 0x303B}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xF900, 0xFA6D},
    {0xFA70, 0xFAD9}, {0x16FE2, 0x16FE3}, {0x16FF0, 0x16FF6}, {0x20000, 0x2A6DF},
    {0x2A700, 0x2B81D}, {0x2B820, 0x2CEAD}, {0x2CEB0, 0x2EBE0}, {0x2EBF0, 0x2EE5D},
    {0x2F800, 0x2FA1D}, {0x30000, 0x3134A}, {0x31350, 0x33479},
};
// clang-format on

bool is_han(const Character& c) noexcept {
  return c.valid && contains(kHan, c.code);
}

struct WordRule {
  int digits = 3;             // at most so many numbers together
  bool marks = false;         // are parts of words
  bool cased = false;         // a capital after a small letter begins a word
  bool han_apart = false;     // what is Han belongs to no such word
  bool contraction = true;    // a word of its own
  bool suffix = false;        // ... or the end of one
  bool symbol_lines = true;   // new lines go with the symbols before them
  bool symbol_slash = false;  // slashes, too
};

bool can_be_upper(const Character& c) noexcept {
  return c.category <= Category::kMark && c.category != Category::kLower;
}

bool can_be_lower(const Character& c) noexcept {
  return c.category <= Category::kMark && c.category != Category::kUpper &&
         c.category != Category::kTitle;
}

// U*L+|U+L* at `begin`, U and L being what can_be_upper and can_be_lower say, of a rule perhaps
// without Han; else `begin`.
// With greedy matching, U* gives back characters until one is found that L+ can begin with.
size_t cased_run(std::string_view text, size_t begin, bool needs_lower,
                 const WordRule& rule) noexcept {
  const auto apart = [&](const Character& c) { return rule.han_apart && is_han(c); };
  const auto upper = [&](const Character& c) { return can_be_upper(c) && !apart(c); };
  const auto lower = [&](const Character& c) { return can_be_lower(c) && !apart(c); };
  const size_t upper_end = run_end(text, begin, upper);
  const size_t lower_end = run_end(text, upper_end, lower);
  if (lower_end > upper_end) return lower_end;
  if (!needs_lower) return upper_end;
  size_t turn = begin;  // behind the last character of U* that is in L, too
  for (size_t pos = begin; pos < upper_end;) {
    const Character c = character_at(text, pos);
    pos += c.bytes;
    if (lower(c)) turn = pos;
  }
  return turn;
}

size_t letters(std::string_view text, const Character& first, const WordRule& rule) noexcept {
  const bool prefix = !is_letter(first.category) && !is_number(first) && !is_newline(first);
  if (rule.cased) {
    for (const bool needs_lower : {true, false}) {
      if (prefix) {
        const size_t end = cased_run(text, first.bytes, needs_lower, rule);
        if (end > first.bytes) return end;
      }
      if (const size_t end = cased_run(text, 0, needs_lower, rule); end > 0) return end;
    }
    return 0;
  }
  const auto is = [&](const Character& c) {
    return is_letter(c.category) || (rule.marks && c.category == Category::kMark);
  };
  if (is(first)) return run_end(text, first.bytes, is);
  if (!prefix) return 0;
  const size_t end = run_end(text, first.bytes, is);
  return end > first.bytes ? end : 0;
}

size_t symbols(std::string_view text, const WordRule& rule) noexcept {
  const auto is = [&](const Character& c) {
    return !is_space(c) && !is_letter(c.category) && !is_number(c) &&
           !(rule.marks && c.category == Category::kMark);
  };
  const size_t begin = text[0] == ' ' ? 1 : 0;
  size_t end = run_end(text, begin, is);
  if (end == begin) return 0;
  while (rule.symbol_lines && end < text.size() &&
         (text[end] == '\r' || text[end] == '\n' || (rule.symbol_slash && text[end] == '/'))) {
    ++end;
  }
  return end;
}

size_t word(std::string_view text, const WordRule& rule) noexcept {
  if (rule.contraction) {
    if (const size_t n = contraction(text, 0, true); n > 0) return n;
  }
  const Character first = character_at(text, 0);
  if (const size_t n = letters(text, first, rule); n > 0) {
    return rule.suffix ? n + contraction(text, n, true) : n;
  }
  if (is_number(first)) {
    int left = rule.digits;
    return run_end(text, 0, [&](const Character& c) { return is_number(c) && left-- > 0; });
  }
  if (const size_t n = symbols(text, rule); n > 0) return n;
  return white_space(text, true);
}

// match(pos): where a match that begins at pos ends, or pos.
template <class Match>
size_t before_or_match(std::string_view rest, Match&& match) noexcept {
  for (size_t pos = 0; pos < rest.size(); pos += character_at(rest, pos).bytes) {
    if (const size_t end = match(pos); end > pos) return pos == 0 ? end : pos;
  }
  return rest.size();
}

template <class Is>
size_t before_or_run(std::string_view rest, Is&& is) noexcept {
  return before_or_match(rest, [&](size_t pos) { return run_end(rest, pos, is); });
}

// \s?[is]+
template <class Is>
size_t before_or_spaced_run(std::string_view rest, Is&& is) noexcept {
  return before_or_match(rest, [&](size_t pos) {
    const Character c = character_at(rest, pos);
    const size_t begin = is_space(c) ? pos + c.bytes : pos;
    const size_t end = run_end(rest, begin, is);
    return end > begin ? end : run_end(rest, pos, is);
  });
}

// clang-format off
constexpr Range kDeepSeekLetters[] = {
    {'A', 'Z'}, {'a', 'z'}, {0xB5, 0xB5}, {0xC0, 0xD6}, {0xD8, 0xF6}, {0xF8, 0x1BA},
    {0x1BC, 0x1BF}, {0x1C4, 0x293}, {0x295, 0x2AF}, {0x370, 0x373}, {0x376, 0x377},
    {0x37B, 0x37D}, {0x37F, 0x37F}, {0x386, 0x386}, {0x388, 0x38A}, {0x38C, 0x38C},
    {0x38E, 0x3A1}, {0x3A3, 0x3F5}, {0x3F7, 0x481}, {0x48A, 0x52F}, {0x531, 0x556},
    {0x10A0, 0x10C5}, {0x13A0, 0x13F5}, {0x13F8, 0x13FD}, {0x1C90, 0x1CBA}, {0x1CBD, 0x1CBF},
    {0x1D00, 0x1D2B}, {0x1D6B, 0x1D77}, {0x1D79, 0x1D9A}, {0x1E00, 0x1F15}, {0x1F18, 0x1F1D},
    {0x1F20, 0x1F45}, {0x1F48, 0x1F4D}, {0x1F50, 0x1F57}, {0x1F59, 0x1F59}, {0x1F5B, 0x1F5B},
    {0x1F5D, 0x1F5D}, {0x1F5F, 0x1F7D}, {0x1F80, 0x1FB4}, {0x1FB6, 0x1FBC}, {0x1FBE, 0x1FBE},
    {0x1FC2, 0x1FC4}, {0x1FC6, 0x1FCC}, {0x1FD0, 0x1FD3}, {0x1FD6, 0x1FDB}, {0x1FE0, 0x1FEC},
    {0x1FF2, 0x1FF4}, {0x1FF6, 0x1FFC}, {0x2102, 0x2102}, {0x2107, 0x2107}, {0x210A, 0x2113},
    {0x2115, 0x2115}, {0x2119, 0x211D}, {0x2124, 0x2124}, {0x2126, 0x2126}, {0x2128, 0x2128},
    {0x212A, 0x212D}, {0x212F, 0x2134}, {0x2139, 0x2139}, {0x213C, 0x213F}, {0x2145, 0x2149},
    {0x214E, 0x214E}, {0x2183, 0x2184}, {0x2C00, 0x2C7B}, {0x2C7E, 0x2CE4}, {0x2CEB, 0x2CEE},
    {0x2CF2, 0x2CF3}, {0xA640, 0xA66D}, {0xA680, 0xA69B}, {0xA722, 0xA76F}, {0xA771, 0xA787},
    {0xA78B, 0xA78E}, {0xAB70, 0xABBF}, {0xFB00, 0xFB06}, {0xFB13, 0xFB17}, {0xFF21, 0xFF3A},
    {0xFF41, 0xFF5A}, {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB},
    {0x10C80, 0x10CB2}, {0x10CC0, 0x10CF2}, {0x118A0, 0x118DF}, {0x1E900, 0x1E943},
};
constexpr Range kDeepSeekPunctuation[] = {
    {'!', '/'}, {':', '~'}, {0x2018, 0x201F}, {0x3000, 0x3002}, {0xFF01, 0xFF0F},
    {0xFF1A, 0xFF5E},
};
constexpr Range kHanAndKana[] = {{0x3040, 0x30FF}, {0x4E00, 0x9FA5}};
constexpr Range kEastAsian[] = {{0x800, 0x9FA5}, {0xAC00, 0xD7FF}};
// clang-format on

}  // namespace

size_t gpt2(std::string_view rest) noexcept {
  if (const size_t n = contraction(rest, 0, false); n > 0) return n;
  const size_t begin = rest[0] == ' ' && rest.size() > 1 ? 1 : 0;
  const Character first = character_at(rest, begin);
  if (is_space(first)) return white_space(rest, false);
  const auto kind = [](const Character& c) {
    return is_space(c) ? 0 : is_letter(c.category) ? 1 : is_number(c) ? 2 : 3;
  };
  return run_end(rest, begin, [&, k = kind(first)](const Character& c) { return kind(c) == k; });
}

size_t llama3(std::string_view rest) noexcept {
  return word(rest, {});
}

size_t qwen2(std::string_view rest) noexcept {
  return word(rest, {.digits = 1});
}

size_t qwen35(std::string_view rest) noexcept {
  return word(rest, {.digits = 1, .marks = true});
}

size_t seed_coder(std::string_view rest) noexcept {
  return word(rest, {.digits = 1, .symbol_lines = false});
}

size_t tekken(std::string_view rest) noexcept {
  return word(rest, {.digits = 1, .cased = true, .contraction = false, .symbol_slash = true});
}

size_t gpt4o(std::string_view rest) noexcept {
  return word(rest, {.cased = true, .contraction = false, .suffix = true, .symbol_slash = true});
}

size_t kimi(std::string_view rest) noexcept {
  if (const size_t n = run_end(rest, 0, is_han); n > 0) return n;
  return word(rest, {.cased = true, .han_apart = true, .contraction = false, .suffix = true});
}

size_t deepseek3(std::string_view rest) noexcept {
  const auto signs = [](const Character& c) {
    return c.category == Category::kPunctuation || c.category == Category::kSymbol;
  };
  const auto parts_of_words = [](const Character& c) {
    return is_letter(c.category) || c.category == Category::kMark;
  };
  const auto latin = [](const Character& c) { return c.code < 0x80 && is_letter(c.category); };
  return before_or_match(rest, [&](size_t pos) {
    const Character first = character_at(rest, pos);
    const size_t second = pos + first.bytes;
    if (first.code < 0x80 && signs(first)) {
      if (const size_t end = run_end(rest, second, latin); end > second) return end;
    }
    if (!is_newline(first) && !is_letter(first.category) && !signs(first)) {
      if (const size_t end = run_end(rest, second, parts_of_words); end > second) return end;
    }
    if (const size_t end = run_end(rest, pos, parts_of_words); end > pos) return end;
    const size_t begin = first.code == ' ' ? second : pos;
    if (const size_t end = run_end(rest, begin, signs); end > begin) {
      return run_end(rest, end, is_newline);
    }
    return is_space(first) ? pos + white_space(rest.substr(pos), true) : pos;
  });
}

size_t number(std::string_view rest) noexcept {
  return before_or_match(rest, [&](size_t pos) {
    const Character c = character_at(rest, pos);
    return is_number(c) ? pos + c.bytes : pos;
  });
}

size_t numbers(std::string_view rest) noexcept {
  return before_or_run(rest, is_number);
}

size_t three_numbers(std::string_view rest) noexcept {
  return before_or_match(rest, [&](size_t pos) {
    int left = 3;
    return run_end(rest, pos, [&](const Character& c) { return is_number(c) && left-- > 0; });
  });
}

size_t three_digits(std::string_view rest) noexcept {
  const auto digit = [&](size_t i) { return rest[i] >= '0' && rest[i] <= '9'; };
  return before_or_match(rest, [&](size_t pos) {
    const bool match = pos + 2 < rest.size() && digit(pos) && digit(pos + 1) && digit(pos + 2);
    return match ? pos + 3 : pos;
  });
}

size_t punctuation(std::string_view rest) noexcept {
  return before_or_run(rest, [](const Character& c) {
    return c.category == Category::kPunctuation ||
           (c.code < 0x80 && c.category == Category::kSymbol && c.code != '`');
  });
}

size_t punctuation_or_tick(std::string_view rest) noexcept {
  return before_or_run(rest, [](const Character& c) {
    return c.category == Category::kPunctuation ||
           (c.code < 0x80 && c.category == Category::kSymbol);
  });
}

size_t newline(std::string_view rest) noexcept {
  if (rest[0] == '\r' || rest[0] == '\n') return 1;
  return std::min(rest.find_first_of("\r\n"), rest.size());
}

size_t space_letters(std::string_view rest) noexcept {
  return before_or_spaced_run(rest, [](const Character& c) { return is_letter(c.category); });
}

size_t space_punctuation(std::string_view rest) noexcept {
  return before_or_spaced_run(
      rest, [](const Character& c) { return c.category == Category::kPunctuation; });
}

size_t trailing_space(std::string_view rest) noexcept {
  size_t begin = rest.size();  // of the white space at the end
  for (size_t pos = 0; pos < rest.size();) {
    const Character c = character_at(rest, pos);
    if (!is_space(c)) {
      begin = rest.size();
    } else if (begin == rest.size()) {
      begin = pos;
    }
    pos += c.bytes;
  }
  return begin == 0 ? rest.size() : begin;
}

size_t east_asian(std::string_view rest) noexcept {
  return before_or_run(rest, [](const Character& c) { return contains(kEastAsian, c.code); });
}

size_t han_and_kana(std::string_view rest) noexcept {
  return before_or_run(rest, [](const Character& c) { return contains(kHanAndKana, c.code); });
}

size_t deepseek_letters(std::string_view rest) noexcept {
  return before_or_spaced_run(
      rest, [](const Character& c) { return c.valid && contains(kDeepSeekLetters, c.code); });
}

size_t deepseek_punctuation(std::string_view rest) noexcept {
  return before_or_spaced_run(
      rest, [](const Character& c) { return c.valid && contains(kDeepSeekPunctuation, c.code); });
}

}  // namespace model::cuts
