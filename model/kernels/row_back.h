// W^T u of sixteen rows and 256 columns at once, for *_isa.cpp only.
//
// Weights in blocks are w = k (q - centre) - l, see BlockRow::keep. What a row's q is multiplied
// with, f = k u, is rounded to 16 bits of the largest of the sixteen rows', so that the sums over
// the rows are whole numbers:
//   s = max_r |f_r| / 32639,  back[c] += s sum_r (q_r,c - centre) round(f_r / s) - sum_r l_r u_r
// Where an f is no number s is NaN, so that it shows; where all are below 1e-30 s is 0.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>

#include "model/kernels/matmul_rows.h"
#include "model/kernels/row_terms.h"
#include "model/kernels/simd_math.h"

namespace model::FULGURITE_ISA {

inline constexpr int kRowsBack = 16;

// Blocks that are added at once, and the vectors that hold them.
#if FULGURITE_TWO_BLOCKS
inline constexpr int kBlocksBack = 2;
using BackValues = U8x64;
using BackInts = I32x16;
using BackFloats = F32x16;
#else
inline constexpr int kBlocksBack = 1;
using BackValues = U8x32;
using BackInts = I32x8;
using BackFloats = F32x8;
#endif

// The sixteen rows' sums of these blocks, their columns in whatever order the set likes, and the
// whole numbers they are made of: for one half of a block or both, and four rows in turn.
#if FULGURITE_VNNI
#if FULGURITE_TWO_BLOCKS
using BackBytes = __m512i;
FULGURITE_INLINE BackBytes low_bytes(BackBytes a, BackBytes b) noexcept {
  return _mm512_unpacklo_epi8(a, b);
}
FULGURITE_INLINE BackBytes high_bytes(BackBytes a, BackBytes b) noexcept {
  return _mm512_unpackhi_epi8(a, b);
}
FULGURITE_INLINE BackBytes low_words(BackBytes a, BackBytes b) noexcept {
  return _mm512_unpacklo_epi16(a, b);
}
FULGURITE_INLINE BackBytes high_words(BackBytes a, BackBytes b) noexcept {
  return _mm512_unpackhi_epi16(a, b);
}
#else
using BackBytes = __m256i;
FULGURITE_INLINE BackBytes low_bytes(BackBytes a, BackBytes b) noexcept {
  return _mm256_unpacklo_epi8(a, b);
}
FULGURITE_INLINE BackBytes high_bytes(BackBytes a, BackBytes b) noexcept {
  return _mm256_unpackhi_epi8(a, b);
}
FULGURITE_INLINE BackBytes low_words(BackBytes a, BackBytes b) noexcept {
  return _mm256_unpacklo_epi16(a, b);
}
FULGURITE_INLINE BackBytes high_words(BackBytes a, BackBytes b) noexcept {
  return _mm256_unpackhi_epi16(a, b);
}
#endif

class WholeFactors {
 public:
  // Lane b for block b.
  FULGURITE_INLINE void set(int half, const I32x8 (&f)[kRowsBack]) noexcept {
    for (int q = 0; q < 4; ++q) {
      const auto of = [&](int i) FULGURITE_LAMBDA { return (__m256i)f[4 * q + i]; };
      const __m256i first = _mm256_packs_epi32(of(0), of(1));
      const __m256i second = _mm256_packs_epi32(of(2), of(3));
      const __m256i low = _mm256_set1_epi16(255);
      store(low_[q][half], lanes_of(_mm256_packus_epi16(_mm256_and_si256(first, low),
                                                        _mm256_and_si256(second, low))));
      // The low byte counts from -128 to 127.
      const auto rest = [](__m256i v) FULGURITE_LAMBDA {
        return _mm256_srai_epi16(_mm256_add_epi16(v, _mm256_set1_epi16(128)), 8);
      };
      store(high_[q][half], lanes_of(_mm256_packs_epi16(rest(first), rest(second))));
    }
  }

