#include "engine/threads.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <stdexcept>
#include <thread>

namespace engine {
namespace {

TEST(Threads, ZeroMeansOneForEachCore) {
  EXPECT_GE(physical_cores(), 1);
  EXPECT_LE(physical_cores(), std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
  EXPECT_EQ(thread_count(0), physical_cores());
  EXPECT_EQ(thread_count(3), 3);
}

TEST(Threads, WorkBehindThePictureHasALowerPriorityAndSoHaveItsThreads) {
  constexpr int kLowest = 19;
  const int mine = getpriority(PRIO_PROCESS, 0);
  if (mine == kLowest) GTEST_SKIP() << "the lowest priority already";
  int of_work = mine;
  int of_its_thread = mine;
  behind_the_picture([&] {
    of_work = getpriority(PRIO_PROCESS, 0);
    std::thread([&] { of_its_thread = getpriority(PRIO_PROCESS, 0); }).join();
  });
  EXPECT_GT(of_work, mine) << "a larger niceness is a lower priority";
  EXPECT_EQ(of_its_thread, of_work);
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), mine) << "the caller keeps its own";
}

TEST(Threads, WhatFailsBehindThePictureFailsHere) {
  EXPECT_THROW(behind_the_picture([] { throw std::runtime_error("no model"); }),
               std::runtime_error);
}

}  // namespace
}  // namespace engine
