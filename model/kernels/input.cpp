#include <algorithm>
#include <cmath>
#include <limits>

#include "model/error.h"
#include "model/kernels/matmul.h"

namespace model {
namespace {

constexpr int64_t kLanes = 8;

int32_t sum16(const int8_t* q) noexcept {
  int32_t sum = 0;
  for (int k = 0; k < 16; ++k) sum += q[k];
  return sum;
}

// Rounds n <= 32 values to 8 bits. Blocks that hold a NaN or an infinity have the scale NaN, so
// that it shows in every product; values below 1e-30 are zero.
float round_block(const float* x, int64_t n, int8_t* q) noexcept {
  float most = 0.0F;
  bool finite = true;
  for (int64_t k = 0; k < n; ++k) {
    most = std::max(most, std::abs(x[k]));
    finite = finite && std::abs(x[k]) <= std::numeric_limits<float>::max();
  }
  std::fill_n(q, kBlockWidth, int8_t{0});
  if (!finite) return std::numeric_limits<float>::quiet_NaN();
  if (most < 1e-30F) return 0.0F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer, to even
  const float inverse = 127.0F / most;
  for (int64_t k = 0; k < n; ++k) q[k] = static_cast<int8_t>((x[k] * inverse + kRound) - kRound);
  return most / 127.0F;
}

}  // namespace

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
  blocks_ = (cols + kBlockWidth * kLanes - 1) / (kBlockWidth * kLanes) * kLanes;
  if (!quantise) return;
  q_.resize(static_cast<size_t>(n * blocks_ * kBlockWidth));
  d_.resize(static_cast<size_t>(n * blocks_));
  sums_.resize(static_cast<size_t>(n * blocks_ * 2));
  const auto rows = [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      for (int64_t b = 0; b < blocks_; ++b) {
        const int64_t begin = std::min(b * kBlockWidth, cols);
        int8_t* q = q_.data() + (i * blocks_ + b) * kBlockWidth;
        d_[static_cast<size_t>(i * blocks_ + b)] =
            round_block(row(i) + begin, std::min(kBlockWidth, cols - begin), q);
        int32_t* sums = sums_.data() + (i * blocks_ + b) * 2;
        sums[0] = sum16(q);
        sums[1] = sum16(q + 16);
      }
    }
  };
  if (n * cols < 1 << 16) return rows(0, n);
  pool.run([&](int thread) {
    const auto [first, last] = ThreadPool::share(n, thread, pool.size());
    rows(first, last);
  });
}

void Input::rounded(int64_t i, float* out) const noexcept {
  for (int64_t c = 0; c < cols_; ++c) out[c] = d(i)[c / kBlockWidth] * q(i)[c];
}

}  // namespace model
