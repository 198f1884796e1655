// Compiled once per instruction set: see model/kernels/dispatch.h. Loops without a sum are left
// to the compiler's vectoriser; sums run in sixteen lanes, on every machine the same.
#include "model/kernels/train_ops.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace model::FULGURITE_ISA {
namespace {

constexpr int kLanes = 16;
using Lanes = float __attribute__((vector_size(kLanes * sizeof(float))));

// e^x within 2 ulp for -87 <= x <= 88, clamped outside: 2^k p(x - k ln 2), with p the degree-6
// polynomial of exp on [-ln2/2, ln2/2].
inline __attribute__((always_inline)) float fast_exp(float x) noexcept {
  x = x < -87.0F ? -87.0F : x;
  x = x > 88.0F ? 88.0F : x;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504F + kRound;
  const float k = shifted - kRound;
  const float r = (x - k * 0.693145752F) - k * 1.42860677e-6F;
  float p = 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(p) +
                              (std::bit_cast<uint32_t>(shifted) << 23U));
}

inline float sum_lanes(const Lanes& lanes) noexcept {
  float half[8];
  for (int i = 0; i < 8; ++i) half[i] = lanes[i] + lanes[i + 8];
  return ((half[0] + half[4]) + (half[2] + half[6])) + ((half[1] + half[5]) + (half[3] + half[7]));
}

inline float sum_of(const float* x, int64_t n) noexcept {
  Lanes sum = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    Lanes a;
    std::memcpy(&a, x + i, sizeof(a));
    sum += a;
  }
  float rest = 0.0F;
  for (; i < n; ++i) rest += x[i];
  return sum_lanes(sum) + rest;
}

inline float dot(const float* x, const float* y, int64_t n) noexcept {
  Lanes sum = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    Lanes a;
    Lanes b;
    std::memcpy(&a, x + i, sizeof(a));
    std::memcpy(&b, y + i, sizeof(b));
    sum += a * b;
  }
  float rest = 0.0F;
  for (; i < n; ++i) rest += x[i] * y[i];
  return sum_lanes(sum) + rest;
}

inline float max_of(const float* x, int64_t n) noexcept {
  float best = x[0];
  int64_t i = 0;
  if (n >= kLanes) {
    Lanes most;
    std::memcpy(&most, x, sizeof(most));
    for (i = kLanes; i + kLanes <= n; i += kLanes) {
      Lanes a;
      std::memcpy(&a, x + i, sizeof(a));
      most = a > most ? a : most;
    }
    for (int j = 0; j < kLanes; ++j) best = most[j] > best ? most[j] : best;
  }
  for (; i < n; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

// A full-avalanche mix of 32 bits (two rounds of xor-shift and multiply by odd constants).
inline __attribute__((always_inline)) uint32_t hash(uint32_t x) noexcept {
  x ^= x >> 16U;
  x *= 0x7feb352dU;
  x ^= x >> 15U;
  x *= 0x846ca68bU;
  return x ^ (x >> 16U);
}

inline __attribute__((always_inline)) float kept(const Dropout& mask, int64_t i) noexcept {
  return hash((mask.first + static_cast<uint32_t>(i)) ^ mask.key) >= mask.threshold ? mask.scale
                                                                                    : 0.0F;
}

void rmsnorm(const float* x, const float* w, int64_t n, int64_t c, float eps, float* y,
             float* r) noexcept {
  for (int64_t t = 0; t < n; ++t, x += c, y += c) {
    const float scale = 1.0F / std::sqrt(dot(x, x, c) / static_cast<float>(c) + eps);
    for (int64_t i = 0; i < c; ++i) y[i] = x[i] * scale * w[i];
    r[t] = scale;
  }
}

void rmsnorm_backward(const float* d_y, const float* x, const float* w, const float* r, int64_t n,
                      int64_t c, float* __restrict d_x, float* __restrict d_w) noexcept {
  for (int64_t t = 0; t < n; ++t, d_y += c, x += c, d_x += c) {
    Lanes sum = {};
    float along = 0.0F;
    int64_t i = 0;
    for (; i + kLanes <= c; i += kLanes) {
      Lanes a;
      Lanes b;
      Lanes e;
      std::memcpy(&a, d_y + i, sizeof(a));
      std::memcpy(&b, x + i, sizeof(b));
      std::memcpy(&e, w + i, sizeof(e));
      sum += a * b * e;
    }
    for (; i < c; ++i) along += d_y[i] * x[i] * w[i];
    along += sum_lanes(sum);
    const float scale = r[t];
    const float pull = along * scale * scale * scale / static_cast<float>(c);
    for (int64_t j = 0; j < c; ++j) {
      d_x[j] += scale * w[j] * d_y[j] - pull * x[j];
      d_w[j] += d_y[j] * x[j] * scale;
    }
  }
}

void rope(float* x, int64_t ld, int64_t n, int64_t t, int64_t heads, int64_t d, int64_t rope_dim,
          const float* cos, const float* sin, float direction) noexcept {
  const int64_t half = rope_dim / 2;
  for (int64_t row = 0; row < n; ++row) {
    const float* c = cos + (row % t) * half;
    const float* s = sin + (row % t) * half;
    for (int64_t h = 0; h < heads; ++h) {
      float* y = x + row * ld + h * d;
      for (int64_t i = 0; i < half; ++i) {
        const float a = y[2 * i];
        const float b = y[2 * i + 1];
        const float turn = direction * s[i];
        y[2 * i] = a * c[i] - b * turn;
        y[2 * i + 1] = a * turn + b * c[i];
      }
    }
  }
}

void causal_softmax(float* p, int64_t rows, int64_t cols, int64_t ld, int64_t first) noexcept {
  for (int64_t i = 0; i < rows; ++i, p += ld) {
    const int64_t n = first + i + 1 < cols ? first + i + 1 : cols;
    const float most = max_of(p, n);
    for (int64_t j = 0; j < n; ++j) p[j] = fast_exp(p[j] - most);
    const float scale = 1.0F / sum_of(p, n);
    for (int64_t j = 0; j < n; ++j) p[j] *= scale;
    for (int64_t j = n; j < cols; ++j) p[j] = 0.0F;
  }
}

void softmax_backward(const float* p, int64_t ld_p, float* __restrict d_p, int64_t ld_dp,
                      int64_t rows, int64_t cols, float scale) noexcept {
  for (int64_t i = 0; i < rows; ++i, p += ld_p, d_p += ld_dp) {
    const float mean = dot(p, d_p, cols);
    for (int64_t j = 0; j < cols; ++j) d_p[j] = scale * p[j] * (d_p[j] - mean);
  }
}

void swiglu(const float* gu, int64_t n, int64_t f, float* __restrict y) noexcept {
  for (int64_t t = 0; t < n; ++t, gu += 2 * f, y += f) {
    const float* g = gu;
    const float* u = gu + f;
    for (int64_t i = 0; i < f; ++i) y[i] = g[i] * u[i] / (1.0F + fast_exp(-g[i]));
  }
}

void swiglu_backward(const float* d_y, const float* gu, int64_t n, int64_t f,
                     float* d_gu) noexcept {
  for (int64_t t = 0; t < n; ++t, d_y += f, gu += 2 * f, d_gu += 2 * f) {
    const float* g = gu;
    const float* u = gu + f;
    float* d_g = d_gu;
    float* d_u = d_gu + f;
#pragma GCC ivdep
    for (int64_t i = 0; i < f; ++i) {
      const float gate = g[i];
      const float up = u[i];
      const float s = 1.0F / (1.0F + fast_exp(-gate));
      d_u[i] = d_y[i] * gate * s;
      d_g[i] = d_y[i] * up * s * (1.0F + gate * (1.0F - s));
    }
  }
}

void dropout(const float* x, int64_t n, Dropout mask, float* out) noexcept {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] * kept(mask, i);
}

void add_dropout(const float* base, const float* x, int64_t n, Dropout mask, float* out) noexcept {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) out[i] = base[i] + x[i] * kept(mask, i);
}

