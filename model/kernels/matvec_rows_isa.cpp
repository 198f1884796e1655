// Compiled once per instruction set (see model/kernels/dispatch.h): rows of W against one x.
#include <algorithm>
#include <type_traits>
#include <vector>

#include "model/kernels/matmul_rows.h"
#include "model/kernels/row_pick.h"

namespace model::FULGURITE_ISA {
namespace {

// Bytes between what is multiplied and what is fetched from memory into the second cache: rows lie
// one after the other. Not a whole page: places in the first cache would be the same.
constexpr int64_t kAhead = 2048;

FULGURITE_INLINE void prefetch(const std::byte* at, int64_t bytes) noexcept {
  for (int64_t k = 0; k < bytes; k += 64) __builtin_prefetch(at + kAhead + k, 0, 1);
}

// A row's last columns that are no whole group, filled up with zeros.
template <class F>
struct Tail {
  alignas(64) std::byte w[F::kBytes] = {};
  int64_t bytes;
  FULGURITE_INLINE const std::byte* copy(const std::byte* at) noexcept {
    std::memcpy(w, at, static_cast<size_t>(bytes));
    return w;
  }
};

template <class F>
class Rows {
 public:
  Rows(const RowTask& task, const RowRange& range, std::vector<float>& memory) noexcept
      : task_(task),
        gather_(task.gather),
        sums_(range.sums),
        next_(range.first),
        last_(range.last),
        cols_(task.x->cols()),
        whole_(cols_ / kGroupWidth),
        groups_(groups_of(cols_)),
        row_bytes_(static_cast<int64_t>(task.w->weight.row_bytes())) {
    tail_.bytes = row_bytes_ - whole_ * F::kBytes;
    x_ = {task.x->row(task.i), task.x->q(task.i), task.x->sums(task.i), task.x->d(task.i)};
    const int64_t rest = cols_ - whole_ * kGroupWidth;
    std::copy_n(x_.x + whole_ * kGroupWidth, rest, x_tail_);
    if (gather_ != nullptr) {
      held_blocks_ = sums_.blocks != nullptr ? groups_ * kBlocksInGroup : 0;
      held_chosen_ = sums_.chosen != nullptr ? (gather_->n_chosen + 15) / 16 * 16 : 0;
      if (held_chosen_ > 0 && gather_->n_chosen >= kPicked) {
        picks_.choose(gather_->chosen);
        picked_ = kPicked;
      }
    }
    const int64_t width = std::max(held_blocks_, groups_ * kBlocksInGroup) + held_chosen_;
    const int64_t held = kRowsHeld * width;
    held_width_ = width;
    memory.resize(static_cast<size_t>(held + 2 * groups_ * kBlocksInGroup + cols_));
    held_ = memory.data();
    terms_ = held_;
    factors_ = held_ + held;
    group_terms_ = factors_ + groups_ * kBlocksInGroup;
    spelled_ = group_terms_ + groups_ * kBlocksInGroup;
  }

  // Rows of the range one by one; then what the last one left to be done.
  template <bool kGather, bool kBack>
  FULGURITE_INLINE void next() noexcept {
    if (next_ == last_) return;
    const int64_t r = next_++;
    const std::byte* row = task_.w->weight.data + r * row_bytes_;
    if constexpr (kGather) terms_ = held_ + r % kRowsHeld * held_width_;
    float sum = product<kGather, kBack>(row);
    if (task_.w->bias.data != nullptr) sum += load<float>(task_.w->bias.data + 4 * r);
    task_.y[r] = sum;
    if constexpr (kGather) {
      add_to_sums(row, r);
      if (r % kRowsHeld == kRowsHeld - 1 || next_ == last_) add_held(r % kRowsHeld + 1);
    }
    if (kBack && next_ == last_ && before_ != nullptr) {
      for (int64_t g = 0; g < groups_; ++g) add_back(before_ + g * F::kBytes, g);
    }
  }

 private:
  // With kBack also W^T u of the row before, so that there is work while memory is waited for.
  template <bool kKeep, bool kBack>
  FULGURITE_INLINE float product(const std::byte* row) noexcept {
    // Copies: what is stored might be this object for all that the compiler knows.
    const Position x = x_;
    const int64_t whole = whole_;
    float* const terms = terms_;
    F32x8 lanes = {};
    for (int64_t g = 0; g < whole; ++g) {
      const std::byte* at = row + g * F::kBytes;
      prefetch(at, F::kBytes);
      const F32x8 t = F::terms(at, group(x, g, x.x + g * kGroupWidth));
      if constexpr (kKeep) store(terms + g * kBlocksInGroup, t);
      lanes += t;
      if (kBack && before_ != nullptr) add_back(before_ + g * F::kBytes, g);
    }
    if (whole < groups_) {
      if (kBack && before_ != nullptr) add_back(before_ + whole * F::kBytes, whole);
      const std::byte* at = tail_.copy(row + whole * F::kBytes);
      const F32x8 t = F::terms(at, group(x, whole, x_tail_));
      if constexpr (kKeep) store(terms + whole * kBlocksInGroup, t);
      lanes += t;
    }
    return sum_eight(lanes);
  }