  template <int kHalves>
  FULGURITE_INLINE BackBytes low(int q, int b) const noexcept {
    return spread<kHalves>(low_[q], b);
  }
  template <int kHalves>
  FULGURITE_INLINE BackBytes high(int q, int b) const noexcept {
    return spread<kHalves>(high_[q], b);
  }
#if FULGURITE_TWO_BLOCKS
  // Of blocks b .. b + 3 without halves, a quarter each.
  FULGURITE_INLINE BackBytes four_low(int q, int b) const noexcept {
    return four(low_[q], b);
  }
  FULGURITE_INLINE BackBytes four_high(int q, int b) const noexcept {
    return four(high_[q], b);
  }
#endif

 private:
  using Lanes = int32_t[2][8];  // of both halves

  // From four rows' bytes, four of each in turn, to those of a block side by side.
  static FULGURITE_INLINE __m256i lanes_of(__m256i bytes) noexcept {
    const __m128i order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(order));
  }
#if FULGURITE_TWO_BLOCKS
  // Blocks b .. b + 3, a quarter each.
  static FULGURITE_INLINE BackBytes four(const Lanes& of, int b) noexcept {
    const __m512i lanes = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    return _mm512_permutexvar_epi32(_mm512_add_epi32(lanes, _mm512_set1_epi32(b)),
                                    _mm512_castsi256_si512(load<__m256i>(of[0])));
  }
#endif
  // Lanes b of the halves for the columns of each.
  template <int kHalves>
  static FULGURITE_INLINE BackBytes spread(const Lanes& of, int b) noexcept {
#if FULGURITE_TWO_BLOCKS
    const __m512i lanes = kHalves == 1
                              ? _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1)
                              : _mm512_setr_epi32(0, 0, 0, 0, 8, 8, 8, 8, 1, 1, 1, 1, 9, 9, 9, 9);
    // As they have been stored: what was stored in parts is not at hand as a whole at once.
    __m512i halves = _mm512_castsi256_si512(load<__m256i>(of[0]));
    if constexpr (kHalves == 2) halves = _mm512_inserti64x4(halves, load<__m256i>(of[1]), 1);
    return _mm512_permutexvar_epi32(_mm512_add_epi32(lanes, _mm512_set1_epi32(b)), halves);
#else
    if constexpr (kHalves == 1) return _mm256_set1_epi32(of[0][b]);
    return _mm256_set_m128i(_mm_set1_epi32(of[1][b]), _mm_set1_epi32(of[0][b]));
#endif
  }

  alignas(32) Lanes low_[4];
  alignas(32) Lanes high_[4];
};

// Four rows' bytes: columns 4 i .. 4 i + 3 and, in every further quarter, those 16 further on.
struct BackFours {
  FULGURITE_INLINE explicit BackFours(const BackBytes (&rows)[4]) noexcept {
    const BackBytes a = low_bytes(rows[0], rows[1]);
    const BackBytes b = low_bytes(rows[2], rows[3]);
    const BackBytes c = high_bytes(rows[0], rows[1]);
    const BackBytes d = high_bytes(rows[2], rows[3]);
    columns[0] = low_words(a, b);
    columns[1] = high_words(a, b);
    columns[2] = low_words(c, d);
    columns[3] = high_words(c, d);
  }
  BackBytes columns[4];
};

#if FULGURITE_TWO_BLOCKS
// Of four vectors the first quarters, the second ...
FULGURITE_INLINE void quarters_of(const __m512i (&v)[4], I32x16 (&out)[4]) noexcept {
  const __m512i even[2] = {_mm512_shuffle_i32x4(v[0], v[1], 0x88),
                           _mm512_shuffle_i32x4(v[2], v[3], 0x88)};
  const __m512i odd[2] = {_mm512_shuffle_i32x4(v[0], v[1], 0xDD),
                          _mm512_shuffle_i32x4(v[2], v[3], 0xDD)};
  out[0] = (I32x16)_mm512_shuffle_i32x4(even[0], even[1], 0x88);
  out[1] = (I32x16)_mm512_shuffle_i32x4(odd[0], odd[1], 0x88);
  out[2] = (I32x16)_mm512_shuffle_i32x4(even[0], even[1], 0xDD);
  out[3] = (I32x16)_mm512_shuffle_i32x4(odd[0], odd[1], 0xDD);
}

