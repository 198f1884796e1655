// Compiled once per instruction set (see model/kernels/dispatch.h): rounding x to 8 bits.
#include <limits>

#include "model/kernels/matmul_rows.h"
#include "model/kernels/simd.h"
#include "model/kernels/simd_math.h"

namespace model::FULGURITE_ISA {
namespace {

FULGURITE_INLINE int32_t sum16(const I32x16& q) noexcept {
  return sum_eight(low_half(q) + high_half(q));
}

// |q| <= 127
FULGURITE_INLINE I8x16 narrow(const I32x16& q) noexcept {
#if defined(__AVX512F__)
  return (I8x16)_mm512_cvtepi32_epi8((__m512i)q);
#elif defined(__AVX2__)
  const __m256i mixed = _mm256_packs_epi32((__m256i)q.low, (__m256i)q.high);
  const __m256i words = _mm256_permute4x64_epi64(mixed, 0xD8);
  return (I8x16)_mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
#else
  return __builtin_convertvector(q, I8x16);
#endif
}

FULGURITE_INLINE int32_t largest(const I32x16& v) noexcept {
#if defined(__AVX512F__)
  return _mm512_reduce_max_epi32((__m512i)v);
#else
  const I32x8 low = low_half(v);
  const I32x8 high = high_half(v);
  const I32x8 eight = larger(low, high);
  int32_t top = eight[0];
  for (int k = 1; k < 8; ++k) top = eight[k] > top ? eight[k] : top;
  return top;
#endif
}

FULGURITE_INLINE F32x16 magnitude(const F32x16& x) noexcept {
  return (F32x16)((I32x16)x & INT32_MAX);
}

// A block that holds a NaN or an infinity gets the scale NaN, so that it shows in every product;
// one whose values are all below 1e-30 is zero.
FULGURITE_INLINE float round_block(const float* x, int8_t* q, int32_t* sums) noexcept {
  const F32x16 x0 = load<F32x16>(x);
  const F32x16 x1 = load<F32x16>(x + 16);
  // As integers, magnitudes are in order too, and NaN is above infinity.
  const auto m0 = (I32x16)magnitude(x0);
  const auto m1 = (I32x16)magnitude(x1);
  const int32_t top = largest(larger(m0, m1));
  const auto most = std::bit_cast<float>(top);
  const bool finite = top < 0x7F800000;
  const float inverse = finite && most >= 1e-30F ? 127.0F / most : 0.0F;
  const F32x16 rest = {};
  for (int h = 0; h < 2; ++h) {
    const F32x16 scaled = inverse > 0.0F ? (h == 0 ? x0 : x1) * inverse : rest;
    const F32x16 whole = (scaled + kRoundToInteger) - kRoundToInteger;
    const I32x16 rounded = to_int(whole);
    store(q + 16 * h, narrow(rounded));
    sums[8 * h] = sum16(rounded);
  }
  if (!finite) return std::numeric_limits<float>::quiet_NaN();
  return inverse > 0.0F ? most / 127.0F : 0.0F;
}

}  // namespace

void round_row(const float* x, int64_t cols, int64_t blocks, int8_t* q, float* d,
               int32_t* sums) noexcept {
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t begin = b * kBlockWidth;
    const float* from = x + begin;
    alignas(64) float padded[kBlockWidth] = {};
    if (begin + kBlockWidth > cols) {
      for (int64_t c = begin; c < cols; ++c) padded[c - begin] = x[c];
      from = padded;
    }
    d[b] = round_block(from, q + begin, sums + b / 8 * 16 + b % 8);
  }
}

void rounded_row(const int8_t* q, const float* d, int64_t cols, float* out) noexcept {
  int64_t c = 0;
  for (; c + 16 <= cols; c += 16) store(out + c, widen_i8(q + c) * d[c / kBlockWidth]);
  for (; c < cols; ++c) out[c] = d[c / kBlockWidth] * static_cast<float>(q[c]);
}

}  // namespace model::FULGURITE_ISA
