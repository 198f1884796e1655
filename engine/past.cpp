#include "engine/past.h"

#include <algorithm>
#include <charconv>

namespace engine {

namespace {

// Copies taps of one position.
class Capture final : public model::TapSink {
 public:
  explicit Capture(std::span<const model::TapPlace> places)
      : values(places.size()), places_(places) {}
  bool wants(model::Tap tap) const noexcept override {
    return std::any_of(places_.begin(), places_.end(),
                       [&](const model::TapPlace& place) { return place.tap == tap; });
  }
  void on_tap(model::Tap tap, int64_t layer, int64_t /*position*/, const float* data, int64_t rows,
              int64_t cols) override {
    for (size_t i = 0; i < places_.size(); ++i) {
      if (places_[i].tap != tap) continue;
      if (model::tap_info(tap).per_layer && layer != places_[i].layer) continue;
      values[i] = {rows, cols, {data, data + rows * cols}};
    }
  }
  std::vector<TapValues> values;

 private:
  std::span<const model::TapPlace> places_;
};

}  // namespace

namespace {

void run_again(const LoadedModel& model, const Past& past, uint32_t position, model::TapSink& sink,
               std::span<float> logits) {
  model.network->forward(std::span(past.tokens).subspan(position, 1), position, past.cache,
                         logits.empty() ? nullptr : logits.data(), logits.empty() ? 0 : 1, &sink,
                         past.muted);
}

}  // namespace

void run_again(const LoadedModel& model, const Past& past, uint32_t position,
               model::TapSink& sink) {
  run_again(model, past, position, sink, {});
}

std::vector<TapValues> run_again(const LoadedModel& model, const Past& past, uint32_t position,
                                 std::span<const model::TapPlace> places) {
  Capture capture(places);
  const bool unembeds = std::any_of(places.begin(), places.end(), [](const model::TapPlace& place) {
    return model::needs_logits(place.tap);
  });
  std::vector<float> logits;
  if (unembeds) logits.resize(static_cast<size_t>(model.network->config().n_vocab));
  run_again(model, past, position, capture, logits);
  return std::move(capture.values);
}

std::optional<CachePlace> find_cache(std::string_view name, int64_t n_layer) {
  constexpr std::string_view kBefore = "blk.";
  if (!name.starts_with(kBefore)) return {};
  int64_t layer = -1;
  const char* end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + kBefore.size(), end, layer);
  if (error != std::errc() || layer < 0 || layer >= n_layer) return {};
  const std::string_view which(rest, static_cast<size_t>(end - rest));
  if (which != ".kv.k" && which != ".kv.v") return {};
  return CachePlace{layer, which == ".kv.k"};
}

}  // namespace engine