  static FULGURITE_INLINE Position group(const Position& all, int64_t g, const float* x) noexcept {
    return {x, all.q + g * kGroupWidth, all.sums + g * 16, all.d + g * kBlocksInGroup};
  }

  void add_to_sums(const std::byte* row, int64_t r) noexcept {
    const float gain = gather_->row_gain != nullptr ? gather_->row_gain[r] : 1.0F;
    const float u = gain * task_.y[r];
    held_u_[r % kRowsHeld] = u;
    if (held_chosen_ > 0) hold_chosen(row, r);
    const bool group_back = gather_->group_back && sums_.back != nullptr;
    if (gather_->group_width > 0 &&
        (group_back || gather_->group_out != nullptr || sums_.groups != nullptr)) {
      if (groups_are_blocks(*gather_)) {
        terms_of_block_groups(r, gain);
      } else {
        terms_of_odd_groups(row, r, gain, u);
      }
    }
    if (sums_.back == nullptr || (group_back && !groups_are_blocks(*gather_))) return;
    if (!group_back) std::fill_n(factors_, groups_ * kBlocksInGroup, u);
    before_ = row;
  }

  // Row r's place among those held.
  FULGURITE_INLINE void hold_chosen(const std::byte* row, int64_t r) noexcept {
    if (picked_ > 0) picks_.hold(row, r % kRowsHeld);
    float* held = terms_ + (held_width_ - held_chosen_);
    for (int64_t n = picked_; n < gather_->n_chosen; ++n) {
      held[n] = F::one(row, gather_->chosen[n]);
    }
    for (int64_t n = std::max(picked_, gather_->n_chosen); n < held_chosen_; ++n) held[n] = 0.0F;
  }

  // Sixteen rows' products are added as a tree, as panels of sixteen rows do it in one vector.
  void add_held(int64_t rows) noexcept {
    std::fill(held_u_ + rows, held_u_ + kRowsHeld, 0.0F);
    const int64_t chosen = held_width_ - held_chosen_;
    for (int64_t i = 0; picked_ > 0 && i < rows; ++i) {
      store(held_ + i * held_width_ + chosen, picks_.weights(i));
    }
    std::fill(held_ + rows * held_width_, held_ + kRowsHeld * held_width_, 0.0F);
    add_trees(0, held_blocks_, sums_.blocks);
    add_trees(chosen, held_chosen_, sums_.chosen);
  }

  void add_trees(int64_t from, int64_t n, float* to) const noexcept {
    int64_t k = 0;
    for (; k + 16 <= n; k += 16) add_tree<F32x16>(from + k, to + k);
    if (k < n) add_tree<F32x8>(from + k, to + k);
  }

  template <class V>
  FULGURITE_INLINE void add_tree(int64_t k, float* to) const noexcept {
    const auto product = [&](int64_t i) FULGURITE_LAMBDA {
      return load<V>(held_ + i * held_width_ + k) * held_u_[i];
    };
    V a[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) a[i] = product(i) + product(i + 8);
    store(to, load<V>(to) + (((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))));
  }

  FULGURITE_INLINE void add_back(const std::byte* at, int64_t g) noexcept {
    if (g == whole_) at = tail_.copy(at);
    F::add_back(at, load<F32x8>(factors_ + g * kBlocksInGroup), sums_.back + g * kGroupWidth);
  }

  // o_g, and for each of its blocks what multiplies W in group_back.
  void terms_of_block_groups(int64_t r, float gain) noexcept {
    const int64_t width = gather_->group_width / kBlockWidth;
    if (width == 1) {
      for_each_group([&](const F32x8& t) FULGURITE_LAMBDA { return t; }, gain);
    } else if (width == 2) {
      for_each_group([&](const F32x8& t) FULGURITE_LAMBDA { return pairs(t); }, gain);
    } else if (width == 4) {
      for_each_group([&](const F32x8& t) FULGURITE_LAMBDA { return fours(pairs(t)); }, gain);
    } else {
      wide_groups(width, gain);
    }
    if (gather_->group_out == nullptr) return;
    float* out = gather_->group_out + r;
    const int64_t rows = task_.w->weight.rows();
    const int64_t blocks = (cols_ + kBlockWidth - 1) / kBlockWidth;
    for (int64_t b = 0; b < blocks; b += width, out += rows) *out = group_terms_[b];
  }

  static FULGURITE_INLINE F32x8 pairs(const F32x8& t) noexcept {
    return t + __builtin_shufflevector(t, t, 1, 0, 3, 2, 5, 4, 7, 6);
  }
  static FULGURITE_INLINE F32x8 fours(const F32x8& t) noexcept {
    return t + __builtin_shufflevector(t, t, 2, 3, 0, 1, 6, 7, 4, 5);
  }

  template <class Sum>
  FULGURITE_INLINE void for_each_group(const Sum& sum, float gain) noexcept {
    for (int64_t b = 0; b < groups_ * kBlocksInGroup; b += kBlocksInGroup) {
      const F32x8 term = sum(load<F32x8>(terms_ + b));
      store(group_terms_ + b, term);
      store(factors_ + b, term * gain);
    }
  }

