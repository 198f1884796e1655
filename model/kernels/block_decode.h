// How eight blocks of 32 stored weights become 8-bit values and scales, one struct a format, for
// *_isa.cpp only. A group is eight blocks; at the end of a row it may be filled up with zeros.
//
//   kBytes        of a group
//   kSigned       values() are int8_t weights; else they are 0 .. 63 and the weight is that
//                 minus kOffset
//   values(at, b) the 32 values of block b
//   two(at, b)    those of blocks b and b + 1, b even, where vectors are long enough
//   kOnlyNibbles  of some: the values are the nibbles of packed(at, b), see nibble_sums()
//   kNibblePairs  of some: they are those of the 128 bytes from kNibblesAt on, see pair_sums()
//   kScale        integer scales: 0 none, 1 one a block, 2 one for each half of a block
//   kMin          minima: 0 none, 1 one a block (float), 2 with an integer a block, 3 with one for
//                 each half
//   kMiddle       of the values, where there are minima
//   scales(at)    d, m and the integers, lane b for block b
//   one(row, c)   weight c of a row
#pragma once

#include <cstddef>

#include "model/block_formats.h"
#include "model/kernels/block_dot.h"

namespace model::FULGURITE_ISA {

struct Scales {
  FULGURITE_INLINE explicit Scales(const F32x8& of_values, const F32x8& of_mins = F32x8{}) noexcept
      : d(of_values), m(of_mins) {}
  F32x8 d, m;
  F32x8 scale[2];
  F32x8 min[2];
};

FULGURITE_INLINE uint32_t load_u32(const std::byte* at) noexcept {
  return load<uint32_t>(at);
}

FULGURITE_INLINE float half_at(const std::byte* at) noexcept {
  return widen_one_f16(load<uint16_t>(at));
}

FULGURITE_INLINE I32x8 widen_bytes(uint64_t bytes) noexcept {
#if defined(__AVX2__)
  return (I32x8)_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(bytes)));
#else
  using U8x8 = uint8_t __attribute__((vector_size(8)));
  return __builtin_convertvector((U8x8)bytes, I32x8);
#endif
}

#if FULGURITE_TWO_BLOCKS
// A choice of 32 words of two vectors that lie a and b bytes behind where byte(k) counts from.
struct alignas(64) Words {
  int16_t number[32];
};
template <class Byte>
consteval Words words_at(int a, int b, const Byte& byte) noexcept {
  Words words = {};
  for (int k = 0; k < 32; ++k) {
    const int to = byte(k);
    words.number[k] = static_cast<int16_t>((to < a + 64 ? to - a : to - b + 64) / 2);
  }
  return words;
}
FULGURITE_INLINE __m512i choose_words(const __m512i& a, const Words& words,
                                      const __m512i& b) noexcept {
  return _mm512_permutex2var_epi16(a, load<__m512i>(words.number), b);
}
#endif

// The numbers at the beginnings of eight blocks: one by one, since gathers are slow on many
// machines.
template <int kStride>
FULGURITE_INLINE F32x8 first_halves(const std::byte* at) noexcept {
#if FULGURITE_TWO_BLOCKS
  if constexpr (kStride % 2 == 0 && 7 * kStride < 128 && 8 * kStride >= 128) {
    static constexpr Words kWords = words_at(0, 64, [](int k) { return k % 8 * kStride; });
    const __m512i both = choose_words(load<__m512i>(at), kWords, load<__m512i>(at + 64));
    return (F32x8)_mm256_cvtph_ps(_mm512_castsi512_si128(both));
  }
#endif
#if defined(__AVX2__)
  const auto four = [&](int b) FULGURITE_LAMBDA {
    const auto half = [&](int i) FULGURITE_LAMBDA { return load<int16_t>(at + (b + i) * kStride); };
    __m128i v = _mm_insert_epi16(_mm_setzero_si128(), half(0), 0);
    v = _mm_insert_epi16(v, half(1), 1);
    v = _mm_insert_epi16(v, half(2), 2);
    return _mm_insert_epi16(v, half(3), 3);
  };
  return (F32x8)_mm256_cvtph_ps(_mm_unpacklo_epi64(four(0), four(4)));
#else
  F32x8 out;
  for (int b = 0; b < 8; ++b) out[b] = f32_from_f16(load<uint16_t>(at + b * kStride));
  return out;
#endif
}

