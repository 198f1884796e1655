#include "model/kernels/mixture.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "model/error.h"
#include "model/kernels/lines.h"
#include "model/kernels/matmul_rows.h"
#include "model/kernels/slab_claims.h"

namespace model {
namespace {

// Rows of every matrix that a thread takes at once, from each half of them: so few that what was
// read of them is still in its cache when y is known.
constexpr int64_t kRows = 32;

struct OfMixture {};

// Chosen columns that are read at once: of one matrix, or of all that lie in one stack.
struct Columns {
  const Tensor* w = nullptr;
  // In w; column c of the matrix that lies k matrices behind it is k rows cols + c.
  std::array<int32_t, kMixtureColumns> numbers{};
  std::vector<size_t> chosen{};  // which of them these are; what is beyond is not looked at
};

std::vector<Columns> columns_of(std::span<const MixturePart> parts, const MixtureColumn* chosen) {
  constexpr int64_t kMostWeights = int64_t{1} << 29;  // of four bytes: places below 2^31
  const auto weight = [&](size_t part) -> const Tensor& { return parts[part].w->weight; };
  const auto place = [&](size_t part) { return reinterpret_cast<uintptr_t>(weight(part).data); };
  std::vector<size_t> order(parts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return place(a) < place(b); });
  std::vector<Columns> all;
  size_t base = order.front();
  for (const size_t part : order) {
    const Tensor& w = weight(base);
    const size_t distance = place(part) - place(base);
    const int64_t behind = static_cast<int64_t>(distance / w.bytes()) * w.rows() * w.cols();
    const bool stacked = weight(part).dtype == w.dtype && weight(part).cols() == w.cols() &&
                         distance % w.bytes() == 0 && behind + w.rows() * w.cols() <= kMostWeights;
    if (!stacked) base = part;
    if (!stacked || all.empty()) all.push_back({&weight(base)});
    Columns& columns = all.back();
    for (size_t n = 0; n < kMixtureColumns; ++n) {
      if (std::cmp_not_equal(chosen[n].part, part)) continue;
      columns.numbers[columns.chosen.size()] =
          static_cast<int32_t>((stacked ? behind : 0) + chosen[n].column);
      columns.chosen.push_back(n);
    }
  }
  std::erase_if(all, [](const Columns& columns) { return columns.chosen.empty(); });
  return all;
}

// A thread's part: rows of all matrices, and then what they leave for the sums.
class Slice {
 public:
  Slice(std::span<const MixturePart> parts, float* y, const MixtureGather& gather)
      : parts_(parts), y_(y), row_gain_(gather.row_gain), column_dot_(gather.column_dot) {
    if (gather.columns != nullptr) columns_ = columns_of(parts, gather.columns);
    for (const MixturePart& part : parts) {
      terms_at_.push_back(floats_);
      if (part.block_dot != nullptr) floats_ += terms(part);
    }
    for (const MixturePart& part : parts) {
      back_at_.push_back(floats_);
      if (part.back != nullptr) floats_ += groups_of(part.w->weight.cols()) * kGroupWidth;
    }
    columns_at_ = floats_;
    floats_ += std::ssize(columns_) * kMixtureColumns;
  }

  int64_t floats() const noexcept { return floats_; }

  // Adds to sums (floats()): of the blocks of each part, of its columns, of the chosen columns.
  void run(std::array<RowRange, 2> ranges, float* sums) const {
    static const auto multiply = FULGURITE_PICK(matvec_two);
    static const auto terms_of_rows = FULGURITE_PICK(add_terms_of_rows);
    static const auto columns = FULGURITE_PICK(add_columns);
    static const auto back = FULGURITE_PICK(back_rows);
    thread_local Lines<float, OfMixture> memory;
    memory.resize(static_cast<size_t>(2 * kRows * back_at_.front()));
    const auto kept = [&](size_t k, size_t range) {
      return memory.data() + kRows * (2 * terms_at_[k] + (range == 0 ? 0 : terms(parts_[k])));
    };
    for (size_t k = 0; k < parts_.size(); ++k) {
      const MixturePart& part = parts_[k];
      for (const size_t range : {0U, 1U}) {
        ranges[range].terms = part.block_dot != nullptr ? kept(k, range) : nullptr;
      }
      multiply({part.w, part.x, part.row, part.term, nullptr, nullptr}, ranges[0], ranges[1]);
    }
    for (const size_t range : {0U, 1U}) {
      const auto [first, last] = std::pair{ranges[range].first, ranges[range].last};
      float u[kRows];
      add_up(first, last, u);
      for (size_t k = 0; k < parts_.size(); ++k) {
        const MixturePart& part = parts_[k];
        if (part.block_dot != nullptr) {
          terms_of_rows(kept(k, range), last - first, terms(part), u, sums + terms_at_[k]);
        }
        if (part.back != nullptr) back(part.w->weight, first, last, u, sums + back_at_[k]);
      }
      for (size_t k = 0; k < columns_.size(); ++k) {
        columns(*columns_[k].w, columns_[k].numbers.data(), first, last, u, sums + columns_at(k));
      }
    }
  }

