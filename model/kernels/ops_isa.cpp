// Compiled once per instruction set (see model/kernels/dispatch.h). Ends of rows that do not
// fill a vector are filled up to one, so that every element is computed alike.
#include "model/kernels/ops_isa.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "model/kernels/block_dot.h"
#include "model/kernels/simd.h"
#include "model/kernels/simd_math.h"

namespace model::FULGURITE_ISA {
namespace {

#if defined(__AVX512F__)
// The first n <= 16 lanes.
FULGURITE_INLINE __mmask16 first_lanes(int64_t n) noexcept {
  return static_cast<__mmask16>((1U << n) - 1);
}
#endif

// n <= 16 values, the others as they are given.
FULGURITE_INLINE F32x16 load_part(const float* x, int64_t n, F32x16 v = F32x16{}) noexcept {
  if (n == 16) return load<F32x16>(x);
#if defined(__AVX512F__)
  return (F32x16)_mm512_mask_loadu_ps((__m512)v, first_lanes(n), x);
#else
  if (n > 0) std::memcpy(&v, x, static_cast<size_t>(n) * sizeof(float));
  return v;
#endif
}

FULGURITE_INLINE void store_part(float* to, const F32x16& v, int64_t n) noexcept {
  if (n == 16) return store(to, v);
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, first_lanes(n), (__m512)v);
#else
  std::memcpy(to, &v, static_cast<size_t>(n) * sizeof(float));
#endif
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

constexpr int32_t kLane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// Magnitudes as integers, which order as they do.
FULGURITE_INLINE I32x16 size_of(const F32x16& v) noexcept {
  return (I32x16)v & INT32_MAX;
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

// The same of three bars at once.
FULGURITE_INLINE void count_from(const float* x, int64_t n, const int32_t (&bar)[3],
                                 int32_t (&count)[3]) noexcept {
#if defined(__AVX512F__)
  for (int32_t& c : count) c = 0;
  parts_of(n, [&](int64_t i, auto of) FULGURITE_LAMBDA {
    const auto size = (__m512i)size_of(load_part(x + i, of));
#pragma GCC unroll 3
    for (int k = 0; k < 3; ++k) {
      count[k] += std::popcount(uint32_t{_mm512_cmpge_epi32_mask(size, _mm512_set1_epi32(bar[k]))});
    }
  });
#else
  I32x16 found[3] = {};
  parts_of(n, [&](int64_t i, auto of) FULGURITE_LAMBDA {
    const I32x16 size = size_of(load_part(x + i, of));
#pragma GCC unroll 3
    for (int k = 0; k < 3; ++k) found[k] -= size >= bar[k];
  });
  for (int k = 0; k < 3; ++k) count[k] = sum_of(found[k]);
#endif
}

// Writes the numbers of the lanes that are set, counted from `first`, one after the other; out has
// room for 16. Returns how many there are.
FULGURITE_INLINE int64_t list_lanes(uint32_t lanes, int32_t first, int32_t* out) noexcept {
#if defined(__AVX512F__)
  const __m512i numbers = _mm512_add_epi32(_mm512_loadu_si512(kLane), _mm512_set1_epi32(first));
  _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(static_cast<__mmask16>(lanes), numbers));
#else
  for (uint32_t left = lanes; left != 0; left &= left - 1) {
    *out++ = first + std::countr_zero(left);
  }
#endif
  return std::popcount(lanes);
}

// The numbers of at most `most` values that reach the bar; out has room for 16 more. Returns how
// many there are, or more than `most`.
FULGURITE_INLINE int64_t list_from(const float* x, int64_t n, int32_t bar, int64_t most,
                                   int32_t* out) noexcept {
  int64_t listed = 0;
  parts_of(n, [&](int64_t i, auto count) FULGURITE_LAMBDA {
    if (listed > most) return;
    uint32_t lanes = lanes_of(size_of(load_part(x + i, count)) >= bar);
    if (count < 16) lanes &= (1U << count) - 1;
    listed += list_lanes(lanes, static_cast<int32_t>(i), out + listed);
  });
  return listed;
}

// Values, and their numbers in the list that they are taken from (nullptr: 0, 1, 2 ...).
struct Listed {
  const float* x;
  const int32_t* number;
  int64_t n;
};

// The k-th largest is found between a bar that at least k values reach and one that fewer do, which
// come closer by quarters, without a branch that nobody can foresee, and at last by halves. Of
// several that are as large as it, the first.
int64_t strongest_of(const Listed& list, int32_t low, int32_t high, int64_t k,
                     int32_t* out) noexcept {
  high += high < INT32_MAX ? 1 : 0;
  int64_t reach = list.n;  // how many reach `low`
  for (int32_t step = (high - low) / 4; step > 0 && reach != k; step = (high - low) / 4) {
    const int32_t bar[3] = {low + step, low + 2 * step, low + 3 * step};
    int32_t count[3];
    count_from(list.x, list.n, bar, count);
    const int32_t bars[5] = {low, bar[0], bar[1], bar[2], high};
    const int64_t reaches[4] = {reach, count[0], count[1], count[2]};
    const int enough = (count[0] >= k) + (count[1] >= k) + (count[2] >= k);
    low = bars[enough];
    high = bars[enough + 1];
    reach = reaches[enough];
  }
  while (high - low > 1 && reach != k) {
    const int32_t middle = low + (high - low) / 2;
    const int64_t count = count_from(list.x, list.n, middle);
    const bool enough = count >= k;
    low = enough ? middle : low;
    high = enough ? high : middle;
    reach = enough ? count : reach;
  }
  const auto number = [&](int64_t i)
                          FULGURITE_LAMBDA { return list.number != nullptr ? list.number[i] : i; };
  constexpr int64_t kUsual = 16;
  if (reach == k && k <= kUsual) {
    int32_t listed[2 * kUsual];
    list_from(list.x, list.n, low, k, listed);
    for (int64_t i = 0; i < k; ++i) out[i] = static_cast<int32_t>(number(listed[i]));
    return k;
  }
  int64_t at_bar = reach == k || low == INT32_MAX ? k : k - count_from(list.x, list.n, low + 1);
  int64_t listed = 0;
  for (int64_t i = 0; i < list.n && listed < k; ++i) {
    const int32_t size = std::bit_cast<int32_t>(list.x[i]) & INT32_MAX;
    if (size < low || (size == low && --at_bar < 0)) continue;
    out[listed++] = static_cast<int32_t>(number(i));
  }
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

void add_scaled(const float* x, int64_t n, float by, float* y) noexcept {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) store(y + i, load<F32x16>(y + i) + load<F32x16>(x + i) * by);
  for (; i < n; ++i) y[i] += x[i] * by;
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

void clamped_swiglu(const float* gate, const float* up, int64_t n, float* y) noexcept {
  parts_of(n, [&](int64_t i, auto count) {
    const F32x16 g = smaller(F32x16{} + 7.0F, load_part(gate + i, count));
    const F32x16 u = clamp(load_part(up + i, count), -7.0F, 7.0F);
    store_part(y + i, times_sigmoid(g, g * 1.702F) * (u + 1.0F), count);
  });
}

// Of x and of one value more, which has no place in y: its part is returned.
float softmax_beside(const float* x, int64_t n, float sink, float* y) noexcept {
  if (n <= 0) return 0.0F;
  F32x16 most = F32x16{} + x[0];
  parts_of(n, [&](int64_t i, auto count) {
    const F32x16 v = load_part(x + i, count, F32x16{} + x[0]);
    most = larger(v, most);
  });
  float lanes[16];  // a vector whose lanes are asked for one by one stays in memory all the time
  store(lanes, most);
  float top = std::max(lanes[0], sink);
  for (const float lane : lanes) top = std::max(top, lane);
  map_rows(x, nullptr, n, y, [&](const F32x16& v) FULGURITE_LAMBDA { return exp(v - top); });
  const double beside = std::exp(double{sink} - double{top});
  const auto inverse = static_cast<float>(1.0 / (sum_wide(y, n) + beside));
  map_rows(y, nullptr, n, y, [&](const F32x16& v) FULGURITE_LAMBDA { return v * inverse; });
  return static_cast<float>(beside) * inverse;
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
  parts_of(n, [&](int64_t i, auto count)
                  FULGURITE_LAMBDA { most = larger(size_of(load_part(x + i, count)), most); });
  int32_t lanes[16];  // as in softmax
  store(lanes, most);
  int32_t low = lanes[0];
  int32_t high = lanes[0];
  for (const int32_t lane : lanes) {
    low = std::min(low, lane);
    high = std::max(high, lane);
  }
  if (k > 16 || n < 16) return strongest_of({x, nullptr, n}, 0, high, k, out);
  // Each lane holds one that reaches `low`: what does not is out. Most often few are left.
  constexpr int64_t kFew = 256;
  constexpr int64_t kWorthListing = 320;
  if (n <= kWorthListing) return strongest_of({x, nullptr, n}, low, high, k, out);
  int32_t number[kFew + 16];
  const int64_t found = list_from(x, n, low, kFew, number);
  if (found > kFew) return strongest_of({x, nullptr, n}, low, high, k, out);
  alignas(64) float few[kFew];
  for (int64_t i = 0; i < found; ++i) few[i] = x[number[i]];
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

void bins_of(const float* x, int64_t n, const Bins& bins, float floor, int16_t* out) noexcept {
  constexpr int32_t kInfinity = 0x7F800000;
  const int32_t bar = std::max(std::bit_cast<int32_t>(floor), 1);
  const I32x16 last = I32x16{} + (bins.count - 1);
  const I32x16 none = load<I32x16>(kLane) + bins.count;
  parts_of(n, [&](int64_t i, auto count) FULGURITE_LAMBDA {
    const I32x16 size = size_of(load_part(x + i, count));
    const I32x16 bin = smaller(last, larger((size >> bins.shift) - bins.lowest, I32x16{}));
    const I32x16 of = choose((size >= bar) & (size <= kInfinity), bin, none);
    int16_t part[16];
    int16_t* to = count == 16 ? out + i : part;
    store(to, __builtin_convertvector(low_half(of), I16x8));
    store(to + 8, __builtin_convertvector(high_half(of), I16x8));
    if (count < 16) std::copy_n(part, static_cast<int64_t>(count), out + i);
  });
}

void order_by_size(const float* x, int64_t n, int32_t* out) noexcept {
  const I32x16 size = size_of(load_part(x, n));
  const auto lane = load<I32x16>(kLane);
  int32_t sizes[16];  // as in softmax
  store(sizes, size);
  I32x16 rank = {};
#pragma GCC unroll 16
  for (int32_t i = 0; i < 16; ++i) {  // what fills up the last ones comes before none
    // Minus one where value i comes before the lane's.
    rank -= (size < sizes[i]) | ((size == sizes[i]) & (lane > i));
  }
  int32_t ranks[16];
  store(ranks, rank);
  for (int32_t i = 0; i < n; ++i) out[ranks[i]] = i;
}

float factor_matvec(const float* factor, const float* x, int64_t n, float* y) noexcept {
  constexpr int64_t kBlock = kFactorBlock;
  alignas(64) float in[kWidestFactor];
  alignas(64) float out[kWidestFactor] = {};
  parts_of(n,
           [&](int64_t i, auto count) FULGURITE_LAMBDA { store(in + i, load_part(x + i, count)); });
  const int64_t end = (n + kBlock - 1) / kBlock * kBlock;
  F32x16 energy = {};
  for (int64_t i = 0; i < end; i += kBlock) {
    F32x16 rows[kBlock] = {};
    const float* tile = factor;
    for (int64_t j = i; j < end; j += kBlock, tile += kBlock * kBlock) {
      const auto part = load<F32x16>(in + j);
#pragma GCC unroll 16
      for (int64_t r = 0; r < kBlock; ++r) rows[r] += load<F32x16>(tile + r * kBlock) * part;
    }
    const F32x16 sums = sums_of(rows);
    energy += sums * sums;
    float of_row[kBlock];
    store(of_row, sums);
    for (int64_t j = i; j < end; j += kBlock, factor += kBlock * kBlock) {
      F32x16 down[2] = {};
#pragma GCC unroll 16
      for (int64_t r = 0; r < kBlock; ++r) {
        down[r % 2] += load<F32x16>(factor + r * kBlock) * of_row[r];
      }
      store(out + j, load<F32x16>(out + j) + (down[0] + down[1]));
    }
  }
  std::copy_n(out, n, y);
  return sum_lanes(energy);
}

}  // namespace model::FULGURITE_ISA