template <int kStride>
FULGURITE_INLINE I32x8 first_bytes(const std::byte* at) noexcept {
  uint64_t bytes = 0;
  for (int b = 0; b < 8; ++b) bytes |= static_cast<uint64_t>(at[b * kStride]) << (8 * b);
  return widen_bytes(bytes);
}

// 16 bytes -> 32 nibbles, the low ones first.
FULGURITE_INLINE U8x32 nibbles(const std::byte* qs) noexcept {
#if defined(__AVX2__)
  const __m256i both = _mm256_broadcastsi128_si256(load<__m128i>(qs));
  const __m256i moved = _mm256_srlv_epi32(both, _mm256_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4));
  return (U8x32)_mm256_and_si256(moved, _mm256_set1_epi8(15));
#else
  const auto v = load<U8x16>(qs);
  U8x32 out;
  const U8x16 low = v & 15;
  const U8x16 high = v >> 4;
  std::memcpy(&out, &low, 16);
  std::memcpy(reinterpret_cast<char*>(&out) + 16, &high, 16);
  return out;
#endif
}

// (bytes >> shift) & mask
FULGURITE_INLINE U8x32 bits_of(const U8x32& bytes, int shift, uint8_t mask) noexcept {
  return (U8x32)((U32x8)bytes >> shift) & mask;
}

// 16 where a bit of the 32 is set.
FULGURITE_INLINE U8x32 fifth_bits(const std::byte* qh) noexcept {
#if defined(__AVX512BW__)
  return (U8x32)_mm256_maskz_mov_epi8(load<__mmask32>(qh), _mm256_set1_epi8(16));
#elif defined(__AVX2__)
  const __m256i spread = _mm256_shuffle_epi8(
      _mm256_set1_epi32(load<int32_t>(qh)),
      _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
  const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201U));
  const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
  return (U8x32)_mm256_and_si256(set, _mm256_set1_epi8(16));
#else
  const uint32_t bits = load_u32(qh);
  U8x32 out;
  for (int k = 0; k < 32; ++k) out[k] = static_cast<uint8_t>((bits >> k & 1U) << 4U);
  return out;
#endif
}

// Weights of a format as dot_block wants them.
template <class F, class V>
FULGURITE_INLINE V operand(const V& w) noexcept {
  return F::kSigned && kUnsignedDot ? w ^ 128 : w;
}

FULGURITE_INLINE U8x32 look_up(const int8_t (&table)[16], const U8x32& index) noexcept {
#if defined(__AVX2__)
  const __m256i both = _mm256_broadcastsi128_si256(load<__m128i>(table));
  return (U8x32)_mm256_shuffle_epi8(both, (__m256i)index);
#else
  U8x32 out;
  for (int k = 0; k < 32; ++k) out[k] = static_cast<uint8_t>(table[index[k]]);
  return out;
#endif
}

#if FULGURITE_TWO_BLOCKS
// The same of two blocks.
FULGURITE_INLINE U8x64 two_nibbles(const std::byte* first, const std::byte* second) noexcept {
  const __m512i both = _mm512_mask_broadcast_i32x4(_mm512_broadcast_i32x4(load<__m128i>(first)),
                                                   0xFF00, load<__m128i>(second));
  const __m512i low_high = _mm512_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4, 0, 0, 0, 0, 4, 4, 4, 4);
  return (U8x64)_mm512_srlv_epi32(both, low_high) & 15;
}
FULGURITE_INLINE U8x64 two_fifth_bits(const std::byte* first, const std::byte* second) noexcept {
  const __mmask64 bits = load_u32(first) | uint64_t{load_u32(second)} << 32U;
  return (U8x64)_mm512_maskz_mov_epi8(bits, _mm512_set1_epi8(16));
}
FULGURITE_INLINE U8x64 look_up(const int8_t (&table)[16], const U8x64& index) noexcept {
  return (U8x64)_mm512_shuffle_epi8(_mm512_broadcast_i32x4(load<__m128i>(table)), (__m512i)index);
}

