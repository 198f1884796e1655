// From logits to the next token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/control.h"

namespace engine {

struct Choice {
  int32_t id = 0;
  float logit = 0.0F;
  float probability = 0.0F;  // softmax over the whole vocabulary at the temperature
};

// Temperature, then the k most probable, then the smallest set whose probability reaches
// top_p (nucleus sampling, Holtzman et al. 2019, arXiv:1904.09751). Greedy when
// temperature <= 0. The same seed and the same logits give the same tokens on every machine.
class Sampler {
 public:
  explicit Sampler(const Sampling& sampling) : sampling_(sampling), state_(sampling.seed) {}

  // Sorts the candidates by probability, at the sampler's temperature (1 when greedy), ties
  // by id. Stays good until the next call of rank().
  std::span<const Choice> rank(std::span<const float> logits);

  // Draws from the last ranking.
  Choice draw();

  const Sampling& settings() const noexcept { return sampling_; }

 private:
  double uniform() noexcept;

  Sampling sampling_;
  uint64_t state_;
  std::vector<Choice> ranked_;
};

}  // namespace engine
