#include "model/kernels/mixture.h"

#include <algorithm>
#include <array>
#include <cstdint>
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

// Chosen columns that are read at once: of one matrix, or of all where they lie in one stack.
struct Columns {
  const Tensor* w = nullptr;
  // In w; column c of the matrix that lies k matrices behind it is k rows cols + c.
  std::array<int32_t, kMixtureColumns> numbers{};
  std::vector<size_t> chosen{};  // which of them these are; what is beyond is not looked at
};

std::vector<Columns> columns_of(std::span<const MixturePart> parts, const MixtureColumn* chosen) {
  constexpr int64_t kMostWeights = int64_t{1} << 29;  // of four bytes: places below 2^31
  const auto weight = [&](int64_t part) -> const Tensor& {
    return parts[static_cast<size_t>(part)].w->weight;
  };
  const auto place = [&](int64_t part) { return reinterpret_cast<uintptr_t>(weight(part).data); };
  int64_t first = 0;
  for (int64_t k = 1; k < std::ssize(parts); ++k) {
    if (place(k) < place(first)) first = k;
  }
  const Tensor& base = weight(first);
  const int64_t size = base.rows() * base.cols();
  const auto behind = [&](int64_t part) {
    return static_cast<int64_t>((place(part) - place(first)) / base.bytes());
  };
  bool stacked = true;
  for (int64_t k = 0; k < std::ssize(parts); ++k) {
    stacked = stacked && weight(k).dtype == base.dtype &&
              (place(k) - place(first)) % base.bytes() == 0 && behind(k) < kMostWeights / size;
  }
  std::vector<Columns> all;
  for (int64_t k = 0; k < (stacked ? 1 : std::ssize(parts)); ++k) {
    Columns columns{stacked ? &base : &weight(k)};
    for (size_t n = 0; n < kMixtureColumns; ++n) {
      const auto& [part, column] = chosen[n];
      if (!stacked && part != k) continue;
      columns.numbers[columns.chosen.size()] =
          static_cast<int32_t>((stacked ? behind(part) * size : 0) + column);
      columns.chosen.push_back(n);
    }
    if (!columns.chosen.empty()) all.push_back(std::move(columns));
  }
  return all;
}

// A thread's part: rows of all matrices, and then what they leave for the sums.
class Slice {
 public:
  Slice(std::span<const MixturePart> parts, const Input& x, float* y, const MixtureGather& gather)
      : parts_(parts), x_(x), y_(y), gather_(gather) {
    if (gather.columns != nullptr) columns_ = columns_of(parts, gather.columns);
  }

  int64_t floats() const noexcept { return columns_at(columns_.size()); }

  // Adds to sums (floats()): of the blocks of each part, of its columns, of the chosen columns.
  void run(std::array<RowRange, 2> ranges, float* sums) const {
    static const auto multiply = FULGURITE_PICK(matvec_two);
    static const auto terms_of_rows = FULGURITE_PICK(add_terms_of_rows);
    static const auto columns = FULGURITE_PICK(add_columns);
    static const auto back = FULGURITE_PICK(back_rows);
    thread_local Lines<float, OfMixture> memory;
    const int64_t of_range = kRows * terms();
    memory.resize(static_cast<size_t>(2 * std::ssize(parts_) * of_range));
    const auto kept = [&](size_t k, size_t range) {
      return memory.data() + static_cast<int64_t>(2 * k + range) * of_range;
    };
    for (size_t k = 0; k < parts_.size(); ++k) {
      for (const size_t range : {0U, 1U}) {
        ranges[range].terms = gather_.block_dot != nullptr ? kept(k, range) : nullptr;
      }
      multiply({parts_[k].w, &x_, static_cast<int64_t>(k), parts_[k].term, nullptr, nullptr},
               ranges[0], ranges[1]);
    }
    for (const size_t range : {0U, 1U}) {
      const auto [first, last] = std::pair{ranges[range].first, ranges[range].last};
      float u[kRows];
      add_up(first, last, u);
      for (size_t k = 0; k < parts_.size(); ++k) {
        const auto part = static_cast<int64_t>(k);
        if (gather_.block_dot != nullptr) {
          terms_of_rows(kept(k, range), last - first, terms(), u, sums + part * terms());
        }
        if (gather_.back != nullptr) {
          back(parts_[k].w->weight, first, last, u, sums + back_at(part));
        }
      }
      for (size_t k = 0; k < columns_.size(); ++k) {
        columns(*columns_[k].w, columns_[k].numbers.data(), first, last, u, sums + columns_at(k));
      }
    }
  }

  void hand_out(const float* sums) const {
    const int64_t blocks = (x_.cols() + kBlockWidth - 1) / kBlockWidth;
    for (int64_t k = 0; k < std::ssize(parts_); ++k) {
      if (gather_.block_dot != nullptr) {
        std::copy_n(sums + k * terms(), blocks, gather_.block_dot + k * blocks);
      }
      if (gather_.back == nullptr) continue;
      std::copy_n(sums + back_at(k), x_.cols(), gather_.back + k * x_.cols());
    }
    for (size_t k = 0; k < columns_.size(); ++k) {
      const float* of = sums + columns_at(k);
      for (const size_t n : columns_[k].chosen) gather_.column_dot[n] = *of++;
    }
  }

 private:
  int64_t terms() const noexcept { return groups_of(x_.cols()) * kBlocksInGroup; }
  int64_t back_at(int64_t part) const noexcept {
    const int64_t cols = gather_.back != nullptr ? groups_of(x_.cols()) * kGroupWidth : 0;
    return std::ssize(parts_) * terms() + part * cols;
  }
  int64_t columns_at(size_t k) const noexcept {
    return back_at(std::ssize(parts_)) + static_cast<int64_t>(k) * kMixtureColumns;
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
    for (int64_t r = 0; gather_.row_gain != nullptr && r < n; ++r)
      u[r] *= gather_.row_gain[first + r];
  }

  std::span<const MixturePart> parts_;
  const Input& x_;
  float* y_;
  const MixtureGather& gather_;
  std::vector<Columns> columns_;
};

}  // namespace

void matmul_mixture(std::span<const MixturePart> parts, const Input& x, float* y,
                    const MixtureGather& gather, ThreadPool& pool) {
  const int64_t rows = parts.front().w->weight.rows();
  for (const MixturePart& part : parts) {
    CHECK(part.w->weight.rows() == rows && part.w->weight.cols() == x.cols());
  }
  CHECK(std::ssize(parts) == x.n());
  const Slice slice(parts, x, y, gather);
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
  if (gather.back == nullptr) {
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
