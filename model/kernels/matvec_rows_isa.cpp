// Compiled once per instruction set (see model/kernels/dispatch.h): rows of W against one x.
#include <algorithm>
#include <vector>

#include "model/kernels/matmul_rows.h"
#include "model/kernels/row_back.h"
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
  alignas(64) std::byte w[F::kBytes];
  int64_t bytes;
  [[gnu::noinline]] const std::byte* copy(const std::byte* at) noexcept {
    const auto n = static_cast<size_t>(bytes);
    std::memcpy(w, at, n);
    std::memset(w + n, 0, sizeof(w) - n);
    return w;
  }
};

struct OfRows {};
using RowMemory = Lines<float, OfRows>;

template <class F>
class Rows {
 public:
  Rows(const RowTask& task, const RowRange& range, RowMemory& memory) noexcept
      : task_(task),
        data_(task.w->weight.data),
        bias_(task.w->bias.data),
        y_(task.y),
        gather_(task.gather),
        sums_(range.sums),
        next_(range.first),
        last_(range.last),
        cols_(task.x->cols()),
        whole_(cols_ / kGroupWidth),
        groups_(groups_of(cols_)),
        row_bytes_(static_cast<int64_t>(task.w->weight.row_bytes())) {
    tail_.bytes = row_bytes_ - whole_ * F::kBytes;
    // What lies behind the row is read in its stead, where that is of the tensor, and its blocks'
    // terms are left out; a block that the row fills in part needs zeros.
    if (cols_ % kBlockWidth == 0)
      in_place_ = task.w->weight.rows() * row_bytes_ - (whole_ + 1) * int64_t{F::kBytes};
    for (int64_t b = 0; b < kBlocksInGroup; ++b)
      tail_blocks_[b] = (whole_ * kBlocksInGroup + b) * kBlockWidth < cols_ ? -1 : 0;
    x_ = {task.x->row(task.i), task.x->q(task.i), task.x->sums(task.i), task.x->d(task.i)};
    if (whole_ < groups_) {
      std::fill_n(x_tail_, kGroupWidth, 0.0F);
      std::copy(x_.x + whole_ * kGroupWidth, x_.x + cols_, x_tail_);
    }
    if (range.terms != nullptr) {
      terms_ = range.terms;
      terms_step_ = groups_ * kBlocksInGroup;
    }
    if (gather_ == nullptr) return;
    row_gain_ = gather_->row_gain;
    const int64_t blocks = groups_ * kBlocksInGroup;
    if (sums_.chosen != nullptr) n_chosen_ = gather_->n_chosen;
    if (n_chosen_ >= kPicked) {
      picks_.choose(gather_->chosen);
      picked_ = kPicked;
    }
    more_ = picked_ < n_chosen_ || sums_.back != nullptr || sums_.groups != nullptr ||
            gather_->group_out != nullptr;
    kept_width_ = sums_.back != nullptr ? groups_ * kKept : 0;
    const int64_t floats = 3 * blocks + 2 * kRowsBack * kept_width_ + cols_;
    memory.resize(std::max(memory.size(), static_cast<size_t>(floats)));
    terms_ = memory.data();
    kept_ = terms_ + blocks;
    factors_ = kept_ + 2 * kRowsBack * kept_width_;
    group_terms_ = factors_ + blocks;
    spelled_ = group_terms_ + blocks;
  }

  // All rows of two ranges: see matvec_two.
  template <bool kGather, bool kBack>
  static void all(Rows& a, Rows& b) noexcept {
    while (a.next_ != a.last_ && b.next_ != b.last_) next<kGather, kBack>(a, b);
    a.template rest<kGather, kBack>();
    b.template rest<kGather, kBack>();
  }

  // The rows that are left. Not inlined, here and below: the compiler takes minutes as it is.
  template <bool kGather, bool kBack>
  [[gnu::noinline]] void rest() noexcept {
    while (next_ != last_) next<kGather, kBack>();
  }

 private:
  // The next row of the range; after the last one what that left to be done.
  template <bool kGather, bool kBack>
  FULGURITE_INLINE void next() noexcept {
    Row row = begin();
    const Position x = x_;
    const int64_t whole = whole_;
    for (int64_t g = 0; g < whole; ++g) {
      const std::byte* at = row.fetch(g);
      const auto scales = F::scales(at);
      row.template add<kGather>(F::terms(at, part(x, g), scales), g);
      if constexpr (kBack) row.keep(scales, g);
      if (kBack && g % (2 * kStep) == 0) back_.step();
    }
    if (whole < groups_) last_group<kGather, kBack>(row);
    end<kGather, kBack>(row);
  }

