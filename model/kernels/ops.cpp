#include "model/kernels/ops.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "model/block_formats.h"
#include "model/error.h"
#include "model/kernels/dispatch.h"
#include "model/kernels/ops_isa.h"

namespace model {

int64_t cache_bytes(CacheType type, int64_t d) noexcept {
  switch (type) {
    case CacheType::kF32:
      return 4 * d;
    case CacheType::kF16:
      return 2 * d;
    case CacheType::kQ8_0:
      CHECK(d % 32 == 0);
      return d / 32 * static_cast<int64_t>(sizeof(BlockQ8_0));
  }
  return 0;
}

void cache_store(CacheType type, const float* x, int64_t d, void* out) noexcept {
  static const auto kernel = FULGURITE_PICK(cache_store);
  kernel(type, x, d, out);
}

void cache_load(CacheType type, const void* in, int64_t d, float* out) noexcept {
  static const auto kernel = FULGURITE_PICK(cache_load);
  kernel(type, in, d, out);
}

void scale_by(float* x, int64_t n, float by) noexcept {
  if (by == 1.0F) return;
  for (int64_t i = 0; i < n; ++i) x[i] *= by;
}

void add_scaled(const float* x, int64_t n, float by, float* y) noexcept {
  static const auto kernel = FULGURITE_PICK(add_scaled);
  kernel(x, n, by, y);
}

float attend(const AttentionHead& head, float* scores, float* weights, float* z) noexcept {
  static const auto kernel = FULGURITE_PICK(attend);
  return kernel(head, scores, weights, z);
}

void attend_back(const CacheLane& lane, const float* back, int64_t d, const int32_t* positions,
                 int64_t n, float* out) noexcept {
  static const auto kernel = FULGURITE_PICK(attend_back);
  kernel(lane, back, d, positions, n, out);
}

float rms_norm(const float* x, const float* gain, int64_t n, float eps, float* y) noexcept {
  static const auto kernel = FULGURITE_PICK(rms_norm);
  return kernel(x, gain, n, eps, y);
}

float layer_norm(const float* x, const float* gain, const float* bias, int64_t n, float eps,
                 float* y) noexcept {
  static const auto kernel = FULGURITE_PICK(layer_norm);
  return kernel(x, gain, bias, n, eps, y);
}

void silu(const float* gate, const float* up, int64_t n, float* y) noexcept {
  static const auto kernel = FULGURITE_PICK(silu);
  kernel(gate, up, n, y);
}

void gelu(const float* gate, const float* up, int64_t n, float* y) noexcept {
  static const auto kernel = FULGURITE_PICK(gelu);
  kernel(gate, up, n, y);
}

void clamped_swiglu(const float* gate, const float* up, int64_t n, float* y) noexcept {
  static const auto kernel = FULGURITE_PICK(clamped_swiglu);
  kernel(gate, up, n, y);
}

void gelu_exact(const float* x, int64_t n, float* y) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    const double v = double{x[i]};
    y[i] = static_cast<float>(0.5 * v * std::erfc(-v / std::numbers::sqrt2));
  }
}

void softmax(const float* x, int64_t n, float* y) noexcept {
  static const auto kernel = FULGURITE_PICK(softmax_beside);
  kernel(x, n, -std::numeric_limits<float>::infinity(), y);
}

void rotate(float* heads, int64_t n_heads, int64_t d, int64_t n_rot, bool halves, const float* cos,
            const float* sin) noexcept {
  static const auto kernel = FULGURITE_PICK(rotate);
  kernel(heads, n_heads, d, n_rot, halves, cos, sin);
}

double dot(const float* a, const float* b, int64_t n) noexcept {
  static const auto kernel = FULGURITE_PICK(dot);
  return kernel(a, b, n);
}

int64_t strongest(const float* x, int64_t n, int64_t k, int32_t* out) noexcept {
  static const auto kernel = FULGURITE_PICK(strongest);
  return kernel(x, n, k, out);
}

Tally tally(const float* x, int64_t n, float floor) noexcept {
  static const auto kernel = FULGURITE_PICK(tally);
  return kernel(x, n, floor);
}

void bins_of(const float* x, int64_t n, const Bins& bins, float floor, int16_t* out) noexcept {
  static const auto kernel = FULGURITE_PICK(bins_of);
  kernel(x, n, bins, floor, out);
}

void order_by_size(const float* x, int64_t n, int32_t* out) noexcept {
  static const auto kernel = FULGURITE_PICK(order_by_size);
  kernel(x, n, out);
}

float factor_matvec(const float* factor, const float* x, int64_t n, float* y) noexcept {
  static const auto kernel = FULGURITE_PICK(factor_matvec);
  return kernel(factor, x, n, y);
}

}  // namespace model
