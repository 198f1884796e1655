// Compiled once per instruction set (see model/kernels/dispatch.h): 16 rows of W against many
// positions. The rows are unpacked once, so that the 16 lanes of a vector are 16 rows and four
// neighbouring values of each lie in its 32-bit lane; then a position's four values are spread
// over all lanes. Each lane of blocks (b mod 8) is summed on its own, in order. With AMX a block's
// products of sixteen positions are made at once, from the same panel.
#include <algorithm>
#include <vector>

#include "model/kernels/amx.h"
#include "model/kernels/matmul_rows.h"
#include "model/kernels/row_terms.h"

namespace model::FULGURITE_ISA {

#if defined(__AVX512VNNI__)

namespace {

constexpr int64_t kRows = 16;

// What a block of 16 rows takes in the panel, besides its bytes: as many vectors of floats.
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

// Memory of one thread. Blocks lie in the order in which they are visited: lane by lane.
struct Panel {
  std::vector<std::byte> bytes;  // (8, groups, 8, 16, 4) 8-bit weights; for AMX int8_t
  std::vector<float> scales;     // (8, groups, vectors, 16)
  std::vector<int32_t> shifts;   // (positions, 8, groups, halves) what corrects the offset
  std::vector<float> terms;      // (positions, 8, groups, 16) t of a tile, for the gathers
};

// With AMX there are no gathers: what they keep would fill the cache.
template <class F, bool kAmx>
class PanelRun {
 public:
  PanelRun(const Linear& w, const Input& x, const Gather* gathers, const GatherSums* sums,
           Panel& panel) noexcept
      : w_(w),
        x_(x),
        gathers_(gathers),
        sums_(sums),
        panel_(panel),
        groups_(groups_of(x.cols())),
        whole_(x.cols() / kGroupWidth),
        row_bytes_(static_cast<int64_t>(w.weight.row_bytes())) {
    panel.bytes.resize(static_cast<size_t>(x.blocks() * kRows * kBlockWidth));
    panel.scales.resize(static_cast<size_t>(x.blocks() * kRows * kVectors<F>));
    panel.shifts.resize(static_cast<size_t>(kTile * x.blocks() * kHalves));
    if (gathers != nullptr) panel.terms.resize(static_cast<size_t>(kTile * x.blocks() * kRows));
  }

  // For AMX, before the rest: see multiply_tiles.
  void use_tiles() const noexcept {
    amx::Shapes shapes;
    for (const int sums : {0, 1}) shapes.set(sums, kTile, 4 * kRows);
    for (const int inputs : {2, 4}) shapes.set(inputs, kTile, kWidth);
    for (const int weights : {3, 5}) shapes.set(weights, kWidth / 4, 4 * kRows);
    if (const int64_t rest = x_.n() % kTile; rest > 0) {
      shapes.set(6, rest, 4 * kRows);
      shapes.set(7, rest, kWidth);
    }
    shapes.use();
  }

  void unpack(int64_t first, int64_t rows) noexcept {
    for (int64_t g = 0; g < groups_; ++g) {
      for (int64_t half = 0; half < kRows; half += 8) unpack_eight(first, rows, g, half);
    }
  }

  void multiply(int64_t first, int64_t rows, float* y, int64_t ld) noexcept {
    int64_t i = 0;
    if constexpr (kAmx) {
      for (; i + kTile <= x_.n(); i += kTile) tile<kTile, false>(i, first, rows, y, ld);
      if (i < x_.n()) tile<0, false>(i, first, rows, y, ld, x_.n() - i);
    } else {
      for (; i + kTile <= x_.n(); i += kTile) {
        gathers_ != nullptr ? tile<kTile, true>(i, first, rows, y, ld)
                            : tile<kTile, false>(i, first, rows, y, ld);
      }
      for (; i < x_.n(); ++i) {
        gathers_ != nullptr ? tile<1, true>(i, first, rows, y, ld)
                            : tile<1, false>(i, first, rows, y, ld);
      }
    }
  }

 private:
  static constexpr int kTile = kAmx ? 16 : 4;
  static constexpr int kHalves = F::kHalves;
  static constexpr int kOffset = F::kSigned ? 128 : F::kOffset;

  int64_t place(int64_t g, int64_t lane) const noexcept { return lane * groups_ + g; }

