// y = W x for stored weights, with what the shares need gathered in the same pass.
//
// Sums run over sixteen lanes that are added in a fixed order, without fused
// multiply-adds, so every instruction set and every call gives the same bits.
#pragma once

#include "model/tensor.h"

namespace model {

// y (rows) = W (rows, cols) x (cols). For F32 and F16 weights.
void matvec(const Tensor& w, const float* x, float* y) noexcept;

// The same, with the columns cut into n_groups equal groups (the heads of an output
// projection, or one group for all):
//   partial (n_groups, rows): each group's own term; y is their sum in order.
//   back (cols): back[c] = sum_i term_g(i) W[i, c] with g the group of column c, so that
//     <W_g x_g, W_g v> = v . back_g. May be nullptr.
// y has the same bits with and without back.
void matvec_grouped(const Tensor& w, const float* x, int64_t n_groups, float* partial, float* y,
                    float* back) noexcept;

// The scalar reference that tests compare with: double precision, one after the other.
void matvec_reference(const Tensor& w, const float* x, float* y) noexcept;

}  // namespace model
