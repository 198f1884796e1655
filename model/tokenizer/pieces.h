// Byte strings numbered from 0, in one block of memory, and an index that finds their numbers.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/error.h"
#include "model/tokenizer/hash.h"

namespace model {

class Pieces {
 public:
  void reserve(size_t count) { ends_.reserve(count); }

  int32_t add(std::string_view bytes) {
    bytes_ += bytes;
    CHECK(bytes_.size() <= UINT32_MAX && ends_.size() < INT32_MAX);
    ends_.push_back(static_cast<uint32_t>(bytes_.size()));
    return static_cast<int32_t>(ends_.size() - 1);
  }

  std::string_view operator[](size_t id) const noexcept {
    const uint32_t begin = id == 0 ? 0 : ends_[id - 1];
    return std::string_view(bytes_).substr(begin, ends_[id] - begin);
  }

  size_t size() const noexcept { return ends_.size(); }

 private:
  std::string bytes_;
  std::vector<uint32_t> ends_;  // of piece i in bytes_
};

// Open addressing, at most two thirds full. The pieces are passed in anew with each call.
class PieceIndex {
 public:
  void reserve(const Pieces& pieces, size_t count) {
    const size_t slots = std::bit_ceil(count + count / 2 + 16);
    if (slots <= slots_.size()) return;
    const std::vector<int32_t> old = std::exchange(slots_, std::vector<int32_t>(slots, -1));
    for (const int32_t id : old) {
      if (id >= 0) slots_[slot_of(pieces, pieces[static_cast<size_t>(id)])] = id;
    }
  }

  // Inserts piece `id` unless an equal one is there.
  void insert(const Pieces& pieces, int32_t id) {
    reserve(pieces, count_ + 1);
    int32_t& slot = slots_[slot_of(pieces, pieces[static_cast<size_t>(id)])];
    if (slot < 0) slot = id, ++count_;
  }

  // -1: not found.
  int32_t find(const Pieces& pieces, std::string_view bytes) const noexcept {
    return slots_.empty() ? -1 : slots_[slot_of(pieces, bytes)];
  }

 private:
  size_t slot_of(const Pieces& pieces, std::string_view bytes) const noexcept {
    const size_t mask = slots_.size() - 1;
    size_t i = hash(bytes) & mask;
    while (slots_[i] >= 0 && pieces[static_cast<size_t>(slots_[i])] != bytes) i = (i + 1) & mask;
    return i;
  }

  // Eight bytes at a time.
  static size_t hash(std::string_view bytes) noexcept {
    uint64_t h = bytes.size();
    for (size_t i = 0; i < bytes.size(); i += 8) {
      uint64_t word = 0;
      std::memcpy(&word, bytes.data() + i, std::min<size_t>(bytes.size() - i, 8));
      h = kSecret.mix(h ^ word);
    }
    return h;
  }

  std::vector<int32_t> slots_;  // ids; -1: free
  size_t count_ = 0;
};

}  // namespace model