  void hand_out(const float* sums) const {
    for (size_t k = 0; k < parts_.size(); ++k) {
      const MixturePart& part = parts_[k];
      const int64_t cols = part.w->weight.cols();
      if (part.block_dot != nullptr) {
        std::copy_n(sums + terms_at_[k], (cols + kBlockWidth - 1) / kBlockWidth, part.block_dot);
      }
      if (part.back != nullptr) std::copy_n(sums + back_at_[k], cols, part.back);
    }
    for (size_t k = 0; k < columns_.size(); ++k) {
      const float* of = sums + columns_at(k);
      for (const size_t n : columns_[k].chosen) column_dot_[n] = *of++;
    }
  }

 private:
  static int64_t terms(const MixturePart& part) noexcept {
    return groups_of(part.w->weight.cols()) * kBlocksInGroup;
  }
  int64_t columns_at(size_t k) const noexcept {
    return columns_at_ + static_cast<int64_t>(k) * kMixtureColumns;
  }

  // y of the rows, and u from the first of them on.
  void add_up(int64_t first, int64_t last, float* u) const noexcept {
    const int64_t n = last - first;
    std::fill(u, u + n, 0.0F);
    for (const MixturePart& part : parts_) {
      float* term = part.term + first;
      const float weight = part.weight;
      for (int64_t r = 0; r < n; ++r) term[r] *= weight;
      for (int64_t r = 0; r < n; ++r) u[r] += term[r];
    }
    std::copy_n(u, n, y_ + first);
    for (int64_t r = 0; row_gain_ != nullptr && r < n; ++r) u[r] *= row_gain_[first + r];
  }

  std::span<const MixturePart> parts_;
  float* y_;
  const float* row_gain_;
  float* column_dot_;
  std::vector<Columns> columns_;
  std::vector<int64_t> terms_at_, back_at_;  // of each part, in sums
  int64_t columns_at_ = 0;
  int64_t floats_ = 0;
};

}  // namespace

void matmul_mixture(std::span<const MixturePart> parts, float* y, const MixtureGather& gather,
                    ThreadPool& pool) {
  const int64_t rows = parts.front().w->weight.rows();
  for (const MixturePart& part : parts) {
    CHECK(part.w->weight.rows() == rows && part.w->weight.cols() == part.x->cols());
    CHECK(part.row < part.x->n());
  }
  const Slice slice(parts, y, gather);
  // The same slices, added up in order, whatever the number of threads.
  const int64_t slices = ((rows + 1) / 2 + kRows - 1) / kRows;
  const int64_t half = std::min(slices * kRows, rows);
  std::vector<float> sums(static_cast<size_t>(slices * slice.floats()));
  const auto run = [&](int64_t i) {
    const auto range = [&](int64_t begin, int64_t end) {
      const int64_t first = std::min(begin + i * kRows, end);
      return RowRange{first, std::min(first + kRows, end)};
    };
    slice.run({range(0, half), range(half, rows)}, sums.data() + i * slice.floats());
  };
  constexpr int64_t kMostClaims = 4096;  // which SlabClaims can count, however many rows there are
  const int64_t each = (slices + kMostClaims - 1) / kMostClaims;
  const int64_t claimed = (slices + each - 1) / each;
  SlabClaims claims(pool.size(), [&](int share, int shares) {
    const auto [begin, end] = ThreadPool::share(claimed, share, shares);
    return end - begin;
  });
  pool.run([&](int thread) {
    claims.take_all(thread, [&](int share, int shares, int64_t first, int64_t last) {
      const int64_t begin = ThreadPool::share(claimed, share, shares).first;
      for (int64_t i = (begin + first) * each; i < std::min((begin + last) * each, slices); ++i) {
        run(i);
      }
    });
  });
  const auto add = [&](int64_t first, int64_t last) {
    for (int64_t i = 1; i < slices; ++i) {
      const float* from = sums.data() + i * slice.floats();
      for (int64_t k = first; k < last; ++k) sums[static_cast<size_t>(k)] += from[k];
    }
  };
  constexpr int64_t kWorthSharing = 8192;  // floats of a slice
  if (slice.floats() < kWorthSharing) {
    add(0, slice.floats());
  } else {
    pool.run([&](int thread) {
      const auto [first, last] = ThreadPool::share(slice.floats(), thread, pool.size());
      add(first, last);
    });
  }
  slice.hand_out(sums.data());
}

}  // namespace model
