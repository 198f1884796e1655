// A few chosen weights of every row, for *_isa.cpp only: the bytes that they are made of are put
// side by side, and sixteen weights made of them at once. The same products as one() of the
// formats.
#pragma once

#include <type_traits>

#include "model/kernels/row_terms.h"
#include "model/kernels/simd_math.h"

namespace model::FULGURITE_ISA {

// What a weight of a format is made of: kHalves numbers of two bytes and kBytes of one, and where
// they are in a row. columns: of the sixteen weights.
//   places(c, halves, bytes)       offsets of column c
//   weights(halves, bytes, c)      halves (kHalves, 16), bytes (kBytes, 16)
template <class F>
struct Parts {
  static constexpr bool kKnown = false;
  static constexpr int kHalves = 0;
  static constexpr int kBytes = 0;
};

FULGURITE_INLINE I32x16 bytes_of(const uint8_t* bytes, int part) noexcept {
  return widen_to_i32(load<I8x16>(bytes + 16 * part)) & 255;
}
FULGURITE_INLINE I32x16 signed_bytes_of(const uint8_t* bytes, int part) noexcept {
  return widen_to_i32(load<I8x16>(bytes + 16 * part));
}

template <>
struct Parts<FloatRow<FormatF16>> {
  static constexpr bool kKnown = true;
  static constexpr int kHalves = 1;
  static constexpr int kBytes = 0;
  static void places(int32_t c, int32_t* halves, int32_t*) noexcept { halves[0] = 2 * c; }
  static FULGURITE_INLINE F32x16 weights(const uint16_t* halves, const uint8_t*,
                                         const I32x16&) noexcept {
    return widen_f16(halves);
  }
};

template <>
struct Parts<FloatRow<FormatBF16>> : Parts<FloatRow<FormatF16>> {
  static FULGURITE_INLINE F32x16 weights(const uint16_t* halves, const uint8_t*,
                                         const I32x16&) noexcept {
    return (F32x16)(widen_to_i32(load<U16x16>(halves)) << 16);
  }
};

// Blocks of 32 that begin with their scale; the byte of column c is the one with number c & kMask.
template <int kBlockBytes, int kMask>
struct ScaledBytes {
  static constexpr bool kKnown = true;
  static constexpr int kHalves = 1;
  static constexpr int kBytes = 1;
  static void places(int32_t c, int32_t* halves, int32_t* bytes) noexcept {
    halves[0] = (c >> 5) * kBlockBytes;
    bytes[0] = halves[0] + 2 + (c & kMask);
  }
};

template <>
struct Parts<BlockRow<FormatQ8_0>> : ScaledBytes<34, 31> {
  static FULGURITE_INLINE F32x16 weights(const uint16_t* halves, const uint8_t* bytes,
                                         const I32x16&) noexcept {
    return widen_f16(halves) * to_float(signed_bytes_of(bytes, 0));
  }
};

template <>
struct Parts<BlockRow<FormatQ4_0>> : ScaledBytes<18, 15> {
  static FULGURITE_INLINE F32x16 weights(const uint16_t* halves, const uint8_t* bytes,
                                         const I32x16& c) noexcept {
    return widen_f16(halves) * to_float((bytes_of(bytes, 0) >> (c >> 2 & 4) & 15) - 8);
  }
};

template <>
struct Parts<BlockRow<FormatQ4K>> {
  static constexpr bool kKnown = true;
  static constexpr int kHalves = 2;
  static constexpr int kBytes = 4;
  static void places(int32_t c, int32_t* halves, int32_t* bytes) noexcept {
    const int32_t at = (c >> 8) * static_cast<int32_t>(sizeof(BlockQ4K));
    const int32_t b = c >> 5 & 7;
    halves[0] = at;
    halves[1] = at + 2;
    for (int32_t part = 0; part < 3; ++part) bytes[part] = at + 4 + 4 * part + (b & 3);
    bytes[3] = at + 16 + 32 * (b >> 1) + (c & 31);
  }
  static FULGURITE_INLINE F32x16 weights(const uint16_t* halves, const uint8_t* bytes,
                                         const I32x16& c) noexcept {
    const I32x16 b = c >> 5 & 7;
    const I32x16 low = bytes_of(bytes, 0);
    const I32x16 middle = bytes_of(bytes, 1);
    const I32x16 high = bytes_of(bytes, 2);
    const I32x16 scale = choose(b > 3, (high & 15) | (low >> 6 & 3) << 4, low & 63);
    const I32x16 min = choose(b > 3, (high >> 4 & 15) | (middle >> 6 & 3) << 4, middle & 63);
    const I32x16 q = bytes_of(bytes, 3) >> (b & 1) * 4 & 15;
    return widen_f16(halves) * to_float(scale) * to_float(q) -
           widen_f16(halves + 16) * to_float(min);
  }
};

template <>
struct Parts<BlockRow<FormatQ6K>> {
  static constexpr bool kKnown = true;
  static constexpr int kHalves = 1;
  static constexpr int kBytes = 3;
  static void places(int32_t c, int32_t* halves, int32_t* bytes) noexcept {
    const int32_t at = (c >> 8) * static_cast<int32_t>(sizeof(BlockQ6K));
    const int32_t b = c >> 5 & 7;
    bytes[0] = at + 64 * (b >> 2) + 32 * (b & 1) + (c & 31);
    bytes[1] = at + 128 + 32 * (b >> 2) + (c & 31);
    bytes[2] = at + 192 + (c >> 4 & 15);
    halves[0] = at + 208;
  }
  static FULGURITE_INLINE F32x16 weights(const uint16_t* halves, const uint8_t* bytes,
                                         const I32x16& c) noexcept {
    const I32x16 b = c >> 5 & 7;
    const I32x16 low = bytes_of(bytes, 0) >> (b & 2) * 2 & 15;
    const I32x16 high = bytes_of(bytes, 1) >> (b & 3) * 2 & 3;
    return widen_f16(halves) * to_float(signed_bytes_of(bytes, 2)) *
           to_float((low | high << 4) - 32);
  }
};

#if defined(__AVX2__)
// Sixteen numbers of a row, wherever they are. Put together in a register: what is stored in small
// parts is not at hand as a vector for a while.
template <size_t... K>
FULGURITE_INLINE __m128i eight_halves(const std::byte* row, const int32_t* at,
                                      std::index_sequence<K...>) noexcept {
  __m128i v = _mm_setzero_si128();
  ((v = _mm_insert_epi16(v, load<int16_t>(row + at[K]), K)), ...);
  return v;
}
template <size_t... K>
FULGURITE_INLINE __m128i sixteen_bytes(const std::byte* row, const int32_t* at,
                                       std::index_sequence<K...>) noexcept {
  __m128i v = _mm_setzero_si128();
  ((v = _mm_insert_epi8(v, load<int8_t>(row + at[K]), K)), ...);
  return v;
}
#endif

#if FULGURITE_TWO_BLOCKS
// For Q4_K, most of whose parts are in the 16 bytes that its blocks begin with: one load and one
// permutation a weight instead of five.
class Heads {
 public:
  void choose(const int32_t* columns) noexcept {
    for (int k = 0; k < 16; ++k) {
      at_[k] = (columns[k] >> 8) * static_cast<int32_t>(sizeof(BlockQ4K));
      // Which bytes of the head: d and dmin, and the three that hold the block's scale and minimum.
      order_[k] = 0x800C080403020100U + (columns[k] >> 5 & 3U) * 0x0001010100000000U;
    }
  }

