#include "engine/analysis/attribution.h"

#include <algorithm>
#include <cmath>

namespace engine {

double dot(const float* a, const float* b, int64_t n) noexcept {
  double sum = 0.0;
  for (int64_t i = 0; i < n; ++i) sum += double{a[i]} * double{b[i]};
  return sum;
}

namespace {

// numerators / total, or nothing where the total is nothing.
double inverse(double total) noexcept {
  return std::abs(total) > kNothing ? 1.0 / total : 0.0;
}

}  // namespace

void head_shares(const float* head_out, const float* da, int64_t heads, int64_t width,
                 std::span<float> shares) noexcept {
  const double scale = inverse(dot(da, da, width));
  for (int64_t h = 0; h < heads; ++h) {
    shares[static_cast<size_t>(h)] =
        static_cast<float>(dot(head_out + h * width, da, width) * scale);
  }
}

void read_shares(const float* weights, const float* values, int64_t stride, const float* back,
                 const float* z, int64_t head_width, std::span<float> shares) noexcept {
  const double scale = inverse(dot(z, back, head_width));
  for (size_t j = 0; j < shares.size(); ++j) {
    const double term = dot(values + static_cast<int64_t>(j) * stride, back, head_width);
    shares[j] = static_cast<float>(double{weights[j]} * term * scale);
  }
}

void neuron_shares(const float* act, const float* back, std::span<float> shares) noexcept {
  const double scale = inverse(dot(act, back, static_cast<int64_t>(shares.size())));
  for (size_t n = 0; n < shares.size(); ++n) {
    shares[n] = static_cast<float>(double{act[n]} * double{back[n]} * scale);
  }
}

}  // namespace engine
