#include "engine/control.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>

namespace {

using engine::Command;
using engine::Control;
using engine::Generate;
using engine::Inspect;
using engine::Pause;
using engine::SpscQueue;

TEST(SpscQueue, GivesBackInOrderAndKnowsFullAndEmpty) {
  SpscQueue<int, 4> queue;
  int value = -1;
  EXPECT_FALSE(queue.pop(value));
  EXPECT_EQ(-1, value) << "untouched when empty";
  for (int round = 0; round < 10; ++round) {  // many times around the ring
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.push(round * 10 + i));
    EXPECT_FALSE(queue.push(99)) << "full";
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(queue.pop(value));
      EXPECT_EQ(round * 10 + i, value);
    }
    EXPECT_FALSE(queue.pop(value));
  }
}

TEST(SpscQueue, MovesWhatCannotBeCopied) {
  SpscQueue<std::unique_ptr<int>, 2> queue;
  EXPECT_TRUE(queue.push(std::make_unique<int>(7)));
  std::unique_ptr<int> value;
  ASSERT_TRUE(queue.pop(value));
  EXPECT_EQ(7, *value);
}

// Also run under ThreadSanitizer: cmake -DFULGURITE_SANITIZE=thread.
TEST(SpscQueueThreads, NothingIsLostOrSwappedBetweenTwoThreads) {
  SpscQueue<std::string, 8> queue;  // strings: a torn one would show
  constexpr int kCount = 50000;
  std::thread producer([&] {
    for (int i = 0; i < kCount; ++i) {
      while (!queue.push("number " + std::to_string(i))) std::this_thread::yield();
    }
  });
  int wrong = 0;
  std::string value;
  for (int i = 0; i < kCount; ++i) {
    while (!queue.pop(value)) queue.wait();
    wrong += value != "number " + std::to_string(i);
  }
  producer.join();
  EXPECT_EQ(0, wrong);
  EXPECT_FALSE(queue.pop(value));
}

TEST(SpscQueueThreads, WaitSleepsUntilThereIsSomething) {
  SpscQueue<int, 2> queue;
  std::atomic<bool> woken{false};
  std::thread consumer([&] {
    queue.wait();
    woken = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_FALSE(woken);
  queue.push(1);
  consumer.join();
  EXPECT_TRUE(woken);
  queue.wait();  // returns at once: something is there
}

TEST(Control, CarriesEveryKindOfCommand) {
  Control control;
  EXPECT_TRUE(control.post(Generate{"To be", 5, {}}));
  EXPECT_TRUE(control.post(Inspect{3, "blk.0.attn.weights", 2, 1, 1}));
  EXPECT_TRUE(control.post(Pause{true}));
  Command command;
  ASSERT_TRUE(control.take(command));
  EXPECT_EQ("To be", std::get<Generate>(command).prompt);
  ASSERT_TRUE(control.take(command));
  EXPECT_EQ("blk.0.attn.weights", std::get<Inspect>(command).name);
  ASSERT_TRUE(control.take(command));
  EXPECT_TRUE(std::get<Pause>(command).paused);
  EXPECT_FALSE(control.take(command));
}

TEST(Control, StopWakesASleepingConsumerEvenWhenTheQueueIsFull) {
  for (const bool full : {false, true}) {
    Control control;
    std::thread consumer;
    if (full) {
      while (control.post(Pause{})) {
      }
      EXPECT_FALSE(control.post(Pause{}));
    }
    consumer = std::thread([&] {
      Command command;
      while (!control.stopping()) {
        while (control.take(command)) {
        }
        if (!control.stopping()) control.wait();
      }
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    control.stop();
    consumer.join();
    EXPECT_TRUE(control.stopping());
  }
}

}  // namespace
