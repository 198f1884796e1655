// Finds the names of special tokens in a text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "model/tokenizer/pieces.h"

namespace model {

class SpecialTexts {
 public:
  // Bytes of a name; looking for them takes time in proportion at every place of a text.
  static constexpr size_t kLongest = 512;

  // What is particular about a token, as tokenizer.json says it. A space is what \s stands for in
  // a pattern, a character of a word what \w does.
  struct Rule {
    bool always = false;       // found in plain text, too
    bool lstrip = false;       // takes the spaces before it along
    bool rstrip = false;       // and those behind it
    bool single_word = false;  // found only where no character of a word is next to it
  };

  // To be called for each special token, then finish() once. Tokens without a text are left out.
  void add(std::string_view text, int32_t id, const Rule& rule);
  void finish();
  bool empty() const noexcept { return entries_.empty(); }

  struct Found {
    size_t begin = 0, end = 0;  // with the spaces that it takes along
    int32_t id = -1;            // -1: none
  };

  // The leftmost special token at or after text[pos], there the longest. all: also those that are
  // not found in plain text. Its name ends at or before text[end]; the spaces behind it may go on.
  // It takes no space before text[taken] along; taken <= pos <= end.
  Found find(std::string_view text, size_t taken, size_t pos, size_t end, bool all) const noexcept;

 private:
  struct Entry {
    int32_t id;
    int32_t name;  // in names_
    Rule rule;
  };
  // What is written at text[pos]: the number of bytes, 0 for nothing.
  size_t longest_at(std::string_view text, size_t pos, bool all,
                    const Entry*& entry) const noexcept;

  Pieces names_;
  std::vector<Entry> entries_;      // in the order of their names once finished
  std::array<bool, 256> begins_{};  // with this byte
  std::array<bool, 256> begins_plain_{};
};

}  // namespace model