  // The next row of each of two ranges, eight blocks of both in turn.
  template <bool kGather, bool kBack>
  static FULGURITE_INLINE void next(Rows& a, Rows& b) noexcept {
    Row row_a = a.begin();
    Row row_b = b.begin();
    const Position x = a.x_;
    const int64_t whole = a.whole_;
    for (int64_t g = 0; g < whole; ++g) {
      const std::byte* at_a = row_a.fetch(g);
      const std::byte* at_b = row_b.fetch(g);
      const Position x_part = part(x, g);
      const auto scales_a = F::scales(at_a);
      const auto scales_b = F::scales(at_b);
      const F32x8 t_a = F::terms(at_a, x_part, scales_a);
      const F32x8 t_b = F::terms(at_b, x_part, scales_b);
      row_a.template add<kGather>(t_a, g);
      row_b.template add<kGather>(t_b, g);
      if constexpr (kBack) row_a.keep(scales_a, g);
      if constexpr (kBack) row_b.keep(scales_b, g);
      if (kBack && g % kStep == 0) (g / kStep % 2 == 0 ? a : b).back_.step();
    }
    if (whole < a.groups_) {
      a.template last_group<kGather, kBack>(row_a);
      b.template last_group<kGather, kBack>(row_b);
    }
    a.template end<kGather, kBack>(row_a);
    b.template end<kGather, kBack>(row_b);
  }

  // A row on its way. In registers: what is stored might be a Rows for all that the compiler knows.
  struct Row {
    const std::byte* data;
    float* terms;  // where they are kept, of its blocks
    float* kept;   // where F::keep puts its scales
    F32x8 lanes = {};

    FULGURITE_INLINE const std::byte* fetch(int64_t g) const noexcept {
      const std::byte* at = data + g * F::kBytes;
      prefetch(at, F::kBytes);
      return at;
    }
    template <bool kKeep>
    FULGURITE_INLINE void add(const F32x8& t, int64_t g) noexcept {
      if constexpr (kKeep) store(terms + g * kBlocksInGroup, t);
      lanes += t;
    }
    template <class S>
    FULGURITE_INLINE void keep(const S& scales, int64_t g) noexcept {
      F::keep(scales, kept + g * kKept);
    }
  };

  FULGURITE_INLINE Row begin() noexcept {
    return {data_ + next_ * row_bytes_, terms_, kept_ + next_ % (2 * kRowsBack) * kept_width_};
  }

  static FULGURITE_INLINE Position part(const Position& x, int64_t g) noexcept {
    return {x.x + g * kGroupWidth, x.q + g * kGroupWidth, x.sums + g * 16,
            x.d + g * kBlocksInGroup};
  }

  template <bool kGather, bool kBack>
  FULGURITE_INLINE void last_group(Row& row) noexcept {
    const std::byte* at = row.data + whole_ * F::kBytes;
    prefetch(at, F::kBytes);
    if (row.data - data_ > in_place_) at = tail_.copy(at);
    Position x = part(x_, whole_);
    x.x = x_tail_;
    const auto scales = F::scales(at);
    row.template add<kGather>(of_row(F::terms(at, x, scales)), whole_);
    if constexpr (kBack) {
      row.keep(scales, whole_);
      float* kept = row.kept + whole_ * kKept;
      for (int64_t k = 0; k < kKept; k += 8) store(kept + k, of_row(load<F32x8>(kept + k)));
    }
  }

  // Zeros for the blocks of the last group that lie behind the row.
  FULGURITE_INLINE F32x8 of_row(const F32x8& v) const noexcept {
    return (F32x8)((I32x8)v & load<I32x8>(tail_blocks_));
  }

  template <bool kGather, bool kBack>
  FULGURITE_INLINE void end(const Row& row) noexcept {
    const int64_t r = next_++;
    float sum = sum_eight(row.lanes);
    if (bias_ != nullptr) sum += load<float>(bias_ + 4 * r);
    y_[r] = sum;
    if constexpr (kGather) gather(row.data, r, sum);
    if constexpr (kBack) {
      if (next_ % kRowsBack == 0 || next_ == last_) add_back(row.data, r);
    }
  }

  // A row's u, and what is added up with it.
  FULGURITE_INLINE void gather(const std::byte* row, int64_t r, float y) noexcept {
    if (terms_step_ > 0) {
      terms_ += terms_step_;
      return;
    }
    const float gain = row_gain_ != nullptr ? row_gain_[r] : 1.0F;
    const float u = gather_->u != nullptr ? gather_->u[r] : gain * y;
    if (picked_ > 0) add_product(picks_.weights(row), u, sums_.chosen);
    if (sums_.blocks != nullptr) add_terms(terms_, u, groups_, sums_.blocks);
    if (more_) gather_more(row, r, gain, u);
  }

