// Compiled once per instruction set (see model/kernels/dispatch.h). Ends of rows that do not
// fill a vector go through a padded copy, so that every element is computed alike.
#include "model/kernels/ops_isa.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "model/kernels/block_dot.h"
#include "model/kernels/simd.h"
#include "model/kernels/simd_math.h"

namespace model::FULGURITE_ISA {
namespace {

// n <= 16 values, the others as they are given.
FULGURITE_INLINE F32x16 load_part(const float* x, int64_t n, F32x16 v = F32x16{}) noexcept {
  if (n == 16) return load<F32x16>(x);
  if (n > 0) std::memcpy(&v, x, static_cast<size_t>(n) * sizeof(float));
  return v;
}

FULGURITE_INLINE void store_part(float* to, const F32x16& v, int64_t n) noexcept {
  if (n == 16) return store(to, v);
  std::memcpy(to, &v, static_cast<size_t>(n) * sizeof(float));
}

// Calls body(i, n) for parts of 16, the last shorter. With n a constant, loads are single ones.
template <class Body>
FULGURITE_INLINE void parts_of(int64_t n, const Body& body) noexcept {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) body(i, std::integral_constant<int64_t, 16>{});
  if (i < n) body(i, n - i);
}

template <class Map>
FULGURITE_INLINE void map_rows(const float* x, const float* other, int64_t n, float* y,
                               const Map& map) noexcept {
  parts_of(n, [&](int64_t i, auto count) {
    F32x16 v = map(load_part(x + i, count));
    if (other != nullptr) v *= load_part(other + i, count);
    store_part(y + i, v, count);
  });
}

struct Wide {
  F64x8 low = {};
  F64x8 high = {};

  FULGURITE_INLINE explicit Wide(const F32x16& v) noexcept
      : low(to_double(low_half(v))), high(to_double(high_half(v))) {}
};

FULGURITE_INLINE double dot_wide(const float* a, const float* b, int64_t n) noexcept {
  F64x8 low = {};
  F64x8 high = {};
  parts_of(n, [&](int64_t i, auto count) {
    const Wide x(load_part(a + i, count));
    const Wide y(load_part(b + i, count));
    low += x.low * y.low;
    high += x.high * y.high;
  });
  return sum_eight(low + high);
}

FULGURITE_INLINE double sum_wide(const float* a, int64_t n) noexcept {
  F64x8 low = {};
  F64x8 high = {};
  parts_of(n, [&](int64_t i, auto count) {
    const Wide x(load_part(a + i, count));
    low += x.low;
    high += x.high;
  });
  return sum_eight(low + high);
}

// Magnitudes as integers, which order as they do.
FULGURITE_INLINE I32x16 size_of(const F32x16& v) noexcept {
  return (I32x16)v & INT32_MAX;
}

FULGURITE_INLINE F32x16 widen_i16(const int16_t* v) noexcept {
#if defined(__AVX512F__)
  return to_float((I32x16)_mm512_cvtepi16_epi32(load<__m256i>(v)));
#elif defined(__AVX2__)
  return to_float(I32x16{(I32x8)_mm256_cvtepi16_epi32(load<__m128i>(v)),
                         (I32x8)_mm256_cvtepi16_epi32(load<__m128i>(v + 8))});
#else
  return to_float(widen_to_i32(load<U16x16>(v)) << 16 >> 16);
#endif
}

// One bit for each lane of a comparison.
FULGURITE_INLINE uint32_t lanes_of(const I32x16& mask) noexcept {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask);
#elif defined(__AVX2__)
  const auto half = [](const I32x8& v) FULGURITE_LAMBDA {
    return static_cast<uint32_t>(_mm256_movemask_ps((__m256)v));
  };
  return half(mask.low) | half(mask.high) << 8;
#else
  uint32_t each[16];  // 0 or all bits
  store(each, mask);
  uint32_t lanes = 0;
  for (int k = 0; k < 16; ++k) lanes |= (each[k] & 1U) << k;
  return lanes;
#endif
}

FULGURITE_INLINE int32_t sum_of(const I32x16& v) noexcept {
#if defined(__AVX512F__)
  return _mm512_reduce_add_epi32((__m512i)v);
#else
  int32_t sum = 0;
  for (int k = 0; k < 16; ++k) sum += v[k];
  return sum;
#endif
}

// How many of n values are at least as large as the bar, which is above 0.
FULGURITE_INLINE int32_t count_from(const float* x, int64_t n, int32_t bar) noexcept {
  I32x16 found = {};
  parts_of(n, [&](int64_t i, auto count)
                  FULGURITE_LAMBDA { found -= size_of(load_part(x + i, count)) >= bar; });
  return sum_of(found);
}