  // Both halves, and the three bytes of the scales.
  FULGURITE_INLINE void parts(const std::byte* row, uint16_t (*halves)[16],
                              uint8_t (*bytes)[16]) const noexcept {
    const __m512i first = eight(row, 0);
    const __m512i second = eight(row, 8);
    const auto words = [&](int which) FULGURITE_LAMBDA {
      const __m512i order = _mm512_add_epi16(load<__m512i>(kFourths.number),
                                             _mm512_set1_epi16(static_cast<int16_t>(which)));
      return _mm512_castsi512_si256(_mm512_permutex2var_epi16(first, order, second));
    };
    store(halves[0], words(0));
    store(halves[1], words(1));
    store(bytes[0], _mm256_cvtepi16_epi8(words(2)));
    store(bytes[1], _mm256_cvtepi16_epi8(_mm256_srli_epi16(words(2), 8)));
    store(bytes[2], _mm256_cvtepi16_epi8(words(3)));
  }

 private:
  // Eight bytes of each of eight columns.
  FULGURITE_INLINE __m512i eight(const std::byte* row, int k) const noexcept {
    const auto one = [&](int i) FULGURITE_LAMBDA {
      return _mm_shuffle_epi8(load<__m128i>(row + at_[k + i]),
                              _mm_cvtsi64_si128(load<int64_t>(order_ + k + i)));
    };
    const auto two = [&](int i) FULGURITE_LAMBDA { return _mm_unpacklo_epi64(one(i), one(i + 1)); };
    __m512i all = _mm512_castsi128_si512(two(0));
    all = _mm512_inserti32x4(all, two(2), 1);
    all = _mm512_inserti32x4(all, two(4), 2);
    return _mm512_inserti32x4(all, two(6), 3);
  }