double cross_entropy(float* logits, const int32_t* target, int64_t n, int64_t v,
                     float scale) noexcept {
  double loss = 0.0;
  for (int64_t t = 0; t < n; ++t, logits += v) {
    const float most = max_of(logits, v);
    const float wanted = logits[target[t]] - most;
    for (int64_t i = 0; i < v; ++i) logits[i] = fast_exp(logits[i] - most);
    const float sum = sum_of(logits, v);
    loss += std::log(static_cast<double>(sum)) - static_cast<double>(wanted);
    if (scale == 0.0F) continue;
    const float share = scale / sum;
    for (int64_t i = 0; i < v; ++i) logits[i] *= share;
    logits[target[t]] -= scale;
  }
  return loss;
}

void add(float* __restrict x, const float* y, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) x[i] += y[i];
}

double sum_squares(const float* x, int64_t n) noexcept {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i += 4096) {
    const int64_t part = n - i < 4096 ? n - i : 4096;
    sum += static_cast<double>(dot(x + i, x + i, part));
  }
  return sum;
}

void adamw(float* __restrict w, const float* __restrict grad, float* __restrict m,
           float* __restrict v, int64_t n, const AdamW& step) noexcept {
  const AdamW s = step;
  for (int64_t i = 0; i < n; ++i) {
    const float g = s.grad_scale * grad[i];
    m[i] = s.beta1 * m[i] + (1.0F - s.beta1) * g;
    v[i] = s.beta2 * v[i] + (1.0F - s.beta2) * g * g;
    const float update = s.correct1 * m[i] / (std::sqrt(s.correct2 * v[i]) + s.epsilon);
    w[i] -= s.lr * (update + s.weight_decay * w[i]);
  }
}

}  // namespace

const TrainOps kTrainOps = {
    .rmsnorm = rmsnorm,
    .rmsnorm_backward = rmsnorm_backward,
    .rope = rope,
    .causal_softmax = causal_softmax,
    .softmax_backward = softmax_backward,
    .swiglu = swiglu,
    .swiglu_backward = swiglu_backward,
    .dropout = dropout,
    .add_dropout = add_dropout,
    .cross_entropy = cross_entropy,
    .add = add,
    .sum_squares = sum_squares,
    .adamw = adamw,
};

}  // namespace model::FULGURITE_ISA