  void wide_groups(int64_t width, float gain) noexcept {
    const int64_t blocks = groups_ * kBlocksInGroup;
    for (int64_t b = 0; b < blocks; b += width) {
      const int64_t end = std::min(b + width, blocks);
      float term = 0.0F;
      for (int64_t k = b; k < end; ++k) term += terms_[k];
      std::fill(group_terms_ + b, group_terms_ + end, term);
      std::fill(factors_ + b, factors_ + end, gain * term);
    }
  }

  // Groups that cut through blocks: rare, and slow.
  void terms_of_odd_groups(const std::byte* row, int64_t r, float gain, float u) noexcept {
    for (int64_t c = 0; c < cols_; ++c) spelled_[c] = F::one(row, c);
    const int64_t width = gather_->group_width;
    for (int64_t begin = 0, g = 0; begin < cols_; begin += width, ++g) {
      const int64_t end = std::min(begin + width, cols_);
      float term = 0.0F;
      for (int64_t c = begin; c < end; ++c) term += spelled_[c] * task_.x_rounded[c];
      if (gather_->group_out != nullptr) {
        gather_->group_out[g * task_.w->weight.rows() + r] = term;
      }
      if (sums_.groups != nullptr) sums_.groups[g] += term * u;
      if (sums_.back == nullptr || !gather_->group_back) continue;
      for (int64_t c = begin; c < end; ++c) sums_.back[c] += spelled_[c] * (gain * term);
    }
  }

  const RowTask& task_;
  const Gather* gather_;
  GatherSums sums_;
  int64_t next_;
  int64_t last_;
  int64_t cols_;
  int64_t whole_;   // groups that are whole
  int64_t groups_;  // with the last
  int64_t row_bytes_;
  Position x_;
  Tail<F> tail_;
  alignas(64) float x_tail_[kGroupWidth] = {};
  static constexpr int64_t kRowsHeld = 16;
  int64_t held_blocks_ = 0;  // floats of each row held
  int64_t held_chosen_ = 0;
  int64_t held_width_ = 0;  // floats from one row held to the next
  float* held_ = nullptr;   // (16, held_width_) terms of rows, then chosen weights
  alignas(64) float held_u_[kRowsHeld] = {};
  static constexpr int64_t kPicked = 16;
  Picks<F, kRowsHeld> picks_;
  int64_t picked_ = 0;                 // of the chosen columns, in picks_
  const std::byte* before_ = nullptr;  // the row whose W^T u is still to be added
  float* terms_ = nullptr;             // of the row's blocks
  float* factors_ = nullptr;           // of the row's blocks, for back
  float* group_terms_ = nullptr;       // of the group of each block
  float* spelled_ = nullptr;           // (cols) the row
};

}  // namespace

void matvec_rows(const RowTask& task, const RowRange& range) noexcept {
  thread_local std::vector<float> memory;
  with_format(task.w->weight.dtype, [&](auto format) {
    Rows<decltype(format)> rows(task, range, memory);
    for (int64_t r = range.first; r < range.last; ++r) {
      if (task.gather == nullptr) {
        rows.template next<false, false>();
      } else if (range.sums.back == nullptr) {
        rows.template next<true, false>();
      } else {
        rows.template next<true, true>();
      }
    }
  });
}

void matvec_two(const RowTask& task, const RowRange& a, const RowRange& b) noexcept {
  thread_local std::vector<float> memory[2];
  const int64_t n = std::max(a.last - a.first, b.last - b.first);
  with_format(task.w->weight.dtype, [&](auto format) {
    using R = Rows<decltype(format)>;
    R rows_a(task, a, memory[0]);
    R rows_b(task, b, memory[1]);
    R* const both[] = {&rows_a, &rows_b};
    const auto run = [&](auto gather, auto back) FULGURITE_LAMBDA {
      for (int64_t i = 0; i < 2 * n; ++i) both[i % 2]->template next<gather(), back()>();
    };
    if (task.gather == nullptr) return run(std::false_type{}, std::false_type{});
    if (a.sums.back == nullptr) return run(std::true_type{}, std::false_type{});
    run(std::true_type{}, std::true_type{});
  });
}

void back_rows(const Tensor& w, int64_t first, int64_t last, const float* u, float* back) noexcept {
  const auto row_bytes = static_cast<int64_t>(w.row_bytes());
  const int64_t whole = w.cols() / kGroupWidth;
  with_format(w.dtype, [&](auto format) {
    using F = decltype(format);
    Tail<F> tail;
    tail.bytes = row_bytes - whole * F::kBytes;
    for (int64_t r = first; r < last; ++r) {
      const std::byte* row = w.data + r * row_bytes;
      const F32x8 factor = F32x8{} + u[r];
      for (int64_t g = 0; g < groups_of(w.cols()); ++g) {
        const std::byte* at = row + g * F::kBytes;
        prefetch(at, F::kBytes);
        if (g == whole) at = tail.copy(at);
        F::add_back(at, factor, back + g * kGroupWidth);
      }
    }
  });
}

}  // namespace model::FULGURITE_ISA
