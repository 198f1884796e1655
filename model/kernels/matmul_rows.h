// What the driver (matmul.cpp) asks of the kernels: a range of rows against one row of x.
#pragma once

#include <cstdint>

#include "model/kernels/matmul.h"

namespace model {

// Where the gathers of one range of rows are added up. nullptr: not wanted.
struct GatherSums {
  float* blocks = nullptr;  // (blocks of x)  sum_i t_b u_i
  float* groups = nullptr;  // (groups)  the same of groups that are not whole blocks
  float* back = nullptr;    // (cols)
  float* chosen = nullptr;  // (n_chosen)
};

// True if every group is made of whole blocks, so that the blocks' terms are all it takes.
bool groups_are_blocks(const Gather& gather) noexcept;

// Floats that gather_rows needs as scratch for a matrix of that many columns.
int64_t scratch_floats(int64_t cols) noexcept;

// y[r] for first <= r < last and position i of x; adds to the sums if there is a gather.
// x_rounded (cols): x~ of the position, needed where groups are not blocks.
void gather_rows(const Linear& w, const Input& x, int64_t i, int64_t first, int64_t last, float* y,
                 const Gather* gather, const float* x_rounded, const GatherSums& sums,
                 float* scratch) noexcept;

// back[c] += sum_r W[r, c] u_r for first <= r < last. scratch (cols).
void back_rows(const Tensor& w, int64_t first, int64_t last, const float* u, float* back,
               float* scratch) noexcept;

}  // namespace model
