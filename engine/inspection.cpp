#include "engine/inspection.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/arch/matrices.h"
#include "model/tap.h"

namespace engine {

namespace {

// Copies one tap of one layer.
class Capture final : public model::TapSink {
 public:
  explicit Capture(model::TapPlace place) : place_(place) {}
  bool wants(model::Tap tap) const noexcept override { return tap == place_.tap; }
  void on_tap(model::Tap tap, int64_t layer, int64_t /*position*/, const float* data,
              int64_t tap_rows, int64_t tap_cols) noexcept override {
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

Inspection nothing(std::string why) {
  Inspection result;
  result.formula = std::move(why);
  return result;
}

// [first, first + count) of n rows; false when that is empty or outside.
bool choose_rows(const Inspect& what, int64_t n, int64_t& first, int64_t& count) {
  first = what.first_row;
  count = what.rows < 0 ? n - first : what.rows;
  return first >= 0 && count > 0 && first + count <= n;
}

}  // namespace

Inspection summarise(const std::vector<float>& values, int64_t rows, int64_t cols) {
  Inspection s;
  s.full_rows = rows;
  s.full_cols = cols;
  if (values.empty()) return s;
  s.min = s.max = values[0];
  double sum = 0.0;
  double squares = 0.0;
  for (const float v : values) {
    s.min = std::min(s.min, v);
    s.max = std::max(s.max, v);
    sum += double{v};
    squares += double{v} * double{v};
  }
  const auto n = static_cast<double>(values.size());
  s.mean = static_cast<float>(sum / n);
  s.rms = static_cast<float>(std::sqrt(squares / n));
  s.rows = std::min(rows, kMaxSide);
  s.cols = std::min(cols, rows == 1 ? kMaxSide * kMaxSide : kMaxSide);
  if (s.rows == rows && s.cols == cols) {
    s.values = values;
    return s;
  }
  s.values.resize(static_cast<size_t>(s.rows * s.cols));
  for (int64_t r = 0; r < s.rows; ++r) {
    for (int64_t c = 0; c < s.cols; ++c) {
      double block = 0.0;
      int64_t count = 0;
      for (int64_t y = r * rows / s.rows; y < (r + 1) * rows / s.rows; ++y) {
        for (int64_t x = c * cols / s.cols; x < (c + 1) * cols / s.cols; ++x, ++count) {
          block += double{values[static_cast<size_t>(y * cols + x)]};
        }
      }
      s.values[static_cast<size_t>(r * s.cols + c)] =
          static_cast<float>(block / static_cast<double>(count));
    }
  }
  return s;
}

Inspection inspect_tensor(LoadedModel& model, model::KvCache& cache,
                          const std::vector<int32_t>& tokens, size_t done, const Inspect& what) {
  const model::Config& c = model.network->config();
  int64_t first = 0;
  int64_t count = 0;

  // A stored weight.
  if (const auto found = find_matrix(model.file, c, what.name)) {
    const model::Tensor* tensor = &found->tensor;
    const std::string unread = unsupported_type(*tensor);
    if (!unread.empty()) return nothing(unread);
    if (!choose_rows(what, tensor->rows(), first, count)) return nothing("there are no such rows");
    std::vector<float> values(static_cast<size_t>(count * tensor->cols()));
    for (int64_t i = 0; i < count; ++i) {
      dequantize_row(*tensor, first + i, values.data() + i * tensor->cols());
    }
    Inspection result = summarise(values, count, tensor->cols());
    result.formula = "stored weight, " + model::dtype_name(static_cast<uint32_t>(tensor->dtype));
    if (!found->where.empty()) result.formula += ", " + found->where;
    return result;
  }
  if (what.position >= done) return nothing("this position has not been run yet");

  // A lane of the cache: (positions, D).
  for (const char kind : {'k', 'v'}) {
    for (int64_t layer = 0; layer < c.n_layer; ++layer) {
      if (what.name != "blk." + std::to_string(layer) + ".kv." + kind) continue;
      const int64_t lane = what.first_row;
      if (lane < 0 || lane >= c.n_head_kv) return nothing("there is no such KV head");
      std::vector<float> values;
      for (int64_t j = 0; j <= what.position; ++j) {
        values.resize(values.size() + static_cast<size_t>(c.head_dim));
        float* at = values.data() + j * c.head_dim;
        kind == 'k' ? cache.load_k(layer, j, lane, at) : cache.load_v(layer, j, lane, at);
      }
      Inspection result = summarise(values, what.position + 1, c.head_dim);
      result.formula =
          model::tap_formula(kind == 'k' ? model::Tap::kK : model::Tap::kV, c) + ", as cached";
      return result;
    }
  }

  // A tap: the position again, with that tap open.
  const auto place = model::find_tap(what.name, c.n_layer);
  if (!place) return nothing("there is no tensor of this name");
  Capture capture(*place);
  std::vector<float> logits(static_cast<size_t>(c.n_vocab));
  model.network->forward(std::span(tokens).subspan(what.position, 1), what.position, cache,
                         logits.data(), 1, &capture);
  if (capture.values.empty()) return nothing("this model makes no such tensor");
  if (!choose_rows(what, capture.rows, first, count)) return nothing("there are no such rows");
  const auto begin = capture.values.begin() + first * capture.cols;
  Inspection result = summarise({begin, begin + count * capture.cols}, count, capture.cols);
  result.formula = model::tap_formula(place->tap, c);
  return result;
}

}  // namespace engine