// Of 32 bytes: (bytes >> first) & mask, then (bytes >> second) & mask.
FULGURITE_INLINE U8x64 two_bits_of(const std::byte* bytes, int first, int second,
                                   uint8_t mask) noexcept {
  const __m512i both = _mm512_broadcast_i64x4(load<__m256i>(bytes));
  const __m512i shifts = _mm512_inserti64x4(_mm512_set1_epi32(first), _mm256_set1_epi32(second), 1);
  return (U8x64)_mm512_srlv_epi32(both, shifts) & mask;
}
FULGURITE_INLINE U8x64 shift_left(const U8x64& bytes, int shift) noexcept {
  return (U8x64)((U32x16)bytes << shift);
}
#endif

FULGURITE_INLINE int nibble_of(const std::byte* qs, int64_t i) noexcept {
  return (static_cast<int>(qs[i % 16]) >> (i / 16 * 4)) & 15;
}

template <int kBlockBytes, int kAt>
struct NibbleFormat {
  static constexpr int kBytes = 8 * kBlockBytes;
  static constexpr bool kSigned = false;
  static constexpr int kScale = 0;
  static FULGURITE_INLINE U8x32 values(const std::byte* at, int b) noexcept {
    return nibbles(at + b * kBlockBytes + kAt);
  }
#if FULGURITE_TWO_BLOCKS
  static FULGURITE_INLINE U8x64 two(const std::byte* at, int b) noexcept {
    return two_nibbles(at + b * kBlockBytes + kAt, at + (b + 1) * kBlockBytes + kAt);
  }
  // The bytes of blocks b .. b + 3, b 0 or 4.
  static FULGURITE_INLINE __m512i packed(const std::byte* at, int b) noexcept {
    constexpr int kThird = kBytes - 64;
    static constexpr Words kFirst = words_at(0, 64, [](int k) { return nibble_byte(k); });
    static constexpr Words kSecond =
        words_at(64, kThird, [](int k) { return nibble_byte(32 + k); });
    return choose_words(load<__m512i>(at + (b == 0 ? 0 : 64)), b == 0 ? kFirst : kSecond,
                        load<__m512i>(at + (b == 0 ? 64 : kThird)));
  }
  static constexpr int nibble_byte(int word) noexcept {
    return word / 8 * kBlockBytes + kAt + word % 8 * 2;
  }
#endif
  static FULGURITE_INLINE const std::byte* block(const std::byte* row, int64_t c) noexcept {
    return row + c / 32 * kBlockBytes;
  }
  static FULGURITE_INLINE int value(const std::byte* row, int64_t c) noexcept {
    return nibble_of(block(row, c) + kAt, c % 32);
  }
};

struct FormatQ4_0 : NibbleFormat<18, 2> {
  static constexpr bool kOnlyNibbles = true;
  static constexpr int kOffset = 8;
  static constexpr int kMin = 0;
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    return Scales(first_halves<18>(at));
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    return half_at(block(row, c)) * static_cast<float>(value(row, c) - kOffset);
  }
};

struct FormatQ4_1 : NibbleFormat<20, 4> {
  static constexpr bool kOnlyNibbles = true;
  static constexpr int kOffset = 0;
  static constexpr int kMin = 1;
  static constexpr int kMiddle = 8;
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    return Scales(first_halves<20>(at), -first_halves<20>(at + 2));
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    const std::byte* at = block(row, c);
    return half_at(at) * static_cast<float>(value(row, c)) + half_at(at + 2);
  }
};

struct FormatQ5_0 : NibbleFormat<22, 6> {
  static constexpr int kOffset = 16;
  static constexpr int kMin = 0;
  static FULGURITE_INLINE U8x32 values(const std::byte* at, int b) noexcept {
    return nibbles(at + b * 22 + 6) | fifth_bits(at + b * 22 + 2);
  }
#if FULGURITE_TWO_BLOCKS
  static FULGURITE_INLINE U8x64 two(const std::byte* at, int b) noexcept {
    return NibbleFormat::two(at, b) | two_fifth_bits(at + b * 22 + 2, at + b * 22 + 24);
  }
#endif
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    return Scales(first_halves<22>(at));
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    const std::byte* at = block(row, c);
    const int high = static_cast<int>(load_u32(at + 2) >> (c % 32) & 1U) << 4;
    return half_at(at) * static_cast<float>((value(row, c) | high) - kOffset);
  }
};

