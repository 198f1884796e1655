// The trace in memory: one writer appends messages, many readers follow, nobody locks.
//
// Messages lie in chunks; a chunk publishes how far it is written with one atomic length,
// and is linked to its successor when it is full. There are two chains: the story (model,
// tokens, steps, notes) is kept for ever; detail is kept up to a memory limit, then its
// oldest chunks go. A chunk is freed only after every open reader has let go of it, so a
// pointer that a reader holds stays good until that reader's next poll().
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "engine/trace/schema.h"

namespace trace {

struct Message {
  Topic topic = Topic::kNote;
  uint64_t sequence = 0;  // order of appending, over both chains
  uint64_t ns = 0;        // when it was appended, since 1970; never before the one before it
  uint64_t chunk = 0;     // of detail: goes when Cursor::forget_before() passes it
  std::span<const std::byte> payload;
};

class Log {
 public:
  static constexpr size_t kMaxReaders = 48;
  static constexpr size_t kChunkBytes = size_t{1} << 18;

  // detail_limit: bytes of detail to keep, at least two chunks. Its memory comes in blocks of 2 MB
  // and is used again, so that up to three of them more are held.
  explicit Log(uint64_t detail_limit = default_detail_limit());
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Writer's thread. Room for one message, 8-byte aligned, to be filled before commit().
  std::byte* reserve(Topic topic, size_t payload_bytes);
  // Makes the reserved message visible to readers.
  void commit() noexcept;

  // Raises the limit of detail to this: what is newest must not go before its readers come.
  void keep_at_least(uint64_t bytes) noexcept { detail_limit_ = std::max(detail_limit_, bytes); }

  // Any thread.
  uint64_t detail_bytes() const noexcept { return detail_bytes_.load(std::memory_order_relaxed); }
  uint64_t dropped_chunks() const noexcept { return drop_before_.load(std::memory_order_relaxed); }

  // A quarter of machine_memory().
  static uint64_t default_detail_limit();

 private:
  friend class Cursor;

  struct Memory {
    std::shared_ptr<std::byte> data;  // a part of a block
    size_t capacity = 0;
  };
  struct Chunk : Memory {
    uint64_t index = 0;  // in its chain
    std::atomic<size_t> committed{0};
    std::atomic<Chunk*> next{nullptr};
  };
  struct Chain {
    Chunk* first = nullptr;  // writer only
    Chunk* last = nullptr;   // writer only
  };

  Chunk* make_chunk(int chain, size_t bytes, uint64_t index);
  Memory make_memory(int chain, size_t bytes);
  void grow(Chain& chain, size_t bytes);
  void free_dropped() noexcept;
  void keep_spare(Memory memory) noexcept;

  // Detail's last block, of which chunks are cut until it is used up.
  std::shared_ptr<std::byte> block_;
  size_t block_left_ = 0;
  std::vector<Memory> spare_;    // of detail that was dropped, one block in all at most
  std::array<Chain, 2> chains_;  // story, detail
  Chunk* open_chunk_ = nullptr;
  size_t open_end_ = 0;
  uint64_t sequence_ = 0;
  uint64_t newest_ns_ = 0;
  uint64_t detail_limit_;
  std::atomic<uint64_t> detail_bytes_{0};
  std::atomic<uint64_t> drop_before_{0};  // detail chunks below this index are to go
  std::atomic<Chunk*> first_detail_{nullptr};
  Chunk* first_story_ = nullptr;
  // Per reader: the lowest detail chunk that it may still point into, plus one; 0: no reader.
  std::array<std::atomic<uint64_t>, kMaxReaders> readers_{};
};

// A reader's place in the log. One thread.
class Cursor {
 public:
  // Starts at the oldest message that is still there. CHECKs that fewer than kMaxReaders are open.
  explicit Cursor(Log& log);
  ~Cursor();
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  // The next message in the order of appending; false when there is none yet.
  // Detail that was dropped before it was read is passed over.
  bool next(Message& message) noexcept;

  // Detail messages of chunks below this number must be forgotten, then release() called;
  // until then their bytes stay.
  uint64_t forget_before() const noexcept;
  void release(uint64_t forgotten_before) noexcept;

  // Until next() is called again nothing is held, and what it handed out is not looked at.
  void rest() noexcept;

 private:
  bool peek(int chain, Message& message) noexcept;
  void wake() noexcept;

  struct Place {
    Log::Chunk* chunk = nullptr;
    size_t offset = 0;
  };
  Log& log_;
  size_t slot_ = 0;
  std::array<Place, 2> places_;  // story, detail
  bool rests_ = false;
  uint64_t rests_in_ = 0;  // index of the chunk of detail where it stopped
};

// n of T that are made where they are written: fill(T* to).
template <class T, class Fill>
struct Filled {
  size_t n;
  Fill fill;
  size_t size_bytes() const noexcept { return n * sizeof(T); }
  void put(std::byte* at) const { fill(reinterpret_cast<T*>(at)); }
};
template <class T, class Fill>
Filled<T, Fill> filled(size_t n, const Fill& fill) {
  return {n, fill};
}

// Appends a record's header and the arrays that follow it, spans or filled(), as
// engine/trace/schema.h says.
template <class Header, class... Array>
void append(Log& log, Topic topic, const Header& header, const Array&... arrays) {
  std::byte* at = log.reserve(topic, (sizeof header + ... + arrays.size_bytes()));
  std::memcpy(at, &header, sizeof header);
  at += sizeof header;
  [[maybe_unused]] const auto put = [&](const auto& array) {
    if constexpr (requires { array.put(at); }) {
      array.put(at);
    } else if (!array.empty()) {
      std::memcpy(at, array.data(), array.size_bytes());
    }
    at += array.size_bytes();
  };
  (put(arrays), ...);
  log.commit();
}

}  // namespace trace