  static FULGURITE_INLINE void add_terms(const float* terms, float u, int64_t groups,
                                         float* sums) noexcept {
    const int64_t n = groups * kBlocksInGroup;
    int64_t b = 0;
    for (; b + 16 <= n; b += 16) add_product(load<F32x16>(terms + b), u, sums + b);
    if (b < n) add_product(load<F32x8>(terms + b), u, sums + b);
  }

  template <class V>
  static FULGURITE_INLINE void add_product(const V& v, float u, float* sum) noexcept {
    store(sum, load<V>(sum) + v * u);
  }

  // What is seldom wanted, or only at full detail.
  void gather_more(const std::byte* row, int64_t r, float gain, float u) noexcept {
    for (int64_t n = picked_; n < n_chosen_; ++n) {
      sums_.chosen[n] += F::one(row, gather_->chosen[n]) * u;
    }
    const bool group_back = gather_->group_back && sums_.back != nullptr;
    if (gather_->group_width > 0 &&
        (group_back || gather_->group_out != nullptr || sums_.groups != nullptr)) {
      if (groups_are_blocks(*gather_)) {
        terms_of_block_groups(r, gain);
      } else {
        terms_of_odd_groups(row, r, gain, u);
      }
    }
    if (sums_.back == nullptr) return;
    float& of_row = back_u_[r % (2 * kRowsBack)];
    of_row = u;
    if (!group_back) return;
    of_row = groups_are_blocks(*gather_) ? 1.0F : 0.0F;  // others have been added
    float* kept = kept_ + r % (2 * kRowsBack) * kept_width_;
    for (int64_t g = 0; g < groups_; ++g) {
      const F32x8 factor = load<F32x8>(factors_ + g * kBlocksInGroup);
      for (int64_t k = 0; k < kKept; k += 8, kept += 8) store(kept, load<F32x8>(kept) * factor);
    }
  }

  // Row r is the last of those that are added together: while the next ones come, or at once.
  void add_back(const std::byte* row, int64_t r) noexcept {
    const int64_t before = r % kRowsBack;
    const int64_t place = r / kRowsBack % 2 * kRowsBack;
    back_.finish();
    back_.begin({row - before * row_bytes_, row_bytes_, before + 1, cols_,
                 kept_ + place * kept_width_, back_u_ + place, sums_.back});
    if (next_ == last_) back_.finish();
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
  const std::byte* data_;  // of the weights
  const std::byte* bias_;  // or nullptr
  float* y_;
  const Gather* gather_;
  // Not a copy: what is stored in parts is not at hand as a whole for a while.
  const GatherSums& sums_;
  int64_t next_;
  int64_t last_;
  int64_t cols_;
  int64_t whole_;   // groups that are whole
  int64_t groups_;  // with the last
  int64_t row_bytes_;
  Position x_;
  Tail<F> tail_;
  alignas(64) float x_tail_[kGroupWidth];
  alignas(32) int32_t tail_blocks_[kBlocksInGroup];  // -1: of the row
  int64_t in_place_ = -1;  // where the last row begins whose last group may be read whole
  int64_t n_chosen_ = 0;
  static constexpr int64_t kPicked = 16;
  Picks<F> picks_;
  int64_t picked_ = 0;               // of the chosen columns, in picks_
  const float* row_gain_ = nullptr;  // of the gather
  bool more_ = false;                // than the sums of blocks and of picked columns
  static constexpr int64_t kKept = 8 * F::kKept;
  int64_t kept_width_ = 0;  // floats from one row kept for W^T u to the next
  float* kept_ = nullptr;   // (2 kRowsBack, kept_width_): of rows that come, of those before
  float back_u_[2 * kRowsBack] = {};
  static constexpr int64_t kStep = BackRun<F>::kBlocks;
  BackRun<F> back_;
  float* terms_ = nullptr;        // of the row's blocks
  int64_t terms_step_ = 0;        // to those of the next row, where they are kept
  float* factors_ = nullptr;      // of the row's blocks, for back
  float* group_terms_ = nullptr;  // of the group of each block
  float* spelled_ = nullptr;      // (cols) the row
};

}  // namespace

void matvec_rows(const RowTask& task, const RowRange& range) {
  thread_local RowMemory memory;
  with_format(task.w->weight.dtype, [&](auto format) {
    Rows<decltype(format)> rows(task, range, memory);
    if (task.gather == nullptr) return rows.template rest<false, false>();
    if (range.sums.back == nullptr) return rows.template rest<true, false>();
    rows.template rest<true, true>();
  });
}

