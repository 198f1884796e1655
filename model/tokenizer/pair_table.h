// Two symbols -> the rank of their merge and the symbol it makes. Open addressing, at most two
// thirds full.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "model/tokenizer/hash.h"

namespace model {

class PairTable {
 public:
  struct Entry {
    int32_t left = -1, right = -1;
    uint32_t rank = 0;
    int32_t merged = -1;
  };

  // Room for `count` entries; to be called once.
  void reserve(size_t count) { slots_.resize(std::bit_ceil(count + count / 2 + 1)); }

  // Unless the pair has an entry already. left, right >= 0.
  void insert(const Entry& entry) noexcept {
    Entry& slot = slots_[slot_of(entry.left, entry.right)];
    if (slot.left < 0) slot = entry;
  }

  // nullptr: the two are not merged.
  const Entry* find(int32_t left, int32_t right) const noexcept {
    const Entry& slot = slots_[slot_of(left, right)];
    return slot.left < 0 ? nullptr : &slot;
  }

  bool empty() const noexcept { return slots_.empty(); }

 private:
  size_t slot_of(int32_t left, int32_t right) const noexcept {
    const size_t mask = slots_.size() - 1;
    size_t i = kSecret.mix(static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right)) & mask;
    while (slots_[i].left >= 0 && (slots_[i].left != left || slots_[i].right != right)) {
      i = (i + 1) & mask;
    }
    return i;
  }

  std::vector<Entry> slots_;
};

}  // namespace model
