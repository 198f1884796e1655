// Compiled once per instruction set (see model/kernels/dispatch.h): 16 rows of W against many
// positions. The rows are unpacked once, so that the 16 lanes of a vector are 16 rows and four
// neighbouring values of each lie in its 32-bit lane; then a position's four values are spread
// over all lanes. Each lane of blocks (b mod 8) is summed on its own, in order.
#include <algorithm>

#include "model/kernels/panel.h"

namespace model::FULGURITE_ISA {

#if defined(__AVX512VNNI__)

namespace {

constexpr int64_t kRows = kPanelRows;

// Memory of one thread; places as in Panel.
struct Memory {
  Panel panel;
  PanelLines<int32_t> shifts;  // (positions, blocks, halves) what corrects the offset
  PanelLines<float> terms;     // (positions, blocks, 16) t of a tile, for the gathers
};

template <class F>
class PanelRun {
 public:
  PanelRun(const Linear& w, const Input& x, const Gather* gathers, const GatherSums* sums,
           Memory& memory)
      : w_(w),
        x_(x),
        gathers_(gathers),
        sums_(sums),
        memory_(memory),
        unpacking_(w.weight, memory.panel, true, false),
        groups_(groups_of(x.cols())) {
    memory.shifts.resize(static_cast<size_t>(kTile * x.blocks() * kHalves));
    if (gathers != nullptr) memory.terms.resize(static_cast<size_t>(kTile * x.blocks() * kRows));
  }

  // Rows first .. first + rows - 1, at most 16.
  void multiply(int64_t first, int64_t rows, float* y, int64_t ld) noexcept {
    unpacking_.unpack(first, rows);
    int64_t i = 0;
    for (; i + kTile <= x_.n(); i += kTile) {
      gathers_ != nullptr ? tile<kTile, true>(i, first, rows, y, ld)
                          : tile<kTile, false>(i, first, rows, y, ld);
    }
    for (; i < x_.n(); ++i) {
      gathers_ != nullptr ? tile<1, true>(i, first, rows, y, ld)
                          : tile<1, false>(i, first, rows, y, ld);
    }
  }

 private:
  static constexpr int kTile = 4;
  static constexpr int kHalves = F::kHalves;
  static constexpr int kOffset = F::kSigned ? 128 : F::kOffset;

  int64_t place(int64_t g, int64_t lane) const noexcept {
    return place_of(g * kBlocksInGroup + lane, groups_);
  }

  // -offset * the sums of q, in the order of the panel.
  void find_shifts(int64_t i, int64_t p) noexcept {
    int32_t* to = memory_.shifts.data() + p * x_.blocks() * kHalves;
    for (int64_t g = 0; g < groups_; ++g) {
      const int32_t* sums = x_.sums(i) + g * 16;
      for (int64_t b = 0; b < 8; ++b) {
        int32_t* at = to + place(g, b) * kHalves;
        if constexpr (kHalves == 2) {
          at[0] = -kOffset * sums[b];
          at[1] = -kOffset * sums[b + 8];
        } else {
          at[0] = -kOffset * (sums[b] + sums[b + 8]);
        }
      }
    }
  }

  // kCount positions from i on.
  template <int kCount, bool kKeep>
  void tile(int64_t i, int64_t first, int64_t rows, float* y, int64_t ld) noexcept {
    F32x16 lanes[8][kCount];
    for (int p = 0; p < kCount; ++p) find_shifts(i + p, p);
    for (int64_t lane = 0; lane < 8; ++lane) {
      F32x16 sums[kCount] = {};
      for (int64_t g = 0; g < groups_; ++g) add_block<kCount, kKeep>(i, g, lane, sums);
      for (int p = 0; p < kCount; ++p) lanes[lane][p] = sums[p];
    }
    for (int64_t p = 0; p < kCount; ++p) {
      const auto sum = [&](int k) { return lanes[k][p] + lanes[k + 4][p]; };
      alignas(64) float total[kRows];
      store(total, (sum(0) + sum(2)) + (sum(1) + sum(3)));
      float* to = y + (i + p) * ld + first;
      for (int64_t r = 0; r < rows; ++r) {
        to[r] = total[r];
        if (w_.bias.data != nullptr) to[r] += load<float>(w_.bias.data + 4 * (first + r));
      }
      if constexpr (kKeep) gather(i + p, p, first, rows, to);
    }
  }

