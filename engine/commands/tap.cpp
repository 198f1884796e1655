#include "engine/commands/tap.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "engine/commands/passes.h"
#include "engine/commands/tap_list.h"
#include "model/error.h"
#include "model/format/npy.h"

namespace engine::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

// Copies one tap of one layer.
class Capture final : public model::TapSink {
 public:
  explicit Capture(model::TapPlace place) : place_(place) {}
  void on_tap(model::Tap tap, int64_t layer, const float* data, int64_t tap_rows,
              int64_t tap_cols) noexcept override {
    if (tap != place_.tap || (model::tap_info(tap).per_layer && layer != place_.layer)) return;
    rows = tap_rows;
    cols = tap_cols;
    values.assign(data, data + rows * cols);
  }
  int64_t rows = 0, cols = 0;
  std::vector<float> values;

 private:
  model::TapPlace place_;
};

[[noreturn]] void no_such_tap(LoadedModel& model, const std::string& name) {
  std::string near;
  for (const std::string& other : nearest_names(list_taps(model), name, 3)) {
    near += (near.empty() ? "" : ", ") + other;
  }
  throw Error(ExitCode::kUsage, fmt::format("the model has no tensor '{}'", name), "--name",
              fmt::format("near are {}; fulgurite taps lists all", near));
}

// Both copies of an array of so many floats must fit.
void require_memory(int64_t floats) {
  const double there =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  const double needed = 2.0 * sizeof(float) * static_cast<double>(floats);
  if (needed <= 0.5 * there) return;
  throw Error(ExitCode::kFailed,
              fmt::format("needs {:.0f} MB of memory, of {:.0f} MB", needed / 1e6, there / 1e6),
              "the tensor of all positions", "ask for one with --position");
}

// The positions' values one after the other, every row filled up with zeros.
class Stack {
 public:
  Stack(model::Tap tap, int64_t positions) : tap_(tap), positions_(positions) {}

  void add(const Capture& captured, int64_t last_cols) {
    if (values_.empty()) {
      rows_ = captured.rows;
      cols_ = std::max(captured.cols, last_cols);
      require_memory(positions_ * rows_ * cols_);
      values_.resize(static_cast<size_t>(positions_ * rows_ * cols_));
    }
    CHECK(captured.rows == rows_ && captured.cols <= cols_ && added_ < positions_);
    for (int64_t r = 0; r < rows_; ++r) {
      const auto row = captured.values.begin() + r * captured.cols;
      std::copy(row, row + captured.cols, values_.begin() + ((added_ * rows_ + r) * cols_));
    }
    ++added_;
  }

  void write(const std::string& path, bool one_position) const {
    std::vector<int64_t> shape;
    if (!one_position) shape.push_back(positions_);
    if (is_matrix(tap_)) shape.push_back(rows_);
    shape.push_back(is_matrix(tap_) ? cols_ : rows_ * cols_);
    model::write_npy(path, values_, shape);
  }

 private:
  model::Tap tap_;
  int64_t positions_;
  int64_t rows_ = 0, cols_ = 0, added_ = 0;
  std::vector<float> values_;
};

}  // namespace

int taps(const TapsOptions& options, std::ostream& out) {
  LoadedModel model(options.model);
  const std::vector<TapShape> all = list_taps(model);
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  size_t longest = 0;
  for (const TapShape& tap : all) longest = std::max(longest, tap.name.size());
  for (const TapShape& tap : all) {
    nlohmann::ordered_json shape = nlohmann::ordered_json::array();
    if (is_matrix(tap.tap)) shape.push_back(tap.rows);
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
  if (!out.flush()) throw Error(ExitCode::kFailed, "cannot write the list", "stdout");
  return 0;
}

int tap(const TapOptions& options) {
  LoadedModel model(options.model);
  const model::Config& c = model.network->config();
  const auto place = model::find_tap(options.name, c.n_layer);
  if (!place) no_such_tap(model, options.name);
  std::vector<int32_t> tokens = tokens_of(model, options.input);
  const bool one = options.position >= 0;
  if (one && options.position >= static_cast<int64_t>(tokens.size())) {
    throw Error(ExitCode::kUsage,
                fmt::format("there is no position {}: {} tokens were given", options.position,
                            tokens.size()),
                "--position", "positions count from 0");
  }
  if (one) tokens.resize(static_cast<size_t>(options.position) + 1);
  const auto positions = static_cast<int64_t>(tokens.size());
  model::KvCache cache(c, positions);
  const int64_t first = one ? options.position : 0;
  run_silently(model, std::span(tokens).first(static_cast<size_t>(first)), 0, cache);

  const bool needs_logits = place->tap == model::Tap::kNorm || place->tap == model::Tap::kLogits;
  const bool reaches = place->tap == model::Tap::kScores || place->tap == model::Tap::kWeights;
  std::vector<float> logits(needs_logits ? static_cast<size_t>(c.n_vocab) : 0);
  Capture capture(*place);
  Stack stack(place->tap, positions - first);
  for (int64_t p = first; p < positions; ++p) {
    model.network->forward(tokens[static_cast<size_t>(p)], p, cache,
                           needs_logits ? logits.data() : nullptr, &capture);
    if (capture.values.empty()) no_such_tap(model, options.name);
    stack.add(capture, reaches ? positions : 0);
  }
  stack.write(options.output, one);
  return 0;
}

}  // namespace engine::commands
