// The terms of eight blocks of a row at once, and a row's share of W^T u, for *_isa.cpp only.
// A format is one of block_decode.h or one of the three below.
#pragma once

#include "model/kernels/block_decode_k.h"

namespace model::FULGURITE_ISA {

// One position of x, as far as the format needs it.
struct Position {
  const float* x;
  const int8_t* q;
  const int32_t* sums;
  const float* d;
};

template <class F>
inline constexpr bool kOnlyNibbles = requires {
  requires F::kOnlyNibbles;
};
template <class F>
inline constexpr bool kNibblePairs = requires {
  requires F::kNibblePairs;
};

#if FULGURITE_TWO_BLOCKS
// Four quarters of the 128 values from q on, two of the first 64 and two of the others.
template <int kWhich>
FULGURITE_INLINE __m512i choose_quarters(const int8_t* q) noexcept {
  return _mm512_shuffle_i32x4(load<__m512i>(q), load<__m512i>(q + 64), kWhich);
}
// sums + the products of four neighbouring low nibbles; the same of the high ones, which are
// multiplied where they are in their bytes, sixteen times as large as they should be.
FULGURITE_INLINE __m512i add_low_products(__m512i sums, __m512i bytes, __m512i q) noexcept {
  return add_byte_products(sums, _mm512_and_si512(bytes, _mm512_set1_epi8(0x0F)), q);
}
FULGURITE_INLINE __m512i high_products(__m512i bytes, __m512i q) noexcept {
  const __m512i high = _mm512_andnot_si512(_mm512_set1_epi8(0x0F), bytes);
  return _mm512_srai_epi32(add_byte_products(_mm512_setzero_si512(), high, q), 4);
}

// Lane b: the sum of the products of block b with q, of eight blocks of nibbles.
template <class F>
FULGURITE_INLINE I32x8 nibble_sums(const std::byte* at, const int8_t* q) noexcept {
  // Four sums of each of four blocks.
  const auto four = [](const __m512i& bytes, const int8_t* x) FULGURITE_LAMBDA {
    const __m512i of_high = high_products(bytes, choose_quarters<0xDD>(x));
    return add_low_products(of_high, bytes, choose_quarters<0x88>(x));
  };
  // In each quarter two of one block, two of the one four further on; 16 bits hold 8 * 15 * 127.
  const __m512i pairs = _mm512_madd_epi16(
      _mm512_packs_epi32(four(F::packed(at, 0), q), four(F::packed(at, 4), q + 128)),
      _mm512_set1_epi16(1));
  const __m512i sums = _mm512_add_epi32(pairs, _mm512_shuffle_epi32(pairs, _MM_PERM_CDAB));
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 2, 6, 10, 14, 0, 0, 0, 0, 0, 0, 0, 0);
  return (I32x8)_mm512_castsi512_si256(_mm512_permutexvar_epi32(order, sums));
}

// The same where the values of blocks b and b + 1 are the low and the high nibbles of 32 bytes.
FULGURITE_INLINE I32x8 pair_sums(const std::byte* qs, const int8_t* q) noexcept {
  const auto four = [](const std::byte* at, const int8_t* x) FULGURITE_LAMBDA {
    const auto bytes = load<__m512i>(at);
    const __m512i of_low =
        add_low_products(_mm512_setzero_si512(), bytes, choose_quarters<0x44>(x));
    const __m512i of_high = high_products(bytes, choose_quarters<0xEE>(x));
    return _mm512_madd_epi16(_mm512_packs_epi32(of_low, of_high), _mm512_set1_epi16(1));
  };
  const __m512i halves = _mm512_madd_epi16(_mm512_packs_epi32(four(qs, q), four(qs + 64, q + 128)),
                                           _mm512_set1_epi16(1));
  const __m512i sums =
      _mm512_add_epi32(halves, _mm512_shuffle_i32x4(halves, halves, _MM_PERM_CDAB));
  const __m512i order = _mm512_setr_epi32(0, 1, 8, 9, 2, 3, 10, 11, 0, 0, 0, 0, 0, 0, 0, 0);
  return (I32x8)_mm512_castsi512_si256(_mm512_permutexvar_epi32(order, sums));
}
#endif

