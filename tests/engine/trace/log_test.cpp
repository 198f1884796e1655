#include "engine/trace/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

namespace {

using trace::Cursor;
using trace::Log;
using trace::Message;
using trace::Topic;

// A payload whose every word follows from its number, so that a torn or overwritten one shows.
void write(Log& log, Topic topic, uint64_t number, size_t words) {
  std::byte* at = log.reserve(topic, words * sizeof(uint64_t));
  for (size_t i = 0; i < words; ++i) {
    const uint64_t word = number * 1000003 + i;
    std::memcpy(at + i * sizeof word, &word, sizeof word);
  }
  log.commit();
}

bool whole(const Message& message) {
  std::vector<uint64_t> words(message.payload.size() / sizeof(uint64_t));
  std::memcpy(words.data(), message.payload.data(), message.payload.size());
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] != words[0] + i) return false;
  }
  return !words.empty() && words[0] % 1000003 == 0;
}
uint64_t number_of(const Message& message) {
  uint64_t first = 0;
  std::memcpy(&first, message.payload.data(), sizeof first);
  return first / 1000003;
}

TEST(Log, MessagesComeInTheOrderOfAppendingOverBothChains) {
  Log log;
  Cursor cursor(log);
  Message message;
  EXPECT_FALSE(cursor.next(message));
  const std::vector<Topic> topics = {Topic::kModel, Topic::kToken,  Topic::kAttention,
                                     Topic::kFfn,   Topic::kToken,  Topic::kKv,
                                     Topic::kStep,  Topic::kTensor, Topic::kNote};
  for (uint64_t i = 0; i < 500; ++i) write(log, topics[i % topics.size()], i, 1 + i % 7);
  for (uint64_t i = 0; i < 500; ++i) {
    ASSERT_TRUE(cursor.next(message));
    EXPECT_EQ(i, message.sequence);
    EXPECT_EQ(topics[i % topics.size()], message.topic);
    EXPECT_EQ(i, number_of(message));
    EXPECT_EQ((1 + i % 7) * 8, message.payload.size());
    EXPECT_EQ(0U, reinterpret_cast<uintptr_t>(message.payload.data()) % 8);
  }
  EXPECT_FALSE(cursor.next(message));
}

TEST(Log, AMessageIsInvisibleUntilItIsCommitted) {
  Log log;
  Cursor cursor(log);
  Message message;
  log.reserve(Topic::kToken, 8);
  EXPECT_FALSE(cursor.next(message));
  log.commit();
  EXPECT_TRUE(cursor.next(message));
}

TEST(Log, OddSizesAndEmptyPayloads) {
  Log log;
  for (size_t bytes = 0; bytes < 40; ++bytes) {
    std::memset(log.reserve(Topic::kNote, bytes), static_cast<int>(bytes), bytes);
    log.commit();
  }
  Cursor cursor(log);
  Message message;
  for (size_t bytes = 0; bytes < 40; ++bytes) {
    ASSERT_TRUE(cursor.next(message));
    ASSERT_EQ(bytes, message.payload.size());
    for (const std::byte b : message.payload) EXPECT_EQ(bytes, static_cast<size_t>(b));
  }
}

TEST(Log, ChunksGrowAndAMessageMayBeLargerThanOne) {
  Log log;
  const std::vector<size_t> words = {10, Log::kChunkBytes / 8 - 4, 1, Log::kChunkBytes / 2,
                                     5,  Log::kChunkBytes / 8};
  for (const Topic topic : {Topic::kToken, Topic::kFfn}) {
    for (size_t i = 0; i < words.size(); ++i) write(log, topic, i, words[i]);
  }
  EXPECT_GE(log.detail_bytes(), Log::kChunkBytes * 5);
  Cursor cursor(log);
  Message message;
  for (size_t i = 0; i < 2 * words.size(); ++i) {
    ASSERT_TRUE(cursor.next(message));
    EXPECT_EQ(words[i % words.size()] * 8, message.payload.size());
    EXPECT_TRUE(whole(message));
  }
}

