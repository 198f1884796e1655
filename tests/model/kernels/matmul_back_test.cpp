// W^T u, where it is a product of its own.
#include <gtest/gtest.h>

#include "model/kernels/matmul.h"
#include "tests/model/kernels/random_matrix.h"
#include "tests/support/oracle.h"

namespace model {
namespace {

using tests::same_bits;

TEST(MatmulBack, IsTheTransposedProduct) {
  ThreadPool pool(2);
  for (const DType type : kEveryType) {
    const int64_t cols = 512;
    RandomMatrix m(type, 70, cols);
    const std::vector<float> u = m.normal(70);
    std::vector<float> back(static_cast<size_t>(cols));
    matmul_back(m.linear().weight, u.data(), back.data(), pool);
    std::vector<double> expected(back.size());
    for (int64_t r = 0; r < 70; ++r) {
      const std::vector<double> row = m.row(r);
      for (size_t c = 0; c < row.size(); ++c) {
        expected[c] += row[c] * double{u[static_cast<size_t>(r)]};
      }
    }
    EXPECT_LT(distance(back, expected), back_error(type, 1e-6)) << dtype_name(type);
  }
}

TEST(MatmulBack, OfManyPositionsIsTheSame) {
  ThreadPool one(1);
  ThreadPool three(3);
  for (const DType type : kEveryType) {
    const int64_t n = 5;
    const int64_t rows = 70;
    const int64_t cols = block_elements(type) == 256 ? 768 : 32 * 19;
    RandomMatrix m(type, rows, cols);
    const std::vector<float> u = m.normal(n * rows);
    std::vector<float> back(static_cast<size_t>(n * cols));
    matmul_back(m.linear().weight, u.data(), n, back.data(), three);
    std::vector<float> alone(back.size());
    matmul_back(m.linear().weight, u.data(), n, alone.data(), one);
    EXPECT_TRUE(same_bits(back, alone)) << "threads";
    std::vector<double> expected(back.size());
    for (int64_t r = 0; r < rows; ++r) {
      const std::vector<double> row = m.row(r);
      for (size_t k = 0; k < expected.size(); ++k) {
        expected[k] += row[k % row.size()] * double{u[k / row.size() * rows + r]};
      }
    }
    EXPECT_LT(distance(back, expected), 1e-6) << dtype_name(type);
  }
}

TEST(MatmulBack, OfEachIsThatOfEveryMatrixAndPosition) {
  ThreadPool one(1);
  ThreadPool three(3);
  for (const DType type : kEveryType) {
    SCOPED_TRACE(dtype_name(type));
    const int64_t matrices = 3;
    const int64_t n = 5;
    const int64_t rows = 20;
    const int64_t cols = block_elements(type) == 256 ? 768 : 32 * 19;
    const int64_t apart = cols + 7;
    const RandomMatrix all(type, matrices * rows, cols);
    std::vector<Linear> w(static_cast<size_t>(matrices), all.linear());
    for (size_t k = 0; k < w.size(); ++k) {
      w[k].weight.ne = {cols, rows, 1, 1};
      w[k].weight.data = all.linear().weight.row(static_cast<int64_t>(k) * rows);
    }
    const std::vector<float> u = RandomMatrix(type, 1, cols).normal(n * matrices * rows);
    const auto back_of = [&](int64_t first, int64_t count, ThreadPool& pool) {
      std::vector<float> back(static_cast<size_t>(count * matrices * apart), 1.0F);
      matmul_back_each(w, u.data() + first * matrices * rows, rows, count, back.data(), apart,
                       pool);
      return back;
    };
    const std::vector<float> back = back_of(0, n, three);
    EXPECT_TRUE(same_bits(back, back_of(0, n, one))) << "threads";
    const std::vector<float> fourth = back_of(3, 1, one);
    EXPECT_TRUE(std::equal(fourth.begin(), fourth.end(), back.begin() + 3 * matrices * apart))
        << "alone";
    for (int64_t item = 0; item < n * matrices; ++item) {
      std::vector<double> expected(static_cast<size_t>(cols));
      for (int64_t r = 0; r < rows; ++r) {
        const std::vector<double> row = all.row(item % matrices * rows + r);
        for (size_t c = 0; c < row.size(); ++c)
          expected[c] += row[c] * double{u[static_cast<size_t>(item * rows + r)]};
      }
      EXPECT_LT(distance(back.data() + item * apart, expected), 1e-6);
      EXPECT_EQ(1.0F, back[static_cast<size_t>(item * apart + cols)]) << "between them";
    }
  }
}

}  // namespace
}  // namespace model
