#include "model/kernels/matmul.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "model/error.h"
#include "model/kernels/matmul_rows.h"

namespace model {
namespace {

// Rows are cut into as many slabs as this whatever the number of threads; what is gathered is
// added up in each slab on its own and then over the slabs in order.
constexpr int64_t kSlabs = 16;

int64_t slab_begin(int64_t rows, int64_t slab) noexcept {
  return rows * slab / kSlabs;
}

// Memory for the sums of all slabs of one position, laid out one after the other.
class SlabSums {
 public:
  SlabSums(const Gather& gather, int64_t cols, std::vector<float>& memory) : memory_(memory) {
    const bool groups = gather.group_width > 0 && gather.group_dot != nullptr;
    if (groups && groups_are_blocks(gather)) blocks_ = groups_of(cols) * kBlocksInGroup;
    if (groups && !groups_are_blocks(gather)) {
      groups_ = (cols + gather.group_width - 1) / gather.group_width;
    }
    if (gather.back != nullptr) back_ = groups_of(cols) * kGroupWidth;
    cols_ = cols;
    if (gather.chosen_dot != nullptr) chosen_ = gather.n_chosen;
    // Every part begins a cache line: vectors across two lines cost twice.
    memory_.assign(static_cast<size_t>(kSlabs * stride()) + kLine, 0.0F);
    void* begin = memory_.data();
    size_t space = memory_.size() * sizeof(float);
    begin_ = static_cast<float*>(std::align(64, sizeof(float), begin, space));
  }

  GatherSums slab(int64_t i) const noexcept {
    float* at = begin_ + i * stride();
    GatherSums sums;
    if (back_ > 0) sums.back = at;
    if (blocks_ > 0) sums.blocks = at + back_;
    if (groups_ > 0) sums.groups = at + back_ + lines(blocks_);
    if (chosen_ > 0) sums.chosen = at + back_ + lines(blocks_) + lines(groups_);
    return sums;
  }

  // Adds the slabs in order and hands out.
  void finish(const Gather& gather) const noexcept {
    float* total = begin_;
    for (int64_t s = 1; s < kSlabs; ++s) {
      const float* slab = begin_ + s * stride();
      for (int64_t k = 0; k < stride(); ++k) total[k] += slab[k];
    }
    const GatherSums sums = slab(0);
    if (sums.blocks != nullptr) {
      const int64_t per_group = gather.group_width / kBlockWidth;
      for (int64_t b = 0; b * kBlockWidth < cols_; ++b) {
        float& group = gather.group_dot[b / per_group];
        group = b % per_group == 0 ? sums.blocks[b] : group + sums.blocks[b];
      }
    }
    if (sums.groups != nullptr) std::copy_n(sums.groups, groups_, gather.group_dot);
    if (sums.back != nullptr) std::copy_n(sums.back, cols_, gather.back);
    if (sums.chosen != nullptr) std::copy_n(sums.chosen, chosen_, gather.chosen_dot);
  }

 private:
  static constexpr int64_t kLine = 16;  // floats
  static int64_t lines(int64_t n) noexcept { return (n + kLine - 1) / kLine * kLine; }
  int64_t stride() const noexcept {
    return back_ + lines(blocks_) + lines(groups_) + lines(chosen_);
  }

  std::vector<float>& memory_;
  float* begin_ = nullptr;
  int64_t blocks_ = 0, groups_ = 0, back_ = 0, chosen_ = 0, cols_ = 0;
};

void matvec(const Linear& w, const Input& x, int64_t i, float* y, const Gather* gather,
            ThreadPool& pool) {
  static thread_local std::vector<float> memory;
  static thread_local std::vector<float> rounded;
  const Gather nothing;
  const SlabSums sums(gather != nullptr ? *gather : nothing, x.cols(), memory);
  const float* x_rounded = x.row(i);
  if (gather != nullptr && rounds_input(w.weight.dtype)) {
    rounded.resize(static_cast<size_t>(x.cols()));
    x.rounded(i, rounded.data());
    x_rounded = rounded.data();
  }
  const RowTask task = {&w, &x, i, y, gather, x_rounded};
  static const auto kernel = FULGURITE_PICK(matvec_rows);
  std::atomic<int64_t> next{0};
  pool.run([&](int) {
    for (int64_t s = next++; s < kSlabs; s = next++) {
      kernel(task, slab_begin(w.weight.rows(), s), slab_begin(w.weight.rows(), s + 1),
             sums.slab(s));
    }
  });
  if (gather != nullptr) sums.finish(*gather);
}

// Rows that are read from memory once and then stay in the cache for all positions.
constexpr int64_t kChunkBytes = int64_t{256} << 10;
constexpr int64_t kPanelRows = 16;
constexpr int64_t kPanelPositions = 4;  // fewer do not pay for unpacking

// All positions, without gathers.
void many_positions(const Linear& w, const Input& x, float* y, int64_t ld, ThreadPool& pool) {
  static const auto panel = FULGURITE_PICK(panel_rows);
  static const auto rows = FULGURITE_PICK(matvec_rows);
  const int64_t n_rows = w.weight.rows();
  const auto row_bytes = static_cast<int64_t>(w.weight.row_bytes());
  const int64_t whole = std::max<int64_t>(1, kChunkBytes / (row_bytes * kPanelRows)) * kPanelRows;
  const int64_t fair = (n_rows / (4 * pool.size()) + kPanelRows) / kPanelRows * kPanelRows;
  const int64_t chunk = std::min(whole, fair);
  std::atomic<int64_t> next{0};
  pool.run([&](int) {
    for (int64_t r = (next += chunk) - chunk; r < n_rows; r = (next += chunk) - chunk) {
      const int64_t last = std::min(r + chunk, n_rows);
      if (x.n() >= kPanelPositions && panel(w, x, r, last, y, ld)) continue;
      for (int64_t i = 0; i < x.n(); ++i) {
        rows({&w, &x, i, y + i * ld, nullptr, nullptr}, r, last, {});
      }
    }
  });
}

}  // namespace

void matmul(const Linear& w, const Input& x, float* y, int64_t ld, const Gather* gathers,
            ThreadPool& pool) noexcept {
  CHECK(w.weight.cols() == x.cols());
  if (x.n() > 1 && gathers == nullptr) return many_positions(w, x, y, ld, pool);
  for (int64_t i = 0; i < x.n(); ++i) {
    matvec(w, x, i, y + i * ld, gathers != nullptr ? gathers + i : nullptr, pool);
  }
}

void matmul_back(const Tensor& w, const float* u, float* back, ThreadPool& pool) noexcept {
  Gather gather;
  gather.back = back;
  static thread_local std::vector<float> memory;
  const SlabSums sums(gather, w.cols(), memory);
  std::atomic<int64_t> next{0};
  static const auto kernel = FULGURITE_PICK(back_rows);
  pool.run([&](int) {
    for (int64_t s = next++; s < kSlabs; s = next++) {
      kernel(w, slab_begin(w.rows(), s), slab_begin(w.rows(), s + 1), u, sums.slab(s).back);
    }
  });
  sums.finish(gather);
}

}  // namespace model
