// Compiled once per instruction set: see model/kernels/dispatch.h.
#include "model/kernels/gemm.h"

// GCC 12's own AVX-512 intrinsics start from a value that they call undefined.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <Eigen/Core>

namespace model::FULGURITE_ISA {
namespace {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Stride = Eigen::OuterStride<>;
using ConstMap = Eigen::Map<const RowMajor, Eigen::Unaligned, Stride>;
using Map = Eigen::Map<RowMajor, Eigen::Unaligned, Stride>;

template <class A, class B>
void multiply(const A& a, const B& b, float alpha, float beta, Map& c) {
  if (beta == 0.0F) {
    c.noalias() = alpha * (a * b);
    return;
  }
  if (beta != 1.0F) c *= beta;
  c.noalias() += alpha * (a * b);
}

template <class A>
void multiply(const A& a, Op op_b, const ConstMap& b, float alpha, float beta, Map& c) {
  if (op_b == Op::kNone) {
    multiply(a, b, alpha, beta, c);
  } else {
    multiply(a, b.transpose(), alpha, beta, c);
  }
}

}  // namespace

void gemm(Op op_a, Op op_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
          int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) noexcept {
  const bool plain_a = op_a == Op::kNone;
  const bool plain_b = op_b == Op::kNone;
  const ConstMap map_a(a, plain_a ? m : k, plain_a ? k : m, Stride(lda));
  const ConstMap map_b(b, plain_b ? k : n, plain_b ? n : k, Stride(ldb));
  Map map_c(c, m, n, Stride(ldc));
  if (plain_a) {
    multiply(map_a, op_b, map_b, alpha, beta, map_c);
  } else {
    multiply(map_a.transpose(), op_b, map_b, alpha, beta, map_c);
  }
}

void add_gram(const float* a, int64_t rows, int64_t lda, int64_t d, double* gram) noexcept {
  using Doubles = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Doubles wide = ConstMap(a, rows, d, Stride(lda)).cast<double>();
  Eigen::Map<Doubles> sums(gram, d, d);
  sums.selfadjointView<Eigen::Upper>().rankUpdate(wide.transpose());
}

}  // namespace model::FULGURITE_ISA
