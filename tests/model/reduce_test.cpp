// Levels of detail say what every single value says: against brute force, for every stored type.
#include "model/reduce.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "model/error.h"

namespace {

using model::DType;
using model::Reduction;
using model::Region;

const std::vector<DType> kTypes = {DType::kF32,  DType::kF16,   DType::kBF16,  DType::kQ4_0,
                                   DType::kQ4_1, DType::kQ5_0,  DType::kQ5_1,  DType::kQ8_0,
                                   DType::kQ2K,  DType::kQ3K,   DType::kQ4K,   DType::kQ5K,
                                   DType::kQ6K,  DType::kIq4Nl, DType::kIq4Xs, DType::kMxfp4};

// A matrix of random bytes: infinities and NaN are among the values.
struct RandomTensor {
  RandomTensor(DType type, int64_t rows, int64_t cols, uint32_t seed)
      : tensor{"t", type, {cols, rows, 1, 1}, nullptr} {
    std::mt19937 random(seed);
    bytes.resize(tensor.bytes());
    for (std::byte& b : bytes) b = static_cast<std::byte>(random());
    tensor.data = bytes.data();
    values.resize(static_cast<size_t>(rows * cols));
    for (int64_t r = 0; r < rows; ++r) dequantize_row(tensor, r, values.data() + r * cols);
  }
  float at(int64_t r, int64_t c) const {
    return values[static_cast<size_t>(r * tensor.cols() + c)];
  }
  model::Tensor tensor;
  std::vector<std::byte> bytes;
  std::vector<float> values;
};

void expect_same(double expected, double have, const char* what) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(have)) << what;
  } else if (std::isinf(expected)) {
    EXPECT_EQ(expected, have) << what;
  } else {
    EXPECT_NEAR(expected, have, std::abs(expected) * 1e-9) << what;
  }
}

void expect_brute_force(const RandomTensor& t, const Region& region) {
  Reduction reduction(region);
  std::vector<float> room(static_cast<size_t>(region.cols + slack(t.tensor)), 42.0F);
  for (int64_t r = 0; r < region.rows; ++r) {
    reduction.add_row(
        dequantize_part(t.tensor, region.row + r, region.col, region.cols, room.data()));
  }
  ASSERT_TRUE(reduction.finished());
  const auto& texels = reduction.texels();
  for (int64_t y = 0; y < region.texel_rows(); ++y) {
    for (int64_t x = 0; x < region.texel_cols(); ++x) {
      float low = std::numeric_limits<float>::infinity();
      float high = -low;
      double sum = 0.0;
      int64_t cells = 0;
      const int64_t y1 = std::min((y + 1) << region.row_shift, region.rows);
      const int64_t x1 = std::min((x + 1) << region.col_shift, region.cols);
      double size = 0.0;
      for (int64_t r = y << region.row_shift; r < y1; ++r) {
        for (int64_t c = x << region.col_shift; c < x1; ++c, ++cells) {
          const float v = t.at(region.row + r, region.col + c);
          if (v < low) low = v;
          if (v > high) high = v;
          sum += double{v};
          size += std::abs(double{v});
        }
      }
      if (low > high) low = high = NAN;
      const auto i = static_cast<size_t>(y * region.texel_cols() + x);
      SCOPED_TRACE(std::to_string(y) + ", " + std::to_string(x));
      EXPECT_EQ(cells, region.cells(y, x));
      expect_same(double{low}, double{texels.min[i]}, "min");
      expect_same(double{high}, double{texels.max[i]}, "max");
      if (std::isfinite(sum)) {
        EXPECT_NEAR(sum, texels.sum[i], size * 1e-12) << "sum";
      } else {
        EXPECT_FALSE(std::isfinite(texels.sum[i])) << "sum";
      }
    }
  }
}

TEST(Reduce, EveryTypeEveryLevelIsWhatReadingEveryValueGives) {
  uint32_t seed = 1;
  for (const DType type : kTypes) {
    SCOPED_TRACE(model::dtype_name(type));
    const RandomTensor t(type, 37, 768, ++seed);
    for (const int row_shift : {0, 1, 3, 6}) {
      for (const int col_shift : {0, 2, 5, 10}) {
        expect_brute_force(t, {0, 0, 37, 768, row_shift, col_shift});
      }
    }
  }
}

TEST(Reduce, APartBeginsAndEndsAnywhereInABlock) {
  uint32_t seed = 100;
  for (const DType type : kTypes) {
    SCOPED_TRACE(model::dtype_name(type));
    const RandomTensor t(type, 9, 768, ++seed);
    for (const Region& region : {Region{3, 17, 5, 301, 1, 3}, Region{8, 767, 1, 1, 0, 0},
                                 Region{0, 255, 9, 2, 2, 0}, Region{2, 256, 3, 512, 0, 0}}) {
      expect_brute_force(t, region);
    }
  }
}

TEST(Reduce, WhatIsNotANumberLeavesTheExtremesAndUnknowsTheMean) {
  const float inf = std::numeric_limits<float>::infinity();
  Reduction reduction({0, 0, 1, 8, 0, 1});
  const std::vector<float> row = {1.0F, NAN, NAN, NAN, -inf, 2.0F, 3.0F, 4.0F};
  reduction.add_row(row.data());
  const auto& t = reduction.texels();
  EXPECT_EQ(1.0F, t.min[0]);
  EXPECT_EQ(1.0F, t.max[0]);
  EXPECT_TRUE(std::isnan(t.sum[0]));
  EXPECT_TRUE(std::isnan(t.min[1]) && std::isnan(t.max[1]));
  EXPECT_EQ(-inf, t.min[2]);
  EXPECT_EQ(2.0F, t.max[2]);
  EXPECT_EQ(7.0, t.sum[3]);
}

TEST(Reduce, ATexelRowIsThereWhenItsLastRowIs) {
  Reduction reduction({0, 0, 5, 1, 1, 0});
  const float one = 1.0F;
  EXPECT_EQ(0, reduction.texel_rows_done());
  reduction.add_row(&one);
  EXPECT_EQ(0, reduction.texel_rows_done());
  EXPECT_TRUE(std::isnan(reduction.texels().min[0])) << "not before";
  reduction.add_row(&one);
  EXPECT_EQ(1, reduction.texel_rows_done());
  EXPECT_EQ(1.0F, reduction.texels().min[0]);
  for (int i = 0; i < 3; ++i) reduction.add_row(&one);
  EXPECT_TRUE(reduction.finished());
  EXPECT_EQ(3, reduction.texel_rows_done()) << "the last one is half as high";
  EXPECT_EQ(1.0, reduction.texels().sum[2]);
}

}  // namespace