template <class F>
struct BlockRow : F {
  static constexpr bool kBlocks = true;
  // What dot_block's weights are more than the real ones.
  static constexpr int kDotOffset = F::kSigned ? (kUnsignedDot ? 128 : 0) : F::kOffset;

  // s: scales(at).
  static FULGURITE_INLINE F32x8 terms(const std::byte* at, const Position& x,
                                      const Scales& s) noexcept {
    I32x8 first;
    I32x8 second = {};
#if FULGURITE_TWO_BLOCKS
    if constexpr (kOnlyNibbles<F>) {
      first = nibble_sums<F>(at, x.q);
    } else if constexpr (kNibblePairs<F>) {
      first = pair_sums(at + F::kNibblesAt, x.q);
    } else {
      __m512i dots[4];
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        dots[k] = dot_two_blocks(operand<F>(F::two(at, 2 * k)), x.q + 64 * k);
      }
      halves_of(dots, first, second);
    }
#else
#if defined(__AVX2__) && !FULGURITE_VNNI
    if constexpr (kOnlyNibbles<F> || kNibblePairs<F>) {  // 16 bits hold 16 * 15 * 127
      __m256i pairs[8];
#pragma GCC unroll 8
      for (int b = 0; b < 8; ++b) {
        pairs[b] = pairs_of_bytes<false>((__m256i)F::values(at, b), load<__m256i>(x.q + 32 * b));
      }
      halves_of_pairs(pairs, first, second);
    } else
#endif
    {
      I32x8 dots[8];
#pragma GCC unroll 8
      for (int b = 0; b < 8; ++b) {
        dots[b] = dot_block<F::kSigned>(operand<F>(F::values(at, b)), x.q + 32 * b);
      }
      halves_of(dots, first, second);
    }
#endif
    const auto q_first = load<I32x8>(x.sums);
    const auto q_second = load<I32x8>(x.sums + 8);
    const auto dx = load<F32x8>(x.d);
    F32x8 a;
    if constexpr (F::kScale == 2) {
      a = to_float(first - q_first * kDotOffset) * s.scale[0] +
          to_float(second - q_second * kDotOffset) * s.scale[1];
    } else {
      a = to_float((first + second) - (q_first + q_second) * kDotOffset);
      if constexpr (F::kScale == 1) a *= s.scale[0];
    }
    const F32x8 t = (s.d * dx) * a;
    if constexpr (F::kMin == 0) {
      return t;
    } else if constexpr (F::kMin == 3) {
      return t - (s.m * dx) * (to_float(q_first) * s.min[0] + to_float(q_second) * s.min[1]);
    } else {
      F32x8 b = to_float(q_first + q_second);
      if constexpr (F::kMin == 2) b *= s.min[0];
      return t - (s.m * dx) * b;
    }
  }

  // The 256 weights of a group.
  static FULGURITE_INLINE void spell(const std::byte* at, float* to) noexcept {
    const Scales s = F::scales(at);
    for (int b = 0; b < 8; ++b) {
      alignas(32) int8_t q[kBlockWidth];
      store(q, F::values(at, b));
      for (int h = 0; h < 2; ++h) {
        float k = s.d[b];
        if constexpr (F::kScale > 0) k *= s.scale[F::kScale == 2 ? h : 0][b];
        F32x16 w = (widen_i8(q + 16 * h) - static_cast<float>(F::kOffset)) * k;
        if constexpr (F::kMin == 1) w -= s.m[b];
        if constexpr (F::kMin > 1) w -= s.m[b] * s.min[F::kMin == 3 ? h : 0][b];
        store(to + 32 * b + 16 * h, w);
      }
    }
  }

  // What W^T u needs of a group's scales, see row_back.h: kKept vectors. w = k (q - kCentre) - l:
  // first k of each block (or of both its halves), then l where there are minima.
  static constexpr int kHalves = F::kScale == 2 ? 2 : 1;
  static constexpr int kMins = F::kMin == 3 ? 2 : F::kMin > 0 ? 1 : 0;
  static constexpr int kKept = kHalves + kMins;
  static_assert(kMins == 0 || kMins == kHalves);
  static FULGURITE_INLINE void keep(const Scales& s, float* to) noexcept {
    for (int h = 0; h < kHalves; ++h) {
      const F32x8 k = F::kScale == 0 ? s.d : s.d * s.scale[h];
      store(to + 8 * h, k);
      if constexpr (kMins > 0) {
        const F32x8 m = F::kMin == 1 ? s.m : s.m * s.min[h];
        store(to + 8 * (kHalves + h), m - k * static_cast<float>(kCentre));
      }
    }
  }
  // Near the middle, so that what k is rounded by weighs little: values without a sign are below
  // 2 kCentre.
  static constexpr int kCentre = [] {
    if constexpr (kMins > 0) return F::kMiddle;
    return F::kOffset;
  }();
};