struct FormatQ5_1 : NibbleFormat<24, 8> {
  static constexpr int kOffset = 0;
  static constexpr int kMin = 1;
  static constexpr int kMiddle = 16;
  static FULGURITE_INLINE U8x32 values(const std::byte* at, int b) noexcept {
    return nibbles(at + b * 24 + 8) | fifth_bits(at + b * 24 + 4);
  }
#if FULGURITE_TWO_BLOCKS
  static FULGURITE_INLINE U8x64 two(const std::byte* at, int b) noexcept {
    return NibbleFormat::two(at, b) | two_fifth_bits(at + b * 24 + 4, at + b * 24 + 28);
  }
#endif
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    return Scales(first_halves<24>(at), -first_halves<24>(at + 2));
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    const std::byte* at = block(row, c);
    const int high = static_cast<int>(load_u32(at + 4) >> (c % 32) & 1U) << 4;
    return half_at(at) * static_cast<float>(value(row, c) | high) + half_at(at + 2);
  }
};

struct FormatQ8_0 {
  static constexpr int kBytes = 8 * 34;
  static constexpr bool kSigned = true;
  static constexpr int kOffset = 0;
  static constexpr int kScale = 0;
  static constexpr int kMin = 0;
  static FULGURITE_INLINE U8x32 values(const std::byte* at, int b) noexcept {
    return load<U8x32>(at + b * 34 + 2);
  }
#if FULGURITE_TWO_BLOCKS
  static FULGURITE_INLINE U8x64 two(const std::byte* at, int b) noexcept {
    const __m512i first = _mm512_castsi256_si512(load<__m256i>(at + b * 34 + 2));
    return (U8x64)_mm512_inserti64x4(first, load<__m256i>(at + b * 34 + 36), 1);
  }
#endif
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    return Scales(first_halves<34>(at));
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    const std::byte* at = row + c / 32 * 34;
    return half_at(at) * static_cast<float>(static_cast<int8_t>(at[2 + c % 32]));
  }
};

struct FormatIq4Nl : NibbleFormat<18, 2> {
  static constexpr bool kSigned = true;
  static constexpr int kOffset = 0;
  static constexpr int kMin = 0;
  static FULGURITE_INLINE U8x32 values(const std::byte* at, int b) noexcept {
    return look_up(kIq4Values, nibbles(at + b * 18 + 2));
  }
#if FULGURITE_TWO_BLOCKS
  static FULGURITE_INLINE U8x64 two(const std::byte* at, int b) noexcept {
    return look_up(kIq4Values, NibbleFormat::two(at, b));
  }
#endif
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    return Scales(first_halves<18>(at));
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    return half_at(block(row, c)) * static_cast<float>(kIq4Values[value(row, c)]);
  }
};

struct FormatMxfp4 : NibbleFormat<17, 1> {
  static constexpr bool kSigned = true;
  static constexpr int kOffset = 0;
  static constexpr int kMin = 0;
  static FULGURITE_INLINE U8x32 values(const std::byte* at, int b) noexcept {
    return look_up(kMxfp4Values, nibbles(at + b * 17 + 1));
  }
#if FULGURITE_TWO_BLOCKS
  static FULGURITE_INLINE U8x64 two(const std::byte* at, int b) noexcept {
    return look_up(kMxfp4Values, NibbleFormat::two(at, b));
  }
#endif
  // 2^(e - 127) / 2; the two smallest are subnormal.
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    const I32x8 e = first_bytes<17>(at);
    const I32x8 small = e < 2;
    const I32x8 bits = (small & (0x00200000 << (e & 1))) | (~small & ((e - 1) << 23));
    return Scales((F32x8)bits);
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    const auto e = static_cast<uint32_t>(block(row, c)[0]);
    const auto d = std::bit_cast<float>(e < 2 ? 0x00200000U << e : (e - 1) << 23U);
    return d * static_cast<float>(kMxfp4Values[value(row, c)]);
  }
};

}  // namespace model::FULGURITE_ISA
