// Keys and values of every past position. It lives as long as a conversation; the forward
// pass of a position writes its own slot and reads those before it.
#pragma once

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
        value_width_(c.value_width()),
        n_head_kv_(c.n_head_kv),
        vectors_(c.latent() ? 1 : 2),
        slot_bytes_(slot_bytes_of(type, c.head_dim)),
        capacity_(capacity),
        memory_(zero_pages(static_cast<size_t>(blocks_of(capacity) * block_bytes()))) {}

  // Of one stored vector: a key or a value of one lane. Throws as the constructor.
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

  bool is_narrow() const noexcept { return type_ != CacheType::kF32; }

  // The K and V vectors of one lane (KV head) of one layer, in the cache's type. Of latent
  // attention a value is the beginning of its key.
  CacheLane lane(int64_t layer, int64_t lane) const noexcept {
    const int64_t bytes = kCacheBlock * slot_bytes_;
    const char* k = memory_.get() + (layer * n_head_kv_ + lane) * vectors_ * bytes;
    return {type_, k, k + (vectors_ - 1) * bytes, slot_bytes_, block_bytes()};
  }

  // Before positions below n are stored: the memory for these and what is left of their block.
  void make_room(int64_t n) noexcept {
    const int64_t blocks = blocks_of(n);
    if (blocks <= roomy_) return;
    ready_to_write(memory_.get() + roomy_ * block_bytes(),
                   static_cast<size_t>((blocks - roomy_) * block_bytes()));
    roomy_ = blocks;
  }

  // A lane's part of (K, D) floats, stored as the cache's type; of latent attention values are not
  // looked at. Other threads may store other lanes.
  void store(int64_t layer, int64_t position, int64_t lane, const float* keys,
             const float* values) noexcept {
    const CacheLane to = this->lane(layer, lane);
    const int64_t at = to.offset(position);
    cache_store(type_, keys + lane * head_dim_, head_dim_, const_cast<char*>(to.k + at));
    if (to.v == to.k) return;
    cache_store(type_, values + lane * head_dim_, head_dim_, const_cast<char*>(to.v + at));
  }
  // One lane's vector, (D) and (Config::value_width()), as attention reads it.
  void load_k(int64_t layer, int64_t position, int64_t lane, float* out) const noexcept {
    const CacheLane from = this->lane(layer, lane);
    cache_load(type_, from.k + from.offset(position), head_dim_, out);
  }
  void load_v(int64_t layer, int64_t position, int64_t lane, float* out) const noexcept {
    const CacheLane from = this->lane(layer, lane);
    cache_load(type_, from.v + from.offset(position), value_width_, out);
  }

  int64_t capacity() const noexcept { return capacity_; }
  // Bytes that n positions hold, over n_layer layers.
  int64_t bytes(int64_t n_layer, int64_t n) const noexcept {
    return n_layer * n_head_kv_ * n * slot_bytes_ * vectors_;
  }

 private:
  static int64_t blocks_of(int64_t positions) noexcept {
    return (positions + kCacheBlock - 1) / kCacheBlock;
  }
  int64_t block_bytes() const noexcept { return bytes(n_layer_, kCacheBlock); }

  CacheType type_;
  int64_t n_layer_;
  int64_t head_dim_;
  int64_t value_width_;
  int64_t n_head_kv_;
  int64_t vectors_;  // of a lane and position: key and value, or one that is both
  int64_t slot_bytes_;
  int64_t capacity_;
  int64_t roomy_ = 0;  // blocks that memory has been made ready for
  // (T / kCacheBlock, L, K, vectors, kCacheBlock, D): what is in use lies together, in few large
  // pages, and a head reads on and on for as many positions.
  Pages memory_;
};

}  // namespace model