template <class F>
struct FloatRow : F {
  static constexpr bool kBlocks = false;
  static constexpr int kBytes = 256 * F::kSize;

  struct None {};
  static FULGURITE_INLINE None scales(const std::byte*) noexcept { return {}; }

  static FULGURITE_INLINE F32x8 terms(const std::byte* at, const Position& x,
                                      const None&) noexcept {
    F32x8 parts[8];
#pragma GCC unroll 8
    for (int b = 0; b < 8; ++b) {
      const F32x16 low = F::values(at + 32 * b * F::kSize) * load<F32x16>(x.x + 32 * b);
      const F32x16 high =
          F::values(at + (32 * b + 16) * F::kSize) * load<F32x16>(x.x + 32 * b + 16);
      const F32x16 sum = low + high;
      parts[b] = low_half(sum) + high_half(sum);
    }
    return trees_of(parts);
  }

  static FULGURITE_INLINE void spell(const std::byte* at, float* to) noexcept {
    for (int c = 0; c < 256; c += 16) store(to + c, F::values(at + c * F::kSize));
  }

  static constexpr int kKept = 1;
  static FULGURITE_INLINE void keep(const None&, float* to) noexcept {
    store(to, F32x8{} + 1.0F);
  }
};

struct FormatF32 {
  static constexpr int kSize = 4;
  static FULGURITE_INLINE F32x16 values(const std::byte* at) noexcept { return load<F32x16>(at); }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    return load<float>(row + 4 * c);
  }
};

struct FormatF16 {
  static constexpr int kSize = 2;
  static FULGURITE_INLINE F32x16 values(const std::byte* at) noexcept {
    return widen_f16(reinterpret_cast<const uint16_t*>(at));
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    return half_at(row + 2 * c);
  }
};

struct FormatBF16 {
  static constexpr int kSize = 2;
  static FULGURITE_INLINE F32x16 values(const std::byte* at) noexcept {
    return (F32x16)(widen_to_i32(load<U16x16>(at)) << 16);
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    return std::bit_cast<float>(static_cast<uint32_t>(load<uint16_t>(row + 2 * c)) << 16U);
  }
};

// Calls call(row kernel) for a type.
template <class Call>
FULGURITE_INLINE void with_format(DType type, const Call& call) noexcept {
  switch (type) {
    case DType::kF32:
      return call(FloatRow<FormatF32>{});
    case DType::kF16:
      return call(FloatRow<FormatF16>{});
    case DType::kBF16:
      return call(FloatRow<FormatBF16>{});
    case DType::kQ4_0:
      return call(BlockRow<FormatQ4_0>{});
    case DType::kQ4_1:
      return call(BlockRow<FormatQ4_1>{});
    case DType::kQ5_0:
      return call(BlockRow<FormatQ5_0>{});
    case DType::kQ5_1:
      return call(BlockRow<FormatQ5_1>{});
    case DType::kQ8_0:
      return call(BlockRow<FormatQ8_0>{});
    case DType::kIq4Nl:
      return call(BlockRow<FormatIq4Nl>{});
    case DType::kMxfp4:
      return call(BlockRow<FormatMxfp4>{});
    case DType::kQ2K:
      return call(BlockRow<FormatQ2K>{});
    case DType::kQ3K:
      return call(BlockRow<FormatQ3K>{});
    case DType::kQ4K:
      return call(BlockRow<FormatQ4K>{});
    case DType::kQ5K:
      return call(BlockRow<FormatQ5K>{});
    case DType::kQ6K:
      return call(BlockRow<FormatQ6K>{});
    case DType::kIq4Xs:
      return call(BlockRow<FormatIq4Xs>{});
  }
}

}  // namespace model::FULGURITE_ISA
