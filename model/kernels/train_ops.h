// The element-by-element work of a training step, forward beside backward. Everything is
// float32 and row-major; letters as in model/tensor.h, N = rows (positions of all sequences).
// A backward function's formula is the derivative of the one above it; d_ means dLoss/d.
#pragma once

#include <cstdint>

#include "model/kernels/dispatch.h"

namespace model {

// Which elements dropout keeps: element i survives when hash(key, first + i) >= threshold, and
// is then multiplied by scale. A pure function of its index, so that the backward pass needs no
// stored mask and no partition over threads can change it.
struct Dropout {
  uint32_t key = 0;
  uint32_t first = 0;
  uint32_t threshold = 0;  // rate * 2^32; 0 keeps everything
  float scale = 1.0F;      // 1 / (1 - rate)
};

struct AdamW {
  float lr, beta1, beta2, epsilon, weight_decay;
  float correct1, correct2;  // 1 / (1 - beta^step)
  float grad_scale;          // clipping
};

struct TrainOps {
  // y = x r w, r = 1 / sqrt(mean(x^2) + eps)           x, y (N, C); w (C); r (N)
  void (*rmsnorm)(const float* x, const float* w, int64_t n, int64_t c, float eps, float* y,
                  float* r) noexcept;
  // d_x += r (w d_y) - x r^3 / C <w d_y, x>;  d_w += sum over rows of d_y x r
  void (*rmsnorm_backward)(const float* d_y, const float* x, const float* w, const float* r,
                           int64_t n, int64_t c, float* d_x, float* d_w) noexcept;

  // Rotates the pairs (2i, 2i+1), i < rope_dim / 2, of `heads` heads of width d by the angle of
  // position row % t, in place. cos, sin (t, rope_dim / 2). direction -1 is the backward.
  void (*rope)(float* x, int64_t ld, int64_t n, int64_t t, int64_t heads, int64_t d,
               int64_t rope_dim, const float* cos, const float* sin, float direction) noexcept;

  // p = softmax over the first (first + i + 1) columns of row i; the rest of the row becomes 0.
  void (*causal_softmax)(float* p, int64_t rows, int64_t cols, int64_t ld, int64_t first) noexcept;
  // d_s = scale p (d_p - <p, d_p>), in place of d_p
  void (*softmax_backward)(const float* p, int64_t ld_p, float* d_p, int64_t ld_dp, int64_t rows,
                           int64_t cols, float scale) noexcept;

  // y = silu(g) u, silu(g) = g sigmoid(g)              gu (N, 2F): g then u; y (N, F)
  void (*swiglu)(const float* gu, int64_t n, int64_t f, float* y) noexcept;
  // d_u = d_y silu(g);  d_g = d_y u s (1 + g (1 - s)), s = sigmoid(g); d_gu may be gu
  void (*swiglu_backward)(const float* d_y, const float* gu, int64_t n, int64_t f,
                          float* d_gu) noexcept;

  // out = dropout(x);  out = base + dropout(x). out may be x or base. The backward of both,
  // towards x, is dropout(d_out).
  void (*dropout)(const float* x, int64_t n, Dropout mask, float* out) noexcept;
  void (*add_dropout)(const float* base, const float* x, int64_t n, Dropout mask,
                      float* out) noexcept;

  // Sum over rows of -log softmax(logits)[target]; with scale != 0 the logits are replaced by
  // the gradient scale (softmax(logits) - onehot(target)).  logits (N, V)
  double (*cross_entropy)(float* logits, const int32_t* target, int64_t n, int64_t v,
                          float scale) noexcept;

  void (*add)(float* x, const float* y, int64_t n) noexcept;  // x += y
  double (*sum_squares)(const float* x, int64_t n) noexcept;

  // Loshchilov & Hutter 2019 (arXiv:1711.05101), g = grad_scale grad:
  //   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
  //   w -= lr (correct1 m / (sqrt(correct2 v) + epsilon) + weight_decay w)
  void (*adamw)(float* w, const float* grad, float* m, float* v, int64_t n,
                const AdamW& step) noexcept;
};

FULGURITE_DECLARE_ISA(extern const TrainOps kTrainOps;)

inline const TrainOps& train_ops() noexcept {
  static const TrainOps* const table = FULGURITE_PICK(kTrainOps);
  return *table;
}

}  // namespace model