// The sums of four blocks of nibbles: rows are put side by side before their bytes are cut. Of
// both nibbles, all = low + 16 high, so that the high ones need no cut of their own.
class NibbleSums {
 public:
  FULGURITE_INLINE void add(const __m512i (&bytes)[4], const WholeFactors& f, int q,
                            int b) noexcept {
    const BackFours fours(bytes);
    const __m512i low = f.four_low(q, b);
    const __m512i high = f.four_high(q, b);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m512i all = fours.columns[i];
      const __m512i cut = _mm512_and_si512(all, _mm512_set1_epi8(0x0F));
      all_low_[i] = add_byte_products(all_low_[i], all, low);
      all_high_[i] = add_byte_products(all_high_[i], all, high);
      cut_low_[i] = add_byte_products(cut_low_[i], cut, low);
      cut_high_[i] = add_byte_products(cut_high_[i], cut, high);
    }
  }

  // Of each block the first sixteen columns, and the others.
  FULGURITE_INLINE void columns(I32x16 (&first)[4], I32x16 (&second)[4]) const noexcept {
    __m512i low[4];
    __m512i high[4];
    for (int i = 0; i < 4; ++i) {
      const __m512i all = _mm512_add_epi32(all_low_[i], _mm512_slli_epi32(all_high_[i], 8));
      low[i] = _mm512_add_epi32(cut_low_[i], _mm512_slli_epi32(cut_high_[i], 8));
      high[i] = _mm512_srai_epi32(_mm512_sub_epi32(all, low[i]), 4);
    }
    quarters_of(low, first);
    quarters_of(high, second);
  }

 private:
  __m512i all_low_[4] = {};
  __m512i all_high_[4] = {};
  __m512i cut_low_[4] = {};
  __m512i cut_high_[4] = {};
};
#endif

class BlockSums {
 public:
  // w: bytes without a sign, of rows 4 q .. 4 q + 3.
  template <int kHalves>
  FULGURITE_INLINE void add(const BackValues (&w)[4], const WholeFactors& f, int q,
                            int b) noexcept {
    const BackFours fours({(BackBytes)w[0], (BackBytes)w[1], (BackBytes)w[2], (BackBytes)w[3]});
    const BackBytes low = f.low<kHalves>(q, b);
    const BackBytes high = f.high<kHalves>(q, b);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      low_[i] = add_byte_products(low_[i], fours.columns[i], low);
      high_[i] = add_byte_products(high_[i], fours.columns[i], high);
    }
  }

  // A quarter of the columns each.
  FULGURITE_INLINE void columns(BackInts (&out)[4]) const noexcept {
    BackBytes whole[4];
    for (int i = 0; i < 4; ++i)
      whole[i] = (BackBytes)((BackInts)low_[i] + ((BackInts)high_[i] << 8));
#if FULGURITE_TWO_BLOCKS
    quarters_of(whole, out);
#else
    for (int i = 0; i < 2; ++i) {
      out[i] = (I32x8)_mm256_permute2x128_si256(whole[2 * i], whole[2 * i + 1], 0x20);
      out[2 + i] = (I32x8)_mm256_permute2x128_si256(whole[2 * i], whole[2 * i + 1], 0x31);
    }
#endif
  }

 private:
  BackBytes low_[4] = {};
  BackBytes high_[4] = {};
};
#elif defined(__AVX2__)
class WholeFactors {
 public:
  FULGURITE_INLINE void set(int half, const I32x8 (&f)[kRowsBack]) noexcept {
    for (int p = 0; p < kRowsBack / 2; ++p) {
      store(pairs_[half][p], (f[2 * p] & 0xFFFF) | f[2 * p + 1] << 16);
    }
  }
  // Of rows 2 p and 2 p + 1, 16 bits each, for the columns of either half in its half.
  template <int kHalves>
  FULGURITE_INLINE __m256i pair(int p, int b) const noexcept {
    const __m256i first = _mm256_set1_epi32(pairs_[0][p][b]);
    if constexpr (kHalves == 1) return first;
    return _mm256_blend_epi32(first, _mm256_set1_epi32(pairs_[1][p][b]), 0xF0);
  }

 private:
  alignas(32) int32_t pairs_[2][kRowsBack / 2][8];
};

