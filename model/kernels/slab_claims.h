// How the threads share the slabs of a product.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

#include "model/error.h"

namespace model {

// The most threads that have a share of their own.
inline constexpr int64_t kMostPairs = 64;

// Every thread takes the pairs of slabs of its share in order, half of what is left of them at a
// time, and then those of others one by one from their ends.
class SlabClaims {
 public:
  // pairs(i, n): those of share i of n, fewer than 2^16.
  template <class Count>
  SlabClaims(int threads, const Count& pairs)
      : threads_(std::min(threads, static_cast<int>(kMostPairs))) {
    for (int i = 0; i < threads_; ++i) {
      const int64_t n = pairs(i, threads_);
      CHECK(n < 1 << 16);
      left_[static_cast<size_t>(i)].pairs.store(static_cast<uint32_t>(n),
                                                std::memory_order_relaxed);
    }
  }

  // Calls work(i, n, first, last), pairs first <= k < last of share i of n, until none is left;
  // each comes to one thread.
  template <class Work>
  void take_all(int thread, const Work& work) {
    for (int k = 0; k < threads_; ++k) {
      const int share = (thread + k) % threads_;
      std::atomic<uint32_t>& left = left_[static_cast<size_t>(share)].pairs;
      const bool own = k == 0 && thread < threads_;
      uint32_t range = left.load(std::memory_order_relaxed);
      while (range >> 16 < (range & 0xFFFF)) {
        const uint32_t first = range >> 16;
        const uint32_t last = range & 0xFFFF;
        const uint32_t taken = own ? (last - first + 1) / 2 : 1;
        const uint32_t rest = own ? range + (taken << 16) : range - taken;
        if (!left.compare_exchange_weak(range, rest, std::memory_order_relaxed)) continue;
        const int64_t begin = own ? first : last - taken;
        work(share, threads_, begin, begin + taken);
        range = left.load(std::memory_order_relaxed);
      }
    }
  }

 private:
  int threads_;
  // Of each thread: the first pair that is left in the upper half, the one behind the last below.
  struct alignas(64) Left {
    std::atomic<uint32_t> pairs;
  };
  std::array<Left, kMostPairs> left_;
};

}  // namespace model
