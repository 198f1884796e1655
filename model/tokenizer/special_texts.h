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
  // To be called for each special token, then finish() once. Tokens without a text are left
  // out. always: found in plain text, too.
  void add(const Pieces& pieces, int32_t id, bool always);
  void finish(const Pieces& pieces);

  struct Found {
    size_t begin = 0, bytes = 0;
    int32_t id = -1;  // -1: none
  };

  // The leftmost special token at or after text[pos], there the longest. all: also those that
  // are not found in plain text.
  Found find(const Pieces& pieces, std::string_view text, size_t pos, bool all) const noexcept;

 private:
  struct Entry {
    int32_t id;
    bool always;
  };
  std::vector<Entry> entries_;      // in the order of their texts once finished
  std::array<bool, 256> begins_{};  // with this byte
  std::array<bool, 256> begins_plain_{};
};

}  // namespace model
