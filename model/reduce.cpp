#include "model/reduce.h"

#include <algorithm>
#include <limits>

#include "model/dequantize.h"
#include "model/error.h"

namespace model {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

Reduction::Reduction(const Region& region)
    : region_(region),
      low_(static_cast<size_t>(region.cols), kInfinity),
      high_(static_cast<size_t>(region.cols), -kInfinity),
      sum_(static_cast<size_t>(region.cols), 0.0) {
  const auto n = static_cast<size_t>(region.texel_rows() * region.texel_cols());
  texels_.min.assign(n, kNan);
  texels_.max.assign(n, kNan);
  texels_.sum.assign(n, static_cast<double>(kNan));
}

void Reduction::add_row(const float* cells) noexcept {
  CHECK(!finished());
  const size_t n = low_.size();
  float* low = low_.data();
  float* high = high_.data();
  double* sum = sum_.data();
  for (size_t c = 0; c < n; ++c) {
    const float v = cells[c];
    low[c] = v < low[c] ? v : low[c];
    high[c] = v > high[c] ? v : high[c];
    sum[c] += double{v};
  }
  ++done_;
  if (finished() || (done_ & ((int64_t{1} << region_.row_shift) - 1)) == 0) fold();
}

// The columns' values -> the texel row that has just become complete.
void Reduction::fold() noexcept {
  const int64_t cols = region_.texel_cols();
  const int64_t at = ((done_ - 1) >> region_.row_shift) * cols;
  for (int64_t t = 0; t < cols; ++t) {
    float low = kInfinity;
    float high = -kInfinity;
    double sum = 0.0;
    const int64_t end = std::min((t + 1) << region_.col_shift, region_.cols);
    for (int64_t c = t << region_.col_shift; c < end; ++c) {
      const auto i = static_cast<size_t>(c);
      low = std::min(low, low_[i]);
      high = std::max(high, high_[i]);
      sum += sum_[i];
    }
    const auto i = static_cast<size_t>(at + t);
    const bool any = low <= high;
    texels_.min[i] = any ? low : kNan;
    texels_.max[i] = any ? high : kNan;
    texels_.sum[i] = sum;
  }
  std::fill(low_.begin(), low_.end(), kInfinity);
  std::fill(high_.begin(), high_.end(), -kInfinity);
  std::fill(sum_.begin(), sum_.end(), 0.0);
}

int64_t slack(const Tensor& tensor) noexcept {
  return 2 * dtype_block(tensor.dtype).elements;
}

const float* dequantize_part(const Tensor& tensor, int64_t i, int64_t col, int64_t cols,
                             float* out) noexcept {
  CHECK(i >= 0 && i < tensor.rows() && col >= 0 && cols >= 0 && col + cols <= tensor.cols());
  const BlockSize block = dtype_block(tensor.dtype);
  const int64_t first = col / block.elements;
  const int64_t last = (col + cols + block.elements - 1) / block.elements;
  dequantize(tensor.dtype, tensor.row(i) + static_cast<size_t>(first) * block.bytes,
             (last - first) * block.elements, out);
  return out + (col - first * block.elements);
}

}  // namespace model
