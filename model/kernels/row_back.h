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

// The sixteen rows' sums of one block, its 32 columns in whatever order the set likes, and the
// whole numbers they are made of: for one half of a block or both, and four rows in turn.
#if FULGURITE_VNNI
class WholeFactors {
 public:
  // Lane b for block b.
  FULGURITE_INLINE void set(int half, const I32x8 (&f)[kRowsBack]) noexcept {
    for (int q = 0; q < 4; ++q) {
      const I32x8* of = f + 4 * q;
      store(low_[half][q], bytes_of(of[0], of[1], of[2], of[3]));
      // The low byte counts from -128 to 127.
      const auto rest = [](const I32x8& v) FULGURITE_LAMBDA { return (v + 128) >> 8; };
      store(high_[half][q], bytes_of(rest(of[0]), rest(of[1]), rest(of[2]), rest(of[3])));
    }
  }

  template <int kHalves>
  FULGURITE_INLINE __m256i low(int q, int b) const noexcept {
    return spread<kHalves>(low_, q, b);
  }
  template <int kHalves>
  FULGURITE_INLINE __m256i high(int q, int b) const noexcept {
    return spread<kHalves>(high_, q, b);
  }

 private:
  using Table = int32_t[2][4][8];

  static FULGURITE_INLINE I32x8 bytes_of(const I32x8& a, const I32x8& b, const I32x8& c,
                                         const I32x8& d) noexcept {
    const I32x8 ab = (a & 0xFF) | (b << 8 & 0xFF00);
    const I32x8 cd = (c << 16 & 0xFF0000) | d << 24;
    return ab | cd;
  }
  template <int kHalves>
  static FULGURITE_INLINE __m256i spread(const Table& of, int q, int b) noexcept {
    if constexpr (kHalves == 1) return _mm256_set1_epi32(of[0][q][b]);
    return _mm256_set_m128i(_mm_set1_epi32(of[1][q][b]), _mm_set1_epi32(of[0][q][b]));
  }

  alignas(32) Table low_;
  alignas(32) Table high_;
};

