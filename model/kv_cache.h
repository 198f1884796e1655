// Keys and values of every past position. It lives as long as a conversation; the forward
// pass of a position writes its own slot and reads those before it.
#pragma once

#include <vector>

#include "model/config.h"

namespace model {

class KvCache {
 public:
  KvCache(const Config& c, int64_t capacity)
      : width_(c.n_head_kv * c.head_dim),
        capacity_(capacity),
        k_(static_cast<size_t>(c.n_layer * capacity * width_)),
        v_(k_.size()) {}

  // (K * D) values of one position of one layer.
  float* k(int64_t layer, int64_t position) noexcept { return k_.data() + at(layer, position); }
  float* v(int64_t layer, int64_t position) noexcept { return v_.data() + at(layer, position); }
  const float* k(int64_t layer, int64_t position) const noexcept {
    return k_.data() + at(layer, position);
  }
  const float* v(int64_t layer, int64_t position) const noexcept {
    return v_.data() + at(layer, position);
  }

  int64_t capacity() const noexcept { return capacity_; }
  // Bytes that n positions hold, over all layers.
  int64_t bytes(int64_t n_layer, int64_t n) const noexcept {
    return n_layer * n * width_ * 2 * static_cast<int64_t>(sizeof(float));
  }

 private:
  size_t at(int64_t layer, int64_t position) const noexcept {
    return static_cast<size_t>((layer * capacity_ + position) * width_);
  }
  int64_t width_;
  int64_t capacity_;
  std::vector<float> k_;  // (L, T, K * D)
  std::vector<float> v_;  // (L, T, K * D)
};

}  // namespace model
