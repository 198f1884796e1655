// The range allocator under memory blocks and step storage: no driver needed.
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "render/gpu/range_allocator.h"

namespace gpu {
namespace {

TEST(RangeAllocator, GivesAlignedRangesAndTakesThemBack) {
  RangeAllocator ranges(1024);
  EXPECT_EQ(ranges.allocate(100), 0u);
  EXPECT_EQ(ranges.allocate(100, 256), 256u);
  EXPECT_EQ(ranges.allocate(156), 100u);  // the gap that alignment left
  EXPECT_EQ(ranges.used(), 356u);
  ranges.free(256, 100);
  ranges.free(0, 100);
  ranges.free(100, 156);
  EXPECT_EQ(ranges.used(), 0u);
  EXPECT_EQ(ranges.allocate(1024), 0u);  // joined again
}

TEST(RangeAllocator, SaysNoWhenNothingFits) {
  RangeAllocator ranges(64);
  EXPECT_TRUE(ranges.allocate(40));
  EXPECT_FALSE(ranges.allocate(40));
  ranges.grow(80);
  EXPECT_EQ(ranges.allocate(40), 40u);
  EXPECT_FALSE(ranges.allocate(1));
  EXPECT_TRUE(ranges.allocate(0));
}

TEST(RangeAllocator, NeverGivesTheSameUnitTwice) {
  constexpr uint64_t kSize = 4096;
  RangeAllocator ranges(kSize);
  std::vector<bool> taken(kSize, false);
  std::vector<std::pair<uint64_t, uint64_t>> held;
  std::mt19937 random(1);
  uint64_t used = 0;
  for (int i = 0; i < 20000; ++i) {
    if (random() % 2 == 0 || held.empty()) {
      const uint64_t size = 1 + random() % 200, alignment = uint64_t{1} << random() % 7;
      const auto offset = ranges.allocate(size, alignment);
      if (!offset) continue;
      ASSERT_EQ(*offset % alignment, 0u);
      ASSERT_LE(*offset + size, kSize);
      for (uint64_t k = 0; k < size; ++k) {
        ASSERT_FALSE(taken[*offset + k]);
        taken[*offset + k] = true;
      }
      held.emplace_back(*offset, size);
      used += size;
    } else {
      std::swap(held[random() % held.size()], held.back());
      const auto [offset, size] = held.back();
      held.pop_back();
      ranges.free(offset, size);
      for (uint64_t k = 0; k < size; ++k) taken[offset + k] = false;
      used -= size;
    }
    ASSERT_EQ(ranges.used(), used);
  }
  for (const auto& [offset, size] : held) ranges.free(offset, size);
  EXPECT_EQ(ranges.allocate(kSize), 0u);
}

}  // namespace
}  // namespace gpu
