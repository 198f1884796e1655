// The loop that BPE and SentencePiece share: of all neighbouring pairs that may be joined,
// join the best one, the leftmost of equals, until none is left. O(n log n).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace model {

struct MergeSymbol {
  uint32_t begin = 0, bytes = 0;  // of the text; bytes == 0: joined to a symbol on its left
  int32_t id = -1;                // whatever the caller knows it by
  uint32_t prev = 0, next = 0;
};

// Keeps its memory between runs. Order: a number, less is earlier.
template <class Order>
class Merger {
 public:
  struct Join {
    Order order{};
    int32_t id = -1;  // of the joined symbol
  };

  // `symbols` cut a text into consecutive parts and are filled in order with begin, bytes and
  // id. rate(left, right, join): whether two neighbours may be joined; if so it sets join.
  // Symbols that remain have bytes > 0.
  template <class Rate>
  void run(std::vector<MergeSymbol>& symbols, Rate&& rate) {
    const auto n = static_cast<uint32_t>(symbols.size());
    heap_.clear();
    const auto consider = [&](uint32_t left, uint32_t right) {
      Join join;
      if (!rate(symbols[left], symbols[right], join)) return false;
      heap_.push_back({join, left, right, symbols[left].bytes + symbols[right].bytes});
      return true;
    };
    for (uint32_t i = 0; i < n; ++i) symbols[i].prev = i - 1, symbols[i].next = i + 1;
    for (uint32_t i = 1; i < n; ++i) consider(i - 1, i);
    std::make_heap(heap_.begin(), heap_.end());
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end());
      const Pair pair = heap_.back();
      heap_.pop_back();
      MergeSymbol& a = symbols[pair.left];
      MergeSymbol& b = symbols[pair.right];
      if (a.bytes == 0 || b.bytes == 0 || a.bytes + b.bytes != pair.bytes) continue;  // outdated
      a.bytes += b.bytes;
      a.id = pair.join.id;
      b.bytes = 0;
      a.next = b.next;
      if (a.next < n) symbols[a.next].prev = pair.left;
      if (pair.left > 0 && consider(a.prev, pair.left)) push_last();
      if (a.next < n && consider(pair.left, a.next)) push_last();
    }
  }

 private:
  struct Pair {
    Join join;
    uint32_t left, right;
    uint32_t bytes;                                 // of both when it was rated
    bool operator<(const Pair& o) const noexcept {  // the top of a heap is the greatest
      return join.order != o.join.order ? join.order > o.join.order : left > o.left;
    }
  };

  void push_last() { std::push_heap(heap_.begin(), heap_.end()); }

  std::vector<Pair> heap_;
};

}  // namespace model
