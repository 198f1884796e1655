// Compiled once per instruction set (see model/kernels/dispatch.h): 16 rows of W against tiles of
// 16 positions, with AMX. The 16 lanes of a vector are 16 positions: what belongs to one row is
// spread over all of them, and sums over rows need no sums of lanes.
//
// y comes in the order of matmul.h. Gathers are added up in another order than for one position:
//   S_b = sum over the rows r of t_b,r u_r, for which the products of the block are made again,
//         since to keep them would take more than the first cache holds.
#include <algorithm>

#include "model/kernels/amx.h"
#include "model/kernels/panel.h"

namespace model::FULGURITE_ISA {

#if defined(__AVX512VNNI__)

namespace {

// Memory of one thread.
struct TileMemory {
  Panel panel;
  PanelLines<float> factors;     // (blocks, kHalves + kMins, 16 rows)
  PanelLines<float> block_sums;  // (tiles, blocks, 16 positions)
};

template <class F>
class TileRun {
 public:
  TileRun(const Linear& w, const Input& x, const Gather* gathers, const GatherSums* sums,
          TileMemory& memory)
      : w_(w),
        x_(x),
        gathers_(gathers),
        sums_(sums),
        memory_(memory),
        unpacking_(w.weight, memory.panel, gathers != nullptr, true),
        groups_(groups_of(x.cols())) {
    if (gathers == nullptr) return;
    memory.factors.resize(static_cast<size_t>(x.blocks() * kFactors * kRows));
    memory.block_sums.assign(static_cast<size_t>(x.tiles() * x.blocks() * kTilePositions), 0.0F);
  }

  void use_tiles() const noexcept {
    amx::Shapes shapes;
    for (const int sums : {0, 1}) shapes.set(sums, kRows, 4 * kTilePositions);
    for (const int weights : {2, 4}) shapes.set(weights, kRows, kWidth);
    for (const int inputs : {3, 5}) shapes.set(inputs, kWidth / 4, 4 * kTilePositions);
    shapes.use();
  }

  // Rows first .. first + rows - 1, at most 16.
  void multiply(int64_t first, int64_t rows, float* y, int64_t ld) noexcept {
    unpacking_.unpack(first, rows);
    if (gathers_ != nullptr) make_factors();
    for (int64_t t = 0; t < x_.tiles(); ++t) tile(t, first, rows, y, ld);
  }

  // Hands out the sums of blocks.
  void finish() noexcept {
    for (int64_t i = 0; gathers_ != nullptr && i < x_.n(); i += kTilePositions) {
      for (int64_t g = 0; g < groups_; g += 2) add_blocks(i, g);
    }
  }

 private:
  static constexpr int64_t kRows = kPanelRows;
  static constexpr int kHalves = F::kHalves;
  static constexpr int kMins = F::kMins;
  static constexpr int kFactors = kHalves + kMins;
  static constexpr int64_t kWidth = kBlockWidth / kHalves;  // of the values that have one scale

  static FULGURITE_INLINE F32x16 floats(const int32_t* dots) noexcept {
    return (F32x16)_mm512_cvtepi32_ps(load<__m512i>(dots));
  }
  static FULGURITE_INLINE __mmask16 first_lanes(int64_t n) noexcept {
    return static_cast<__mmask16>((1U << n) - 1U);
  }
  static FULGURITE_INLINE F32x16 load_rows(const float* from, __mmask16 rows) noexcept {
    return (F32x16)_mm512_maskz_loadu_ps(rows, from);
  }

