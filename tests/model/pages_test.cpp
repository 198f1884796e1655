#include "model/pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#include "model/config.h"
#include "model/kv_cache.h"

namespace {

const auto kPage = static_cast<size_t>(sysconf(_SC_PAGESIZE));

// How many of the pages that hold a byte of these have memory behind them.
size_t present(const void* at, size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(at);
  const uintptr_t begin = address / kPage * kPage;
  std::vector<unsigned char> of_pages((address + bytes - begin + kPage - 1) / kPage);
  EXPECT_EQ(mincore(reinterpret_cast<void*>(begin), address + bytes - begin, of_pages.data()), 0);
  size_t count = 0;
  for (const unsigned char page : of_pages) count += page & 1U;
  return count;
}

class Untouched {
 public:
  explicit Untouched(size_t pages)
      : bytes_(pages * kPage),
        at_(static_cast<char*>(
            mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {}
  Untouched(const Untouched&) = delete;
  Untouched& operator=(const Untouched&) = delete;
  ~Untouched() { munmap(at_, bytes_); }
  char* at() const { return at_; }
  size_t present() const { return ::present(at_, bytes_); }

 private:
  size_t bytes_;
  char* at_;
};

bool system_can() {
  const Untouched memory(1);
  model::ready_to_write(memory.at(), 1);
  return memory.present() == 1;
}

TEST(Pages, EveryPageWithAByteOfTheRangeIsReadyAndNoOther) {
  if (!system_can()) GTEST_SKIP() << "this system has no MADV_POPULATE_WRITE";
  const Untouched memory(8);
  ASSERT_EQ(memory.present(), 0U);
  model::ready_to_write(memory.at() + kPage + 100, 2 * kPage);
  EXPECT_EQ(memory.present(), 3U);
  EXPECT_EQ(present(memory.at() + kPage, 3 * kPage), 3U);
}

TEST(Pages, WhatIsThereStays) {
  const Untouched memory(2);
  memory.at()[5] = 7;
  model::ready_to_write(memory.at(), 2 * kPage);
  model::ready_to_read(memory.at(), 2 * kPage);
  EXPECT_EQ(memory.at()[5], 7);
  EXPECT_EQ(memory.at()[kPage], 0);
}

TEST(Pages, NothingAndMemoryOfNobodyAreLeftAlone) {
  const Untouched memory(1);
  model::ready_to_write(memory.at(), 0);
  model::ready_to_write(nullptr, 0);
  model::ready_to_read(nullptr, kPage);
  EXPECT_EQ(memory.present(), 0U);
}

TEST(Pages, ACacheHasRoomForTheBlocksThatAreAskedForAndNotForOthers) {
  if (!system_can()) GTEST_SKIP() << "this system has no MADV_POPULATE_WRITE";
  model::Config c;
  c.n_layer = 16;
  c.n_head_kv = 8;
  c.head_dim = 64;
  constexpr int64_t kBlocks = 16;
  model::KvCache cache(c, kBlocks * model::kCacheBlock);
  const model::CacheLane first = cache.lane(0, 0);
  const auto block = static_cast<size_t>(first.step);  // 4 MB
  ASSERT_EQ(block, static_cast<size_t>(cache.bytes(c.n_layer, model::kCacheBlock)));
  const auto ready = [&] { return present(first.k, kBlocks * block) * kPage; };
  EXPECT_EQ(ready(), 0U);
  cache.make_room(1);
  const size_t of_one = ready();
  EXPECT_GE(of_one, block);
  EXPECT_LE(of_one, block + model::kHugePage);
  cache.make_room(model::kCacheBlock);
  EXPECT_EQ(ready(), of_one);
  cache.make_room(kBlocks * model::kCacheBlock);
  EXPECT_GE(ready(), kBlocks * block);
}

}  // namespace