void matvec_two(const RowTask& task, const RowRange& a, const RowRange& b) {
  thread_local RowMemory memory[2];
  with_format(task.w->weight.dtype, [&](auto format) {
    using R = Rows<decltype(format)>;
    R rows_a(task, a, memory[0]);
    R rows_b(task, b, memory[1]);
    if (a.terms != nullptr) return R::template all<true, false>(rows_a, rows_b);
    if (task.gather == nullptr) return R::template all<false, false>(rows_a, rows_b);
    if (a.sums.back == nullptr) return R::template all<true, false>(rows_a, rows_b);
    if constexpr (FULGURITE_TWO_BLOCKS) return R::template all<true, true>(rows_a, rows_b);
    // One after the other: the rows that W^T u reads again, up to 32 of a range, would with those
    // of the other one be as much as a second cache of 512 KB holds.
    rows_a.template rest<true, true>();
    rows_b.template rest<true, true>();
  });
}

void add_terms_of_rows(const float* terms, int64_t rows, int64_t n, const float* u,
                       float* sums) noexcept {
  const auto add = [&]<class V>(int64_t b) FULGURITE_LAMBDA {
    V sum = load<V>(sums + b);
    for (int64_t r = 0; r < rows; ++r) sum += load<V>(terms + r * n + b) * u[r];
    store(sums + b, sum);
  };
  int64_t b = 0;
  for (; b + 16 <= n; b += 16) add.template operator()<F32x16>(b);
  if (b < n) add.template operator()<F32x8>(b);
}

void add_columns(const Tensor& w, const int32_t* columns, int64_t first, int64_t last,
                 const float* u, float* sums) noexcept {
  const auto row_bytes = static_cast<int64_t>(w.row_bytes());
  with_format(w.dtype, [&](auto format) {
    Picks<decltype(format)> picks;
    picks.choose(columns);
    F32x16 sum = load<F32x16>(sums);
    for (int64_t r = first; r < last; ++r)
      sum += picks.weights(w.data + r * row_bytes) * u[r - first];
    store(sums, sum);
  });
}

void back_rows(const Tensor& w, int64_t first, int64_t last, const float* u, float* back) {
  const auto row_bytes = static_cast<int64_t>(w.row_bytes());
  const int64_t groups = groups_of(w.cols());
  const int64_t whole = w.cols() / kGroupWidth;
  thread_local std::vector<float> memory;
  with_format(w.dtype, [&](auto format) {
    using F = decltype(format);
    const int64_t stride = groups * 8 * F::kKept;
    memory.resize(std::max(memory.size(), static_cast<size_t>(kRowsBack * stride)));
    Tail<F> tail;
    tail.bytes = row_bytes - whole * F::kBytes;
    BackRun<F> run;
    for (int64_t r = first; r < last; r += kRowsBack) {
      const int64_t rows = std::min<int64_t>(kRowsBack, last - r);
      float of_rows[kRowsBack];
      std::copy_n(u + (r - first), rows, of_rows);
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t g = 0; g < groups; ++g) {
          const std::byte* at = w.data + (r + i) * row_bytes + g * F::kBytes;
          prefetch(at, F::kBytes);
          if (g == whole) at = tail.copy(at);
          F::keep(F::scales(at), memory.data() + i * stride + g * 8 * F::kKept);
        }
      }
      run.begin({w.data + r * row_bytes, row_bytes, rows, w.cols(), memory.data(), of_rows, back});
      run.finish();
    }
  });
}

void spell_rows(const Tensor& w, int64_t first, int64_t last, float* out) noexcept {
  const auto row_bytes = static_cast<int64_t>(w.row_bytes());
  const int64_t cols = w.cols();
  const int64_t whole = cols / kGroupWidth;
  with_format(w.dtype, [&](auto format) {
    using F = decltype(format);
    Tail<F> tail;
    tail.bytes = row_bytes - whole * F::kBytes;
    for (int64_t r = first; r < last; ++r, out += cols) {
      const std::byte* row = w.data + r * row_bytes;
      for (int64_t g = 0; g < whole; ++g) F::spell(row + g * F::kBytes, out + g * kGroupWidth);
      if (whole * kGroupWidth == cols) continue;
      alignas(64) float rest[kGroupWidth];
      F::spell(tail.copy(row + whole * F::kBytes), rest);
      std::copy_n(rest, cols - whole * kGroupWidth, out + whole * kGroupWidth);
    }
  });
}

}  // namespace model::FULGURITE_ISA
