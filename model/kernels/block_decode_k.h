// The formats whose blocks of 256 values are one group; see block_decode.h.
#pragma once

#include "model/kernels/block_decode.h"

namespace model::FULGURITE_ISA {

FULGURITE_INLINE F32x8 spread(const std::byte* half) noexcept {
#if defined(__AVX2__)
  return (F32x8)_mm256_cvtph_ps(_mm_set1_epi16(load<int16_t>(half)));
#else
  return F32x8{} + half_at(half);
#endif
}

// Even and odd ones of sixteen 8-bit integers.
FULGURITE_INLINE void split_pairs(const I8x16& v, F32x8& even, F32x8& odd) noexcept {
#if defined(__AVX2__)
  const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
  const __m128i sorted = _mm_shuffle_epi8((__m128i)v, order);
  even = (F32x8)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(sorted));
  odd = (F32x8)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(sorted, 8)));
#else
  for (int b = 0; b < 8; ++b) {
    even[b] = static_cast<float>(v[2 * b]);
    odd[b] = static_cast<float>(v[2 * b + 1]);
  }
#endif
}

template <class Block>
FULGURITE_INLINE const std::byte* super_block(const std::byte* row, int64_t c) noexcept {
  return row + c / 256 * static_cast<int64_t>(sizeof(Block));
}

FULGURITE_INLINE int byte_at(const std::byte* at, int64_t i) noexcept {
  return static_cast<int>(at[i]);
}

using U16x8 = uint16_t __attribute__((vector_size(16)));

struct FormatQ2K {
  static constexpr int kBytes = sizeof(BlockQ2K);
  static constexpr bool kSigned = false;
  static constexpr int kOffset = 0;
  static constexpr int kScale = 2;
  static constexpr int kMin = 3;
  static constexpr int kMiddle = 2;
  static FULGURITE_INLINE U8x32 values(const std::byte* at, int b) noexcept {
    return bits_of(load<U8x32>(at + offsetof(BlockQ2K, qs) + 32 * (b / 4)), 2 * (b % 4), 3);
  }
#if FULGURITE_TWO_BLOCKS
  static FULGURITE_INLINE U8x64 two(const std::byte* at, int b) noexcept {
    const std::byte* qs = at + offsetof(BlockQ2K, qs) + 32 * (b / 4);
    return two_bits_of(qs, 2 * (b % 4), 2 * (b % 4) + 2, 3);
  }
#endif
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    Scales s(spread(at + offsetof(BlockQ2K, d)), spread(at + offsetof(BlockQ2K, dmin)));
    const auto both = load<U8x16>(at);
    split_pairs((I8x16)(both & 15), s.scale[0], s.scale[1]);
    split_pairs((I8x16)((U16x8)both >> 4 & 0x0F0F), s.min[0], s.min[1]);
    return s;
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    const std::byte* at = super_block<BlockQ2K>(row, c);
    const int i = static_cast<int>(c % 256);
    const int both = byte_at(at, i / 16);
    const int q = byte_at(at + 16, i / 128 * 32 + i % 32) >> (i % 128 / 32 * 2) & 3;
    return half_at(at + offsetof(BlockQ2K, d)) * static_cast<float>(both & 15) *
               static_cast<float>(q) -
           half_at(at + offsetof(BlockQ2K, dmin)) * static_cast<float>(both >> 4);
  }
};

struct FormatQ3K {
  static constexpr int kBytes = sizeof(BlockQ3K);
  static constexpr bool kSigned = false;
  static constexpr int kOffset = 4;
  static constexpr int kScale = 2;
  static constexpr int kMin = 0;
  static FULGURITE_INLINE U8x32 values(const std::byte* at, int b) noexcept {
    const U8x32 low =
        bits_of(load<U8x32>(at + offsetof(BlockQ3K, qs) + 32 * (b / 4)), 2 * (b % 4), 3);
    return low | (bits_of(load<U8x32>(at), b, 1) << 2);
  }
#if FULGURITE_TWO_BLOCKS
  static FULGURITE_INLINE U8x64 two(const std::byte* at, int b) noexcept {
    const std::byte* qs = at + offsetof(BlockQ3K, qs) + 32 * (b / 4);
    return two_bits_of(qs, 2 * (b % 4), 2 * (b % 4) + 2, 3) |
           shift_left(two_bits_of(at, b, b + 1, 1), 2);
  }
#endif
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    Scales s(spread(at + offsetof(BlockQ3K, d)));
    const std::byte* packed = at + offsetof(BlockQ3K, scales);
    const uint32_t a = load_u32(packed);
    const uint32_t b = load_u32(packed + 4);
    const uint32_t high = load_u32(packed + 8);
    const auto join = [&](uint32_t low, int shift) {
      return static_cast<int32_t>((low & 0x0F0F0F0FU) | ((high >> shift & 0x03030303U) << 4U));
    };
    const I32x4 words = {join(a, 0), join(b, 2), join(a >> 4U, 4), join(b >> 4U, 6)};
    split_pairs((I8x16)words - 32, s.scale[0], s.scale[1]);
    return s;
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    const std::byte* at = super_block<BlockQ3K>(row, c);
    const std::byte* packed = at + offsetof(BlockQ3K, scales);
    const int i = static_cast<int>(c % 256);
    const int k = i / 16;
    const int low = byte_at(packed, k % 8) >> (k / 8 * 4) & 15;
    const int scale = (low | (byte_at(packed, 8 + k % 4) >> (k / 4 * 2) & 3) << 4) - 32;
    const int q = byte_at(at + offsetof(BlockQ3K, qs), i / 128 * 32 + i % 32) >> (i % 128 / 32 * 2);
    const int third = byte_at(at, i % 32) >> (i / 32) & 1;
    return half_at(at + offsetof(BlockQ3K, d)) * static_cast<float>(scale) *
           static_cast<float>(((q & 3) | third << 2) - kOffset);
  }
};

