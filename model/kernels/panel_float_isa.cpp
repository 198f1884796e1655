// Compiled once per instruction set (see model/kernels/dispatch.h): 16 rows of F32, F16 or BF16
// against many positions. The rows are widened and turned once, so that the 16 lanes of a vector
// are 16 rows; the 32 products of a block are added lane by lane, as the tree of matmul.h. For
// gathers the blocks' terms of some positions are kept until their y are known.
#include <algorithm>

#include "model/kernels/lines.h"
#include "model/kernels/matmul_rows.h"
#include "model/kernels/row_terms.h"

namespace model::FULGURITE_ISA {
namespace {

constexpr int64_t kRows = 16;
constexpr int kTile = 8;  // positions for which a block of the panel stays in the first cache

// Memory of one thread.
struct OfFloats {};
struct Panel {
  Lines<float, OfFloats> w;      // (blocks, 32, 16)
  Lines<float, OfFloats> terms;  // (kTile, blocks, 16)
};

// The sum of the products kAt, kAt + kStep, kAt + 2 kStep ... of a block.
template <int kStep, int kAt>
FULGURITE_INLINE F32x16 tree(const float* w, const float* x) noexcept {
  if constexpr (kStep == kBlockWidth) {
    return load<F32x16>(w + kAt * kRows) * x[kAt];
  } else {
    return tree<2 * kStep, kAt>(w, x) + tree<2 * kStep, kAt + kStep>(w, x);
  }
}

class Run {
 public:
  Run(const Linear& w, const Input& x, const Gather* gathers, const GatherSums* sums, Panel& panel)
      : w_(w),
        x_(x),
        gathers_(gathers),
        sums_(sums),
        panel_(panel),
        blocks_((x.cols() + kBlockWidth - 1) / kBlockWidth) {
    panel.w.resize(static_cast<size_t>(blocks_ * kBlockWidth * kRows));
    if (gathers != nullptr) panel.terms.resize(static_cast<size_t>(kTile * blocks_ * kRows));
  }

  template <class F>
  void unpack(int64_t first, int64_t rows) noexcept {
    const auto row_bytes = static_cast<int64_t>(w_.weight.row_bytes());
    for (int64_t r = 0; r < kRows; ++r) {
      const std::byte* row = w_.weight.data + (first + std::min(r, rows - 1)) * row_bytes;
      alignas(64) float wide[kBlockWidth];
      for (int64_t b = 0; b < blocks_; ++b) {
        widen<F>(row, b, wide);
        float* to = panel_.w.data() + b * kBlockWidth * kRows + r;
        for (int k = 0; k < kBlockWidth; ++k) to[k * kRows] = wide[k];
      }
    }
  }

  void multiply(int64_t first, int64_t rows, float* y, int64_t ld) noexcept {
    for (int64_t i = 0; i < x_.n(); i += kTile) {
      const int64_t count = std::min<int64_t>(kTile, x_.n() - i);
      gathers_ != nullptr ? tile<true>(i, count, first, rows, y, ld)
                          : tile<false>(i, count, first, rows, y, ld);
    }
  }

 private:
  template <class F>
  void widen(const std::byte* row, int64_t b, float* wide) const noexcept {
    const int64_t n = std::clamp<int64_t>(x_.cols() - b * kBlockWidth, 0, kBlockWidth);
    const std::byte* at = row + b * kBlockWidth * F::kSize;
    alignas(64) std::byte padded[kBlockWidth * 4];
    if (n < kBlockWidth) {
      std::memset(padded, 0, sizeof(padded));
      if (n > 0) std::memcpy(padded, at, static_cast<size_t>(n * F::kSize));
      at = padded;
    }
    store(wide, F::values(at));
    store(wide + 16, F::values(at + 16 * F::kSize));
  }

  template <bool kGathers>
  void tile(int64_t i, int64_t count, int64_t first, int64_t rows, float* y, int64_t ld) noexcept {
    const float* w = panel_.w.data();
    F32x16 lanes[8][kTile] = {};
    const int64_t whole = x_.cols() / kBlockWidth;
    for (int64_t b = 0; b < whole; ++b, w += kBlockWidth * kRows) {
#pragma GCC unroll 1
      for (int64_t p = 0; p < count; ++p) {
        const F32x16 term = tree<1, 0>(w, x_.row(i + p) + b * kBlockWidth);
        lanes[b % 8][p] += term;
        if constexpr (kGathers) store(terms_of(p) + b * kRows, term);
      }
    }
    for (int64_t p = 0; whole < blocks_ && p < count; ++p) {
      alignas(64) float rest[kBlockWidth] = {};
      std::copy(x_.row(i + p) + whole * kBlockWidth, x_.row(i + p) + x_.cols(), rest);
      const F32x16 term = tree<1, 0>(w, rest);
      lanes[whole % 8][p] += term;
      if constexpr (kGathers) store(terms_of(p) + whole * kRows, term);
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
      if constexpr (kGathers) gather(i + p, terms_of(p), first, rows, to);
    }
  }

  float* terms_of(int64_t p) noexcept {
    return panel_.terms.data() + p * blocks_ * kRows;
  }

  // Of position i, whose y begins at `own` with row `first`.
  void gather(int64_t i, const float* terms, int64_t first, int64_t rows,
              const float* own) const noexcept {
    const Gather& wish = gathers_[i];
    alignas(64) float u[kRows] = {};
    for (int64_t r = 0; r < rows; ++r) {
      u[r] = wish.u != nullptr
                 ? wish.u[first + r]
                 : own[r] * (wish.row_gain != nullptr ? wish.row_gain[first + r] : 1.0F);
    }
    const auto of_rows = load<F32x16>(u);
    const auto add = [&](float* to, int64_t n, const auto& vector) FULGURITE_LAMBDA {
      for (int64_t k = 0; k < n; k += 16, to += 16) {
        F32x16 products[16] = {};
        for (int64_t j = k; j < std::min(k + 16, n); ++j) {
          products[j - k] = load<F32x16>(vector(j)) * of_rows;
        }
        store(to, load<F32x16>(to) + sums_of(products));
      }
    };
    if (sums_[i].blocks != nullptr) {
      add(sums_[i].blocks, blocks_, [&](int64_t b) { return terms + b * kRows; });
    }
    if (sums_[i].chosen != nullptr) {
      add(sums_[i].chosen, wish.n_chosen,
          [&](int64_t n) { return panel_.w.data() + wish.chosen[n] * kRows; });
    }
  }

  const Linear& w_;
  const Input& x_;
  const Gather* gathers_;
  const GatherSums* sums_;
  Panel& panel_;
  int64_t blocks_;  // the last may be shorter
};

}  // namespace

void panel_floats(const Linear& w, const Input& x, int64_t first, int64_t last, float* y,
                  int64_t ld, const Gather* gathers, const GatherSums* sums) {
  thread_local Panel panel;
  with_format(w.weight.dtype, [&](auto format) {
    using F = decltype(format);
    if constexpr (!F::kBlocks) {
      Run run(w, x, gathers, sums, panel);
      for (int64_t r = first; r < last; r += kRows) {
        run.template unpack<F>(r, std::min(kRows, last - r));
        run.multiply(r, std::min(kRows, last - r), y, ld);
      }
    }
  });
}

}  // namespace model::FULGURITE_ISA
