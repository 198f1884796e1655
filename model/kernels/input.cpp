#include "model/error.h"
#include "model/kernels/matmul_rows.h"

namespace model {
bool rounds_input(DType type) noexcept {
  return type != DType::kF32 && type != DType::kF16 && type != DType::kBF16;
}

void Input::set(const float* x, int64_t n, int64_t cols, int64_t ld, bool quantise,
                ThreadPool& pool) {
  CHECK(n >= 0 && cols > 0 && ld >= cols);
  x_ = x;
  n_ = n;
  cols_ = cols;
  ld_ = ld;
  blocks_ = groups_of(cols) * kBlocksInGroup;
  if (!quantise) return;
  q_.resize(static_cast<size_t>(n * blocks_ * kBlockWidth));
  d_.resize(static_cast<size_t>(n * blocks_));
  sums_.resize(static_cast<size_t>(n * blocks_ * 2));
  static const auto kernel = FULGURITE_PICK(round_row);
  const auto rows = [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      kernel(row(i), cols, blocks_, q_.data() + i * blocks_ * kBlockWidth, d_.data() + i * blocks_,
             sums_.data() + i * blocks_ * 2);
    }
  };
  if (n * cols < 1 << 16) return rows(0, n);
  pool.run([&](int thread) {
    const auto [first, last] = ThreadPool::share(n, thread, pool.size());
    rows(first, last);
  });
}

void Input::rounded(int64_t i, float* out) const noexcept {
  static const auto kernel = FULGURITE_PICK(rounded_row);
  kernel(q(i), d(i), cols_, out);
}

}  // namespace model