class BlockSums {
 public:
  // w: bytes without a sign, of rows 4 q .. 4 q + 3.
  template <int kHalves>
  FULGURITE_INLINE void add(const U8x32 (&w)[4], const WholeFactors& f, int q, int b) noexcept {
    const auto row = [&](int i) FULGURITE_LAMBDA { return (__m256i)w[i]; };
    const __m256i a = _mm256_unpacklo_epi8(row(0), row(1));
    const __m256i c = _mm256_unpacklo_epi8(row(2), row(3));
    const __m256i e = _mm256_unpackhi_epi8(row(0), row(1));
    const __m256i g = _mm256_unpackhi_epi8(row(2), row(3));
    // Columns 4 i .. 4 i + 3 and, in the upper half, those 16 further on.
    const __m256i fours[4] = {_mm256_unpacklo_epi16(a, c), _mm256_unpackhi_epi16(a, c),
                              _mm256_unpacklo_epi16(e, g), _mm256_unpackhi_epi16(e, g)};
    const __m256i low = f.low<kHalves>(q, b);
    const __m256i high = f.high<kHalves>(q, b);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      low_[i] = add_byte_products(low_[i], fours[i], low);
      high_[i] = add_byte_products(high_[i], fours[i], high);
    }
  }

  // Columns 8 i .. 8 i + 7.
  FULGURITE_INLINE void columns(I32x8 (&out)[4]) const noexcept {
    __m256i whole[4];
    for (int i = 0; i < 4; ++i) {
      whole[i] = _mm256_add_epi32(low_[i], _mm256_slli_epi32(high_[i], 8));
    }
    for (int i = 0; i < 2; ++i) {
      out[i] = (I32x8)_mm256_permute2x128_si256(whole[2 * i], whole[2 * i + 1], 0x20);
      out[2 + i] = (I32x8)_mm256_permute2x128_si256(whole[2 * i], whole[2 * i + 1], 0x31);
    }
  }

 private:
  __m256i low_[4] = {};
  __m256i high_[4] = {};
};
#else
class WholeFactors {
 public:
  FULGURITE_INLINE void set(int half, const I32x8 (&f)[kRowsBack]) noexcept {
    for (int p = 0; p < kRowsBack / 2; ++p) {
      store(pairs_[half][p], (f[2 * p] & 0xFFFF) | f[2 * p + 1] << 16);
    }
  }
  // Of rows 2 p and 2 p + 1, 16 bits each.
  FULGURITE_INLINE int32_t pair(int half, int p, int b) const noexcept {
    return pairs_[half][p][b];
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
      for (int h = 0; h < 2; ++h) {
        add_pair(w[2 * p], w[2 * p + 1], h, f.pair(kHalves == 2 ? h : 0, 2 * q + p, b));
      }
    }
  }

  FULGURITE_INLINE void columns(I32x8 (&out)[4]) const noexcept {
    for (int h = 0; h < 2; ++h) {
#if defined(__AVX2__)
      const auto a = (__m256i)sums_[2 * h];
      const auto b = (__m256i)sums_[2 * h + 1];
      out[2 * h] = (I32x8)_mm256_permute2x128_si256(a, b, 0x20);
      out[2 * h + 1] = (I32x8)_mm256_permute2x128_si256(a, b, 0x31);
#else
      out[2 * h] = sums_[2 * h];
      out[2 * h + 1] = sums_[2 * h + 1];
#endif
    }
  }

 private:
  FULGURITE_INLINE void add_pair(const U8x32& first, const U8x32& second, int h,
                                 int32_t pair) noexcept {
#if defined(__AVX2__)
    const auto half = [h](const U8x32& v) FULGURITE_LAMBDA {
      const auto wide = (__m256i)v;
      return _mm256_cvtepi8_epi16(h == 0 ? _mm256_castsi256_si128(wide)
                                         : _mm256_extracti128_si256(wide, 1));
    };
    const __m256i a = half(first);
    const __m256i b = half(second);
    const __m256i factors = _mm256_set1_epi32(pair);
    // Columns 0 .. 3 and 8 .. 11 of the half, then the others.
    sums_[2 * h] += (I32x8)_mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), factors);
    sums_[2 * h + 1] += (I32x8)_mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), factors);
#else
    const int32_t f0 = static_cast<int16_t>(pair & 0xFFFF);
    const int32_t f1 = pair >> 16;
    for (int i = 0; i < 2; ++i) {
      const int at = 16 * h + 8 * i;
      const auto part = [at](const U8x32& v) FULGURITE_LAMBDA {
        return __builtin_convertvector(load<I8x8>(reinterpret_cast<const char*>(&v) + at), I32x8);
      };
      sums_[2 * h + i] += part(first) * f0 + part(second) * f1;
    }
#endif
  }

  I32x8 sums_[4] = {};
};
#endif

