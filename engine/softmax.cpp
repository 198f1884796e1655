#include "engine/softmax.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "model/error.h"

namespace engine {

namespace {

constexpr size_t kLanes = 16;
constexpr size_t kChunk = 64 * kLanes;  // values that are added up in float32, a lane each

constexpr float kLowest = -87.0F;  // e^-87 is the smallest that needs no subnormal
constexpr float kLog2E = 1.44269504F;
// ln 2 in two parts, the first with so few digits that a whole multiple of it is exact
// (Cody & Waite 1980).
constexpr float kLn2High = 0.693359375F;
constexpr float kLn2Low = -2.12194440e-4F;
constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number

// e^x, kLowest <= x <= 0: 2^k times the Taylor series of e^r, |r| <= ln 2 / 2.
[[gnu::always_inline]] inline float exp_of(float x) noexcept {
  const float k = (x * kLog2E + kRound) - kRound;
  const float r = (x - k * kLn2High) - k * kLn2Low;
  float series = 1.0F / 5040;
  series = series * r + 1.0F / 720;
  series = series * r + 1.0F / 120;
  series = series * r + 1.0F / 24;
  series = series * r + 1.0F / 6;
  series = series * r + 0.5F;
  series = series * r + 1.0F;
  series = series * r + 1.0F;
  const int32_t exponent = static_cast<int32_t>(k) + 127;
  return series * std::bit_cast<float>(exponent << 23);
}

// Adds e^x and x e^x of kChunk logits to two sums.
[[gnu::always_inline]] inline void add_chunk(const float* l, float max, float scale, double& sum,
                                             double& moment) noexcept {
  std::array<float, kLanes> sums{};
  std::array<float, kLanes> moments{};
  for (size_t i = 0; i < kChunk; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float wanted = (l[i + lane] - max) * scale;
      const float x = wanted > kLowest ? wanted : kLowest;
      const float e = exp_of(x);
      sums[lane] += e;
      moments[lane] += e * x;
    }
  }
  for (size_t lane = 0; lane < kLanes; ++lane) {
    sum += double{sums[lane]};
    moment += double{moments[lane]};
  }
}

struct Sums {
  double sum = 0.0;     // of e^x
  double moment = 0.0;  // of x e^x
};

[[gnu::always_inline]] inline Sums sums_of(const float* l, size_t n, float max,
                                           float scale) noexcept {
  Sums s;
  size_t i = 0;
  for (; i + kChunk <= n; i += kChunk) add_chunk(l + i, max, scale, s.sum, s.moment);
  if (i == n) return s;
  std::array<float, kChunk> last;
  last.fill(std::numeric_limits<float>::lowest());  // adds nothing that is seen
  std::copy(l + i, l + n, last.begin());
  add_chunk(last.data(), max, scale, s.sum, s.moment);
  return s;
}

// Never a NaN; -infinity when there is nothing else.
[[gnu::always_inline]] inline float max_of(const float* l, size_t n) noexcept {
  std::array<float, kLanes> best;
  best.fill(-std::numeric_limits<float>::infinity());
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      best[lane] = l[i + lane] > best[lane] ? l[i + lane] : best[lane];
    }
  }
  for (; i < n; ++i) best[0] = l[i] > best[0] ? l[i] : best[0];
  return *std::max_element(best.begin(), best.end());
}

[[gnu::always_inline]] inline void maxima_of(const float* l, size_t n, float* out) noexcept {
  for (size_t first = 0; first < n; first += kLogitBlock) {
    *out++ = max_of(l + first, std::min(kLogitBlock, n - first));
  }
}

[[gnu::always_inline]] inline bool finite_of(const float* l, size_t n) noexcept {
  constexpr uint32_t kExponent = 0x7F800000U;
  uint32_t bad = 0;
  for (size_t i = 0; i < n; ++i) {
    bad |= static_cast<uint32_t>((std::bit_cast<uint32_t>(l[i]) & kExponent) == kExponent);
  }
  return bad == 0;
}

// The same loops for wider registers: the same operations in the same order, so the same bits.
#if defined(__x86_64__)
[[gnu::target("avx512f")]] Sums sums_avx512(const float* l, size_t n, float max, float scale) {
  return sums_of(l, n, max, scale);
}
[[gnu::target("avx2")]] Sums sums_avx2(const float* l, size_t n, float max, float scale) {
  return sums_of(l, n, max, scale);
}
[[gnu::target("avx2")]] float max_avx2(const float* l, size_t n) {
  return max_of(l, n);
}
[[gnu::target("avx2")]] void maxima_avx2(const float* l, size_t n, float* out) {
  maxima_of(l, n, out);
}
[[gnu::target("avx2")]] bool finite_avx2(const float* l, size_t n) {
  return finite_of(l, n);
}
#endif

Sums fastest_sums(const float* l, size_t n, float max, float scale) noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return sums_avx512(l, n, max, scale);
  if (__builtin_cpu_supports("avx2")) return sums_avx2(l, n, max, scale);
#endif
  return sums_of(l, n, max, scale);
}

float fastest_max(const float* l, size_t n) noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return max_avx2(l, n);
#endif
  return max_of(l, n);
}

}  // namespace

Softmax softmax_of(std::span<const float> logits, float temperature) noexcept {
  return softmax_of(logits, temperature, fastest_max(logits.data(), logits.size()));
}

Softmax softmax_of(std::span<const float> logits, float temperature, float max) noexcept {
  CHECK(!logits.empty() && temperature > 0.0F);
  Softmax result;
  result.max = max;
  const float scale = std::min(1.0F / temperature, 1e30F);
  const Sums sums = fastest_sums(logits.data(), logits.size(), result.max, scale);
  result.sum = sums.sum;
  // -sum p ln p = -sum p (x - ln S) = ln S - sum e^x x / S
  result.entropy = std::max(0.0, std::log(sums.sum) - sums.moment / sums.sum);
  return result;
}

double portable_exp(double x) noexcept {
  if (!(x > -708.0)) return 0.0;
  constexpr double kRoundDouble = 6755399441055744.0;  // 1.5 * 2^52
  constexpr double kLn2HighDouble = 0x1.62e42feep-1;   // 33 bits
  constexpr double kLn2LowDouble = 1.90821492927058770002e-10;
  const double k = (x * 1.44269504088896340736 + kRoundDouble) - kRoundDouble;
  const double r = (x - k * kLn2HighDouble) - k * kLn2LowDouble;
  // 1 + r/1 (1 + r/2 (1 + ... r/14)): the next term is below 1e-18.
  double series = 1.0;
  for (int n = 14; n > 0; --n) series = 1.0 + r / n * series;
  return std::ldexp(series, static_cast<int>(k));
}

bool all_finite(std::span<const float> logits) noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return finite_avx2(logits.data(), logits.size());
#endif
  return finite_of(logits.data(), logits.size());
}

void block_maxima(std::span<const float> logits, float* out) noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return maxima_avx2(logits.data(), logits.size(), out);
#endif
  maxima_of(logits.data(), logits.size(), out);
}

}  // namespace engine
