#include "engine/analysis/logit_lens.h"

#include <algorithm>
#include <span>

namespace engine {

namespace {

constexpr int64_t kAtOnce = 8;  // streams: the logits of more take too much memory

Reading reading_of(std::span<const float> logits, int32_t token, float temperature, size_t n) {
  Sampling sampling;
  sampling.temperature = temperature;
  Sampler sampler(sampling);
  const Ranking ranking = sampler.rank(logits, n);
  const float own = logits[static_cast<size_t>(token)];
  Reading reading;
  reading.best.assign(ranking.best.begin(), ranking.best.end());
  reading.probability = sampler.choice(token).probability;
  reading.rank = static_cast<uint32_t>(
      std::count_if(logits.begin(), logits.end(), [&](float other) { return other > own; }));
  return reading;
}

}  // namespace

std::vector<Reading> read_layers(const LoadedModel& model, const Past& past, uint32_t position,
                                 int32_t token, float temperature, size_t n) {
  const model::Config& c = model.network->config();
  std::vector<model::TapPlace> places = {{model::Tap::kEmbedding, 0}};
  for (int64_t l = 0; l < c.n_layer; ++l) places.push_back({model::Tap::kResidPost, l});
  const std::vector<TapValues> taps = run_again(model, past, position, places);

  const auto vocabulary = static_cast<size_t>(c.n_vocab);
  std::vector<Reading> readings;
  std::vector<float> streams;
  std::vector<float> logits(kAtOnce * vocabulary);
  for (size_t first = 0; first < taps.size(); first += kAtOnce) {
    const size_t rows = std::min<size_t>(kAtOnce, taps.size() - first);
    streams.clear();
    for (size_t i = first; i < first + rows; ++i)
      streams.insert(streams.end(), taps[i].data.begin(), taps[i].data.end());
    model.network->unembed(streams.data(), static_cast<int64_t>(rows), logits.data());
    for (size_t i = 0; i < rows; ++i) {
      const auto row = std::span(logits).subspan(i * vocabulary, vocabulary);
      require_finite(row, position);
      readings.push_back(reading_of(row, token, temperature, n));
    }
  }
  return readings;
}

}  // namespace engine
