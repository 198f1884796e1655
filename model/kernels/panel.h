// Sixteen rows of W in blocks, unpacked to be multiplied with many positions, for *_isa.cpp only.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "model/kernels/lines.h"
#include "model/kernels/matmul_rows.h"
#include "model/kernels/row_terms.h"

#if defined(__AVX2__)

namespace model::FULGURITE_ISA {

struct ThisSet;
template <class T>
using PanelLines = Lines<T, ThisSet>;

// What a block of the rows takes besides its bytes: as many vectors of floats, in the order d,
// scales, m, minima.
template <class F>
inline constexpr int kVectors = 1 + F::kScale + (F::kMin > 0 ? 1 : 0) +
                                (F::kMin > 1 ? F::kMin - 1 : 0);

// 8 vectors of 8 -> their transpose.
FULGURITE_INLINE void transpose(__m256i (&v)[8]) noexcept {
  __m256i a[8];
  for (int k = 0; k < 8; k += 2) {
    a[k] = _mm256_unpacklo_epi32(v[k], v[k + 1]);
    a[k + 1] = _mm256_unpackhi_epi32(v[k], v[k + 1]);
  }
  __m256i b[8];
  for (int k = 0; k < 8; k += 4) {
    b[k] = _mm256_unpacklo_epi64(a[k], a[k + 2]);
    b[k + 1] = _mm256_unpackhi_epi64(a[k], a[k + 2]);
    b[k + 2] = _mm256_unpacklo_epi64(a[k + 1], a[k + 3]);
    b[k + 3] = _mm256_unpackhi_epi64(a[k + 1], a[k + 3]);
  }
  for (int k = 0; k < 4; ++k) {
    v[k] = _mm256_permute2x128_si256(b[k], b[k + 4], 0x20);
    v[k + 4] = _mm256_permute2x128_si256(b[k], b[k + 4], 0x31);
  }
}

#if defined(__AVX512VNNI__)
// 16 vectors of 16 -> their transpose.
FULGURITE_INLINE void transpose(F32x16 (&v)[16]) noexcept {
  __m512i a[16];
  for (int k = 0; k < 16; k += 2) {
    a[k] = _mm512_unpacklo_epi32((__m512i)v[k], (__m512i)v[k + 1]);
    a[k + 1] = _mm512_unpackhi_epi32((__m512i)v[k], (__m512i)v[k + 1]);
  }
  __m512i b[16];  // b[4 q + c]: in quarter i, column 4 i + c of rows 4 q .. 4 q + 3
  for (int k = 0; k < 16; k += 4) {
    b[k] = _mm512_unpacklo_epi64(a[k], a[k + 2]);
    b[k + 1] = _mm512_unpackhi_epi64(a[k], a[k + 2]);
    b[k + 2] = _mm512_unpacklo_epi64(a[k + 1], a[k + 3]);
    b[k + 3] = _mm512_unpackhi_epi64(a[k + 1], a[k + 3]);
  }
  constexpr int kEven = 0x88;
  constexpr int kOdd = 0xDD;
  for (int c = 0; c < 4; ++c) {
    const __m512i even[2] = {_mm512_shuffle_i32x4(b[c], b[4 + c], kEven),
                             _mm512_shuffle_i32x4(b[8 + c], b[12 + c], kEven)};
    const __m512i odd[2] = {_mm512_shuffle_i32x4(b[c], b[4 + c], kOdd),
                            _mm512_shuffle_i32x4(b[8 + c], b[12 + c], kOdd)};
    v[c] = (F32x16)_mm512_shuffle_i32x4(even[0], even[1], kEven);
    v[4 + c] = (F32x16)_mm512_shuffle_i32x4(odd[0], odd[1], kEven);
    v[8 + c] = (F32x16)_mm512_shuffle_i32x4(even[0], even[1], kOdd);
    v[12 + c] = (F32x16)_mm512_shuffle_i32x4(odd[0], odd[1], kOdd);
  }
}
#endif

// Blocks lie in the order in which they are visited: lane by lane, that is (8, groups).
FULGURITE_INLINE int64_t place_of(int64_t block, int64_t groups) noexcept {
  return block % kBlocksInGroup * groups + block / kBlocksInGroup;
}

// Memory of one thread.
struct Panel {
  PanelLines<std::byte> fours;  // (blocks, 8, 16, 4): four neighbours of each row
  PanelLines<std::byte> rows;   // (blocks, 16, 32): row after row
  PanelLines<float> scales;     // (blocks, kVectors, 16)
};

// Fetches the rows of the next panel a part at a time, while this one is multiplied.
class NextRows {
 public:
  // Rows first <= r < end, in so many parts.
  void set(const Tensor& w, int64_t first, int64_t end, int64_t parts) noexcept {
    const auto row_bytes = static_cast<int64_t>(w.row_bytes());
    at_ = w.data + first * row_bytes;
    end_ = w.data + std::max(first, end) * row_bytes;
    part_ = (end_ - at_ + parts - 1) / parts;
  }
  FULGURITE_INLINE void fetch_some() noexcept {
    const std::byte* end = std::min(at_ + part_, end_);
    for (; at_ < end; at_ += 64) __builtin_prefetch(at_, 0, 1);
  }