// Values, and their numbers in the list that they are taken from (nullptr: 0, 1, 2 ...).
struct Listed {
  const float* x;
  const int32_t* number;
  int64_t n;
};

// Calls found(lane number, magnitude) for all whose magnitude reaches the bar.
template <class Found>
FULGURITE_INLINE void each_from(const float* x, int64_t n, int32_t bar, const Found& found) {
  parts_of(n, [&](int64_t i, auto count) FULGURITE_LAMBDA {
    const I32x16 size = size_of(load_part(x + i, count));
    uint32_t lanes = lanes_of(size >= bar);
    if (count < 16) lanes &= (1U << count) - 1;
    for (; lanes != 0; lanes &= lanes - 1) {
      const int lane = std::countr_zero(lanes);
      found(i + lane, size[lane]);
    }
  });
}

// The k-th largest is found by halving between a bar that at least k values reach and one that
// fewer do.
int64_t strongest_of(const Listed& list, int32_t low, int32_t high, int64_t k,
                     int32_t* out) noexcept {
  high += high < INT32_MAX ? 1 : 0;
  int64_t reach = list.n;  // how many reach `low`
  while (high - low > 1 && reach != k) {
    const int32_t middle = low + (high - low) / 2;
    const int64_t count = count_from(list.x, list.n, middle);
    (count < k ? high : low) = middle;
    if (count >= k) reach = count;
  }
  int64_t at_bar = reach == k || low == INT32_MAX ? k : k - count_from(list.x, list.n, low + 1);
  int64_t listed = 0;
  each_from(list.x, list.n, low, [&](int64_t i, int32_t size) FULGURITE_LAMBDA {
    if (listed == k || (size == low && --at_bar < 0)) return;
    out[listed++] = list.number != nullptr ? list.number[i] : static_cast<int32_t>(i);
  });
  return listed;
}

}  // namespace

void soft_cap(float* scores, int64_t n, float cap) noexcept {
  map_rows(scores, nullptr, n, scores,
           [&](const F32x16& s) FULGURITE_LAMBDA { return tanh(s / cap) * cap; });
}

float rms_norm(const float* x, const float* gain, int64_t n, float eps, float* y) noexcept {
  const double mean = dot_wide(x, x, n) / static_cast<double>(n);
  const auto scale = static_cast<float>(1.0 / std::sqrt(mean + double{eps}));
  map_rows(x, gain, n, y, [&](const F32x16& v) FULGURITE_LAMBDA { return v * scale; });
  return scale;
}

float layer_norm(const float* x, const float* gain, const float* bias, int64_t n, float eps,
                 float* y) noexcept {
  const auto mean = static_cast<float>(sum_wide(x, n) / static_cast<double>(n));
  map_rows(x, nullptr, n, y, [&](const F32x16& v) FULGURITE_LAMBDA { return v - mean; });
  const double variance = dot_wide(y, y, n) / static_cast<double>(n);
  const auto scale = static_cast<float>(1.0 / std::sqrt(variance + double{eps}));
  map_rows(y, gain, n, y, [&](const F32x16& v) FULGURITE_LAMBDA { return v * scale; });
  for (int64_t i = 0; bias != nullptr && i < n; ++i) y[i] += bias[i];
  return scale;
}

void silu(const float* gate, const float* up, int64_t n, float* y) noexcept {
  map_rows(gate, up, n, y, [](const F32x16& g) FULGURITE_LAMBDA { return times_sigmoid(g, g); });
}

// 0.5 x (1 + tanh(u)) = x / (1 + e^-2u) with u = sqrt(2 / pi) (x + 0.044715 x^3).
void gelu(const float* gate, const float* up, int64_t n, float* y) noexcept {
  map_rows(gate, up, n, y, [](const F32x16& g) FULGURITE_LAMBDA {
    return times_sigmoid(g, (g * 1.59576912F) * (g * g * 0.044715F + 1.0F));
  });
}

void softmax(const float* x, int64_t n, float* y) noexcept {
  if (n <= 0) return;
  F32x16 most = F32x16{} + x[0];
  parts_of(n, [&](int64_t i, auto count) {
    const F32x16 v = load_part(x + i, count, F32x16{} + x[0]);
    most = choose(v > most, v, most);
  });
  float top = most[0];
  for (int k = 1; k < 16; ++k) top = std::max(top, most[k]);
  map_rows(x, nullptr, n, y, [&](const F32x16& v) FULGURITE_LAMBDA { return exp(v - top); });
  const auto inverse = static_cast<float>(1.0 / sum_wide(y, n));
  map_rows(y, nullptr, n, y, [&](const F32x16& v) FULGURITE_LAMBDA { return v * inverse; });
}

