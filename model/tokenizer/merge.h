// The loop that BPE and SentencePiece share: of all neighbouring pairs that may be joined,
// join the best one, the leftmost of equals, until none is left. O(n log n).
#pragma once

#include <cstddef>
#include <queue>
#include <string_view>
#include <vector>

namespace model {

struct MergeSymbol {
  size_t begin = 0, bytes = 0;  // of the text; bytes == 0: joined to a symbol on its left
  size_t prev = 0, next = 0;
};

// `symbols` cut `text` into consecutive parts and are filled in order with begin and bytes.
// rate(left, right, rank): whether two neighbouring parts may be joined and, if so, sets
// rank, where less is earlier. Symbols that remain have bytes > 0.
template <class Rate>
void merge_symbols(std::string_view text, std::vector<MergeSymbol>& symbols, Rate&& rate) {
  struct Pair {
    double rank;
    size_t left, right;
    size_t left_bytes, right_bytes;
    bool operator<(const Pair& o) const noexcept {  // the top of the queue is the greatest
      return rank != o.rank ? rank > o.rank : left > o.left;
    }
  };
  const size_t n = symbols.size();
  std::priority_queue<Pair> queue;
  const auto consider = [&](size_t l, size_t r) {
    const MergeSymbol& a = symbols[l];
    const MergeSymbol& b = symbols[r];
    double rank = 0;
    if (rate(text.substr(a.begin, a.bytes), text.substr(b.begin, b.bytes), rank)) {
      queue.push({rank, l, r, a.bytes, b.bytes});
    }
  };
  for (size_t i = 0; i < n; ++i) symbols[i].prev = i - 1, symbols[i].next = i + 1;
  for (size_t i = 1; i < n; ++i) consider(i - 1, i);
  while (!queue.empty()) {
    const Pair pair = queue.top();
    queue.pop();
    MergeSymbol& a = symbols[pair.left];
    MergeSymbol& b = symbols[pair.right];
    if (a.bytes != pair.left_bytes || b.bytes != pair.right_bytes) continue;  // joined since
    a.bytes += b.bytes;
    b.bytes = 0;
    a.next = b.next;
    if (a.next < n) symbols[a.next].prev = pair.left;
    if (pair.left > 0) consider(a.prev, pair.left);
    if (a.next < n) consider(pair.left, a.next);
  }
}

}  // namespace model