TEST(Log, TheMemoryLimitDropsTheOldestDetailAndNeverTheStory) {
  constexpr uint64_t kLimit = 4 * Log::kChunkBytes;
  Log log(kLimit);
  constexpr uint64_t kMessages = 2000;
  for (uint64_t i = 0; i < kMessages; ++i) {
    write(log, Topic::kToken, i, 40);
    write(log, Topic::kAttention, i, 400);
    EXPECT_LE(log.detail_bytes(), kLimit + Log::kChunkBytes);
  }
  EXPECT_GT(log.dropped_chunks(), 10U);
  Cursor late(log);
  uint64_t tokens = 0, first_detail = kMessages, details = 0;
  for (Message message; late.next(message);) {
    ASSERT_TRUE(whole(message));
    if (message.topic == Topic::kToken) {
      EXPECT_EQ(tokens++, number_of(message));
    } else {
      if (details++ == 0) first_detail = number_of(message);
      EXPECT_EQ(first_detail + details - 1, number_of(message)) << "no holes in what is left";
    }
  }
  EXPECT_EQ(kMessages, tokens);
  EXPECT_GT(first_detail, kMessages / 2);
  EXPECT_EQ(kMessages, first_detail + details) << "the newest is there";
  EXPECT_GT(details * 3200, kLimit / 2);
}

TEST(Log, WhatAReaderHoldsStaysUntilItLetsGo) {
  Log log(2 * Log::kChunkBytes);
  Cursor reader(log);
  write(log, Topic::kKv, 7, 100);
  Message held;
  ASSERT_TRUE(reader.next(held));
  for (uint64_t i = 0; i < 3000; ++i) write(log, Topic::kKv, i, 100);
  EXPECT_GT(log.detail_bytes(), 8 * Log::kChunkBytes) << "kept for the reader beyond the limit";
  EXPECT_TRUE(whole(held));
  EXPECT_EQ(7U, number_of(held));

  Message message;
  ASSERT_TRUE(reader.next(message));
  EXPECT_GT(number_of(message), 1000U) << "what was dropped unread is passed over";
  EXPECT_GT(reader.forget_before(), held.chunk);
  reader.release(reader.forget_before());
  for (uint64_t i = 0; i < 700; ++i) write(log, Topic::kKv, i, 100);
  EXPECT_LE(log.detail_bytes(), 4 * Log::kChunkBytes);
}

TEST(Log, AReaderThatRestsHoldsNothingAndGoesOnWhereItStopped) {
  Log log(2 * Log::kChunkBytes);
  Cursor reader(log);
  reader.rest();
  for (uint64_t i = 0; i < 100; ++i) write(log, Topic::kKv, i, 100);
  Message message;
  for (uint64_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(reader.next(message));
    EXPECT_EQ(i, number_of(message));
    if (i % 7 == 0) reader.rest();
    if (i % 14 == 0) reader.rest();  // twice is once
  }
  reader.rest();
  for (uint64_t i = 100; i < 3000; ++i) {
    write(log, Topic::kKv, i, 100);
    if (i % 100 == 0) write(log, Topic::kToken, i, 1);
  }
  EXPECT_LE(log.detail_bytes(), 3 * Log::kChunkBytes);
  uint64_t tokens = 0;
  uint64_t first = 0;
  uint64_t details = 0;
  while (reader.next(message)) {
    EXPECT_TRUE(whole(message));
    if (message.topic == Topic::kToken) {
      ++tokens;
    } else if (details++ == 0) {
      first = number_of(message);
    }
  }
  EXPECT_EQ(29U, tokens);
  EXPECT_GT(first, 1000U) << "what was dropped meanwhile is passed over";
  EXPECT_EQ(3000U, first + details) << "the newest is there";
}

