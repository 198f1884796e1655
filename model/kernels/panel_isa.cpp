// Compiled once per instruction set (see model/kernels/dispatch.h): 16 rows of W against many
// positions. The rows are unpacked once, so that the lanes of a vector, or with AVX2 of two, are
// rows and four neighbouring values of each lie in its 32-bit lane; then a position's four values
// are spread over all lanes. Each lane of blocks (b mod 8) is summed on its own, in order.
#include <algorithm>
#include <bit>
#include <span>
#include <vector>

#include "model/kernels/panel.h"

namespace model::FULGURITE_ISA {

#if defined(__AVX2__)

namespace {

// The machine's vectors, a lane for each row, and what of a and b its instructions take from each
// quarter of them.
#if defined(__AVX512VNNI__)
using Floats = F32x16;
using Ints = I32x16;
using Bytes = __m512i;
FULGURITE_INLINE Bytes spread_four(const int8_t* q) noexcept {
  return _mm512_set1_epi32(load<int32_t>(q));
}
FULGURITE_INLINE Floats unpack_low(const Floats& a, const Floats& b) noexcept {
  return (Floats)_mm512_unpacklo_ps((__m512)a, (__m512)b);
}
FULGURITE_INLINE Floats unpack_high(const Floats& a, const Floats& b) noexcept {
  return (Floats)_mm512_unpackhi_ps((__m512)a, (__m512)b);
}
template <int kOrder>
FULGURITE_INLINE Floats shuffle(const Floats& a, const Floats& b) noexcept {
  return (Floats)_mm512_shuffle_ps((__m512)a, (__m512)b, kOrder);
}
#else
using Floats = F32x8;
using Ints = I32x8;
using Bytes = __m256i;
FULGURITE_INLINE Bytes spread_four(const int8_t* q) noexcept {
  return _mm256_set1_epi32(load<int32_t>(q));
}
FULGURITE_INLINE Floats unpack_low(const Floats& a, const Floats& b) noexcept {
  return (Floats)_mm256_unpacklo_ps((__m256)a, (__m256)b);
}
FULGURITE_INLINE Floats unpack_high(const Floats& a, const Floats& b) noexcept {
  return (Floats)_mm256_unpackhi_ps((__m256)a, (__m256)b);
}
template <int kOrder>
FULGURITE_INLINE Floats shuffle(const Floats& a, const Floats& b) noexcept {
  return (Floats)_mm256_shuffle_ps((__m256)a, (__m256)b, kOrder);
}
#endif
constexpr int kLanes = sizeof(Floats) / sizeof(float);
constexpr int64_t kRows = kPanelRows;
constexpr int kWide = kRows / kLanes;  // vectors for all rows

// Where a chosen column lies in a panel: its four columns' bytes, by how much they are shifted for
// its own to be the highest of its lane, and the scales of its half block.
struct Pick {
  int64_t four, scale;
  int shift, half;
};

// Memory of one thread; places as in Panel.
struct Memory {
  Panel panel;
  std::vector<Pick> picks;     // (positions, most of them)
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
    if constexpr (kOffset != 0) {
      memory.shifts.resize(static_cast<size_t>(x.n() * x.blocks() * kHalves));
      for (int64_t i = 0; i < x.n(); ++i) find_shifts(i);
    }
    if (gathers == nullptr) return;
    memory.terms.resize(static_cast<size_t>(kTile * x.blocks() * kRows));
    most_picks_ = list_picks(x, gathers, sums, memory.picks, [&](int32_t c) { return pick_of(c); });
  }

