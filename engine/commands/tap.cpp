#include "engine/commands/tap.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <vector>

#include "engine/cache.h"
#include "engine/commands/passes.h"
#include "engine/commands/tap_list.h"
#include "engine/interventions.h"
#include "engine/past.h"
#include "engine/threads.h"
#include "model/error.h"
#include "model/format/npy.h"

namespace engine::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

constexpr int64_t kBatch = 16;  // positions at once; some taps of many are large

[[noreturn]] void no_such_tap(LoadedModel& model, const std::string& name) {
  std::string near;
  for (const std::string& other : nearest_names(list_taps(model), name, 3)) {
    near += (near.empty() ? "" : ", ") + other;
  }
  throw Error(ExitCode::kUsage, fmt::format("the model has no tensor '{}'", name), "--name",
              fmt::format("near are {}; fulgurite taps lists all", near));
}

// The inspector's "blk.3.kv.k" is what attn.k made at every position: f32 here, as it was made.
std::optional<model::TapPlace> place_of(const std::string& name, int64_t n_layer) {
  if (const auto cached = find_cache(name, n_layer))
    return model::TapPlace{cached->keys ? model::Tap::kK : model::Tap::kV, cached->layer};
  return model::find_tap(name, n_layer);
}

// One tap of one layer, its positions one after the other, every row filled up with zeros.
class Stack final : public model::TapSink {
 public:
  Stack(model::TapPlace place, int64_t first) : place_(place), first_(first) {}

  // The first position is run alone and says how large the tensor is.
  bool empty() const noexcept { return values_.empty(); }
  void make_room(int64_t positions, int64_t cols) {
    CHECK(!empty() && cols >= cols_);
    const std::vector<float> first = std::move(values_);
    const int64_t first_cols = cols_;
    positions_ = positions;
    cols_ = cols;
    // Both copies must fit.
    require_memory(2 * positions_ * rows_ * cols_, "the tensor of all positions",
                   "ask for one with --position");
    values_.assign(static_cast<size_t>(positions_ * rows_ * cols_), 0.0F);
    put(first_, first.data(), first_cols);
  }
  int64_t cols() const noexcept { return cols_; }

  bool wants(model::Tap tap) const noexcept override { return tap == place_.tap; }
  void on_tap(model::Tap tap, int64_t layer, int64_t position, const float* data, int64_t rows,
              int64_t cols) override {
    if (tap != place_.tap || (model::tap_info(tap).per_layer && layer != place_.layer)) return;
    if (positions_ > 0) {
      CHECK(rows == rows_ && cols <= cols_);
      put(position, data, cols);
      return;
    }
    rows_ = rows;
    cols_ = cols;
    values_.assign(data, data + rows * cols);
  }

  void write(const std::string& path, bool one_position) const {
    std::vector<int64_t> shape;
    if (!one_position) shape.push_back(positions_);
    if (model::tap_info(place_.tap).matrix) shape.push_back(rows_);
    shape.push_back(model::tap_info(place_.tap).matrix ? cols_ : rows_ * cols_);
    model::write_npy(path, values_, shape);
  }

 private:
  void put(int64_t position, const float* data, int64_t cols) noexcept {
    CHECK(position >= first_ && position < first_ + positions_);
    for (int64_t r = 0; r < rows_; ++r) {
      std::copy(data + r * cols, data + (r + 1) * cols,
                values_.begin() + ((position - first_) * rows_ + r) * cols_);
    }
  }

  model::TapPlace place_;
  int64_t first_;
  int64_t positions_ = 0;  // 0: no room made yet
  int64_t rows_ = 0, cols_ = 0;
  std::vector<float> values_;
};

}  // namespace

int taps(const TapsOptions& options, std::ostream& out) {
  LoadedModel model(options.model, thread_count(options.threads));
  const std::vector<TapShape> all = list_taps(model);
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  size_t longest = 0;
  for (const TapShape& tap : all) longest = std::max(longest, tap.name.size());
  for (const TapShape& tap : all) {
    nlohmann::ordered_json shape = nlohmann::ordered_json::array();
    if (model::tap_info(tap.tap).matrix) shape.push_back(tap.rows);
    if (tap.reaches) {
      shape.push_back("T");
    } else {
      shape.push_back(tap.cols);
    }
    json.push_back({{"name", tap.name}, {"shape", shape}, {"formula", tap.formula}});
    if (options.json) continue;
    out << fmt::format("{:<{}}  {:<14}  {}\n", tap.name, longest, tap.shape(), tap.formula);
  }
  if (options.json) out << json.dump(1) << '\n';
  return 0;
}

int tap(const TapOptions& options) {
  LoadedModel model(options.model, thread_count(options.threads));
  const model::Config& c = model.network->config();
  const auto place = place_of(options.name, c.n_layer);
  if (!place) no_such_tap(model, options.name);
  const auto muted = mutes_of(options.input.muted, c);
  std::vector<int32_t> tokens = tokens_of(model, options.input);
  const bool one = options.position >= 0;
  if (one && options.position >= static_cast<int64_t>(tokens.size())) {
    throw Error(ExitCode::kUsage,
                fmt::format("there is no position {}: {} tokens were given", options.position,
                            tokens.size()),
                "--position", "positions count from 0");
  }
  model::KvCache cache = make_cache(c, capacity_of(options.input, tokens));
  if (one) tokens.resize(static_cast<size_t>(options.position) + 1);
  const auto positions = static_cast<int64_t>(tokens.size());
  const int64_t first = one ? options.position : 0;
  run_silently(model, std::span(tokens).first(static_cast<size_t>(first)), 0, cache, muted);

  const bool unembeds = model::needs_logits(place->tap);
  const bool reaches = place->tap == model::Tap::kScores || place->tap == model::Tap::kWeights;
  Stack stack(*place, first);
  std::vector<float> logits;
  // The first position alone, then batches.
  for (int64_t p = first, n = 1; p < positions; p += n, n = std::min(kBatch, positions - p)) {
    if (unembeds) logits.resize(static_cast<size_t>(n * c.n_vocab));
    const auto ids = std::span(tokens).subspan(static_cast<size_t>(p), static_cast<size_t>(n));
    model.network->forward(ids, p, cache, unembeds ? logits.data() : nullptr, unembeds ? n : 0,
                           &stack, muted);
    if (stack.empty()) no_such_tap(model, options.name);
    if (p == first) stack.make_room(positions - first, reaches ? positions : stack.cols());
  }
  stack.write(options.output, one);
  return 0;
}

}  // namespace engine::commands