  void unpack_eight(int64_t first, int64_t rows, int64_t g, int64_t half) noexcept {
    __m256i v[8][8];                              // block, row
    alignas(32) float scales[8][kVectors<F>][8];  // row, what, block
    for (int64_t r = 0; r < 8; ++r) {
      const int64_t row = first + std::min(half + r, rows - 1);
      const std::byte* at = w_.weight.data + row * row_bytes_ + g * F::kBytes;
      alignas(64) std::byte padded[F::kBytes];
      if (g == whole_) {
        std::memset(padded, 0, sizeof(padded));
        std::memcpy(padded, at, static_cast<size_t>(row_bytes_ - whole_ * F::kBytes));
        at = padded;
      }
#pragma GCC unroll 8
      for (int b = 0; b < 8; ++b) {
        const U8x32 values = F::values(at, b);
        if constexpr (kAmx) {
          v[b][r] = (__m256i)(F::kSigned ? values : values - static_cast<uint8_t>(F::kOffset));
        } else {
          v[b][r] = (__m256i)(F::kSigned ? signed_operand(values) : values);
        }
      }
      store_scales(F::scales(at), scales[r]);
    }
    for (int b = 0; b < 8; ++b) {
      transpose(v[b]);
      std::byte* to = panel_.bytes.data() + place(g, b) * kRows * kBlockWidth + half * 4;
      for (int k = 0; k < 8; ++k) store(to + k * kRows * 4, v[b][k]);
      float* scale = panel_.scales.data() + place(g, b) * kRows * kVectors<F> + half;
      for (int k = 0; k < kVectors<F>; ++k) {
        for (int r = 0; r < 8; ++r) scale[k * kRows + r] = scales[r][k][b];
      }
    }
  }

  static FULGURITE_INLINE void store_scales(const Scales& s, float (&to)[kVectors<F>][8]) noexcept {
    int at = 0;
    store(to[at++], s.d);
    for (int k = 0; k < F::kScale; ++k) store(to[at++], s.scale[k]);
    if constexpr (F::kMin > 0) store(to[at++], s.m);
    for (int k = 0; k + 1 < F::kMin; ++k) store(to[at++], s.min[k]);
  }

