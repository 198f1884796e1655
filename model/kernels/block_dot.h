// Sums of products of 32 stored weights and 32 rounded inputs, for *_isa.cpp only. Exact.
#pragma once

#include "model/kernels/simd.h"

namespace model::FULGURITE_ISA {

// Where one instruction adds up four products of bytes; it wants weights without a sign.
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#define FULGURITE_VNNI 1
inline constexpr bool kUnsignedDot = true;

// sums + the products of four neighbouring bytes; q with a sign.
#if defined(__AVX512VNNI__)
FULGURITE_INLINE __m256i add_byte_products(__m256i sums, __m256i w, __m256i q) noexcept {
  return _mm256_dpbusd_epi32(sums, w, q);
}
FULGURITE_INLINE __m512i add_byte_products(__m512i sums, __m512i w, __m512i q) noexcept {
  return _mm512_dpbusd_epi32(sums, w, q);
}
#else
FULGURITE_INLINE __m256i add_byte_products(__m256i sums, __m256i w, __m256i q) noexcept {
  return _mm256_dpbusd_avx_epi32(sums, w, q);
}
#endif
#else
#define FULGURITE_VNNI 0
inline constexpr bool kUnsignedDot = false;
#endif

// Where a vector holds the values of two blocks and the same goes for their products.
#if defined(__AVX512VNNI__)
#define FULGURITE_TWO_BLOCKS 1
#else
#define FULGURITE_TWO_BLOCKS 0
#endif

#if defined(__AVX2__)
// 16-bit sums of two products each; weights as below, without an offset.
template <bool kSigned>
FULGURITE_INLINE __m256i pairs_of_bytes(const __m256i& w, const __m256i& q) noexcept {
  return kSigned ? _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(q, w))
                 : _mm256_maddubs_epi16(w, q);
}
#endif

// Both halves of a block in one: the four low lanes hold sums of the first 16 products, the four
// high lanes those of the others. Weights with kSigned are int8_t, or with kUnsignedDot int8_t +
// 128; others are 0 .. 63.
template <bool kSigned>
FULGURITE_INLINE I32x8 dot_block(const U8x32& w, const int8_t* q) noexcept {
#if FULGURITE_VNNI
  return (I32x8)add_byte_products(_mm256_setzero_si256(), (__m256i)w, load<__m256i>(q));
#elif defined(__AVX2__)
  const __m256i pairs = pairs_of_bytes<kSigned>((__m256i)w, load<__m256i>(q));
  return (I32x8)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#elif defined(__SSE2__)
  I32x8 sums;
  for (int half = 0; half < 2; ++half) {
    const auto v = load<__m128i>(reinterpret_cast<const char*>(&w) + 16 * half);
    const auto x = load<__m128i>(q + 16 * half);
    const __m128i zero = _mm_setzero_si128();
    const auto wide = [&](__m128i bytes, bool high) {
      const __m128i both = high ? _mm_unpackhi_epi8(zero, bytes) : _mm_unpacklo_epi8(zero, bytes);
      return _mm_srai_epi16(both, 8);
    };
    const __m128i sum = _mm_add_epi32(_mm_madd_epi16(wide(v, false), wide(x, false)),
                                      _mm_madd_epi16(wide(v, true), wide(x, true)));
    std::memcpy(reinterpret_cast<char*>(&sums) + 16 * half, &sum, sizeof(sum));
  }
  return sums;
#else
  I32x8 sums = {};
  for (int half = 0; half < 2; ++half) {
    I8x16 v;
    std::memcpy(&v, reinterpret_cast<const char*>(&w) + 16 * half, sizeof(v));
    const I16x16 products = __builtin_convertvector(v, I16x16) *
                            __builtin_convertvector(load<I8x16>(q + 16 * half), I16x16);
    const I32x16 wide = __builtin_convertvector(products, I32x16);
    const I32x8 eights = low_half(wide) + high_half(wide);
    for (int k = 0; k < 8; ++k) sums[4 * half + k % 4] += eights[k];
  }
  return sums;
#endif
}

#if FULGURITE_TWO_BLOCKS
// Two blocks, one behind the other.
FULGURITE_INLINE __m512i dot_two_blocks(const U8x64& w, const int8_t* q) noexcept {
  return add_byte_products(_mm512_setzero_si512(), (__m512i)w, load<__m512i>(q));
}