class BlockSums {
 public:
  // w: int8_t, of rows 4 q .. 4 q + 3.
  template <int kHalves>
  FULGURITE_INLINE void add(const U8x32 (&w)[4], const WholeFactors& f, int q, int b) noexcept {
    for (int p = 0; p < 2; ++p) {
      const auto first = (__m256i)w[2 * p];
      const auto second = (__m256i)w[2 * p + 1];
      const __m256i factors = f.pair<kHalves>(2 * q + p, b);
      // Columns 0 .. 7 of a half, then the others: of both rows two that lie side by side.
      add_twos(_mm256_unpacklo_epi16(first, second), factors, 0);
      add_twos(_mm256_unpackhi_epi16(first, second), factors, 1);
    }
  }

  FULGURITE_INLINE void columns(I32x8 (&out)[4]) const noexcept {
    for (int h = 0; h < 2; ++h) {
      const __m256i first = _mm256_unpacklo_epi32(even_[h], odd_[h]);
      const __m256i second = _mm256_unpackhi_epi32(even_[h], odd_[h]);
      out[h] = (I32x8)_mm256_permute2x128_si256(first, second, 0x20);
      out[2 + h] = (I32x8)_mm256_permute2x128_si256(first, second, 0x31);
    }
  }

 private:
  FULGURITE_INLINE void add_twos(__m256i twos, __m256i factors, int h) noexcept {
    // The low byte of every 16 bits times 1 is that byte with its sign.
    const __m256i even = _mm256_maddubs_epi16(_mm256_set1_epi16(1), twos);
    const __m256i odd = _mm256_srai_epi16(twos, 8);
    even_[h] = _mm256_add_epi32(even_[h], _mm256_madd_epi16(even, factors));
    odd_[h] = _mm256_add_epi32(odd_[h], _mm256_madd_epi16(odd, factors));
  }

  __m256i even_[2] = {};
  __m256i odd_[2] = {};
};
#else
class WholeFactors {
 public:
  FULGURITE_INLINE void set(int half, const I32x8 (&f)[kRowsBack]) noexcept {
    for (int r = 0; r < kRowsBack; ++r) store(factors_[half][r], f[r]);
  }
  FULGURITE_INLINE int32_t of(int half, int r, int b) const noexcept {
    return factors_[half][r][b];
  }

 private:
  alignas(32) int32_t factors_[2][kRowsBack][8];
};

class BlockSums {
 public:
  // w: int8_t, of rows 4 q .. 4 q + 3.
  template <int kHalves>
  FULGURITE_INLINE void add(const U8x32 (&w)[4], const WholeFactors& f, int q, int b) noexcept {
    for (int i = 0; i < 4; ++i) {
      for (int k = 0; k < 4; ++k) {
        const int32_t factor = f.of(kHalves == 2 ? k / 2 : 0, 4 * q + i, b);
        const auto eight = load<I8x8>(reinterpret_cast<const char*>(&w[i]) + 8 * k);
        sums_[k] += __builtin_convertvector(eight, I32x8) * factor;
      }
    }
  }

  FULGURITE_INLINE void columns(I32x8 (&out)[4]) const noexcept { std::copy_n(sums_, 4, out); }

 private:
  I32x8 sums_[4] = {};
};
#endif

// Of 256 columns: what prepare() makes of F::kKept vectors of each row, `stride` floats apart, and
// u, for add() to add the columns of kBlocks blocks of all rows to back[0 ..]; the group is
// `at` bytes from the rows' beginnings.
template <class F>
class BackOf;

template <class F>
class BackOf<BlockRow<F>> {
 public:
  FULGURITE_INLINE void prepare(const float* kept, int64_t stride, const float* u) noexcept {
    for (int h = 0; h < kHalves; ++h) round(kept, stride, u, h);
    for (int m = 0; m < kMins; ++m) {
      F32x8 lower = {};
      for (int r = 0; r < kRowsBack; ++r) {
        lower += load<F32x8>(kept + r * stride + 8 * (kHalves + m)) * u[r];
      }
      store(lower_[m], lower);
    }
  }

  static constexpr int kBlocks = FULGURITE_TWO_BLOCKS && kOnlyNibbles<F> ? 4 : kBlocksBack;

