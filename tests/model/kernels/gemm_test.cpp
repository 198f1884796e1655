#include "model/kernels/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace model {
namespace {

float value(int64_t i) {
  return static_cast<float>((i * 37 + 11) % 29 - 14) / 8.0F;
}

void check(Op op_a, Op op_b, int64_t m, int64_t n, int64_t k, float alpha, float beta) {
  SCOPED_TRACE(::testing::Message() << m << " " << n << " " << k << " beta " << beta);
  const int64_t lda = (op_a == Op::kNone ? k : m) + 3;
  const int64_t ldb = (op_b == Op::kNone ? n : k) + 1;
  const int64_t ldc = n + 2;
  std::vector<float> a(static_cast<size_t>(lda * (op_a == Op::kNone ? m : k)));
  std::vector<float> b(static_cast<size_t>(ldb * (op_b == Op::kNone ? k : n)));
  std::vector<float> c(static_cast<size_t>(ldc * m));
  for (size_t i = 0; i < a.size(); ++i) a[i] = value(static_cast<int64_t>(i));
  for (size_t i = 0; i < b.size(); ++i) b[i] = value(static_cast<int64_t>(i) + 5);
  for (size_t i = 0; i < c.size(); ++i) c[i] = value(static_cast<int64_t>(i) + 9);
  const std::vector<float> old = c;
  if (beta == 0.0F) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        c[static_cast<size_t>(i * ldc + j)] = std::numeric_limits<float>::quiet_NaN();
      }
    }
  }
  gemm(op_a, op_b, m, n, k, alpha, a.data(), lda, b.data(), ldb, beta, c.data(), ldc);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < ldc; ++j) {
      const auto at = static_cast<size_t>(i * ldc + j);
      double expected = static_cast<double>(old[at]);
      if (j < n) {
        expected *= static_cast<double>(beta);
        for (int64_t p = 0; p < k; ++p) {
          const auto ia = static_cast<size_t>(op_a == Op::kNone ? i * lda + p : p * lda + i);
          const auto ib = static_cast<size_t>(op_b == Op::kNone ? p * ldb + j : j * ldb + p);
          expected +=
              static_cast<double>(alpha) * static_cast<double>(a[ia]) * static_cast<double>(b[ib]);
        }
      }
      ASSERT_NEAR(c[at], expected, 1e-3) << i << " " << j;
    }
  }
}

TEST(Gemm, EveryOrientationAndRaggedShapes) {
  for (const Op op_a : {Op::kNone, Op::kTranspose}) {
    for (const Op op_b : {Op::kNone, Op::kTranspose}) {
      for (const float beta : {0.0F, 1.0F, 0.5F}) {
        check(op_a, op_b, 1, 1, 1, 1.0F, beta);
        check(op_a, op_b, 5, 1, 3, 2.0F, beta);
        check(op_a, op_b, 1, 7, 33, -1.0F, beta);
        check(op_a, op_b, 17, 50, 31, 0.5F, beta);
        check(op_a, op_b, 64, 64, 64, 1.0F, beta);
        check(op_a, op_b, 130, 67, 300, 1.0F, beta);
      }
    }
  }
}

}  // namespace
}  // namespace model