  void tile(int64_t t, int64_t first, int64_t rows, float* y, int64_t ld) noexcept {
    F32x16 lanes[8][kRows];
    for (int64_t lane = 0; lane < 8; ++lane) {
      F32x16 sums[kRows] = {};
      each_block(t, lane * groups_, groups_, [&](int64_t at, const Dots& dots) FULGURITE_LAMBDA {
        add_terms(t, at, dots, sums);
      });
      std::copy_n(sums, kRows, lanes[lane]);
    }
    F32x16 total[kRows];
    for (int64_t r = 0; r < kRows; ++r) {
      const auto sum = [&](int k) { return lanes[k][r] + lanes[k + 4][r]; };
      total[r] = (sum(0) + sum(2)) + (sum(1) + sum(3));
    }
    transpose(total);  // now of each position, lane by lane the rows
    const __mmask16 all = first_lanes(rows);
    const auto* bias = reinterpret_cast<const float*>(w_.bias.data);
    for (int64_t p = 0; p < kTilePositions; ++p) {
      if (bias != nullptr) total[p] += load_rows(bias + first, all);
      const int64_t i = t * kTilePositions + p;
      if (i < x_.n()) _mm512_mask_storeu_ps(y + i * ld + first, all, (__m512)total[p]);
    }
    if (gathers_ != nullptr) gather(t, first, all, total);
  }

  // The products of a block, of each half that has a scale of its own; they take a while.
  using Dots = int32_t[kHalves][kRows * kTilePositions];

  // Calls use(block, its products) for n blocks from `at` on, while those of the next are made.
  template <class Use>
  FULGURITE_INLINE void each_block(int64_t t, int64_t at, int64_t n, const Use& use) noexcept {
    issue(t, at, dots_[0]);
    for (int64_t k = 0; k < n; ++k) {
      if (k + 1 < n) issue(t, at + k + 1, dots_[(k + 1) % 2]);
      use(at + k, dots_[k % 2]);
    }
  }

  FULGURITE_INLINE void issue(int64_t t, int64_t at, Dots& to) noexcept {
    const std::byte* w = memory_.panel.rows.data() + at * kRows * kBlockWidth;
    const int8_t* q = x_.tile_q(t) + at * kTilePositions * kBlockWidth;
    multiply_tiles<0, 2, 3>(w, q, to[0]);
    if constexpr (kHalves == 2) {
      multiply_tiles<1, 4, 5>(w + kWidth, q + kWidth * kTilePositions, to[1]);
    }
  }

  template <int kSums, int kWeights, int kInput>
  static FULGURITE_INLINE void multiply_tiles(const std::byte* w, const int8_t* q,
                                              int32_t* to) noexcept {
    amx::zero<kSums>();
    amx::load_rows<kWeights>(w, kBlockWidth);
    amx::load_rows<kInput>(q, 4 * kTilePositions);
    amx::add_product<kSums, kWeights, kInput>();
    amx::store_rows<kSums>(to, 4 * kTilePositions);
  }

  // What a block adds to every row's y.
  FULGURITE_INLINE void add_terms(int64_t t, int64_t at, const Dots& dots,
                                  F32x16 (&sums)[kRows]) const noexcept {
    const float* scales = memory_.panel.scales.data() + at * kRows * kVectors<F>;
    const auto dx = load<F32x16>(x_.tile_d(t) + at * kTilePositions);
    const float* q = x_.tile_sums(t) + at * 2 * kTilePositions;
    const auto low = load<F32x16>(q);
    const auto high = load<F32x16>(q + kTilePositions);
#pragma GCC unroll 16
    for (int64_t r = 0; r < kRows; ++r) {
      const auto of_row = [&](int k) FULGURITE_LAMBDA { return scales[k * kRows + r]; };
      F32x16 a = floats(dots[0] + r * kTilePositions);
      if constexpr (F::kScale > 0) a *= of_row(1);
      if constexpr (F::kScale == 2) a += floats(dots[1] + r * kTilePositions) * of_row(2);
      F32x16 term = (dx * of_row(0)) * a;
      if constexpr (F::kMin > 0) {
        constexpr int kAt = 1 + F::kScale;
        const F32x16 m = dx * of_row(kAt);
        if constexpr (F::kMin == 1) term -= m * (low + high);
        if constexpr (F::kMin == 2) term -= m * ((low + high) * of_row(kAt + 1));
        if constexpr (F::kMin == 3) term -= m * (low * of_row(kAt + 1) + high * of_row(kAt + 2));
      }
      sums[r] += term;
    }
  }

