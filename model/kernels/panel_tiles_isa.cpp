// Compiled once per instruction set (see model/kernels/dispatch.h): 16 rows of W against tiles of
// 16 positions, with AMX. The 16 lanes of a vector are 16 positions: what belongs to one row is
// spread over all of them, and sums over rows need no sums of lanes.
//
// y comes in the order of matmul.h. Gathers are added up in another order than for one position:
//   S_b = sum over the rows r of t_b,r u_r, for which the products of the block are made again,
//         since to keep them would take more than the first cache holds.
#include <algorithm>
#include <utility>
#include <vector>

#include "model/kernels/amx.h"
#include "model/kernels/panel.h"

namespace model::FULGURITE_ISA {

#if defined(__AVX512VNNI__)

namespace {

// Where a chosen column lies: in Panel::fours its four columns' bytes, and by how much they are
// shifted for its own to be the highest of its lane; in TileMemory::factors those of its half
// block.
struct Pick {
  int32_t four, shift;
  int32_t factor, least;
};

// Memory of one thread.
struct TileMemory {
  Panel panel;
  PanelLines<float> factors;     // (blocks, kHalves + kMins, 16 rows)
  PanelLines<float> block_sums;  // (tiles, blocks, 16 positions)
  std::vector<Pick> picks;       // (positions, most of them)
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
        groups_(groups_of(x.cols())),
        lanes_(std::clamp<int64_t>(kBatch / groups_, 1, 8)) {
    if (gathers == nullptr) return;
    memory.factors.resize(static_cast<size_t>(x.blocks() * kFactors * kRows));
    memory.block_sums.assign(static_cast<size_t>(x.tiles() * x.blocks() * kTilePositions), 0.0F);
    most_picks_ = list_picks(x, gathers, sums, memory.picks, [&](int32_t c) { return pick_of(c); });
  }

  void use_tiles() const noexcept {
    amx::Shapes shapes;
    for (const int sums : {0, 1, 2, 3}) shapes.set(sums, kRows, 4 * kTilePositions);
    for (const int weights : {4, 5}) shapes.set(weights, kRows, kWidth);
    for (const int inputs : {6, 7}) shapes.set(inputs, kWidth / 4, 4 * kTilePositions);
    shapes.use();
  }

