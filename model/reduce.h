// Levels of detail of a matrix: every texel is the minimum, the sum and the maximum of a rectangle
// of cells. Rows are added one by one in order, so that a large matrix can be read in small pieces.
//
// What is not a number takes no part in the extremes; it makes the sum (and so the mean) not a
// number. A texel of such cells alone has NaN extremes.
#pragma once

#include <cstdint>
#include <vector>

#include "model/tensor.h"

namespace model {

// Cells [row, row + rows) x [col, col + cols) of a matrix; a texel spans 2^row_shift x 2^col_shift
// of them, the last ones fewer.
struct Region {
  int64_t row = 0, col = 0;
  int64_t rows = 0, cols = 0;
  int row_shift = 0, col_shift = 0;

  int64_t texel_rows() const noexcept { return texels(rows, row_shift); }
  int64_t texel_cols() const noexcept { return texels(cols, col_shift); }
  // Cells behind texel (r, c).
  int64_t cells(int64_t r, int64_t c) const noexcept {
    return span(rows, row_shift, r) * span(cols, col_shift, c);
  }

 private:
  static int64_t texels(int64_t n, int shift) noexcept {
    return (n + (int64_t{1} << shift) - 1) >> shift;
  }
  static int64_t span(int64_t n, int shift, int64_t i) noexcept {
    const int64_t left = n - (i << shift);
    return left < int64_t{1} << shift ? left : int64_t{1} << shift;
  }
};

struct Texels {
  // (texel_rows, texel_cols)
  std::vector<float> min, max;
  std::vector<double> sum;
};

class Reduction {
 public:
  explicit Reduction(const Region& region);

  const Region& region() const noexcept { return region_; }
  // Rows of the region that were added; texel rows that are complete.
  int64_t rows_done() const noexcept { return done_; }
  int64_t texel_rows_done() const noexcept {
    return finished() ? region_.texel_rows() : done_ >> region_.row_shift;
  }
  bool finished() const noexcept { return done_ == region_.rows; }

  // The region's cells of its next row (cols). CHECKs that it is not finished.
  void add_row(const float* cells) noexcept;

  // Texel rows that are not complete hold NaN.
  const Texels& texels() const noexcept { return texels_; }

 private:
  void fold() noexcept;

  Region region_;
  Texels texels_;
  int64_t done_ = 0;
  // Of the texel row at hand, a value a column.
  std::vector<float> low_, high_;
  std::vector<double> sum_;
};

// Cells [col, col + cols) of row i as float32; out has room for cols rounded out to whole blocks:
// see slack(). Returns where they begin in it.
const float* dequantize_part(const Tensor& tensor, int64_t i, int64_t col, int64_t cols,
                             float* out) noexcept;
// Values that dequantize_part may write beyond the asked ones.
int64_t slack(const Tensor& tensor) noexcept;

}  // namespace model
