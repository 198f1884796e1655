#include "engine/sampler.h"

#include <algorithm>
#include <string>

#include "model/error.h"

namespace engine {

Ranking Sampler::rank(std::span<const float> logits, size_t n) {
  CHECK(!logits.empty());
  logits_ = logits;
  best_.reset(logits);
  const int32_t first = best_[0];
  CHECK(first >= 0 && "logits are finite");
  softmax_ = softmax_of(logits, sampling_.temperature > 0.0F ? sampling_.temperature : 1.0F,
                        logits[static_cast<size_t>(first)]);
  ranked_.clear();
  for (size_t i = 0; i < std::min(n, logits.size()); ++i) ranked_.push_back(choice(best_[i]));
  return {ranked_, softmax_.entropy};
}

Choice Sampler::draw(std::span<const int32_t> recent) {
  choose(recent);
  if (sampling_.temperature <= 0.0F) return choice((*order_)[0]);
  double left = uniform() * total_weight(kept_, sampling_.temperature);
  for (size_t i = 0; i + 1 < kept_; ++i) {
    left -= weight(i, sampling_.temperature);
    if (left < 0.0) return choice((*order_)[i]);
  }
  return choice((*order_)[kept_ - 1]);
}

std::span<const Choice> Sampler::candidates(std::span<const int32_t> recent) {
  choose(recent);
  const bool greedy = sampling_.temperature <= 0.0F;
  const float temperature = greedy ? 1.0F : sampling_.temperature;
  if (greedy) kept_ = 1;
  const double total = total_weight(kept_, temperature);
  candidates_.clear();
  for (size_t i = 0; i < kept_; ++i) {
    candidates_.push_back(
        {(*order_)[i], logit(i) / temperature, static_cast<float>(weight(i, temperature) / total)});
  }
  return candidates_;
}

void Sampler::choose(std::span<const int32_t> recent) {
  CHECK(!logits_.empty());
  if (sampling_.repeat_last_n >= 0) {
    recent = recent.last(std::min<size_t>(recent.size(), sampling_.repeat_last_n));
  }
  const bool changes = sampling_.repeat_penalty != 1.0F || sampling_.frequency_penalty != 0.0F ||
                       sampling_.presence_penalty != 0.0F;
  if (changes && !recent.empty()) {
    penalise(recent);
  } else {
    list_ = logits_;
    order_ = &best_;
  }
  kept_ = list_.size();
  if (sampling_.temperature <= 0.0F) return;
  if (sampling_.top_k > 0) kept_ = std::min<size_t>(kept_, sampling_.top_k);
  if (sampling_.top_p < 1.0F) kept_ = count_top_p(kept_);
  if (sampling_.min_p > 0.0F) kept_ = count_min_p(kept_);
}

void Sampler::penalise(std::span<const int32_t> recent) {
  penalised_.assign(logits_.begin(), logits_.end());
  std::vector<int32_t> ids(recent.begin(), recent.end());
  std::sort(ids.begin(), ids.end());
  for (size_t i = 0; i < ids.size();) {
    const size_t first = i;
    while (i < ids.size() && ids[i] == ids[first]) ++i;
    if (ids[first] < 0 || static_cast<size_t>(ids[first]) >= penalised_.size()) continue;
    float& l = penalised_[static_cast<size_t>(ids[first])];
    l = l <= 0.0F ? l * sampling_.repeat_penalty : l / sampling_.repeat_penalty;
    l -= static_cast<float>(i - first) * sampling_.frequency_penalty + sampling_.presence_penalty;
  }
  list_ = penalised_;
  order_ = &best_penalised_;
  best_penalised_.reset(list_);
}

size_t Sampler::count_top_p(size_t n) {
  const double wanted = double{sampling_.top_p} * total_weight(n, 1.0F);
  double reached = 0.0;
  for (size_t i = 0; i < n; ++i) {
    reached += weight(i, 1.0F);
    if (reached >= wanted) return i + 1;
  }
  return n;
}

size_t Sampler::count_min_p(size_t n) {
  size_t i = 1;
  while (i < n && weight(i, 1.0F) >= double{sampling_.min_p}) ++i;
  return i;
}

float Sampler::logit(size_t i) {
  const int32_t id = (*order_)[i];
  CHECK(id >= 0 && "logits are finite");
  return list_[static_cast<size_t>(id)];
}

double Sampler::weight(size_t i, float temperature) {
  return portable_exp((double{logit(i)} - double{logit(0)}) / double{temperature});
}

double Sampler::total_weight(size_t n, float temperature) {
  double total = 0.0;
  if (n == list_.size()) {  // in any order; in double, as what is taken away from it is
    const double best = logit(0);
    for (const float l : list_) total += portable_exp((double{l} - best) / double{temperature});
    return total;
  }
  for (size_t i = 0; i < n; ++i) total += weight(i, temperature);
  return total;
}

Choice Sampler::choice(int32_t id) const noexcept {
  CHECK(id >= 0 && "logits are finite");
  const float l = logits_[static_cast<size_t>(id)];
  const double temperature = sampling_.temperature > 0.0F ? double{sampling_.temperature} : 1.0;
  const double weight = portable_exp((double{l} - double{softmax_.max}) / temperature);
  return {id, l, static_cast<float>(weight / softmax_.sum)};
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

void require_finite(std::span<const float> logits, int64_t position, bool narrow) {
  if (all_finite(logits)) return;
  throw fulgurite::Error(
      fulgurite::ExitCode::kBadModel,
      "the model gave logits that are no finite numbers at position " + std::to_string(position),
      {},
      narrow ? "its weights are damaged, or its keys or values too large for their KV cache: try "
               "--cache-type f32"
             : "its weights or its metadata are damaged; fetch it again");
}

}  // namespace engine