  // Rows first .. first + rows - 1, at most 16; those up to `last` come next.
  void multiply(int64_t first, int64_t rows, int64_t last, float* y, int64_t ld) noexcept {
    unpacking_.unpack(first, rows);
    if (gathers_ != nullptr) make_factors();
    next_.set(w_.weight, first + rows, std::min(last, first + 2 * kRows),
              (8 + lanes_ - 1) / lanes_ * x_.tiles());
    for (int64_t t = 0; t < x_.tiles(); t += kTogether) tiles(t, first, rows, y, ld);
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
  static constexpr int64_t kTogether = 8;

  static FULGURITE_INLINE F32x16 floats(const int32_t* dots) noexcept {
    return (F32x16)_mm512_cvtepi32_ps(load<__m512i>(dots));
  }
  static FULGURITE_INLINE __mmask16 first_lanes(int64_t n) noexcept {
    return static_cast<__mmask16>((1U << n) - 1U);
  }
  static FULGURITE_INLINE F32x16 load_rows(const float* from, __mmask16 rows) noexcept {
    return (F32x16)_mm512_maskz_loadu_ps(rows, from);
  }

  // Tiles t .. t + kTogether - 1, as far as there are: some blocks of W with all of them, most
  // often few enough for the first cache.
  void tiles(int64_t t, int64_t first, int64_t rows, float* y, int64_t ld) noexcept {
    const int64_t end = std::min(t + kTogether, x_.tiles());
    for (int64_t lane = 0; lane < 8; lane += lanes_) {
      for (int64_t i = t; i < end; ++i) {
        next_.fetch_some();
        add_lanes(i, lane, std::min(lanes_, 8 - lane), sums_of_lanes_[i - t]);
      }
    }
    F32x16 u[kTogether][kRows];
    for (int64_t i = t; i < end; ++i)
      finish_rows(i, first, rows, sums_of_lanes_[i - t], y, ld, u[i - t]);
    if (gathers_ == nullptr) return;
    for (int64_t at = 0; at < x_.blocks(); at += kBatch) {
      const int64_t n = std::min(kBatch, x_.blocks() - at);
      for (int64_t i = t; i < end; ++i) add_block_sums(i, at, n, u[i - t]);
    }
  }

  using Lanes = F32x16[8][kRows];

  void add_lanes(int64_t t, int64_t lane, int64_t count, Lanes& to) noexcept {
    F32x16 sums[kRows] = {};
    int64_t left = groups_;
    each_block(t, lane * groups_, count * groups_,
               [&](int64_t at, const Dots& dots) FULGURITE_LAMBDA {
                 add_terms(t, at, dots, sums);
                 if (--left > 0) return;
                 for (int64_t r = 0; r < kRows; ++r) to[lane][r] = std::exchange(sums[r], F32x16{});
                 left = groups_;
                 ++lane;
               });
  }

  // y of the rows; and u: of each row, the positions, if there are gathers, and what is gathered of
  // the chosen columns.
  void finish_rows(int64_t t, int64_t first, int64_t rows, const Lanes& lanes, float* y, int64_t ld,
                   F32x16 (&u)[kRows]) noexcept {
    for (int64_t r = 0; r < kRows; ++r) {
      const auto sum = [&](int k) { return lanes[k][r] + lanes[k + 4][r]; };
      u[r] = (sum(0) + sum(2)) + (sum(1) + sum(3));
    }
    transpose(u);  // now of each position, lane by lane the rows
    const __mmask16 all = first_lanes(rows);
    const auto* bias = reinterpret_cast<const float*>(w_.bias.data);
    const float* gain = gathers_ != nullptr ? gathers_->row_gain : nullptr;
    const F32x16 gains = gain != nullptr ? load_rows(gain + first, all) : F32x16{} + 1.0F;
    for (int64_t p = 0; p < kTilePositions; ++p) {
      if (bias != nullptr) u[p] += load_rows(bias + first, all);
      const int64_t i = t * kTilePositions + p;
      if (i < x_.n()) _mm512_mask_storeu_ps(y + i * ld + first, all, (__m512)u[p]);
      u[p] = (F32x16)_mm512_maskz_mul_ps(all, (__m512)u[p], (__m512)gains);
      if (gathers_ == nullptr || i >= x_.n()) continue;
      if (gathers_[i].u != nullptr) u[p] = load_rows(gathers_[i].u + first, all);
      if (sums_[i].chosen == nullptr) continue;
      add_picks(memory_.picks.data() + i * most_picks_, gathers_[i].n_chosen, u[p],
                sums_[i].chosen);
    }
    if (gathers_ != nullptr) transpose(u);
  }

  // The products of a block, of each half that has a scale of its own.
  using Dots = int32_t[kHalves][kRows * kTilePositions];
  // So many are made before any is used, all in half of the first cache: with tiles stored between
  // them vectors take half as long again (Emerald Rapids).
  static constexpr int64_t kBatch = 16 / kHalves;

  // Calls use(block, its products) for n blocks from `at` on.
  template <class Use>
  FULGURITE_INLINE void each_block(int64_t t, int64_t at, int64_t n, const Use& use) noexcept {
    for (const int64_t end = at + n; at < end; at += kBatch) {
      const int64_t count = std::min(kBatch, end - at);
      for (int64_t k = 0; k < count; k += 2) {
        issue<0>(t, at + k, dots_[k]);
        if (k + 1 < count) issue<1>(t, at + k + 1, dots_[k + 1]);
      }
      for (int64_t k = 0; k < count; ++k) use(at + k, dots_[k]);
    }
  }

  // Neighbours use other registers.
  template <int kTurn>
  FULGURITE_INLINE void issue(int64_t t, int64_t at, Dots& to) noexcept {
    const std::byte* w = memory_.panel.rows.data() + at * kRows * kBlockWidth;
    const int8_t* q = x_.tile_q(t) + at * kTilePositions * kBlockWidth;
    multiply_tiles<kTurn, 4 + kTurn, 6 + kTurn>(w, q, to[0]);
    if constexpr (kHalves == 2) {
      multiply_tiles<2 + kTurn, 4 + kTurn, 6 + kTurn>(w + kWidth, q + kWidth * kTilePositions,
                                                      to[1]);
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

  void add_block_sums(int64_t t, int64_t at, int64_t n, const F32x16 (&u)[kRows]) noexcept {
    float* sums = memory_.block_sums.data() + t * x_.blocks() * kTilePositions;
    each_block(t, at, n, [&](int64_t block, const Dots& dots) FULGURITE_LAMBDA {
      float* to = sums + block * kTilePositions;
      store(to, load<F32x16>(to) + block_sum(t, block, dots, u));
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

  Pick pick_of(int64_t c) const noexcept {
    const int64_t at = place_of(c / kBlockWidth, groups_);
    const int64_t half = c % kBlockWidth / 16;
    return {
        .four = static_cast<int32_t>((at * kBlockWidth + c % kBlockWidth / 4 * 4) * kRows),
        .shift = static_cast<int32_t>(24 - c % 4 * 8),
        .factor = static_cast<int32_t>((at * kFactors + (kHalves == 2 ? half : 0)) * kRows),
        .least = static_cast<int32_t>((at * kFactors + kHalves + (kMins == 2 ? half : 0)) * kRows)};
  }

  // u: of one position, the rows.
  void add_picks(const Pick* picks, int64_t n, const F32x16& u, float* to) const noexcept {
    for (; n > 0; n -= 16, picks += 16, to += 16) {
      F32x16 products[16] = {};
      for (int64_t k = 0; k < std::min<int64_t>(16, n); ++k) products[k] = column(picks[k]) * u;
      store(to, load<F32x16>(to) + sums_of(products));
    }
  }

  // Of the sixteen rows.
  FULGURITE_INLINE F32x16 column(const Pick& c) const noexcept {
    const float* factors = memory_.factors.data();
    const auto four = load<I32x16>(memory_.panel.fours.data() + c.four);
    const F32x16 w = (F32x16)_mm512_cvtepi32_ps((__m512i)(four << c.shift >> 24)) *
                     load<F32x16>(factors + c.factor);
    if constexpr (kMins == 0) return w;
    return w - load<F32x16>(factors + c.least);
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
  int64_t lanes_;  // that are added up one after the other
  int64_t most_picks_ = 0;
  NextRows next_;  // into the second cache
  alignas(64) Dots dots_[kBatch];
  Lanes sums_of_lanes_[kTogether];
};

}  // namespace

bool panel_tiles(const Linear& w, const Input& x, int64_t first, int64_t last, float* y, int64_t ld,
                 const Gather* gathers, const GatherSums* sums) {
  if (x.tiles() == 0 || !rounds_input(w.weight.dtype)) {
    return panel_rows(w, x, first, last, y, ld, gathers, sums);
  }
  thread_local TileMemory memory;
  with_format(w.weight.dtype, [&](auto format) {
    using F = decltype(format);
    if constexpr (F::kBlocks) {
      TileRun<F> run(w, x, gathers, sums, memory);
      run.use_tiles();
      for (int64_t r = first; r < last; r += kPanelRows) {
        run.multiply(r, std::min(kPanelRows, last - r), last, y, ld);
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
