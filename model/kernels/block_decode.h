// How eight blocks of 32 stored weights become 8-bit values and scales, one struct a format, for
// *_isa.cpp only. A group is eight blocks; at the end of a row it may be filled up with zeros.
//
//   kBytes        of a group
//   kSigned       values() are int8_t weights; else they are 0 .. 63 and the weight is that
//                 minus kOffset
//   values(at, b) the 32 values of block b
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

FULGURITE_INLINE F32x8 widen_low_halves(const I32x8& words) noexcept {
#if defined(__AVX512VL__)
  return (F32x8)_mm256_cvtph_ps(_mm256_cvtepi32_epi16((__m256i)words));
#elif defined(__AVX2__)
  const auto low = (__m256i)(words & 0xFFFF);
  return (F32x8)_mm256_cvtph_ps(
      _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1)));
#else
  F32x8 out;
  for (int b = 0; b < 8; ++b) out[b] = f32_from_f16(static_cast<uint16_t>(words[b]));
  return out;
#endif
}

// The first four bytes of eight blocks.
template <int kStride>
FULGURITE_INLINE I32x8 first_words(const std::byte* at) noexcept {
#if defined(__AVX2__)
  const __m256i offsets = _mm256_setr_epi32(0, kStride, 2 * kStride, 3 * kStride, 4 * kStride,
                                            5 * kStride, 6 * kStride, 7 * kStride);
  return (I32x8)_mm256_i32gather_epi32(reinterpret_cast<const int*>(at), offsets, 1);
#else
  I32x8 out;
  for (int b = 0; b < 8; ++b) out[b] = load<int32_t>(at + b * kStride);
  return out;
#endif
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

// Signed weights as dot_block wants them.
FULGURITE_INLINE U8x32 signed_operand(const U8x32& w) noexcept {
  return kUnsignedDot ? w ^ 128 : w;
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

FULGURITE_INLINE F32x8 widen_bytes(uint64_t bytes) noexcept {
#if defined(__AVX2__)
  const __m128i low = _mm_cvtsi64_si128(static_cast<int64_t>(bytes));
  return (F32x8)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(low));
#else
  using U8x8 = uint8_t __attribute__((vector_size(8)));
  return __builtin_convertvector(__builtin_convertvector((U8x8)bytes, I32x8), F32x8);
#endif
}

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
  static FULGURITE_INLINE const std::byte* block(const std::byte* row, int64_t c) noexcept {
    return row + c / 32 * kBlockBytes;
  }
  static FULGURITE_INLINE int value(const std::byte* row, int64_t c) noexcept {
    return nibble_of(block(row, c) + kAt, c % 32);
  }
};

struct FormatQ4_0 : NibbleFormat<18, 2> {
  static constexpr int kOffset = 8;
  static constexpr int kMin = 0;
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    return Scales(widen_low_halves(first_words<18>(at)));
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    return half_at(block(row, c)) * static_cast<float>(value(row, c) - kOffset);
  }
};

struct FormatQ4_1 : NibbleFormat<20, 4> {
  static constexpr int kOffset = 0;
  static constexpr int kMin = 1;
  static constexpr int kMiddle = 8;
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    const I32x8 words = first_words<20>(at);
    return Scales(widen_low_halves(words), -widen_low_halves((I32x8)((U32x8)words >> 16)));
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
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    return Scales(widen_low_halves(first_words<22>(at)));
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
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    const I32x8 words = first_words<24>(at);
    return Scales(widen_low_halves(words), -widen_low_halves((I32x8)((U32x8)words >> 16)));
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
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    return Scales(widen_low_halves(first_words<34>(at)));
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
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    return Scales(widen_low_halves(first_words<18>(at)));
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
  // 2^(e - 127) / 2; the two smallest are subnormal.
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    const I32x8 e = first_words<17>(at) & 255;
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
