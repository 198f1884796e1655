#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "model/error.h"

namespace engine {

std::span<const Choice> Sampler::rank(std::span<const float> logits) {
  CHECK(!logits.empty());
  const float temperature = sampling_.temperature > 0.0F ? sampling_.temperature : 1.0F;
  ranked_.resize(logits.size());
  for (size_t i = 0; i < logits.size(); ++i)
    ranked_[i] = {static_cast<int32_t>(i), logits[i], 0.0F};
  std::sort(ranked_.begin(), ranked_.end(), [](const Choice& a, const Choice& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  });
  const double top = double{ranked_[0].logit};
  double sum = 0.0;
  std::vector<double> weights(ranked_.size());
  for (size_t i = 0; i < ranked_.size(); ++i) {
    weights[i] = std::exp((double{ranked_[i].logit} - top) / double{temperature});
    sum += weights[i];
  }
  for (size_t i = 0; i < ranked_.size(); ++i)
    ranked_[i].probability = static_cast<float>(weights[i] / sum);
  return ranked_;
}

Choice Sampler::draw() {
  CHECK(!ranked_.empty());
  if (sampling_.temperature <= 0.0F) return ranked_[0];
  size_t n = ranked_.size();
  if (sampling_.top_k > 0) n = std::min<size_t>(n, sampling_.top_k);
  double total = 0.0;
  for (size_t i = 0; i < n; ++i) total += double{ranked_[i].probability};
  if (sampling_.top_p < 1.0F) {
    double kept = 0.0;
    size_t i = 0;
    while (i < n && kept < double{sampling_.top_p} * total)
      kept += double{ranked_[i++].probability};
    n = std::max<size_t>(i, 1);
    total = n == i ? kept : double{ranked_[0].probability};
  }
  double left = uniform() * total;
  for (size_t i = 0; i < n; ++i) {
    left -= double{ranked_[i].probability};
    if (left < 0.0) return ranked_[i];
  }
  return ranked_[n - 1];
}

// SplitMix64 (Steele, Lea & Flood 2014): the upper 53 bits as a number in [0, 1).
double Sampler::uniform() noexcept {
  state_ += 0x9E3779B97F4A7C15U;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1.0p-53;
}

}  // namespace engine
