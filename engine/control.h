// The way back: what the picture asks of the engine. A bounded queue with one producer
// (the main thread) and one consumer (the inference thread), without locks.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/trace/schema.h"

namespace engine {

// As llama.cpp's flags of the same names; engine/sampler.h says in which order they act.
struct Sampling {
  float temperature = 0.8F;  // <= 0: greedy
  uint32_t top_k = 40;       // 0: all
  float top_p = 0.95F;       // 1: all
  uint64_t seed = 1;
  float min_p = 0.0F;              // 0: all
  float repeat_penalty = 1.0F;     // 1: none; > 0
  int32_t repeat_last_n = 64;      // tokens that the penalties look back; -1: all, 0: none
  float frequency_penalty = 0.0F;  // 0: none
  float presence_penalty = 0.0F;   // 0: none

  bool operator==(const Sampling&) const = default;
};

// Starts a new conversation. n: tokens to generate; 0: up to the context's end.
struct Generate {
  std::string prompt;
  uint32_t n = 0;
  Sampling sampling;
  // The prompt is what a user says, put as the model's chat template asks, after `system`.
  bool chat = false;
  std::string system = {};
  // What the model runs without.
  std::vector<trace::MutedPart> muted = {};
  // Where the new prompt begins with the old one and as much is muted, what has been run of it is
  // kept and only the rest is: the conversation goes on.
  bool go_on = false;
  // The prompt's tokens where they are known: then prompt is only how they read.
  std::vector<int32_t> tokens = {};
};

// One forward step of a conversation that was. prompt: the tokens were given, and with these
// settings what follows was drawn; none: one token, which was generated.
struct GivenStep {
  std::vector<int32_t> tokens;
  std::optional<Sampling> prompt;
};

// Starts a conversation that takes these steps again, whatever is drawn at them, and ends there.
// The first one is a prompt.
struct Replay {
  std::vector<GivenStep> steps;
  std::vector<trace::MutedPart> muted;
};

// Asks for one tensor as it was at a position; the answer is a trace::TensorRecord with
// the same request number. name: a tap ("blk.3.attn.weights"), a part of the cache
// ("blk.3.kv.k") or a stored weight ("blk.3.attn_q.weight").
struct Inspect {
  uint64_t request = 0;  // 1, 2, 3 ...
  std::string name;
  uint32_t position = 0;
  int32_t first_row = 0;  // a head, a lane of the cache, a row of a weight
  int32_t rows = -1;      // -1: to the end
};

// Asks for rows [first_row, + rows) x cols [first_col, + cols) of a tensor, every texel of
// 2^row_shift x 2^col_shift cells reduced to minimum, mean and maximum; the answer is a
// trace::TileRecord with the same request number. name: a tap; a matrix by GGUF's name, also
// where the file keeps it fused or tied; or "blk.3.kv.k" and "blk.3.kv.v", what a layer's cache
// holds at that position: (position + 1, K * D), lane after lane. What lies outside the tensor is
// cut off. Answered between tokens, a little at a time, so that generating hardly slows down; a
// large matrix is answered in parts.
struct InspectTile {
  uint64_t request = 0;
  std::string name;
  uint32_t position = 0;  // of a tap
  uint32_t first_row = 0, first_col = 0;
  uint32_t rows = 0, cols = 0;
  uint8_t row_shift = 0, col_shift = 0;
};

// Asks what a position would say of the next token behind every layer; the answer is a
// trace::LensRecord of it. token: whose probability is told. temperature: as the sampler's of that
// position; not above 0: 1.
struct ReadLens {
  uint32_t position = 0;
  int32_t token = 0;
  float temperature = 1.0F;
};

// Asks what made a token's logit at a position; the answer is a trace::AttributionRecord of both.
struct Attribute {
  uint32_t position = 0;
  int32_t token = 0;
  int32_t against = -1;  // see trace::AttributionRecord
};

// Holds the session behind the step it is at, in a long prompt behind the batch; it still answers
// questions. A text that is asked for meanwhile takes the other's place, and waits, too.
struct Pause {
  bool paused = false;
};

using Command = std::variant<Generate, Replay, Inspect, Pause, InspectTile, ReadLens, Attribute>;

// Single producer, single consumer.
template <class T, size_t kCapacity>
class SpscQueue {
 public:
  // Producer. False when full: try again later.
  bool push(T value) {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == kCapacity) return false;
    slots_[tail % kCapacity] = std::move(value);
    tail_.store(tail + 1, std::memory_order_release);
    tail_.notify_one();
    return true;
  }

  // Consumer. False when empty.
  bool pop(T& value) {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return false;
    value = std::move(slots_[head % kCapacity]);
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  // Consumer. Sleeps until there is something to pop.
  void wait() const noexcept {
    tail_.wait(head_.load(std::memory_order_relaxed), std::memory_order_acquire);
  }

 private:
  std::array<T, kCapacity> slots_;
  alignas(64) std::atomic<size_t> head_{0};
  alignas(64) std::atomic<size_t> tail_{0};
};

class Control {
 public:
  bool post(Command command) { return queue_.push(std::move(command)); }
  // The session ends after the token it is at.
  void stop() {
    stopping_.store(true, std::memory_order_relaxed);
    queue_.push(Pause{});  // wakes a sleeping consumer
  }

  // The engine's side.
  bool take(Command& command) { return queue_.pop(command); }
  void wait() const noexcept { queue_.wait(); }
  bool stopping() const noexcept { return stopping_.load(std::memory_order_relaxed); }

 private:
  SpscQueue<Command, 256> queue_;
  std::atomic<bool> stopping_{false};
};

}  // namespace engine