  FULGURITE_INLINE void add(const std::byte* const (&rows)[kRowsBack], int64_t at, int b,
                            float* back) const noexcept {
#if FULGURITE_TWO_BLOCKS
    if constexpr (kOnlyNibbles<F>) return add_nibbles(rows, at, b, back);
#endif
    BlockSums sums;
#if FULGURITE_VNNI
#pragma GCC unroll 4
#else
#pragma GCC unroll 1  // else GCC adds up at the end, and keeps everything on the stack until then
#endif
    for (int q = 0; q < 4; ++q) {
      BackValues w[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
#if FULGURITE_TWO_BLOCKS
        w[i] = operand<F>(F::two(rows[4 * q + i] + at, b));
#else
        w[i] = operand<F>(F::values(rows[4 * q + i] + at, b));
#endif
      }
      sums.template add<kHalves>(w, factors_, q, b);
    }
    BackInts columns[4];
    sums.columns(columns);
    constexpr int kLanes = 8 * kBlocksBack;
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const int block = b + i * kLanes / 32;
      const int half = i * kLanes / 16 % 2;
      const int h = kHalves == 2 ? half : 0;
      BackFloats v = to_float(columns[i] - offset_[h][block]) * unit_[h][block];
      if constexpr (kMins > 0) v -= lower_[kMins == 2 ? half : 0][block];
      store(back + kLanes * i, load<BackFloats>(back + kLanes * i) + v);
    }
  }

 private:
  static constexpr int kHalves = BlockRow<F>::kHalves;
  static constexpr int kMins = BlockRow<F>::kMins;
  static constexpr int kOffset = F::kSigned && kUnsignedDot ? 128 : BlockRow<F>::kCentre;

#if FULGURITE_TWO_BLOCKS
  FULGURITE_INLINE void add_nibbles(const std::byte* const (&rows)[kRowsBack], int64_t at, int b,
                                    float* back) const noexcept {
    NibbleSums sums;
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
      __m512i bytes[4];
      for (int i = 0; i < 4; ++i) bytes[i] = F::packed(rows[4 * q + i] + at, b);
      sums.add(bytes, factors_, q, b);
    }
    I32x16 columns[2][4];
    sums.columns(columns[0], columns[1]);
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k, back += 16) {
      const int block = b + k / 2;
      F32x16 v = to_float(columns[k % 2][k / 2] - offset_[0][block]) * unit_[0][block];
      if constexpr (kMins > 0) v -= lower_[0][block];
      store(back, load<F32x16>(back) + v);
    }
  }
#endif

  FULGURITE_INLINE void round(const float* kept, int64_t stride, const float* u,
                              int half) noexcept {
    F32x8 f[kRowsBack];
    I32x8 tops[4] = {};  // as integers magnitudes are in order too, and NaN is above infinity
#pragma GCC unroll 16
    for (int r = 0; r < kRowsBack; ++r) {
      f[r] = load<F32x8>(kept + r * stride + 8 * half) * u[r];
      tops[r % 4] = larger(tops[r % 4], (I32x8)f[r] & INT32_MAX);
    }
    const I32x8 top = larger(larger(tops[0], tops[1]), larger(tops[2], tops[3]));
    constexpr float kMost = 32639.0F;  // 127 * 256 + 127: two bytes with a sign each
    const auto most = (F32x8)top;
    const I32x8 number = top < 0x7F800000;
    const I32x8 usable = number & (most >= 1e-30F);
    const F32x8 inverse = kMost / most;
    I32x8 whole[kRowsBack];
    I32x8 sum = {};
#pragma GCC unroll 16
    for (int r = 0; r < kRowsBack; ++r) {
      whole[r] = round_to_int((F32x8)(usable & (I32x8)(f[r] * inverse)));
      sum += whole[r];
    }
    factors_.set(half, whole);
    store(offset_[half], sum * kOffset);
    const F32x8 none = F32x8{} + std::numeric_limits<float>::quiet_NaN();
    store(unit_[half], choose(number, usable & (I32x8)(most / kMost), (I32x8)none));
  }

  // Of each block: what one of its sums counts, and what is taken off.
  alignas(32) float unit_[2][8];
  alignas(32) int32_t offset_[2][8];
  alignas(32) float lower_[2][8];
  WholeFactors factors_;
};