// Bytes of this process that lie in memory.
uint64_t resident() {
  std::ifstream in("/proc/self/statm");
  uint64_t all = 0, pages = 0;
  in >> all >> pages;
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

TEST(Log, TheStoryHoldsNoMemoryOfDroppedDetail) {
  Log log(2 * Log::kChunkBytes);
  const uint64_t before = resident();
  constexpr uint64_t kRounds = 40;
  constexpr uint64_t kWords = Log::kChunkBytes / 8 - 4;  // a chunk each
  for (uint64_t i = 0; i < kRounds; ++i) {
    write(log, Topic::kToken, i, kWords);
    for (int k = 0; k < 7; ++k) write(log, Topic::kKv, i, kWords);
  }
  EXPECT_LT(resident() - before, 2 * kRounds * Log::kChunkBytes)
      << "the story takes half of this, detail of seven times as much is gone";
}

TEST(Log, TheMemoryOfDroppedDetailIsUsedAgain) {
  for (const size_t words : {Log::kChunkBytes / 8 - 4, Log::kChunkBytes - 4}) {  // a chunk each
    Log log(2 * Log::kChunkBytes);
    std::set<const std::byte*> places;
    for (uint64_t i = 0; i < 40; ++i) {
      places.insert(log.reserve(Topic::kFfn, words * sizeof(uint64_t)));
      log.commit();
      if (i == 10) places.clear();
    }
    EXPECT_LE(places.size(), 4U) << "of " << words << " words";
  }
}

TEST(Log, AClosedReaderHoldsNothing) {
  Log log(2 * Log::kChunkBytes);
  for (int round = 0; round < 20; ++round) {
    Cursor reader(log);
    Message message;
    for (uint64_t i = 0; i < 600; ++i) write(log, Topic::kKv, i, 100);
    while (reader.next(message)) EXPECT_TRUE(whole(message));
  }
  for (uint64_t i = 0; i < 700; ++i) write(log, Topic::kKv, i, 100);
  EXPECT_LE(log.detail_bytes(), 3 * Log::kChunkBytes) << "no slot and no chunk leaked";
}

// Also run under ThreadSanitizer: cmake -DFULGURITE_SANITIZE=thread.
TEST(LogThreads, OneWriterManyReadersNoLock) {
  Log log(3 * Log::kChunkBytes);
  constexpr uint64_t kMessages = 30000;
  std::atomic<bool> done{false};
  struct Seen {
    uint64_t tokens = 0, details = 0, torn = 0, disorder = 0;
  };
  constexpr size_t kReaders = 4;
  std::vector<Seen> seen(kReaders);
  std::vector<std::thread> threads;
  for (size_t r = 0; r < kReaders; ++r) {
    threads.emplace_back([&, r] {
      Cursor cursor(log);
      uint64_t next_sequence = 0;
      for (bool last_round = false;;) {
        last_round = done.load(std::memory_order_acquire);
        Message message;
        for (uint64_t n = 0; cursor.next(message); ++n) {
          if (!whole(message)) ++seen[r].torn;
          if (message.sequence < next_sequence) ++seen[r].disorder;
          next_sequence = message.sequence + 1;
          if (message.topic == Topic::kToken) {
            if (number_of(message) != seen[r].tokens++) ++seen[r].disorder;
          } else {
            ++seen[r].details;
          }
          if (n % (50 * (r + 1)) != 0) continue;
          if (r == 0) cursor.rest();
          if (r > 0) cursor.release(cursor.forget_before());
        }
        if (r < 2) cursor.rest();
        if (r >= 2) cursor.release(cursor.forget_before());
        if (last_round) break;
        std::this_thread::yield();
      }
    });
  }
  // One more that comes and goes.
  threads.emplace_back([&] {
    while (!done.load(std::memory_order_acquire)) {
      Cursor cursor(log);
      Message message;
      for (int i = 0; i < 100 && cursor.next(message); ++i) EXPECT_TRUE(whole(message));
    }
  });
  for (uint64_t i = 0; i < kMessages; ++i) {
    write(log, Topic::kToken, i, 1 + i % 5);
    write(log, Topic::kFfn, i, 20 + i % 100);
  }
  done.store(true, std::memory_order_release);
  for (std::thread& thread : threads) thread.join();
  for (const Seen& s : seen) {
    EXPECT_EQ(kMessages, s.tokens);
    EXPECT_LE(s.details, kMessages);
    EXPECT_GT(s.details, 0U);
    EXPECT_EQ(0U, s.torn);
    EXPECT_EQ(0U, s.disorder);
  }
  EXPECT_GT(log.dropped_chunks(), 0U);
}

}  // namespace
