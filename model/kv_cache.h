// Keys and values of every past position. It lives as long as a conversation; the forward
// pass of a position writes its own slot and reads those before it.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include "model/config.h"
#include "model/error.h"
#include "model/kernels/ops.h"
#include "model/pages.h"

namespace model {

class KvCache {
 public:
  // capacity: positions. Throws Error (usage) for Q8_0 and heads whose width is no multiple of 32.
  KvCache(const Config& c, int64_t capacity, CacheType type = CacheType::kF32)
      : type_(type),
        n_layer_(c.n_layer),
        head_dim_(c.head_dim),
        n_head_kv_(c.n_head_kv),
        slot_bytes_(slot_bytes_of(type, c.head_dim)),
        capacity_(capacity),
        k_(allocate(c.n_layer * c.n_head_kv * capacity * slot_bytes_)),
        v_(allocate(c.n_layer * c.n_head_kv * capacity * slot_bytes_)) {}

  // The K vectors of one lane (KV head) of one layer, in the cache's type: position after
  // position, so that a head that reads them all reads on and on.
  const char* k(int64_t layer, int64_t lane) const noexcept {
    return k_.get() + at(layer, lane, 0);
  }
  const char* v(int64_t layer, int64_t lane) const noexcept {
    return v_.get() + at(layer, lane, 0);
  }

  // Before positions below n are stored: the memory for these and some more.
  void make_room(int64_t n) noexcept {
    constexpr int64_t kTogether = 64;
    if (n <= roomy_) return;
    const int64_t end = std::min(capacity_, (n + kTogether - 1) / kTogether * kTogether);
    const auto bytes = static_cast<size_t>((end - roomy_) * slot_bytes_);
    for (int64_t lane = 0; lane < n_layer_ * n_head_kv_; ++lane) {
      for (const Bytes* block : {&k_, &v_})
        ready_to_write(block->get() + at(0, lane, roomy_), bytes);
    }
    roomy_ = end;
  }

  // A lane's part of (K, D) floats, stored as the cache's type. Other threads may store other
  // lanes.
  void store(int64_t layer, int64_t position, int64_t lane, const float* keys,
             const float* values) noexcept {
    const size_t to = at(layer, lane, position);
    cache_store(type_, keys + lane * head_dim_, head_dim_, k_.get() + to);
    cache_store(type_, values + lane * head_dim_, head_dim_, v_.get() + to);
  }
  // One lane's vector, (D), as attention reads it.
  void load_k(int64_t layer, int64_t position, int64_t lane, float* out) const noexcept {
    cache_load(type_, k_.get() + at(layer, lane, position), head_dim_, out);
  }
  void load_v(int64_t layer, int64_t position, int64_t lane, float* out) const noexcept {
    cache_load(type_, v_.get() + at(layer, lane, position), head_dim_, out);
  }

  CacheType type() const noexcept { return type_; }
  // Of one lane's vector.
  int64_t slot_bytes() const noexcept { return slot_bytes_; }
  int64_t capacity() const noexcept { return capacity_; }
  // Bytes that n positions hold, over n_layer layers.
  int64_t bytes(int64_t n_layer, int64_t n) const noexcept {
    return n_layer * n_head_kv_ * n * slot_bytes_ * 2;
  }

 private:
  static int64_t slot_bytes_of(CacheType type, int64_t head_dim) {
    if (type == CacheType::kQ8_0 && head_dim % 32 != 0) {
      throw fulgurite::Error(
          fulgurite::ExitCode::kUsage,
          "a cache of q8_0 keeps blocks of 32 values, but this model's heads are " +
              std::to_string(head_dim) + " wide",
          "--cache-type", "use f16 or f32");
    }
    return cache_bytes(type, head_dim);
  }

  struct Free {
    void operator()(char* p) const noexcept { std::free(p); }
  };
  using Bytes = std::unique_ptr<char, Free>;
  // Zeros that take no memory before they are written.
  static Bytes allocate(int64_t bytes) {
    Bytes block(static_cast<char*>(std::calloc(static_cast<size_t>(bytes), 1)));
    if (!block) throw std::bad_alloc();
    return block;
  }
  size_t at(int64_t layer, int64_t lane, int64_t position) const noexcept {
    return static_cast<size_t>(((layer * n_head_kv_ + lane) * capacity_ + position) * slot_bytes_);
  }
  CacheType type_;
  int64_t n_layer_;
  int64_t head_dim_;
  int64_t n_head_kv_;
  int64_t slot_bytes_;
  int64_t capacity_;
  int64_t roomy_ = 0;  // positions that memory has been made ready for
  Bytes k_;            // (L, K, T, D)
  Bytes v_;            // (L, K, T, D)
};

}  // namespace model
