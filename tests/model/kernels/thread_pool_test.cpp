#include "model/kernels/thread_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>
#include <vector>

namespace model {
namespace {

TEST(ThreadPool, EveryNumberRunsOnceEachTime) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    std::vector<int> calls(static_cast<size_t>(threads));
    for (int round = 0; round < 200; ++round) {
      pool.run([&](int i) { ++calls[static_cast<size_t>(i)]; });
    }
    for (const int n : calls) EXPECT_EQ(n, 200);
  }
}

TEST(ThreadPool, SharesCoverEverythingOnce) {
  for (const int64_t n : {0, 1, 3, 7, 100}) {
    int64_t next = 0;
    for (int i = 0; i < 4; ++i) {
      const auto [first, last] = ThreadPool::share(n, i, 4);
      EXPECT_EQ(first, next);
      EXPECT_LE(last - first, (n + 3) / 4);
      next = last;
    }
    EXPECT_EQ(next, n);
  }
}

TEST(ThreadPool, ExceptionsComeBackAndThePoolLivesOn) {
  ThreadPool pool(3);
  EXPECT_THROW(pool.run([](int i) {
    if (i > 0) throw std::runtime_error("no");
  }),
               std::runtime_error);
  int sum = 0;
  pool.run([&](int i) {
    if (i == 0) sum = 1;
  });
  EXPECT_EQ(sum, 1);
}

}  // namespace
}  // namespace model
