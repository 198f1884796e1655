// A thin layer over the compiler's vector types, for *_isa.cpp only: everything here is
// compiled once per instruction set, in its namespace. All of it is exact or rounds element by
// element, so every set gives the same bits.
#pragma once

#include <bit>
#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "model/dtype.h"
#include "model/kernels/vectors.h"

namespace model::FULGURITE_ISA {

FULGURITE_INLINE float widen_one_f16(uint16_t half) noexcept {
#if defined(__F16C__)
  return _cvtsh_ss(half);
#else
  return f32_from_f16(half);
#endif
}

// binary32 -> binary16, to nearest even.
inline void narrow_f16(const float* x, int64_t n, void* out) noexcept {
  auto* to = static_cast<char*>(out);
  int64_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= n; i += 8) {
    store(to + 2 * i, _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
  }
#endif
  for (; i < n; ++i) store(to + 2 * i, f16_from_f32(x[i]));
}

// The compiler's own conversions from bytes go one by one, so the machine's are spelled out.
FULGURITE_INLINE I32x16 widen_to_i32(const I8x16& v) noexcept {
#if defined(__AVX512F__)
  return (I32x16)_mm512_cvtepi8_epi32((__m128i)v);
#elif defined(__AVX2__)
  return {(I32x8)_mm256_cvtepi8_epi32((__m128i)v),
          (I32x8)_mm256_cvtepi8_epi32(_mm_srli_si128((__m128i)v, 8))};
#else
  return __builtin_convertvector(v, I32x16);
#endif
}

FULGURITE_INLINE I32x16 widen_to_i32(const U16x16& v) noexcept {
#if defined(__AVX512F__)
  return (I32x16)_mm512_cvtepu16_epi32((__m256i)v);
#elif defined(__AVX2__)
  return {(I32x8)_mm256_cvtepu16_epi32(_mm256_castsi256_si128((__m256i)v)),
          (I32x8)_mm256_cvtepu16_epi32(_mm256_extracti128_si256((__m256i)v, 1))};
#else
  return __builtin_convertvector(v, I32x16);
#endif
}

// binary16 -> binary32. Subnormal halves are normalised by a multiplication, exactly.
FULGURITE_INLINE F32x16 widen_f16(const uint16_t* half) noexcept {
#if defined(__AVX512F__)
  return (F32x16)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(half)));
#elif defined(__F16C__)
  return {(F32x8)_mm256_cvtph_ps(load<__m128i>(half)),
          (F32x8)_mm256_cvtph_ps(load<__m128i>(half + 8))};
#else
  const I32x16 bits = widen_to_i32(load<U16x16>(half));
  const I32x16 magnitude = (bits & 0x7FFF) << 13;
  const F32x16 scaled = (F32x16)magnitude * 0x1p112F;
  const I32x16 special = ((bits & 0x7C00) == 0x7C00) & (magnitude | 0x7F800000);
  return (F32x16)((I32x16)scaled | special | ((bits & 0x8000) << 16));
#endif
}

FULGURITE_INLINE F32x16 widen_i8(const int8_t* q) noexcept {
  return to_float(widen_to_i32(load<I8x16>(q)));
}

// Eight lanes: i + 4, then i + 2, i + 1.
template <class V>
FULGURITE_INLINE auto sum_eight(const V& a) noexcept {
#if defined(__AVX2__)
  if constexpr (std::is_same_v<V, F32x8>) {
    const auto whole = (__m256)a;
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(whole), _mm256_extractf128_ps(whole, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
#endif
  return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
}

// Sixteen lanes: i + 8, then as above.
FULGURITE_INLINE float sum_lanes(const F32x16& v) noexcept {
  return sum_eight(low_half(v) + high_half(v));
}

// Lane b: ((s0+s4)+(s2+s6)) + ((s1+s5)+(s3+s7)) of s = parts[b].
FULGURITE_INLINE F32x8 trees_of(const F32x8 (&parts)[8]) noexcept {
#if defined(__AVX2__)
  const auto four = [&](int a) {  // [a | a + 4] after i + 4
    const auto x = (__m256)parts[a];
    const auto y = (__m256)parts[a + 4];
    return _mm256_add_ps(_mm256_permute2f128_ps(x, y, 0x20), _mm256_permute2f128_ps(x, y, 0x31));
  };
  const auto two = [&](__m256 x, __m256 y) {
    return _mm256_add_ps(_mm256_shuffle_ps(x, y, 0x44), _mm256_shuffle_ps(x, y, 0xEE));
  };
  const __m256 low = two(four(0), four(1));
  const __m256 high = two(four(2), four(3));
  return (F32x8)_mm256_add_ps(_mm256_shuffle_ps(low, high, 0x88),
                              _mm256_shuffle_ps(low, high, 0xDD));
#else
  F32x8 out;
  for (int b = 0; b < 8; ++b) out[b] = sum_eight(parts[b]);
  return out;
#endif
}

// Lane r: the sum of the lanes of rows[r].
FULGURITE_INLINE F32x16 sums_of(const F32x16 (&rows)[16]) noexcept {
  F32x8 sums[2];
  for (int h = 0; h < 2; ++h) {
    F32x8 parts[8];
    for (int r = 0; r < 8; ++r) parts[r] = low_half(rows[8 * h + r]) + high_half(rows[8 * h + r]);
    sums[h] = trees_of(parts);
  }
  // Not std::bit_cast: unless it is inlined, one copy of it serves all instruction sets, of which
  // some pass F32x16 in memory.
  return __builtin_bit_cast(F32x16, sums);
}

}  // namespace model::FULGURITE_ISA
