#include "engine/inspection.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "model/arch/matrices.h"

namespace engine {

namespace {

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

Inspection weight(const model::NamedMatrix& matrix, const Inspect& what) {
  const model::Tensor& tensor = matrix.tensor;
  const std::string unread = unsupported_type(tensor);
  if (!unread.empty()) return nothing(unread);
  int64_t first = 0;
  int64_t count = 0;
  if (!choose_rows(what, tensor.rows(), first, count)) return nothing("there are no such rows");
  Summary summary(count, tensor.cols());
  std::vector<float> row(static_cast<size_t>(tensor.cols()));
  for (int64_t i = 0; i < count; ++i) {
    dequantize_row(tensor, first + i, row.data());
    summary.add_row(row.data());
  }
  Inspection result = std::move(summary).result();
  result.formula = "stored weight, " + model::dtype_name(tensor.dtype);
  if (!matrix.where.empty()) result.formula += ", " + matrix.where;
  return result;
}

// A lane of the cache: (positions, width of a key or of a value).
Inspection lane(const model::Config& c, const Past& past, const CachePlace& place,
                const Inspect& what) {
  if (what.first_row < 0 || what.first_row >= c.n_head_kv)
    return nothing("there is no such KV head");
  const int64_t d = place.keys ? c.head_dim : c.value_width();
  Summary summary(int64_t{what.position} + 1, d);
  std::vector<float> row(static_cast<size_t>(d));
  for (int64_t j = 0; j <= what.position; ++j) {
    place.keys ? past.cache.load_k(place.layer, j, what.first_row, row.data())
               : past.cache.load_v(place.layer, j, what.first_row, row.data());
    summary.add_row(row.data());
  }
  Inspection result = std::move(summary).result();
  result.formula =
      model::tap_formula({place.keys ? model::Tap::kK : model::Tap::kV, place.layer}, c) +
      ", as cached";
  return result;
}

// A mixture has zeros for the neurons of experts that did not run: they say nothing of the others.
void measure_those_that_ran(const model::Config& c, const std::vector<float>& neurons,
                            const TapValues& experts, Inspection& result) {
  std::vector<float> those;
  for (int64_t e = 0; e < experts.rows; ++e) {
    const auto expert = static_cast<int64_t>(experts.data[static_cast<size_t>(3 * e)]);
    const auto first = neurons.begin() + expert * c.n_ff;
    those.insert(those.end(), first, first + c.neurons_of(expert));
  }
  Summary summary(1, std::ssize(those));
  summary.add_row(those.data());
  const Inspection measured = std::move(summary).result();
  result.min = measured.min;
  result.max = measured.max;
  result.mean = measured.mean;
  result.rms = measured.rms;
}

Inspection tap(const LoadedModel& model, const Past& past, const model::TapPlace& place,
               const Inspect& what) {
  const model::Config& c = model.network->config();
  const bool some_ran = c.mixed(place.layer) && model::of_neurons(place.tap);
  const model::TapPlace places[] = {place, {model::Tap::kExperts, place.layer}};
  const std::vector<TapValues> ran =
      run_again(model, past, what.position, std::span(places).first(some_ran ? 2 : 1));
  const TapValues& values = ran.front();
  if (values.data.empty()) return nothing("this model makes no such tensor");
  int64_t first = 0;
  int64_t count = 0;
  if (!choose_rows(what, values.rows, first, count)) return nothing("there are no such rows");
  Summary summary(count, values.cols);
  for (int64_t i = first; i < first + count; ++i)
    summary.add_row(values.data.data() + i * values.cols);
  Inspection result = std::move(summary).result();
  if (some_ran) measure_those_that_ran(c, values.data, ran.back(), result);
  result.formula = model::tap_formula(place, c);
  return result;
}

}  // namespace

Summary::Summary(int64_t rows, int64_t cols) {
  s_.full_rows = rows;
  s_.full_cols = cols;
  s_.rows = std::min(rows, kMaxSide);
  s_.cols = std::min(cols, rows == 1 ? kMaxSide * kMaxSide : kMaxSide);
  s_.values.reserve(static_cast<size_t>(s_.rows * s_.cols));
  blocks_.resize(static_cast<size_t>(s_.cols));
}

void Summary::add_row(const float* values) {
  const int64_t cols = s_.full_cols;
  if (row_ == 0) s_.min = s_.max = values[0];
  for (int64_t x = 0; x < cols; ++x) {
    const float v = values[x];
    s_.min = std::min(s_.min, v);
    s_.max = std::max(s_.max, v);
    sum_ += double{v};
    squares_ += double{v} * double{v};
  }
  const auto begin = [&](int64_t block) { return block * cols / s_.cols; };
  for (int64_t b = 0; b < s_.cols; ++b) {
    for (int64_t x = begin(b); x < begin(b + 1); ++x)
      blocks_[static_cast<size_t>(b)] += double{values[x]};
  }
  // Block r is of rows r * full / rows to (r + 1) * full / rows.
  ++row_;
  const int64_t r = std::ssize(s_.values) / s_.cols;
  if (row_ != (r + 1) * s_.full_rows / s_.rows) return;
  const int64_t rows = row_ - r * s_.full_rows / s_.rows;
  for (int64_t b = 0; b < s_.cols; ++b) {
    double& block = blocks_[static_cast<size_t>(b)];
    const auto cells = static_cast<double>(rows * (begin(b + 1) - begin(b)));
    s_.values.push_back(static_cast<float>(block / cells));
    block = 0.0;
  }
}

Inspection Summary::result() && {
  const auto n = static_cast<double>(s_.full_rows * s_.full_cols);
  s_.mean = static_cast<float>(sum_ / n);
  s_.rms = static_cast<float>(std::sqrt(squares_ / n));
  return std::move(s_);
}

Inspection inspect_tensor(const LoadedModel& model, const Past& past, const Inspect& what) {
  const model::Config& c = model.network->config();
  if (const auto found = find_matrix(model.file, c, what.name)) return weight(*found, what);
  if (what.position >= past.done) return nothing("this position has not been run yet");
  if (const auto place = find_cache(what.name, c.n_layer)) return lane(c, past, *place, what);
  const auto place = model::find_tap(what.name, c.n_layer);
  if (!place) return nothing("there is no tensor of this name");
  return tap(model, past, *place, what);
}

}  // namespace engine