template <class F>
class BackOf<FloatRow<F>> {
 public:
  static constexpr int kBlocks = kBlocksBack;

  FULGURITE_INLINE void prepare(const float* kept, int64_t stride, const float* u) noexcept {
    for (int r = 0; r < kRowsBack; ++r) {
      for (int b = 0; b < 8; ++b) k_[b][r] = kept[r * stride + b] * u[r];
    }
  }

  FULGURITE_INLINE void add(const std::byte* const (&rows)[kRowsBack], int64_t at, int b,
                            float* back) const noexcept {
    for (int c = 0; c < 32 * kBlocksBack; c += 16) {
      F32x16 sum = load<F32x16>(back + c);
#pragma GCC unroll 16
      for (int r = 0; r < kRowsBack; ++r) {
        sum += F::values(rows[r] + at + (32 * b + c) * F::kSize) * k_[b + c / 32][r];
      }
      store(back + c, sum);
    }
  }

 private:
  float k_[8][kRowsBack];
};

// back += W^T u of up to kRowsBack rows, kBlocks blocks a step, so that it can be done while
// the memory delivers other rows.
template <class F>
class BackRun {
 public:
  static constexpr int kBlocks = BackOf<F>::kBlocks;

  // Rows that lie one behind the other.
  struct Of {
    const std::byte* first;
    int64_t row_bytes;
    int64_t rows;
    int64_t cols;
    float* kept;  // (kRowsBack, groups, F::kKept, 8): see F::keep
    float* u;     // (kRowsBack)
    float* back;
  };

  void begin(const Of& of) noexcept {
    of_ = of;
    next_ = 0;
    blocks_ = groups_of(of.cols) * kBlocksInGroup;
    stride_ = groups_of(of.cols) * 8 * F::kKept;
    for (int64_t r = 0; r < kRowsBack; ++r) {
      rows_[r] = of.first + std::min(r, of.rows - 1) * of.row_bytes;
    }
    std::fill(of.kept + of.rows * stride_, of.kept + kRowsBack * stride_, 0.0F);
    std::fill(of.u + of.rows, of.u + kRowsBack, 0.0F);
  }
  // A step more, if there is one: called every 2 kBlocks groups it is done with its rows when
  // as many others have gone by.
  FULGURITE_INLINE void step() noexcept {
    if (next_ < blocks_) add_blocks();
  }
  void finish() noexcept {
    while (next_ < blocks_) add_blocks();
  }

 private:
  [[gnu::noinline]] void add_blocks() noexcept {
    const int64_t g = next_ / kBlocksInGroup;
    const int64_t b = next_ % kBlocksInGroup;
    next_ += kBlocks;
    if (b == 0) open(g);
    back_.add(rows_, group_at_, static_cast<int>(b), of_.back + g * kGroupWidth + b * kBlockWidth);
  }

  void open(int64_t g) noexcept {
    group_at_ = g * F::kBytes;
    if (of_.row_bytes - group_at_ < F::kBytes) fill_up();
    back_.prepare(of_.kept + g * 8 * F::kKept, stride_, of_.u);
  }

  [[gnu::noinline]] void fill_up() noexcept {
    const int64_t rest = of_.row_bytes - group_at_;
    for (int64_t r = 0; r < kRowsBack; ++r) {
      std::memcpy(tails_[r], rows_[r] + group_at_, static_cast<size_t>(rest));
      std::memset(tails_[r] + rest, 0, static_cast<size_t>(F::kBytes - rest));
      rows_[r] = tails_[r];
    }
    group_at_ = 0;
  }

  Of of_;
  int64_t stride_;
  int64_t next_ = 0;
  int64_t blocks_ = 0;
  BackOf<F> back_;
  const std::byte* rows_[kRowsBack];
  int64_t group_at_;  // bytes from there to the group
  // Of rows that end there, filled up with zeros.
  alignas(64) std::byte tails_[kRowsBack][F::kBytes];
};

}  // namespace model::FULGURITE_ISA