  // The rows' u, and what is added to the sums with it.
  void gather(int64_t i, int64_t p, int64_t first, int64_t rows, const float* y) noexcept {
    const Gather& wish = gathers_[i];
    alignas(64) float u[kRows] = {};
    for (int64_t r = 0; r < rows; ++r) {
      u[r] = (wish.row_gain != nullptr ? wish.row_gain[first + r] : 1.0F) * y[r];
    }
    const auto all = load<F32x16>(u);
    for (int64_t g = 0; sums_[i].blocks != nullptr && g < groups_; ++g) {
      F32x16 products[8];
#pragma GCC unroll 8
      for (int b = 0; b < 8; ++b) {
        const float* at = memory_.terms.data() + (p * x_.blocks() + place(g, b)) * kRows;
        products[b] = load<F32x16>(at) * all;
      }
      add_fours(products, sums_[i].blocks + g * kBlocksInGroup);
      add_fours(products + 4, sums_[i].blocks + g * kBlocksInGroup + 4);
    }
    for (int64_t n = 0; sums_[i].chosen != nullptr && n < wish.n_chosen; ++n) {
      const F32x16 fours = fours_of(column(wish.chosen[n]) * all);
      for (int k = 0; k < 16; k += 4) sums_[i].chosen[n] += fours[k];
    }
  }

  // Lanes 4 k: (0 + 2) + (1 + 3) of the four lanes from there on.
  static FULGURITE_INLINE F32x16 fours_of(const F32x16& v) noexcept {
    const auto pairs = _mm512_add_ps((__m512)v, _mm512_permute_ps((__m512)v, 0x4E));
    return (F32x16)_mm512_add_ps(pairs, _mm512_permute_ps(pairs, 0xB1));
  }

  // The same of four products: to[b] += those of products[b], one after the other.
  static FULGURITE_INLINE void add_fours(const F32x16* products, float* to) noexcept {
    const auto pairs = [](const F32x16& a, const F32x16& b) {  // of a and b in turn
      return _mm512_add_ps(_mm512_unpacklo_ps((__m512)a, (__m512)b),
                           _mm512_unpackhi_ps((__m512)a, (__m512)b));
    };
    const __m512 low = pairs(products[0], products[1]);
    const __m512 high = pairs(products[2], products[3]);
    const __m512 fours =
        _mm512_add_ps(_mm512_shuffle_ps(low, high, 0x44), _mm512_shuffle_ps(low, high, 0xEE));
    __m128 sum = _mm_add_ps(load<__m128>(to), _mm512_castps512_ps128(fours));
    sum = _mm_add_ps(sum, _mm512_extractf32x4_ps(fours, 1));
    sum = _mm_add_ps(sum, _mm512_extractf32x4_ps(fours, 2));
    store(to, _mm_add_ps(sum, _mm512_extractf32x4_ps(fours, 3)));
  }

  // Column c of the sixteen rows, by the formula of F::one.
  FULGURITE_INLINE F32x16 column(int64_t c) const noexcept {
    const int64_t at = place(c / kGroupWidth, c % kGroupWidth / kBlockWidth);
    const std::byte* four =
        memory_.panel.fours.data() + (at * kBlockWidth + c % kBlockWidth / 4 * 4) * kRows;
    const float* scales = memory_.panel.scales.data() + at * kRows * kVectors<F>;
    const auto vector = [&](int k) { return load<F32x16>(scales + k * kRows); };
    const I32x16 q = (load<I32x16>(four) >> static_cast<int>(c % 4 * 8) & 255) - kOffset;
    const int half = static_cast<int>(c % kBlockWidth / 16);
    F32x16 w = vector(0);
    if constexpr (F::kScale > 0) w *= vector(F::kScale == 2 ? 1 + half : 1);
    w *= (F32x16)_mm512_cvtepi32_ps((__m512i)q);
    if constexpr (F::kMin == 1) w -= vector(1 + F::kScale);
    if constexpr (F::kMin > 1) {
      w -= vector(1 + F::kScale) * vector(2 + F::kScale + (F::kMin == 3 ? half : 0));
    }
    return w;
  }

