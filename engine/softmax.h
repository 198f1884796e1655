// Sums over all logits, the same to the last bit on every machine: nothing but IEEE additions
// and multiplications in a fixed order, no function of the C library (whose last bits differ
// from one processor to the next) and no fused multiply-add. Only the entropy takes a logarithm.
#pragma once

#include <span>

namespace engine {

// With x_i = (l_i - max) / T and S = sum_i e^x_i, so that p_i = e^x_i / S:
struct Softmax {
  float max = 0.0F;
  double sum = 0.0;      // S
  double entropy = 0.0;  // -sum_i p_i ln p_i, in nats
};

// temperature > 0. Relative error of S below 1e-6. logits: finite, not empty. max: the greatest of
// them, for who knows it.
Softmax softmax_of(std::span<const float> logits, float temperature) noexcept;
Softmax softmax_of(std::span<const float> logits, float temperature, float max) noexcept;

// e^x for x <= 0 to within 1e-15 of its value; 0 below -708.
double portable_exp(double x) noexcept;

// False when there is a NaN or an infinity among them.
bool all_finite(std::span<const float> logits) noexcept;

// The greatest of every block of kLogitBlock values; out holds logit_blocks(n) values. A NaN is
// never the greatest; a block of nothing else gives -infinity.
inline constexpr size_t kLogitBlock = 64;
constexpr size_t logit_blocks(size_t n) noexcept {
  return (n + kLogitBlock - 1) / kLogitBlock;
}
void block_maxima(std::span<const float> logits, float* out) noexcept;

}  // namespace engine
