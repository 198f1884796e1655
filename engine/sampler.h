// From logits to the next token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/best.h"
#include "engine/control.h"
#include "engine/softmax.h"

namespace engine {

struct Choice {
  int32_t id = 0;
  float logit = 0.0F;
  float probability = 0.0F;
};

// What the model says, before any sampler: the softmax over the whole vocabulary at the
// sampler's temperature (at 1 when greedy).
struct Ranking {
  std::span<const Choice> best;  // the most probable first, ties by id
  double entropy = 0.0;          // nats, over the whole vocabulary
};

// llama.cpp's samplers in its order, each on what the one before it left (at least one token):
//
//   penalties    of the last repeat_last_n tokens, c times among them: a positive logit is
//                divided by repeat_penalty, another one multiplied; then
//                l -= c * frequency_penalty + presence_penalty
//                (Keskar et al. 2019, arXiv:1909.05858)
//   top_k        the k greatest logits
//   top_p        the smallest set whose probability reaches top_p
//                (Holtzman et al. 2019, arXiv:1904.09751)
//   min_p        those at least min_p times as probable as the best
//                (Nguyen et al. 2024, arXiv:2407.01082)
//   temperature  l /= T, and a draw in proportion to e^l; T <= 0: the best, without a draw
//
// Equal logits, settings and seed draw the same tokens on every machine: the generator is of
// integers, and weights are computed as engine/softmax.h says.
class Sampler {
 public:
  explicit Sampler(const Sampling& sampling) : sampling_(sampling), state_(sampling.seed) {}

  // The n best (fewer where the vocabulary is smaller). Good until the next call. The logits,
  // which must be finite (see require_finite), are read again by draw().
  Ranking rank(std::span<const float> logits, size_t n);

  // Draws from the logits that were ranked last. recent: the conversation so far, for the
  // penalties. Logit and probability are those of the ranking.
  Choice draw(std::span<const int32_t> recent = {});

  // Of one token, as the ranking has it.
  Choice choice(int32_t id) const noexcept;

  // What draw() would draw from: logits after penalties and temperature, probabilities that
  // add up to 1, best first. Good until the next call.
  std::span<const Choice> candidates(std::span<const int32_t> recent = {});

 private:
  // Sets the list that the samplers work on and how many of its best they keep.
  void choose(std::span<const int32_t> recent);
  void penalise(std::span<const int32_t> recent);
  size_t count_top_p(size_t n);
  size_t count_min_p(size_t n);
  // Of the i-th best of the list.
  float logit(size_t i);
  double weight(size_t i, float temperature);
  // Of the n best of the list.
  double total_weight(size_t n, float temperature);
  double uniform() noexcept;

  Sampling sampling_;
  uint64_t state_;
  std::span<const float> logits_;
  Softmax softmax_;  // of logits_
  Best best_;        // of logits_
  std::vector<Choice> ranked_;

  std::vector<float> penalised_;
  Best best_penalised_;
  std::span<const float> list_;  // logits_ or penalised_
  Best* order_ = nullptr;        // of list_
  size_t kept_ = 0;              // so many of the best are drawn from
  std::vector<Choice> candidates_;
};

// Throws Error (bad_model) when a logit is NaN or infinite: nothing can be drawn from those.
// position: of the token that was read, and narrow: whether keys and values were kept in less than
// float32, for the sentence.
void require_finite(std::span<const float> logits, int64_t position, bool narrow = false);

}  // namespace engine