// As below; dots[k]: of blocks 2 k and 2 k + 1.
FULGURITE_INLINE void halves_of(const __m512i (&dots)[4], I32x8& first, I32x8& second) noexcept {
  // Of each quarter: sums 0 + 2 of a, of b, sums 1 + 3 of a, of b.
  const auto pair = [](__m512i a, __m512i b) FULGURITE_LAMBDA {
    return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  };
  const __m512i low = pair(dots[0], dots[1]);
  const __m512i high = pair(dots[2], dots[3]);
  const __m512i sums =
      _mm512_add_epi32(_mm512_unpacklo_epi64(low, high), _mm512_unpackhi_epi64(low, high));
  const __m512i order = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  const __m512i sorted = _mm512_permutexvar_epi32(order, sums);
  first = (I32x8)_mm512_castsi512_si256(sorted);
  second = (I32x8)_mm512_extracti64x4_epi64(sorted, 1);
}
#endif

#if defined(__AVX2__)
// Lane b: the sum of the eight low (high) lanes of pairs[b], which 16 bits must hold.
FULGURITE_INLINE void halves_of_pairs(const __m256i (&pairs)[8], I32x8& first,
                                      I32x8& second) noexcept {
  const auto two = [](__m256i a, __m256i b) FULGURITE_LAMBDA {
    return _mm256_add_epi16(_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b));
  };
  const auto four = [&](int b) FULGURITE_LAMBDA {
    const __m256i low = two(pairs[b], pairs[b + 1]);
    const __m256i high = two(pairs[b + 2], pairs[b + 3]);
    return _mm256_add_epi16(_mm256_unpacklo_epi32(low, high), _mm256_unpackhi_epi32(low, high));
  };
  const __m256i low = four(0);
  const __m256i high = four(4);
  const __m256i sums =
      _mm256_add_epi16(_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high));
  first = (I32x8)_mm256_cvtepi16_epi32(_mm256_castsi256_si128(sums));
  second = (I32x8)_mm256_cvtepi16_epi32(_mm256_extracti128_si256(sums, 1));
}
#endif

// Lane b: the sum of the four low (high) lanes of dots[b].
FULGURITE_INLINE void halves_of(const I32x8 (&dots)[8], I32x8& first, I32x8& second) noexcept {
#if defined(__AVX2__)
  const auto pair = [](__m256i a, __m256i b) FULGURITE_LAMBDA {
    return _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
  };
  const auto four = [&](int b) FULGURITE_LAMBDA {
    const __m256i low = pair((__m256i)dots[b], (__m256i)dots[b + 1]);
    const __m256i high = pair((__m256i)dots[b + 2], (__m256i)dots[b + 3]);
    return _mm256_add_epi32(_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high));
  };
  const __m256i low = four(0);
  const __m256i high = four(4);
  first = (I32x8)_mm256_permute2x128_si256(low, high, 0x20);
  second = (I32x8)_mm256_permute2x128_si256(low, high, 0x31);
#else
  I32x4 half[2][8];
  std::memcpy(half[0], dots, 0);
  for (int b = 0; b < 8; ++b) {
    std::memcpy(&half[0][b], &dots[b], 16);
    std::memcpy(&half[1][b], reinterpret_cast<const char*>(&dots[b]) + 16, 16);
  }
  for (int h = 0; h < 2; ++h) {
    I32x4 sums[2];
    for (int k = 0; k < 2; ++k) {
      const I32x4* v = half[h] + 4 * k;
      const I32x4 a = __builtin_shufflevector(v[0], v[1], 0, 1, 4, 5) +
                      __builtin_shufflevector(v[0], v[1], 2, 3, 6, 7);
      const I32x4 b = __builtin_shufflevector(v[2], v[3], 0, 1, 4, 5) +
                      __builtin_shufflevector(v[2], v[3], 2, 3, 6, 7);
      sums[k] =
          __builtin_shufflevector(a, b, 0, 2, 4, 6) + __builtin_shufflevector(a, b, 1, 3, 5, 7);
    }
    std::memcpy(h == 0 ? &first : &second, sums, sizeof(sums));
  }
#endif
}

}  // namespace model::FULGURITE_ISA