// The eight 6-bit scales and minima of Q4_K and Q5_K.
FULGURITE_INLINE void scales_and_mins(const std::byte* packed, uint64_t& scale,
                                      uint64_t& min) noexcept {
  const uint32_t a = load_u32(packed);
  const uint32_t b = load_u32(packed + 4);
  const uint32_t low = load_u32(packed + 8);
  const uint64_t scale_high = (low & 0x0F0F0F0FU) | ((a >> 6U & 0x03030303U) << 4U);
  const uint64_t min_high = (low >> 4U & 0x0F0F0F0FU) | ((b >> 6U & 0x03030303U) << 4U);
  scale = (a & 0x3F3F3F3FU) | scale_high << 32U;
  min = (b & 0x3F3F3F3FU) | min_high << 32U;
}

FULGURITE_INLINE Scales scales_45(const std::byte* at) noexcept {
  Scales s(spread(at), spread(at + 2));
  uint64_t scale = 0;
  uint64_t min = 0;
  scales_and_mins(at + 4, scale, min);
  s.scale[0] = to_float(widen_bytes(scale));
  s.min[0] = to_float(widen_bytes(min));
  return s;
}

FULGURITE_INLINE float one_45(const std::byte* at, int b, int q) noexcept {
  uint64_t scale = 0;
  uint64_t min = 0;
  scales_and_mins(at + 4, scale, min);
  return half_at(at) * static_cast<float>(static_cast<int>(scale >> (8 * b) & 63U)) *
             static_cast<float>(q) -
         half_at(at + 2) * static_cast<float>(static_cast<int>(min >> (8 * b) & 63U));
}

struct FormatQ4K {
  static constexpr int kBytes = sizeof(BlockQ4K);
  static constexpr bool kSigned = false;
  static constexpr int kOffset = 0;
  static constexpr int kScale = 1;
  static constexpr int kMin = 2;
  static constexpr int kMiddle = 8;
  static constexpr bool kNibblePairs = true;
  static constexpr int kNibblesAt = offsetof(BlockQ4K, qs);
  static FULGURITE_INLINE U8x32 values(const std::byte* at, int b) noexcept {
    return bits_of(load<U8x32>(at + offsetof(BlockQ4K, qs) + 32 * (b / 2)), 4 * (b % 2), 15);
  }
#if FULGURITE_TWO_BLOCKS
  static FULGURITE_INLINE U8x64 two(const std::byte* at, int b) noexcept {
    return two_bits_of(at + offsetof(BlockQ4K, qs) + 32 * (b / 2), 0, 4, 15);
  }
#endif
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    return scales_45(at);
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    const std::byte* at = super_block<BlockQ4K>(row, c);
    const int i = static_cast<int>(c % 256);
    const int b = i / 32;
    return one_45(at, b, byte_at(at + 16, 32 * (b / 2) + i % 32) >> (4 * (b % 2)) & 15);
  }
};

struct FormatQ5K {
  static constexpr int kBytes = sizeof(BlockQ5K);
  static constexpr bool kSigned = false;
  static constexpr int kOffset = 0;
  static constexpr int kScale = 1;
  static constexpr int kMin = 2;
  static constexpr int kMiddle = 16;
  static FULGURITE_INLINE U8x32 values(const std::byte* at, int b) noexcept {
    const U8x32 low =
        bits_of(load<U8x32>(at + offsetof(BlockQ5K, qs) + 32 * (b / 2)), 4 * (b % 2), 15);
    return low | (bits_of(load<U8x32>(at + offsetof(BlockQ5K, qh)), b, 1) << 4);
  }
#if FULGURITE_TWO_BLOCKS
  static FULGURITE_INLINE U8x64 two(const std::byte* at, int b) noexcept {
    return two_bits_of(at + offsetof(BlockQ5K, qs) + 32 * (b / 2), 0, 4, 15) |
           shift_left(two_bits_of(at + offsetof(BlockQ5K, qh), b, b + 1, 1), 4);
  }
#endif
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    return scales_45(at);
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    const std::byte* at = super_block<BlockQ5K>(row, c);
    const int i = static_cast<int>(c % 256);
    const int b = i / 32;
    const int low =
        byte_at(at + offsetof(BlockQ5K, qs), 32 * (b / 2) + i % 32) >> (4 * (b % 2)) & 15;
    return one_45(at, b, low | (byte_at(at + 16, i % 32) >> b & 1) << 4);
  }
};