void rotate(float* heads, int64_t n_heads, int64_t d, int64_t n_rot, bool halves, const float* cos,
            const float* sin) noexcept {
  const int64_t step = halves ? n_rot / 2 : 1;
  const int64_t stride = halves ? 1 : 2;
  for (int64_t h = 0; h < n_heads; ++h) {
    float* x = heads + h * d;
    for (int64_t i = 0; i < n_rot / 2; ++i) {
      const float a = x[i * stride];
      const float b = x[i * stride + step];
      x[i * stride] = a * cos[i] - b * sin[i];
      x[i * stride + step] = a * sin[i] + b * cos[i];
    }
  }
}

double dot(const float* a, const float* b, int64_t n) noexcept {
  return dot_wide(a, b, n);
}

int64_t strongest(const float* x, int64_t n, int64_t k, int32_t* out) noexcept {
  if (k <= 0) return 0;
  if (n <= k) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<int32_t>(i);
    return n;
  }
  I32x16 most = {};
  parts_of(n, [&](int64_t i, auto count) FULGURITE_LAMBDA {
    const I32x16 size = size_of(load_part(x + i, count));
    most = choose(size > most, size, most);
  });
  int32_t high = most[0];
  int32_t low = most[0];
  for (int lane = 1; lane < 16; ++lane) {
    high = std::max(high, most[lane]);
    low = std::min(low, most[lane]);
  }
  if (k > 16 || n < 16) return strongest_of({x, nullptr, n}, 0, high, k, out);
  // Each lane holds one that reaches `low`: what does not is out. Most often few are left.
  constexpr int64_t kFew = 256;
  const int64_t reach = n > kFew ? count_from(x, n, low) : n;
  if (reach > kFew || n <= kFew) return strongest_of({x, nullptr, n}, low, high, k, out);
  alignas(64) float few[kFew];
  int32_t number[kFew];
  int64_t found = 0;
  each_from(x, n, low, [&](int64_t i, int32_t) FULGURITE_LAMBDA {
    few[found] = x[i];
    number[found++] = static_cast<int32_t>(i);
  });
  return strongest_of({few, number, found}, low, high, k, out);
}

Tally tally(const float* x, int64_t n, float floor) noexcept {
  constexpr int32_t kInfinity = 0x7F800000;
  const auto bar = std::bit_cast<int32_t>(floor);
  I32x16 numbers = {};
  I32x16 high = {};
  parts_of(n, [&](int64_t i, auto count) FULGURITE_LAMBDA {
    const I32x16 size = size_of(load_part(x + i, count));
    numbers -= (size > 0) & (size <= kInfinity);
    high -= size >= bar;
  });
  // The last part is filled up with zeros.
  const int64_t filled = (n + 15) / 16 * 16 - n;
  return {sum_of(numbers), sum_of(high) - (bar == 0 ? filled : 0)};
}

void order_by_size(const float* x, int64_t n, int32_t* out) noexcept {
  const I32x16 size = size_of(load_part(x, n));
  static constexpr int32_t kLane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const auto lane = load<I32x16>(kLane);
  I32x16 rank = {};
  for (int32_t i = 0; i < n; ++i) {
    // Minus one where value i comes before the lane's.
    rank -= (size < size[i]) | ((size == size[i]) & (lane > i));
  }
  for (int32_t i = 0; i < n; ++i) out[rank[i]] = i;
}

void symmetric_matvec(const int16_t* tiles, const float* scale, const float* x, int64_t n,
                      float* y) noexcept {
  constexpr int64_t kTile = kSymmetricTile;
  alignas(64) float in[kWidestSymmetric] = {};
  alignas(64) float out[kWidestSymmetric] = {};
  std::copy_n(x, n, in);
  for (int64_t i = 0; i < n; i += kTile) {
    F32x16 right[kTile] = {};  // of each row, what the tiles right of the diagonal add, by columns
    for (int64_t j = i; j < n; j += kTile, ++scale, tiles += kTile * kTile) {
      constexpr int64_t kAhead = 6144;  // what comes so much later is on its way from memory
      for (int64_t k = 0; k < kTile * kTile; k += 32) __builtin_prefetch(tiles + kAhead + k, 0, 2);
      const F32x16 scaled = load<F32x16>(in + j) * *scale;
      F32x16 down[2] = {};
#pragma GCC unroll 16
      for (int64_t r = 0; r < kTile; ++r) {
        const F32x16 row = widen_i16(tiles + r * kTile);
        down[r % 2] += row * in[i + r];
        right[r] += row * scaled;
      }
      store(out + j, load<F32x16>(out + j) + (down[0] + down[1]) * *scale);
      if (j == i) std::fill_n(right, kTile, F32x16{});  // it is its own mirror image
    }
    store(out + i, load<F32x16>(out + i) + sums_of(right));
  }
  std::copy_n(out, n, y);
}

}  // namespace model::FULGURITE_ISA