  template <int kCount, bool kKeep>
  FULGURITE_INLINE void add_block(int64_t i, int64_t g, int64_t lane,
                                  F32x16 (&sums)[kCount]) noexcept {
    const int64_t at = place(g, lane);
    const int64_t b = g * kBlocksInGroup + lane;
    const std::byte* w = memory_.panel.fours.data() + at * kRows * kBlockWidth;
    __m512i dots[kCount][kHalves];
#pragma GCC unroll 4
    for (int p = 0; p < kCount; ++p) {
      const int32_t* shift = memory_.shifts.data() + (p * x_.blocks() + at) * kHalves;
      for (int h = 0; h < kHalves; ++h) dots[p][h] = _mm512_set1_epi32(shift[h]);
    }
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k) {
      const auto weights = load<__m512i>(w + k * kRows * 4);
#pragma GCC unroll 4
      for (int p = 0; p < kCount; ++p) {
        const auto four = load<int32_t>(x_.q(i + p) + b * kBlockWidth + 4 * k);
        __m512i& dot = dots[p][kHalves == 2 ? k / 4 : 0];
        dot = _mm512_dpbusd_epi32(dot, weights, _mm512_set1_epi32(four));
      }
    }
#pragma GCC unroll 4
    for (int p = 0; p < kCount; ++p) {
      const F32x16 t = term(i + p, g, lane, (I32x16)dots[p][0], (I32x16)dots[p][kHalves - 1]);
      sums[p] += t;
      if constexpr (kKeep) store(memory_.terms.data() + (p * x_.blocks() + at) * kRows, t);
    }
  }

  // What block (g, lane) of the rows adds to position i, of the sums of its products.
  FULGURITE_INLINE F32x16 term(int64_t i, int64_t g, int64_t lane, const I32x16& first,
                               const I32x16& second) const noexcept {
    const float* scales = memory_.panel.scales.data() + place(g, lane) * kRows * kVectors<F>;
    const auto vector = [&](int k) { return load<F32x16>(scales + k * kRows); };
    const float dx = x_.d(i)[g * kBlocksInGroup + lane];
    F32x16 a = (F32x16)_mm512_cvtepi32_ps((__m512i)first);
    if constexpr (F::kScale > 0) a *= vector(1);
    if constexpr (F::kScale == 2) a += (F32x16)_mm512_cvtepi32_ps((__m512i)second) * vector(2);
    F32x16 t = (vector(0) * dx) * a;
    if constexpr (F::kMin > 0) {
      constexpr int kAt = 1 + F::kScale;
      const int32_t* q = x_.sums(i) + g * 16 + lane;
      const auto low = static_cast<float>(q[0]);
      const auto high = static_cast<float>(q[8]);
      const F32x16 m = vector(kAt) * dx;
      if constexpr (F::kMin == 1) t -= m * (low + high);
      if constexpr (F::kMin == 2) t -= m * (vector(kAt + 1) * (low + high));
      if constexpr (F::kMin == 3) t -= m * (vector(kAt + 1) * low + vector(kAt + 2) * high);
    }
    return t;
  }

  const Linear& w_;
  const Input& x_;
  const Gather* gathers_;
  const GatherSums* sums_;
  Memory& memory_;
  Unpacking<F, PanelBytes::kOperands> unpacking_;
  int64_t groups_;
};

}  // namespace

bool panel_rows(const Linear& w, const Input& x, int64_t first, int64_t last, float* y, int64_t ld,
                const Gather* gathers, const GatherSums* sums) noexcept {
  if (!rounds_input(w.weight.dtype)) return false;
  thread_local Memory memory;
  with_format(w.weight.dtype, [&](auto format) {
    using F = decltype(format);
    if constexpr (F::kBlocks) {
      PanelRun<F> run(w, x, gathers, sums, memory);
      for (int64_t r = first; r < last; r += kRows) {
        run.multiply(r, std::min(kRows, last - r), y, ld);
      }
    }
  });
  return true;
}

#else

bool panel_rows(const Linear&, const Input&, int64_t, int64_t, float*, int64_t, const Gather*,
                const GatherSums*) noexcept {
  return false;
}

#endif

}  // namespace model::FULGURITE_ISA