  // Of each block w = k q - l: k of each half, then l.
  void make_factors() noexcept {
    for (int64_t at = 0; at < x_.blocks(); ++at) {
      const float* scales = memory_.panel.scales.data() + at * kRows * kVectors<F>;
      float* to = memory_.factors.data() + at * kRows * kFactors;
      const auto vector = [&](int k) { return load<F32x16>(scales + k * kRows); };
      for (int h = 0; h < kHalves; ++h, to += kRows) {
        store(to, F::kScale > 0 ? vector(0) * vector(F::kScale > 0 ? 1 + h : 0) : vector(0));
      }
      for (int m = 0; m < kMins; ++m, to += kRows) {
        constexpr int kAt = 1 + F::kScale;
        store(to, F::kMin > 1 ? vector(kAt) * vector(F::kMin > 1 ? kAt + 1 + m : 0) : vector(kAt));
      }
    }
  }

  // y: of each position, the rows.
  void gather(int64_t t, int64_t first, __mmask16 rows, F32x16 (&y)[kRows]) noexcept {
    const float* gain = gathers_->row_gain;
    const F32x16 gains = gain != nullptr ? load_rows(gain + first, rows) : F32x16{} + 1.0F;
    for (int64_t p = 0; p < kTilePositions; ++p) {
      y[p] = (F32x16)_mm512_maskz_mul_ps(rows, (__m512)y[p], (__m512)gains);
      const int64_t i = t * kTilePositions + p;
      if (i < x_.n() && sums_[i].chosen != nullptr) add_chosen(gathers_[i], y[p], sums_[i].chosen);
    }
    transpose(y);  // of each row, the positions
    float* sums = memory_.block_sums.data() + t * x_.blocks() * kTilePositions;
    each_block(t, 0, x_.blocks(), [&](int64_t at, const Dots& dots) FULGURITE_LAMBDA {
      const F32x16 sum = block_sum(t, at, dots, y);
      float* to = sums + at * kTilePositions;
      store(to, load<F32x16>(to) + sum);
    });
  }

  FULGURITE_INLINE F32x16 block_sum(int64_t t, int64_t at, const Dots& dots,
                                    const F32x16 (&u)[kRows]) const noexcept {
    const float* factors = memory_.factors.data() + at * kRows * kFactors;
    F32x16 sums[4] = {};
    F32x16 lower[2] = {};
#pragma GCC unroll 16
    for (int64_t r = 0; r < kRows; ++r) {
      const auto of_row = [&](int k) FULGURITE_LAMBDA { return factors[k * kRows + r]; };
      F32x16 a = floats(dots[0] + r * kTilePositions) * of_row(0);
      if constexpr (kHalves == 2) a += floats(dots[1] + r * kTilePositions) * of_row(1);
      sums[r % 4] += a * u[r];
      for (int m = 0; m < kMins; ++m) lower[m] += u[r] * of_row(kHalves + m);
    }
    F32x16 sum = (sums[0] + sums[2]) + (sums[1] + sums[3]);
    if constexpr (kMins > 0) {
      const float* q = x_.tile_sums(t) + at * 2 * kTilePositions;
      const auto low = load<F32x16>(q);
      const auto high = load<F32x16>(q + kTilePositions);
      sum -= kMins == 2 ? low * lower[0] + high * lower[1] : (low + high) * lower[0];
    }
    return sum * load<F32x16>(x_.tile_d(t) + at * kTilePositions);
  }

  // u: of one position, the rows.
  void add_chosen(const Gather& wish, const F32x16& u, float* to) const noexcept {
    for (int64_t n = 0; n < wish.n_chosen; n += 16) {
      F32x16 products[16] = {};
      const int64_t count = std::min<int64_t>(16, wish.n_chosen - n);
      for (int64_t k = 0; k < count; ++k) products[k] = column(wish.chosen[n + k]) * u;
      store(to + n, load<F32x16>(to + n) + sums_of(products));
    }
  }

  // Column c of the sixteen rows.
  FULGURITE_INLINE F32x16 column(int64_t c) const noexcept {
    const int64_t at = place_of(c / kBlockWidth, groups_);
    const std::byte* four =
        memory_.panel.fours.data() + (at * kBlockWidth + c % kBlockWidth / 4 * 4) * kRows;
    const float* factors = memory_.factors.data() + at * kRows * kFactors;
    const auto factor = [&](int64_t k) { return load<F32x16>(factors + k * kRows); };
    const int64_t half = c % kBlockWidth / 16;
    const I32x16 q = load<I32x16>(four) << static_cast<int>(24 - c % 4 * 8) >> 24;
    const F32x16 w = (F32x16)_mm512_cvtepi32_ps((__m512i)q) * factor(kHalves == 2 ? half : 0);
    if constexpr (kMins == 0) return w;
    return w - factor(kHalves + (kMins == 2 ? half : 0));
  }