  static constexpr Words kFourths = words_at(0, 64, [](int k) { return k % 16 * 8; });
  int32_t at_[16];
  uint64_t order_[16];
};
#endif

// Sixteen chosen columns of a row.
template <class F>
class Picks {
 public:
  using P = Parts<F>;

  void choose(const int32_t* columns) noexcept {
    columns_ = load<I32x16>(columns);
#if FULGURITE_TWO_BLOCKS
    if constexpr (kHasHeads) heads_.choose(columns);
#endif
    for (int k = 0; k < 16 && P::kKnown; ++k) {
      int32_t halves[kHalves];
      int32_t bytes[kBytes];
      if constexpr (P::kKnown) P::places(columns[k], halves, bytes);
      for (int part = 0; part < P::kHalves; ++part) half_at_[part][k] = halves[part];
      for (int part = 0; part < P::kBytes; ++part) byte_at_[part][k] = bytes[part];
    }
  }

  FULGURITE_INLINE F32x16 weights(const std::byte* row) const noexcept {
    if constexpr (P::kKnown) {
      alignas(64) uint16_t halves[kHalves][16];
      alignas(64) uint8_t bytes[kBytes][16];
#if defined(__AVX2__)
#if FULGURITE_TWO_BLOCKS
      if constexpr (kHasHeads) {
        heads_.parts(row, halves, bytes);
        store(bytes[3], sixteen_bytes(row, byte_at_[3], std::make_index_sequence<16>()));
        return P::weights(halves[0], bytes[0], columns_);
      }
#endif
      for (int part = 0; part < P::kHalves; ++part) {
        const int32_t* at = half_at_[part];
        store(halves[part],
              _mm256_set_m128i(eight_halves(row, at + 8, std::make_index_sequence<8>()),
                               eight_halves(row, at, std::make_index_sequence<8>())));
      }
      for (int part = 0; part < P::kBytes; ++part) {
        store(bytes[part], sixteen_bytes(row, byte_at_[part], std::make_index_sequence<16>()));
      }
#else
#pragma GCC unroll 16
      for (int k = 0; k < 16; ++k) {
        for (int part = 0; part < P::kHalves; ++part) {
          halves[part][k] = load<uint16_t>(row + half_at_[part][k]);
        }
        for (int part = 0; part < P::kBytes; ++part) {
          bytes[part][k] = load<uint8_t>(row + byte_at_[part][k]);
        }
      }
#endif
      return P::weights(halves[0], bytes[0], columns_);
    } else {
      alignas(64) float weights[16];
      for (int k = 0; k < 16; ++k) weights[k] = F::one(row, columns_[k]);
      return load<F32x16>(weights);
    }
  }

 private:
  static constexpr int kHalves = P::kHalves > 0 ? P::kHalves : 1;
  static constexpr int kBytes = P::kBytes > 0 ? P::kBytes : 1;
#if FULGURITE_TWO_BLOCKS
  static constexpr bool kHasHeads = std::is_same_v<F, BlockRow<FormatQ4K>>;
  std::conditional_t<kHasHeads, Heads, char> heads_;
#endif
  I32x16 columns_ = {};
  int32_t half_at_[kHalves][16];
  int32_t byte_at_[kBytes][16];
};

}  // namespace model::FULGURITE_ISA
