// The operations of ops.h as they are compiled for each instruction set.
#pragma once

#include "model/kernels/dispatch.h"
#include "model/kernels/ops.h"

#define FULGURITE_OPS                                                                             \
  void cache_store(CacheType type, const float* x, int64_t d, void* out) noexcept;                \
  void cache_load(CacheType type, const void* in, int64_t d, float* out) noexcept;                \
  float attend(const AttentionHead& head, float* scores, float* weights, float* z) noexcept;      \
  void attend_back(const CacheLane& lane, const float* back, int64_t d, const int32_t* positions, \
                   int64_t n, float* out) noexcept;                                               \
  float rms_norm(const float* x, const float* gain, int64_t n, float eps, float* y) noexcept;     \
  float layer_norm(const float* x, const float* gain, const float* bias, int64_t n, float eps,    \
                   float* y) noexcept;                                                            \
  void add_scaled(const float* x, int64_t n, float by, float* y) noexcept;                        \
  void silu(const float* gate, const float* up, int64_t n, float* y) noexcept;                    \
  void gelu(const float* gate, const float* up, int64_t n, float* y) noexcept;                    \
  void soft_cap(float* scores, int64_t n, float cap) noexcept;                                    \
  void clamped_swiglu(const float* gate, const float* up, int64_t n, float* y) noexcept;          \
  float softmax_beside(const float* x, int64_t n, float sink, float* y) noexcept;                 \
  void rotate(float* heads, int64_t n_heads, int64_t d, int64_t n_rot, bool halves,               \
              const float* cos, const float* sin) noexcept;                                       \
  double dot(const float* a, const float* b, int64_t n) noexcept;                                 \
  int64_t strongest(const float* x, int64_t n, int64_t k, int32_t* out) noexcept;                 \
  Tally tally(const float* x, int64_t n, float floor) noexcept;                                   \
  void bins_of(const float* x, int64_t n, const Bins& bins, float floor, int16_t* out) noexcept;  \
  void order_by_size(const float* x, int64_t n, int32_t* out) noexcept;                           \
  float factor_matvec(const float* factor, const float* x, int64_t n, float* y) noexcept;

namespace model {

FULGURITE_DECLARE_ISA(FULGURITE_OPS)

}  // namespace model
