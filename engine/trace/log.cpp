#include "engine/trace/log.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>

#include "engine/trace/machine_memory.h"
#include "model/error.h"

namespace trace {

namespace {

// What precedes every payload in a chunk.
struct Prefix {
  uint64_t sequence;
  uint64_t payload_bytes;
  uint64_t topic;
  uint64_t ns;
};

uint64_t now_ns() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

constexpr size_t padded(size_t bytes) noexcept {
  return (bytes + 7) & ~size_t{7};
}

constexpr int kStory = 0;
constexpr int kDetail = 1;

// Memory comes from the system in blocks of the size of a huge page, and where it can be as one:
// on a virtual machine the first touch of a small page takes longer than filling it.
constexpr size_t kBlockBytes = size_t{1} << 21;

// bytes: a multiple of a page's.
std::shared_ptr<std::byte> make_block(size_t bytes) {
  const size_t all = bytes + kBlockBytes;
  void* mapped = ::mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* begin = static_cast<std::byte*>(mapped);
  const size_t before = -reinterpret_cast<uintptr_t>(mapped) % kBlockBytes;
  std::byte* block = begin + before;
  if (before > 0) ::munmap(begin, before);
  ::munmap(block + bytes, all - bytes - before);
#if defined(MADV_HUGEPAGE)
  ::madvise(block, bytes, MADV_HUGEPAGE);
#endif
  return {block, [bytes](std::byte* p) { ::munmap(p, bytes); }};
}

// Pages at once where the system can, rather than each at its first touch.
void make_ready([[maybe_unused]] std::byte* at, [[maybe_unused]] size_t bytes) noexcept {
#if defined(MADV_POPULATE_WRITE)
  ::madvise(at, bytes, MADV_POPULATE_WRITE);
#endif
}

}  // namespace

uint64_t Log::default_detail_limit() {
  return machine_memory() / 4;
}

Log::Log(uint64_t detail_limit) : detail_limit_(std::max<uint64_t>(detail_limit, 2 * kChunkBytes)) {
  for (const int chain : {kStory, kDetail}) {
    Chain& of = chains_[static_cast<size_t>(chain)];
    of.first = of.last = make_chunk(chain, kChunkBytes, 0);
  }
  spare_.reserve(kBlockBytes / kChunkBytes);
  first_story_ = chains_[kStory].first;
  first_detail_ = chains_[kDetail].first;
  detail_bytes_ = kChunkBytes;
}

Log::~Log() {
  for (Chain& chain : chains_) {
    for (Chunk* chunk = chain.first; chunk != nullptr;) {
      Chunk* next = chunk->next.load(std::memory_order_relaxed);
      delete chunk;
      chunk = next;
    }
  }
}

std::byte* Log::reserve(Topic topic, size_t payload_bytes) {
  CHECK(open_chunk_ == nullptr);
  Chain& chain = chains_[is_detail(topic) ? kDetail : kStory];
  const size_t bytes = sizeof(Prefix) + padded(payload_bytes);
  size_t offset = chain.last->committed.load(std::memory_order_relaxed);
  if (offset + bytes > chain.last->capacity) {
    grow(chain, bytes);
    offset = 0;
  }
  open_chunk_ = chain.last;
  open_end_ = offset + bytes;
  newest_ns_ = std::max(newest_ns_, now_ns());  // clocks are put back
  const Prefix prefix{sequence_++, payload_bytes, static_cast<uint64_t>(topic), newest_ns_};
  std::byte* at = open_chunk_->data.get() + offset;
  std::memcpy(at, &prefix, sizeof prefix);
  return at + sizeof prefix;
}

void Log::commit() noexcept {
  CHECK(open_chunk_ != nullptr);
  open_chunk_->committed.store(open_end_, std::memory_order_release);
  open_chunk_ = nullptr;
}

Log::Chunk* Log::make_chunk(int chain, size_t bytes, uint64_t index) {
  auto chunk = std::make_unique<Chunk>();
  chunk->index = index;
  static_cast<Memory&>(*chunk) = make_memory(chain, bytes);
  return chunk.release();
}

// A large chunk has blocks of its own; so has one of the story, which stays when detail goes and
// would hold the block.
Log::Memory Log::make_memory(int chain, size_t bytes) {
  static_assert(kBlockBytes % kChunkBytes == 0);
  const bool large = bytes > kChunkBytes;
  Memory memory;
  memory.capacity = large ? (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes : kChunkBytes;
  if (chain == kDetail) {
    const auto used = std::find_if(spare_.begin(), spare_.end(), [&](const Memory& spare) {
      return spare.capacity == memory.capacity;
    });
    if (used != spare_.end()) {
      memory = std::move(*used);
      spare_.erase(used);
      return memory;
    }
  }
  if (large || chain == kStory) {
    memory.data = make_block(memory.capacity);
  } else {
    if (block_left_ == 0) {
      block_ = make_block(kBlockBytes);
      block_left_ = kBlockBytes;
    }
    memory.data = {block_, block_.get() + (kBlockBytes - block_left_)};
    block_left_ -= kChunkBytes;
    if (block_left_ == 0) block_.reset();
  }
  make_ready(memory.data.get(), memory.capacity);
  return memory;
}

void Log::grow(Chain& chain, size_t bytes) {
  const bool detail = &chain == &chains_[kDetail];
  Chunk* chunk = make_chunk(detail ? kDetail : kStory, bytes, chain.last->index + 1);
  if (detail) {
    detail_bytes_ += chunk->capacity;
    // Mark the oldest chunks for dropping, but never the one that was just filled.
    uint64_t marked = 0;
    uint64_t drop_before = drop_before_.load();
    for (Chunk* old = chain.first; old != chain.last && detail_bytes_ - marked > detail_limit_;
         old = old->next.load(std::memory_order_relaxed)) {
      marked += old->capacity;
      if (old->index >= drop_before) {
        drop_before = old->index + 1;
        first_detail_ = old->next.load(std::memory_order_relaxed);
      }
    }
    drop_before_ = drop_before;
  }
  chain.last->next.store(chunk, std::memory_order_release);
  chain.last = chunk;
  free_dropped();
}

void Log::free_dropped() noexcept {
  // A cursor that opens now pins everything first and asks where to start second, so either
  // its pin is seen here or it starts at first_detail_, which is past what is freed.
  uint64_t keep_from = drop_before_.load();
  for (const auto& reader : readers_) {
    const uint64_t pin = reader.load();
    if (pin != 0) keep_from = std::min(keep_from, pin - 1);
  }
  Chain& chain = chains_[kDetail];
  while (chain.first->index < keep_from) {
    Chunk* gone = chain.first;
    chain.first = gone->next.load(std::memory_order_relaxed);
    detail_bytes_ -= gone->capacity;
    keep_spare(std::move(*gone));
    delete gone;
  }
}

// What was dropped last is what the next chunk is most likely as large as.
void Log::keep_spare(Memory memory) noexcept {
  if (memory.capacity > kBlockBytes) return;
  size_t bytes = memory.capacity;
  for (const Memory& spare : spare_) bytes += spare.capacity;
  for (; bytes > kBlockBytes; spare_.erase(spare_.begin())) bytes -= spare_.front().capacity;
  spare_.push_back(std::move(memory));
}

Cursor::Cursor(Log& log) : log_(log) {
  for (slot_ = 0; slot_ < Log::kMaxReaders; ++slot_) {
    uint64_t free_slot = 0;
    if (log_.readers_[slot_].compare_exchange_strong(free_slot, 1)) break;
  }
  CHECK(slot_ < Log::kMaxReaders);
  places_[kStory].chunk = log_.first_story_;
  places_[kDetail].chunk = log_.first_detail_.load();
}

Cursor::~Cursor() {
  log_.readers_[slot_] = 0;
}

bool Cursor::peek(int chain, Message& message) noexcept {
  Place& place = places_[static_cast<size_t>(chain)];
  if (chain == kDetail) {
    const uint64_t drop_before = log_.drop_before_.load();
    while (place.chunk->index < drop_before) {
      place = {place.chunk->next.load(std::memory_order_acquire), 0};
    }
  }
  for (;;) {
    // Link before length: once the link is there, the length is final.
    Log::Chunk* next = place.chunk->next.load(std::memory_order_acquire);
    if (place.offset < place.chunk->committed.load(std::memory_order_acquire)) break;
    if (next == nullptr) return false;
    place = {next, 0};
  }
  Prefix prefix;
  const std::byte* at = place.chunk->data.get() + place.offset;
  std::memcpy(&prefix, at, sizeof prefix);
  message.topic = static_cast<Topic>(prefix.topic);
  message.sequence = prefix.sequence;
  message.ns = prefix.ns;
  message.chunk = place.chunk->index;
  message.payload = {at + sizeof prefix, prefix.payload_bytes};
  return true;
}

void Cursor::rest() noexcept {
  if (std::exchange(rests_, true)) return;
  rests_in_ = places_[kDetail].chunk->index;
  log_.readers_[slot_] = std::numeric_limits<uint64_t>::max();
}

// As when a cursor opens: it pins everything first and asks second whether its chunk is one that
// may be gone.
void Cursor::wake() noexcept {
  rests_ = false;
  log_.readers_[slot_] = 1;
  if (log_.drop_before_.load() > rests_in_) places_[kDetail] = {log_.first_detail_.load(), 0};
  log_.readers_[slot_] = places_[kDetail].chunk->index + 1;
}

bool Cursor::next(Message& message) noexcept {
  if (rests_) wake();
  Message story;
  Message detail;
  // Detail is looked at after the story and the story again after detail, so that a
  // message is never overtaken by a later one of the other chain.
  bool has_story = peek(kStory, story);
  const bool has_detail = peek(kDetail, detail);
  if (!has_story && has_detail) has_story = peek(kStory, story);
  if (!has_story && !has_detail) return false;
  const bool take_story = has_story && (!has_detail || story.sequence < detail.sequence);
  message = take_story ? story : detail;
  Place& place = places_[take_story ? kStory : kDetail];
  place.offset += sizeof(Prefix) + padded(message.payload.size());
  return true;
}

uint64_t Cursor::forget_before() const noexcept {
  return log_.drop_before_.load();
}

void Cursor::release(uint64_t forgotten_before) noexcept {
  // Not past the chunk that is being read: peek() walks on from it.
  const uint64_t pin = std::min(forgotten_before, places_[kDetail].chunk->index);
  log_.readers_[slot_] = pin + 1;
}

}  // namespace trace
