#include "engine/commands/tap_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/edit_distance.h"
#include "model/error.h"
#include "model/kv_cache.h"

namespace engine::commands {

namespace {

class Shapes final : public model::TapSink {
 public:
  struct Seen {
    model::Tap tap;
    int64_t layer, rows, cols;
  };
  bool wants(model::Tap /*tap*/) const noexcept override { return true; }
  void on_tap(model::Tap tap, int64_t layer, int64_t /*position*/, const float* /*data*/,
              int64_t rows, int64_t cols) override {
    seen.push_back({tap, layer, rows, cols});
  }
  std::vector<Seen> seen;
};

}  // namespace

std::string TapShape::shape() const {
  const std::string last = reaches ? "T" : std::to_string(cols);
  return model::tap_info(tap).matrix ? fmt::format("({}, {})", rows, last)
                                     : fmt::format("({})", last);
}

std::vector<TapShape> list_taps(LoadedModel& model) {
  model::KvCache cache(model.network->config(), 2);
  std::vector<float> logits(static_cast<size_t>(model.network->config().n_vocab));
  Shapes first;
  Shapes second;
  const int32_t id = 0;
  model.network->forward({&id, 1}, 0, cache, logits.data(), 1, &first);
  model.network->forward({&id, 1}, 1, cache, logits.data(), 1, &second);
  CHECK(first.seen.size() == second.seen.size());
  // In the order of the pass: what nothing waits for comes later than it was made.
  const auto rank = [](const Shapes::Seen& s) {
    const bool first_of_all = s.tap == model::Tap::kEmbedding;
    return std::tuple(!first_of_all, !first_of_all && !model::tap_info(s.tap).per_layer, s.layer,
                      s.tap);
  };
  for (Shapes* shapes : {&first, &second}) std::ranges::sort(shapes->seen, {}, rank);
  std::vector<TapShape> taps;
  for (size_t i = 0; i < first.seen.size(); ++i) {
    const Shapes::Seen& tap = first.seen[i];
    taps.push_back({model::tap_name(tap.tap, tap.layer), tap.tap, tap.rows, tap.cols,
                    second.seen[i].cols != tap.cols,
                    model::tap_formula({tap.tap, tap.layer}, model.network->config())});
  }
  return taps;
}

std::vector<std::string> nearest_names(const std::vector<TapShape>& taps, const std::string& name,
                                       size_t n) {
  std::vector<std::string> names;
  for (const TapShape& tap : taps) names.push_back(tap.name);
  return nearest(name, std::move(names), n);
}

}  // namespace engine::commands
