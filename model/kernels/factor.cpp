#include "model/kernels/factor.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/kernels/ops.h"

namespace model {

void factorise(double* gram, int64_t n, float* factor) noexcept {
  constexpr double kNothing = 1e-13;  // of a diagonal element
  std::fill_n(factor, factor_floats(n), 0.0F);
  const int64_t width = (n + kFactorBlock - 1) / kFactorBlock * kFactorBlock;
  std::array<double, kWidestFactor> nothing;
  for (int64_t k = 0; k < n; ++k) nothing[static_cast<size_t>(k)] = kNothing * gram[k * n + k];
  for (int64_t k = 0; k < n; ++k) {
    double* row = gram + k * n;
    const int64_t begin = k / kFactorBlock * kFactorBlock;
    float* tiles = factor + k % kFactorBlock * kFactorBlock;
    if (k % kFactorBlock == kFactorBlock - 1) factor += kFactorBlock * (width - begin);
    if (row[k] <= nothing[static_cast<size_t>(k)]) continue;  // NaN goes on, so that it shows
    const double inverse = 1.0 / std::sqrt(row[k]);
    for (int64_t j = k; j < n; ++j) {
      row[j] *= inverse;
      const int64_t lane = j % kFactorBlock;
      tiles[(j - begin - lane) * kFactorBlock + lane] = static_cast<float>(row[j]);
    }
    for (int64_t i = k + 1; i < n; ++i) {
      double* below = gram + i * n;
      for (int64_t j = i; j < n; ++j) below[j] -= row[i] * row[j];
    }
  }
}

}  // namespace model
