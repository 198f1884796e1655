// The factor of a matrix of inner products, so that what it multiplies keeps its accuracy.
#pragma once

#include <cstdint>

namespace model {

// R, upper triangular, with R^T R = G (n, n), positive semi-definite and row-major, of which the
// upper triangle is read and overwritten; factor: factor_floats(n) floats, as factor_matvec() wants
// them. Rows in whose direction nothing but rounding is left are zero. Cholesky's method (Golub &
// Van Loan, Matrix Computations, 4.2).
void factorise(double* gram, int64_t n, float* factor) noexcept;

}  // namespace model
