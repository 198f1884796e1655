#include "model/tokenizer/unicode.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "model/tokenizer/unicode_table.h"
#include "model/utf8.h"

namespace model {
namespace {

constexpr Category search(char32_t c) noexcept {
  const auto* after =
      std::upper_bound(std::begin(unicode_table::kRuns), std::end(unicode_table::kRuns), c,
                       [](char32_t x, const unicode_table::Run& run) { return x < run.first; });
  return std::prev(after)->category;
}

constexpr auto kAscii = [] {
  std::array<Category, 128> table{};
  for (char32_t c = 0; c < 128; ++c) table[c] = search(c);
  return table;
}();

}  // namespace

Category category(char32_t c) noexcept {
  return c < kAscii.size() ? kAscii[c] : search(c);
}

Character character_at(std::string_view text, size_t pos) noexcept {
  const auto byte = static_cast<unsigned char>(text[pos]);
  if (byte < kAscii.size()) return {byte, 1, kAscii[byte], true};
  const Utf8Char c = decode_utf8(text, pos);
  return {c.code, static_cast<uint32_t>(c.bytes), c.valid ? search(c.code) : Category::kOther,
          c.valid};
}

}  // namespace model
