// Matrix products on row-major matrices with leading dimensions.
#pragma once

#include <cstdint>

#include "model/kernels/dispatch.h"

namespace model {

enum class Op { kNone, kTranspose };

FULGURITE_DECLARE_ISA(void gemm(Op op_a, Op op_b, int64_t m, int64_t n, int64_t k, float alpha,
                                const float* a, int64_t lda, const float* b, int64_t ldb,
                                float beta, float* c, int64_t ldc) noexcept;)

FULGURITE_DECLARE_ISA(void add_gram(const float* a, int64_t rows, int64_t lda, int64_t d,
                                    double* gram) noexcept;)

// C = alpha op(A) op(B) + beta C, with op(A) (m, k), op(B) (k, n), C (m, n); lda, ldb and ldc
// are the distances of rows as stored. beta = 0 overwrites C whatever it holds. C overlaps
// neither A nor B. Runs on the calling thread; the order of the sums depends only on the
// shape and the instruction set.
inline void gemm(Op op_a, Op op_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
                 int64_t lda, const float* b, int64_t ldb, float beta, float* c,
                 int64_t ldc) noexcept {
  static const auto kernel = FULGURITE_PICK(gemm);
  kernel(op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

// The upper triangle of G += A^T A in double precision; A (rows, d), G (d, d) row-major. Runs on
// the calling thread.
inline void add_gram(const float* a, int64_t rows, int64_t lda, int64_t d, double* gram) noexcept {
  static const auto kernel = FULGURITE_PICK(add_gram);
  kernel(a, rows, lda, d, gram);
}

}  // namespace model
