#include "model/kernels/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "model/error.h"

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

// Long and short pauses, so that workers are found watching, falling asleep and asleep.
TEST(ThreadPool, RunsAreSeenWhetherWorkersWatchOrSleep) {
  for (const int threads : {2, 3}) {
    ThreadPool pool(threads);
    std::vector<int64_t> sums(static_cast<size_t>(threads));
    int64_t expected = 0;
    for (int round = 0; round < 3000; ++round) {
      if (round % 100 == 0)
        std::this_thread::sleep_for(std::chrono::microseconds(20 * (round / 100)));
      pool.run([&](int i) { sums[static_cast<size_t>(i)] += round; });
      expected += round;
    }
    for (const int64_t sum : sums) EXPECT_EQ(expected, sum);
  }
}

// More threads than processors: the caller does the parts of those that are late.
TEST(ThreadPool, LateWorkersHoldNobodyUp) {
  ThreadPool pool(32);
  std::vector<int> calls(32);
  for (int round = 0; round < 300; ++round) {
    pool.run([&](int i) { ++calls[static_cast<size_t>(i)]; });
  }
  for (const int n : calls) EXPECT_EQ(300, n);
}

TEST(ThreadPool, MayEndAtOnce) {
  for (int i = 0; i < 50; ++i) {
    ThreadPool pool(1 + i % 4);
    if (i % 2 == 0) pool.run([](int) {});
  }
}

// What is fetched while threads wait is not read: memory that is gone does no harm.
TEST(ThreadPool, ReadsAheadOfWhatMayNotBeThere) {
  ThreadPool pool(2);
  int sum = 0;
  for (int round = 0; round < 50; ++round) {
    const std::vector<std::byte> gone(size_t{1} << 22);
    pool.read_ahead(gone);
    pool.run([&](int i) {
      if (i == 1) std::this_thread::sleep_for(std::chrono::microseconds(300));
      if (i == 0) ++sum;
    });
  }
  pool.read_ahead({reinterpret_cast<const std::byte*>(uintptr_t{64}), size_t{1} << 20});
  const auto count_one = [&](int i) {
    if (i == 1) ++sum;  // one thread writes
  };
  pool.run(count_one);
  pool.read_ahead({});
  pool.run(count_one);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(sum, 52);
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

TEST(ThreadPool, WhatIsPutOffIsDoneOnceDuringTheNextRun) {
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    int done = 0;
    pool.beside([&] { ++done; });
    EXPECT_EQ(done, 0);
    pool.run([](int) {});
    EXPECT_EQ(done, 1);
    pool.run([](int) {});
    pool.settle();
    EXPECT_EQ(done, 1);
    // Without a run: by the next that is put off, or when it is asked for.
    pool.beside([&] { done += 10; });
    pool.beside([&] { done += 100; });
    EXPECT_EQ(done, 11);
    pool.settle();
    EXPECT_EQ(done, 111);
  }
}

TEST(ThreadPool, WhatIsDroppedIsNotDoneLater) {
  ThreadPool pool(2);
  int done = 0;
  pool.beside([&] { ++done; });
  pool.drop();
  pool.run([](int) {});
  pool.settle();
  EXPECT_EQ(done, 0);
}

TEST(ThreadPool, WhatThrowsBesideARunComesOutOfIt) {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    pool.beside([] { throw std::runtime_error("no"); });
    EXPECT_THROW(pool.run([](int) {}), std::runtime_error);
    pool.beside([] { throw std::runtime_error("no"); });
    EXPECT_THROW(pool.settle(), std::runtime_error);
    std::atomic<int> sum{0};
    pool.run([&](int) { ++sum; });
    EXPECT_EQ(threads, sum);
  }
}

// The address space has room for a few stacks, but not for all.
void start_too_many() {
  std::ifstream sizes("/proc/self/statm");
  rlim_t pages = 0;
  sizes >> pages;
  const rlim_t bytes = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + (rlim_t{100} << 20);
  const rlimit limit{bytes, bytes};
  if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(99);
  try {
    const ThreadPool pool(4096);
  } catch (const fulgurite::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    _exit(static_cast<int>(error.code()));
  }
  _exit(98);
}

TEST(ThreadPoolDeathTest, ThreadsThatCannotBeStartedAreCountedInASentence) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer needs all of the address space";
#endif
  EXPECT_EXIT(start_too_many(), testing::ExitedWithCode(1),
              "only [0-9]+ of 4096 threads can be started.*-t");
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