// Of 256 columns: what prepare() makes of F::kKept vectors of each row, `stride` floats apart, and
// u, for add() to add one block's 32 columns of all rows to back[0 .. 31].
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

  FULGURITE_INLINE void add(const std::byte* const (&rows)[kRowsBack], int b,
                            float* back) const noexcept {
    BlockSums sums;
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
      U8x32 w[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        w[i] = F::values(rows[4 * q + i], b);
        if constexpr (F::kSigned) w[i] = signed_operand(w[i]);
      }
      sums.template add<kHalves>(w, factors_, q, b);
    }
    I32x8 columns[4];
    sums.columns(columns);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const int h = kHalves == 2 ? i / 2 : 0;
      F32x8 v = __builtin_convertvector(columns[i] - offset_[h][b], F32x8) * unit_[h][b];
      if constexpr (kMins > 0) v -= lower_[kMins == 2 ? i / 2 : 0][b];
      store(back + 8 * i, load<F32x8>(back + 8 * i) + v);
    }
  }

 private:
  static constexpr int kHalves = BlockRow<F>::kHalves;
  static constexpr int kMins = BlockRow<F>::kMins;
  static constexpr int kOffset = F::kSigned && kUnsignedDot ? 128 : BlockRow<F>::kCentre;

  FULGURITE_INLINE void round(const float* kept, int64_t stride, const float* u,
                              int half) noexcept {
    F32x8 f[kRowsBack];
    I32x8 top = {};  // as integers magnitudes are in order too, and NaN is above infinity
#pragma GCC unroll 16
    for (int r = 0; r < kRowsBack; ++r) {
      f[r] = load<F32x8>(kept + r * stride + 8 * half) * u[r];
      const I32x8 size = (I32x8)f[r] & INT32_MAX;
      top = choose(size > top, size, top);
    }
    constexpr float kMost = 32639.0F;  // 127 * 256 + 127: two bytes with a sign each
    const auto most = (F32x8)top;
    const I32x8 number = top < 0x7F800000;
    const I32x8 usable = number & (most >= 1e-30F);
    const F32x8 inverse = kMost / most;
    I32x8 whole[kRowsBack];
    I32x8 sum = {};
#pragma GCC unroll 16
    for (int r = 0; r < kRowsBack; ++r) {
      const auto scaled = (F32x8)(usable & (I32x8)(f[r] * inverse));
      whole[r] = __builtin_convertvector((scaled + kRoundToInteger) - kRoundToInteger, I32x8);
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
  FULGURITE_INLINE void prepare(const float* kept, int64_t stride, const float* u) noexcept {
    for (int r = 0; r < kRowsBack; ++r) {
      for (int b = 0; b < 8; ++b) k_[b][r] = kept[r * stride + b] * u[r];
    }
  }

  FULGURITE_INLINE void add(const std::byte* const (&rows)[kRowsBack], int b,
                            float* back) const noexcept {
    for (int c = 0; c < 32; c += 16) {
      F32x16 sum = load<F32x16>(back + c);
#pragma GCC unroll 16
      for (int r = 0; r < kRowsBack; ++r) {
        sum += F::values(rows[r] + (32 * b + c) * F::kSize) * k_[b][r];
      }
      store(back + c, sum);
    }
  }

 private:
  float k_[8][kRowsBack];
};

// back += W^T u of up to kRowsBack rows, block by block, so that it can be done while the memory
// delivers other rows.
template <class F>
class BackRun {
 public:
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
    std::fill(of.kept + of.rows * stride_, of.kept + kRowsBack * stride_, 0.0F);
    std::fill(of.u + of.rows, of.u + kRowsBack, 0.0F);
  }
  // One block more, if there is one.
  FULGURITE_INLINE void step() noexcept {
    if (next_ < blocks_) add_block();
  }
  void finish() noexcept {
    while (next_ < blocks_) add_block();
  }

 private:
  [[gnu::noinline]] void add_block() noexcept {
    const int64_t g = next_ / kBlocksInGroup;
    const int64_t b = next_++ % kBlocksInGroup;
    if (b == 0) open(g);
    back_.add(rows_, static_cast<int>(b), of_.back + g * kGroupWidth + b * kBlockWidth);
  }

  void open(int64_t g) noexcept {
    const int64_t rest = of_.row_bytes - g * F::kBytes;
    for (int64_t r = 0; r < kRowsBack; ++r) {
      rows_[r] = of_.first + std::min(r, of_.rows - 1) * of_.row_bytes + g * F::kBytes;
      if (rest >= F::kBytes) continue;
      std::memcpy(tails_[r], rows_[r], static_cast<size_t>(rest));
      std::memset(tails_[r] + rest, 0, static_cast<size_t>(F::kBytes - rest));
      rows_[r] = tails_[r];
    }
    back_.prepare(of_.kept + g * 8 * F::kKept, stride_, of_.u);
  }

  Of of_;
  int64_t stride_;
  int64_t next_ = 0;
  int64_t blocks_ = 0;
  BackOf<F> back_;
  const std::byte* rows_[kRowsBack];
  // Of rows that end there, filled up with zeros.
  alignas(64) std::byte tails_[kRowsBack][F::kBytes];
};

}  // namespace model::FULGURITE_ISA