  // Adds two groups of blocks of sixteen positions from i on.
  void add_blocks(int64_t i, int64_t g) noexcept {
    const float* from =
        memory_.block_sums.data() + i / kTilePositions * x_.blocks() * kTilePositions;
    const int64_t blocks = std::min(2 * kBlocksInGroup, x_.blocks() - g * kBlocksInGroup);
    F32x16 sums[16] = {};
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t at = place_of(g * kBlocksInGroup + b, groups_);
      sums[b] = load<F32x16>(from + at * kTilePositions);
    }
    transpose(sums);
    const __mmask16 some = first_lanes(blocks);
    for (int64_t p = 0; p < std::min(kTilePositions, x_.n() - i); ++p) {
      float* to = sums_[i + p].blocks;
      if (to == nullptr) continue;
      to += g * kBlocksInGroup;
      _mm512_mask_storeu_ps(to, some, (__m512)(load_rows(to, some) + sums[p]));
    }
  }

  const Linear& w_;
  const Input& x_;
  const Gather* gathers_;
  const GatherSums* sums_;
  TileMemory& memory_;
  Unpacking<F, PanelBytes::kSigned> unpacking_;
  int64_t groups_;
  alignas(64) Dots dots_[2];
};

}  // namespace

bool panel_tiles(const Linear& w, const Input& x, int64_t first, int64_t last, float* y, int64_t ld,
                 const Gather* gathers, const GatherSums* sums) noexcept {
  // Tiles know only the u of their own y.
  if (x.tiles() == 0 || !rounds_input(w.weight.dtype) ||
      (gathers != nullptr && gathers->u != nullptr)) {
    return panel_rows(w, x, first, last, y, ld, gathers, sums);
  }
  thread_local TileMemory memory;
  with_format(w.weight.dtype, [&](auto format) {
    using F = decltype(format);
    if constexpr (F::kBlocks) {
      TileRun<F> run(w, x, gathers, sums, memory);
      run.use_tiles();
      for (int64_t r = first; r < last; r += kPanelRows) {
        run.multiply(r, std::min(kPanelRows, last - r), y, ld);
      }
      amx::release();
      run.finish();
    }
  });
  return true;
}

// Positions 16 t .. of x, whose places beyond the last are zeros.
void tile_input(const Input& x, int64_t t, int8_t* q, float* d, float* sums) noexcept {
  const int64_t groups = x.blocks() / kBlocksInGroup;
  const int64_t count = std::min(kTilePositions, x.n() - t * kTilePositions);
  for (int64_t b = 0; b < x.blocks(); b += 2) {
    F32x16 v[16] = {};
    for (int64_t p = 0; p < count; ++p) {
      v[p] = load<F32x16>(x.q(t * kTilePositions + p) + b * kBlockWidth);
    }
    transpose(v);
    for (int64_t k = 0; k < 16; ++k) {
      store(q + (place_of(b + k / 8, groups) * 8 + k % 8) * 4 * kTilePositions, v[k]);
    }
    for (int64_t block = b; block < b + 2; ++block) {
      const int64_t at = place_of(block, groups) * kTilePositions;
      for (int64_t p = 0; p < kTilePositions; ++p) {
        const int64_t i = t * kTilePositions + p;
        d[at + p] = p < count ? x.d(i)[block] : 0.0F;
        for (int h = 0; h < 2; ++h) {
          const int32_t* of = p < count ? x.sums(i) + block / 8 * 16 + block % 8 : nullptr;
          sums[2 * at + h * kTilePositions + p] =
              of != nullptr ? static_cast<float>(of[8 * h]) : 0.0F;
        }
      }
    }
  }
}

#endif

}  // namespace model::FULGURITE_ISA