  // Rows first .. first + rows - 1, at most kRows; those up to `last` come next.
  void multiply(int64_t first, int64_t rows, int64_t last, float* y, int64_t ld) noexcept {
    unpacking_.unpack(first, rows);
    next_.set(w_.weight, first + rows, std::min(last, first + 2 * kRows),
              std::max<int64_t>(1, x_.n() / kWideTile) * 8);
    int64_t i = 0;
    for (; gathers_ == nullptr && i + kWideTile <= x_.n(); i += kWideTile) {
      tile<kWideTile, false>(i, first, rows, y, ld);
    }
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
  // Of positions whose terms are not kept, as many as the registers hold.
  static constexpr int kWideTile = kWide == 1 ? 8 : 4;
  static constexpr int kHalves = F::kHalves;
  static constexpr int kOffset = F::kDotOffset;

  int64_t place(int64_t g, int64_t lane) const noexcept {
    return place_of(g * kBlocksInGroup + lane, groups_);
  }

  // -offset * the sums of q, in the order of the panel.
  void find_shifts(int64_t i) noexcept {
    int32_t* to = memory_.shifts.data() + i * x_.blocks() * kHalves;
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

  // What a tile of positions reads and writes. In registers: what is stored might be a PanelRun for
  // all that the compiler knows.
  template <int kCount>
  struct Places {
    const std::byte* fours;
    const float* scales;
    const int8_t* q[kCount];
    const int32_t* sums[kCount];
    const float* d[kCount];
    const int32_t* shifts[kCount];
    float* terms[kCount];
    int64_t groups;
  };

  template <int kCount>
  FULGURITE_INLINE Places<kCount> places(int64_t i) noexcept {
    Places<kCount> all;
    all.fours = memory_.panel.fours.data();
    all.scales = memory_.panel.scales.data();
    all.groups = groups_;
    for (int64_t p = 0; p < kCount; ++p) {
      all.q[p] = x_.q(i + p);
      all.sums[p] = x_.sums(i + p);
      all.d[p] = x_.d(i + p);
      all.shifts[p] = memory_.shifts.data() + (i + p) * x_.blocks() * kHalves;
      all.terms[p] = memory_.terms.data() + p * x_.blocks() * kRows;
    }
    return all;
  }

  // kCount positions from i on.
  template <int kCount, bool kKeep>
  void tile(int64_t i, int64_t first, int64_t rows, float* y, int64_t ld) noexcept {
    Floats lanes[8][kWide][kCount];
    const Places<kCount> all = places<kCount>(i);
    for (int64_t lane = 0; lane < 8; ++lane) {
      Floats sums[kWide][kCount] = {};
      next_.fetch_some();
      for (int64_t g = 0; g < all.groups; ++g) add_block<kCount, kKeep>(all, g, lane, sums);
      std::memcpy(lanes[lane], sums, sizeof(sums));
    }
    for (int64_t p = 0; p < kCount; ++p) {
      alignas(64) float total[kRows];
      for (int v = 0; v < kWide; ++v) {
        const auto sum = [&](int k) { return lanes[k][v][p] + lanes[k + 4][v][p]; };
        store(total + v * kLanes, (sum(0) + sum(2)) + (sum(1) + sum(3)));
      }
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
    alignas(64) float of_rows[kRows] = {};
    for (int64_t r = 0; r < rows; ++r) {
      of_rows[r] = wish.u != nullptr
                       ? wish.u[first + r]
                       : (wish.row_gain != nullptr ? wish.row_gain[first + r] : 1.0F) * y[r];
    }
    for (int v = 0; v < kWide; ++v) {
      const auto u = load<Floats>(of_rows + v * kLanes);
      if (sums_[i].blocks != nullptr) {
        const float* terms = memory_.terms.data() + p * x_.blocks() * kRows + v * kLanes;
        add_blocks(terms, u, groups_, sums_[i].blocks);
      }
      if (sums_[i].chosen == nullptr) continue;
      const std::byte* fours = memory_.panel.fours.data() + 4 * v * kLanes;
      const float* scales = memory_.panel.scales.data() + v * kLanes;
      add_picks(fours, scales,
                {memory_.picks.data() + i * most_picks_, static_cast<size_t>(wish.n_chosen)}, u,
                sums_[i].chosen);
    }
  }

  static FULGURITE_INLINE void add_blocks(const float* terms, const Floats& u, int64_t groups,
                                          float* to) noexcept {
    for (int64_t g = 0; g < groups; ++g, to += kBlocksInGroup) {
      Floats products[8];
#pragma GCC unroll 8
      for (int b = 0; b < 8; ++b) products[b] = load<Floats>(terms + (b * groups + g) * kRows) * u;
      add_fours(products, to);
      add_fours(products + 4, to + 4);
    }
  }

  static FULGURITE_INLINE void add_picks(const std::byte* fours, const float* scales,
                                         std::span<const Pick> picks, const Floats& u,
                                         float* to) noexcept {
    const auto product = [&](const Pick& pick)
                             FULGURITE_LAMBDA { return column(pick, fours, scales) * u; };
    size_t n = 0;
    for (; n + 4 <= picks.size(); n += 4) {
      Floats products[4];
#pragma GCC unroll 4
      for (size_t k = 0; k < 4; ++k) products[k] = product(picks[n + k]);
      add_fours(products, to + n);
    }
    for (; n < picks.size(); ++n) {
      const Floats sums = fours_of(product(picks[n]));
      for (int k = 0; k < kLanes; k += 4) to[n] += sums[k];
    }
  }

  // Lanes 4 k: (0 + 2) + (1 + 3) of the four lanes from there on.
  static FULGURITE_INLINE Floats fours_of(const Floats& v) noexcept {
    const Floats pairs = v + shuffle<0x4E>(v, v);
    return pairs + shuffle<0xB1>(pairs, pairs);
  }

  // The same of four products: to[b] += those of products[b], one after the other.
  static FULGURITE_INLINE void add_fours(const Floats* products, float* to) noexcept {
    const auto pairs = [](const Floats& a, const Floats& b) FULGURITE_LAMBDA {  // in turn
      return unpack_low(a, b) + unpack_high(a, b);
    };
    const Floats low = pairs(products[0], products[1]);
    const Floats high = pairs(products[2], products[3]);
    const Floats fours = shuffle<0x44>(low, high) + shuffle<0xEE>(low, high);
    F32x4 quarters[kLanes / 4];
    std::memcpy(quarters, &fours, sizeof(fours));
    auto sum = load<F32x4>(to);
    for (const F32x4& quarter : quarters) sum += quarter;
    store(to, sum);
  }

  Pick pick_of(int64_t c) const noexcept {
    const int64_t at = place(c / kGroupWidth, c % kGroupWidth / kBlockWidth);
    return {(at * kBlockWidth + c % kBlockWidth / 4 * 4) * kRows, at * kRows * kVectors<F>,
            static_cast<int>(24 - c % 4 * 8), static_cast<int>(c % kBlockWidth / 16)};
  }

  // A column of the rows of a vector, by the formula of F::one.
  static FULGURITE_INLINE Floats column(const Pick& pick, const std::byte* fours,
                                        const float* scales) noexcept {
    const auto vector = [&](int k) FULGURITE_LAMBDA {
      return load<Floats>(scales + pick.scale + k * kRows);
    };
    const Ints bytes = load<Ints>(fours + pick.four) << pick.shift;
    const Ints q = F::kSigned && !kUnsignedDot ? bytes >> 24 : (bytes >> 24 & 255) - kOffset;
    Floats w = vector(0);
    if constexpr (F::kScale > 0) w *= vector(F::kScale == 2 ? 1 + pick.half : 1);
    w *= to_float(q);
    if constexpr (F::kMin == 1) w -= vector(1 + F::kScale);
    if constexpr (F::kMin > 1) {
      w -= vector(1 + F::kScale) * vector(2 + F::kScale + (F::kMin == 3 ? pick.half : 0));
    }
    return w;
  }

  template <int kCount, bool kKeep>
  static FULGURITE_INLINE void add_block(const Places<kCount>& all, int64_t g, int64_t lane,
                                         Floats (&sums)[kWide][kCount]) noexcept {
    const int64_t at = lane * all.groups + g;
    const int64_t b = g * kBlocksInGroup + lane;
    Ints dots[kHalves][kWide][kCount];
#pragma GCC unroll 2
    for (int h = 0; h < kHalves; ++h) {
      constexpr int kFours = 8 / kHalves;
      const int8_t* q[kCount];
#pragma GCC unroll 8
      for (int p = 0; p < kCount; ++p) {
        q[p] = all.q[p] + b * kBlockWidth + 4 * kFours * h;
        Ints shift = {};
        if constexpr (kOffset != 0) shift += all.shifts[p][at * kHalves + h];
        for (int v = 0; v < kWide; ++v) dots[h][v][p] = shift;
      }
      const std::byte* w = all.fours + at * kRows * kBlockWidth;
      add_products<kFours>(w + 4 * kFours * kRows * h, q, dots[h]);
    }
    const float* scales = all.scales + at * kRows * kVectors<F>;
#pragma GCC unroll 8
    for (int p = 0; p < kCount; ++p) {
#pragma GCC unroll 2
      for (int v = 0; v < kWide; ++v) {
        const Floats t = term(scales + v * kLanes, all.d[p][b], all.sums[p] + g * 16 + lane,
                              dots[0][v][p], dots[kHalves - 1][v][p]);
        sums[v][p] += t;
        if constexpr (kKeep) store(all.terms[p] + at * kRows + v * kLanes, t);
      }
    }
  }

  // dots[v][p] += the products of kFours times four columns, from w and q[p] on.
  template <int kFours, int kCount>
  static FULGURITE_INLINE void add_products(const std::byte* w, const int8_t* const (&q)[kCount],
                                            Ints (&dots)[kWide][kCount]) noexcept {
    const auto weights = [w](int k, int v) FULGURITE_LAMBDA {
      return load<Bytes>(w + 4 * (k * kRows + v * kLanes));
    };
#if FULGURITE_VNNI
#pragma GCC unroll 8
    for (int k = 0; k < kFours; ++k) {
#pragma GCC unroll 8
      for (int p = 0; p < kCount; ++p) {
        const Bytes four = spread_four(q[p] + 4 * k);
#pragma GCC unroll 2
        for (int v = 0; v < kWide; ++v) {
          dots[v][p] = (Ints)add_byte_products((Bytes)dots[v][p], weights(k, v), four);
        }
      }
    }
#else
    // So many sums of two products fit 16 bits, |q| being 127 at most.
    constexpr unsigned kMost = F::kSigned ? 128 : 2 * F::kCentre - 1;
    constexpr int kTogether = std::min<int>(kFours, std::bit_floor(32767 / (2 * 127 * kMost)));
#pragma GCC unroll 8
    for (int begin = 0; begin < kFours; begin += kTogether) {
      __m256i pairs[kWide][kCount] = {};
#pragma GCC unroll 1
      for (int k = begin; k < begin + kTogether; ++k) {
#pragma GCC unroll 8
        for (int p = 0; p < kCount; ++p) {
          const Bytes four = spread_four(q[p] + 4 * k);
#pragma GCC unroll 2
          for (int v = 0; v < kWide; ++v) {
            const __m256i two = pairs_of_bytes<F::kSigned>(weights(k, v), four);
            pairs[v][p] = _mm256_add_epi16(pairs[v][p], two);
          }
        }
      }
#pragma GCC unroll 8
      for (int p = 0; p < kCount; ++p) {
#pragma GCC unroll 2
        for (int v = 0; v < kWide; ++v) {
          dots[v][p] += (Ints)_mm256_madd_epi16(pairs[v][p], _mm256_set1_epi16(1));
        }
      }
    }
#endif
  }

  // What a block of the rows of a vector adds to a position whose d and sums of q these are.
  static FULGURITE_INLINE Floats term(const float* scales, float dx, const int32_t* q,
                                      const Ints& first, const Ints& second) noexcept {
    const auto vector = [&](int k) FULGURITE_LAMBDA { return load<Floats>(scales + k * kRows); };
    Floats a = to_float(first);
    if constexpr (F::kScale > 0) a *= vector(1);
    if constexpr (F::kScale == 2) a += to_float(second) * vector(2);
    Floats t = (vector(0) * dx) * a;
    if constexpr (F::kMin > 0) {
      constexpr int kAt = 1 + F::kScale;
      const auto low = static_cast<float>(q[0]);
      const auto high = static_cast<float>(q[8]);
      const Floats m = vector(kAt) * dx;
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
  int64_t most_picks_ = 0;  // of a position
  NextRows next_;           // into the second cache
};

}  // namespace

bool panel_rows(const Linear& w, const Input& x, int64_t first, int64_t last, float* y, int64_t ld,
                const Gather* gathers, const GatherSums* sums) {
  if (!rounds_input(w.weight.dtype)) return false;
  thread_local Memory memory;
  with_format(w.weight.dtype, [&](auto format) {
    using F = decltype(format);
    if constexpr (F::kBlocks) {
      PanelRun<F> run(w, x, gathers, sums, memory);
      for (int64_t r = first; r < last; r += kRows) {
        run.multiply(r, std::min(kRows, last - r), last, y, ld);
      }
    }
  });
  return true;
}

#else

bool panel_rows(const Linear&, const Input&, int64_t, int64_t, float*, int64_t, const Gather*,
                const GatherSums*) {
  return false;
}

#endif

}  // namespace model::FULGURITE_ISA