  // -offset * the sums of q, in the order of the panel.
  void find_shifts(int64_t i, int64_t p) noexcept {
    int32_t* to = panel_.shifts.data() + p * x_.blocks() * kHalves;
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

  // kCount positions from i on, or `rest` where that is 0.
  template <int kCount, bool kKeep>
  void tile(int64_t i, int64_t first, int64_t rows, float* y, int64_t ld,
            int64_t rest = 0) noexcept {
    constexpr int kMost = kCount > 0 ? kCount : kTile;
    const int64_t count = kCount > 0 ? kCount : rest;
    F32x16 lanes[8][kMost];
    if constexpr (kAmx) {
      for (int64_t lane = 0; lane < 8; ++lane) {
        F32x16 sums[kMost] = {};
        issue<kCount>(i, 0, lane);
        for (int64_t g = 0; g < groups_; ++g) {
          if (g + 1 < groups_) issue<kCount>(i, g + 1, lane);
          add_issued<kCount>(i, g, lane, count, sums);
        }
        for (int64_t p = 0; p < count; ++p) lanes[lane][p] = sums[p];
      }
    } else {
      for (int p = 0; p < kCount; ++p) find_shifts(i + p, p);
      for (int64_t lane = 0; lane < 8; ++lane) {
        F32x16 sums[kMost] = {};
        for (int64_t g = 0; g < groups_; ++g) add_block<kCount, kKeep>(i, g, lane, sums);
        for (int p = 0; p < kCount; ++p) lanes[lane][p] = sums[p];
      }
    }
    for (int64_t p = 0; p < count; ++p) {
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
        const float* at = panel_.terms.data() + (p * x_.blocks() + place(g, b)) * kRows;
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
        panel_.bytes.data() + (at * kBlockWidth + c % kBlockWidth / 4 * 4) * kRows;
    const float* scales = panel_.scales.data() + at * kRows * kVectors<F>;
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
    const std::byte* w = panel_.bytes.data() + at * kRows * kBlockWidth;
    __m512i dots[kCount][kHalves];
#pragma GCC unroll 4
    for (int p = 0; p < kCount; ++p) {
      const int32_t* shift = panel_.shifts.data() + (p * x_.blocks() + at) * kHalves;
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
      if constexpr (kKeep) store(panel_.terms.data() + (p * x_.blocks() + at) * kRows, t);
    }
  }

  // What block (g, lane) of the rows adds to position i, of the sums of its products.
  FULGURITE_INLINE F32x16 term(int64_t i, int64_t g, int64_t lane, const I32x16& first,
                               const I32x16& second) const noexcept {
    const float* scales = panel_.scales.data() + place(g, lane) * kRows * kVectors<F>;
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

  // Of the values of a block that have one scale.
  static constexpr int64_t kWidth = kBlockWidth / kHalves;

  // In the tile registers: sums 0 and 1, what they are made of 2 to 5; 6 and 7 for fewer than kTile
  // positions.

  template <int kSums, int kInput, int kWeights>
  FULGURITE_INLINE void multiply_tiles(const int8_t* q, const std::byte* w, int32_t* to) noexcept {
    amx::zero<kSums>();
    amx::load_rows<kInput>(q, x_.blocks() * kBlockWidth);
    amx::load_rows<kWeights>(w, 4 * kRows);
    amx::add_product<kSums, kInput, kWeights>();
    amx::store_rows<kSums>(to, 4 * kRows);
  }

  // Has the products of a block summed up, into dots_: they take a while.
  template <int kCount>
  FULGURITE_INLINE void issue(int64_t i, int64_t g, int64_t lane) noexcept {
    const std::byte* w = panel_.bytes.data() + place(g, lane) * kRows * kBlockWidth;
    const int8_t* q = x_.q(i) + (g * kBlocksInGroup + lane) * kBlockWidth;
    int32_t* to = dots_[g % 2][0];
    int32_t* to_second = dots_[g % 2][kHalves - 1];
    const int8_t* q_second = q + kWidth;
    const std::byte* w_second = w + kRows * kWidth;
    if constexpr (kCount == 0) {
      multiply_tiles<6, 7, 3>(q, w, to);
      if constexpr (kHalves == 2) multiply_tiles<6, 7, 5>(q_second, w_second, to_second);
    } else if constexpr (kHalves == 2) {
      multiply_tiles<0, 2, 3>(q, w, to);
      multiply_tiles<1, 4, 5>(q_second, w_second, to_second);
    } else {
      g % 2 == 0 ? multiply_tiles<0, 2, 3>(q, w, to) : multiply_tiles<1, 4, 5>(q, w, to);
    }
  }

  template <int kCount, int kMost>
  FULGURITE_INLINE void add_issued(int64_t i, int64_t g, int64_t lane, int64_t count,
                                   F32x16 (&sums)[kMost]) noexcept {
    const auto add = [&](int64_t p) FULGURITE_LAMBDA {
      const auto dots = [&](int h) { return load<I32x16>(dots_[g % 2][h] + p * kRows); };
      sums[p] += term(i + p, g, lane, dots(0), dots(kHalves - 1));
    };
    if constexpr (kCount > 0) {
#pragma GCC unroll 16
      for (int p = 0; p < kCount; ++p) add(p);
    } else {
      for (int64_t p = 0; p < count; ++p) add(p);
    }
  }

  const Linear& w_;
  const Input& x_;
  const Gather* gathers_;
  const GatherSums* sums_;
  Panel& panel_;
  alignas(64) int32_t dots_[2][kHalves][kTile * kRows];  // of two blocks in turn, for AMX
  int64_t groups_;
  int64_t whole_;
  int64_t row_bytes_;
};

template <bool kAmx>
bool run_panels(const Linear& w, const Input& x, int64_t first, int64_t last, float* y, int64_t ld,
                const Gather* gathers, const GatherSums* sums) noexcept {
  if (!rounds_input(w.weight.dtype)) return false;
  thread_local Panel panel;
  with_format(w.weight.dtype, [&](auto format) {
    using F = decltype(format);
    if constexpr (F::kBlocks) {
      PanelRun<F, kAmx> run(w, x, gathers, sums, panel);
      if constexpr (kAmx) run.use_tiles();
      for (int64_t r = first; r < last; r += kRows) {
        run.unpack(r, std::min(kRows, last - r));
        run.multiply(r, std::min(kRows, last - r), y, ld);
      }
      if constexpr (kAmx) amx::release();
    }
  });
  return true;
}

}  // namespace

bool panel_rows(const Linear& w, const Input& x, int64_t first, int64_t last, float* y, int64_t ld,
                const Gather* gathers, const GatherSums* sums) noexcept {
  return run_panels<false>(w, x, first, last, y, ld, gathers, sums);
}

bool panel_tiles(const Linear& w, const Input& x, int64_t first, int64_t last, float* y, int64_t ld,
                 const Gather* gathers, const GatherSums* sums) noexcept {
  if (gathers != nullptr) return panel_rows(w, x, first, last, y, ld, gathers, sums);
  return run_panels<true>(w, x, first, last, y, ld, nullptr, nullptr);
}

#else

bool panel_rows(const Linear&, const Input&, int64_t, int64_t, float*, int64_t, const Gather*,
                const GatherSums*) noexcept {
  return false;
}

#endif

}  // namespace model::FULGURITE_ISA
