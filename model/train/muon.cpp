#include "model/train/muon.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "model/kernels/gemm.h"
#include "model/kernels/train_ops.h"

namespace model::train {

void orthogonalise(float* x, int64_t rows, int64_t cols, std::vector<float>& scratch) {
  constexpr int kSteps = 5;
  constexpr float kA = 3.4445F;
  constexpr float kB = -4.7750F;
  constexpr float kC = 2.0315F;
  const int64_t side = std::min(rows, cols);
  const int64_t size = rows * cols;
  scratch.resize(static_cast<size_t>(2 * side * side + size));
  float* a = scratch.data();
  float* b = a + side * side;
  float* y = b + side * side;

  const float norm = static_cast<float>(std::sqrt(train_ops().sum_squares(x, size)));
  const float scale = 1.0F / (norm + 1e-7F);
  for (int64_t i = 0; i < size; ++i) x[i] *= scale;
  const bool wide = rows <= cols;
  for (int step = 0; step < kSteps; ++step) {
    gemm(wide ? Op::kNone : Op::kTranspose, wide ? Op::kTranspose : Op::kNone, side, side,
         std::max(rows, cols), 1.0F, x, cols, x, cols, 0.0F, a, side);
    std::copy_n(a, side * side, b);
    gemm(Op::kNone, Op::kNone, side, side, side, kC, a, side, a, side, kB, b, side);
    std::copy_n(x, size, y);
    if (wide) {
      gemm(Op::kNone, Op::kNone, rows, cols, side, 1.0F, b, side, y, cols, kA, x, cols);
    } else {
      gemm(Op::kNone, Op::kNone, rows, cols, side, 1.0F, y, cols, b, side, kA, x, cols);
    }
  }
}

void muon(float* w, float* gradient, float* momentum, int64_t rows, int64_t cols, float lr,
          float mu, float decay, float gradient_scale, std::vector<float>& scratch) {
  const int64_t size = rows * cols;
  for (int64_t i = 0; i < size; ++i) {
    const float g = gradient_scale * gradient[i];
    momentum[i] = mu * momentum[i] + g;
    gradient[i] = g + mu * momentum[i];
  }
  orthogonalise(gradient, rows, cols, scratch);
  const float step = 0.2F * std::sqrt(static_cast<float>(std::max(rows, cols)));
  for (int64_t i = 0; i < size; ++i) w[i] -= lr * (step * gradient[i] + decay * w[i]);
}

}  // namespace model::train