 private:
  const std::byte* at_ = nullptr;
  const std::byte* end_ = nullptr;
  int64_t part_ = 0;
};

// Where the chosen columns of all positions lie, as pick_of(c) says: (positions, the most that one
// has). Returns that number.
template <class Pick, class Of>
int64_t list_picks(const Input& x, const Gather* gathers, const GatherSums* sums,
                   std::vector<Pick>& picks, const Of& pick_of) {
  int64_t most = 0;
  for (int64_t i = 0; i < x.n(); ++i) {
    if (sums[i].chosen != nullptr) most = std::max(most, gathers[i].n_chosen);
  }
  picks.resize(static_cast<size_t>(x.n() * most));
  for (int64_t i = 0; i < x.n(); ++i) {
    if (sums[i].chosen == nullptr) continue;
    std::transform(gathers[i].chosen, gathers[i].chosen + gathers[i].n_chosen,
                   picks.begin() + i * most, pick_of);
  }
  return most;
}

enum class PanelBytes {
  kOperands,  // as dot_block multiplies them
  kSigned,    // int8_t weights, without an offset
};

template <class F, PanelBytes kBytes>
class Unpacking {
 public:
  // Whether fours, and rows, are wanted.
  Unpacking(const Tensor& w, Panel& panel, bool fours, bool rows)
      : w_(w),
        panel_(panel),
        groups_(groups_of(w.cols())),
        whole_(w.cols() / kGroupWidth),
        row_bytes_(static_cast<int64_t>(w.row_bytes())),
        fours_(fours),
        rows_(rows) {
    const auto blocks = static_cast<size_t>(groups_ * kBlocksInGroup);
    if (fours) panel.fours.resize(blocks * kPanelRows * kBlockWidth);
    if (rows) panel.rows.resize(blocks * kPanelRows * kBlockWidth);
    panel.scales.resize(blocks * kPanelRows * kVectors<F>);
  }

  // Where fewer than sixteen rows are left the last one fills up.
  void unpack(int64_t first, int64_t count) noexcept {
    for (int64_t g = 0; g < groups_; ++g) {
      for (int64_t half = 0; half < kPanelRows; half += 8) eight_rows(first, count, g, half);
    }
  }

 private:
  void eight_rows(int64_t first, int64_t count, int64_t g, int64_t half) noexcept {
    __m256i v[8][8];                              // block, row
    alignas(32) float scales[8][kVectors<F>][8];  // row, what, block
    for (int64_t r = 0; r < 8; ++r) {
      const int64_t row = first + std::min(half + r, count - 1);
      const std::byte* at = w_.data + row * row_bytes_ + g * F::kBytes;
      alignas(64) std::byte padded[F::kBytes];
      if (g == whole_) {
        std::memset(padded, 0, sizeof(padded));
        std::memcpy(padded, at, static_cast<size_t>(row_bytes_ - whole_ * F::kBytes));
        at = padded;
      }
#pragma GCC unroll 8
      for (int b = 0; b < 8; ++b) v[b][r] = (__m256i)bytes_of(F::values(at, b));
      store_scales(F::scales(at), scales[r]);
    }
    for (int b = 0; b < 8; ++b) {
      const int64_t at = place_of(g * kBlocksInGroup + b, groups_);
      std::byte* to = panel_.rows.data() + (at * kPanelRows + half) * kBlockWidth;
      for (int r = 0; rows_ && r < 8; ++r) store(to + r * kBlockWidth, v[b][r]);
      if (fours_) {
        transpose(v[b]);
        to = panel_.fours.data() + at * kPanelRows * kBlockWidth + half * 4;
        for (int k = 0; k < 8; ++k) store(to + k * kPanelRows * 4, v[b][k]);
      }
    }
    for (int k = 0; k < kVectors<F>; ++k) {
      __m256i of_rows[8];
      for (int r = 0; r < 8; ++r) of_rows[r] = load<__m256i>(scales[r][k]);
      transpose(of_rows);
      for (int b = 0; b < 8; ++b) {
        const int64_t at = place_of(g * kBlocksInGroup + b, groups_);
        store(panel_.scales.data() + (at * kVectors<F> + k) * kPanelRows + half, of_rows[b]);
      }
    }
  }

  static FULGURITE_INLINE U8x32 bytes_of(const U8x32& values) noexcept {
    if constexpr (kBytes == PanelBytes::kSigned) {
      return F::kSigned ? values : values - static_cast<uint8_t>(F::kOffset);
    } else {
      return operand<F>(values);
    }
  }

  static FULGURITE_INLINE void store_scales(const Scales& s, float (&to)[kVectors<F>][8]) noexcept {
    int at = 0;
    store(to[at++], s.d);
    for (int k = 0; k < F::kScale; ++k) store(to[at++], s.scale[k]);
    if constexpr (F::kMin > 0) store(to[at++], s.m);
    for (int k = 0; k + 1 < F::kMin; ++k) store(to[at++], s.min[k]);
  }

  const Tensor& w_;
  Panel& panel_;
  int64_t groups_;
  int64_t whole_;
  int64_t row_bytes_;
  bool fours_;
  bool rows_;
};

}  // namespace model::FULGURITE_ISA

#endif