struct FormatQ6K {
  static constexpr int kBytes = sizeof(BlockQ6K);
  static constexpr bool kSigned = false;
  static constexpr int kOffset = 32;
  static constexpr int kScale = 2;
  static constexpr int kMin = 0;
  static FULGURITE_INLINE U8x32 values(const std::byte* at, int b) noexcept {
    const U8x32 low = bits_of(load<U8x32>(at + 64 * (b / 4) + 32 * (b % 2)), b % 4 / 2 * 4, 15);
    const auto high = load<U8x32>(at + offsetof(BlockQ6K, qh) + 32 * (b / 4));
    return low | (bits_of(high, 2 * (b % 4), 3) << 4);
  }
#if FULGURITE_TWO_BLOCKS
  static FULGURITE_INLINE U8x64 two(const std::byte* at, int b) noexcept {
    const auto bytes = load<U32x16>(at + 64 * (b / 4));
    const std::byte* high = at + offsetof(BlockQ6K, qh) + 32 * (b / 4);
    return ((U8x64)(bytes >> (b % 4 / 2 * 4)) & 15) |
           shift_left(two_bits_of(high, 2 * (b % 4), 2 * (b % 4) + 2, 3), 4);
  }
#endif
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    Scales s(spread(at + offsetof(BlockQ6K, d)));
    split_pairs(load<I8x16>(at + offsetof(BlockQ6K, scales)), s.scale[0], s.scale[1]);
    return s;
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    const std::byte* at = super_block<BlockQ6K>(row, c);
    const int i = static_cast<int>(c % 256);
    const int b = i / 32;
    const int low = byte_at(at, 64 * (b / 4) + 32 * (b % 2) + i % 32) >> (b % 4 / 2 * 4) & 15;
    const int high =
        byte_at(at + offsetof(BlockQ6K, qh), 32 * (b / 4) + i % 32) >> (2 * (b % 4)) & 3;
    const auto scale = static_cast<int8_t>(at[offsetof(BlockQ6K, scales) + i / 16]);
    return half_at(at + offsetof(BlockQ6K, d)) * static_cast<float>(scale) *
           static_cast<float>((low | high << 4) - kOffset);
  }
};

struct FormatIq4Xs {
  static constexpr int kBytes = sizeof(BlockIq4Xs);
  static constexpr bool kSigned = true;
  static constexpr int kOffset = 0;
  static constexpr int kScale = 1;
  static constexpr int kMin = 0;
  static FULGURITE_INLINE U8x32 values(const std::byte* at, int b) noexcept {
    return look_up(kIq4Values, nibbles(at + offsetof(BlockIq4Xs, qs) + 16 * b));
  }
#if FULGURITE_TWO_BLOCKS
  static FULGURITE_INLINE U8x64 two(const std::byte* at, int b) noexcept {
    const std::byte* qs = at + offsetof(BlockIq4Xs, qs) + 16 * b;
    return look_up(kIq4Values, two_nibbles(qs, qs + 16));
  }
#endif
  static FULGURITE_INLINE Scales scales(const std::byte* at) noexcept {
    const U32x8 low = U32x8{} + load_u32(at + offsetof(BlockIq4Xs, scales_l));
    const U32x8 high = U32x8{} + load<uint16_t>(at + offsetof(BlockIq4Xs, scales_h));
    const U32x8 four = {0, 4, 8, 12, 16, 20, 24, 28};
    const U32x8 two = {0, 2, 4, 6, 8, 10, 12, 14};
    const U32x8 scale = (low >> four & 15) | (high >> two & 3) << 4;
    Scales s(spread(at));
    s.scale[0] = __builtin_convertvector((I32x8)scale - 32, F32x8);
    return s;
  }
  static FULGURITE_INLINE float one(const std::byte* row, int64_t c) noexcept {
    const std::byte* at = super_block<BlockIq4Xs>(row, c);
    const int i = static_cast<int>(c % 256);
    const int b = i / 32;
    const int low = byte_at(at + 4, b / 2) >> (4 * (b % 2)) & 15;
    const int scale = (low | (load<uint16_t>(at + 2) >> (2 * b) & 3) << 4) - 32;
    return half_at(at) * static_cast<float>(scale) *
           static_cast<float>(kIq4Values[nibble_of(at + 8 + 16 * b, i % 32)]);
  }
};

}  // namespace model::FULGURITE_ISA
