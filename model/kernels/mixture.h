// What the experts of a mixture add to one position, with what its shares need gathered in the
// same pass over the weights.
#pragma once

#include <cstdint>
#include <span>

#include "model/kernels/matmul.h"

namespace model {

// One expert's matrix W (rows, cols), what it reads, and what its product counts. With u_i =
// row_gain_i y_i, y the sum of all terms:
struct MixturePart {
  const Linear* w;
  const Input* x;
  int64_t row;  // of x, cols wide
  float weight;
  float* term;  // (rows)  weight (W x + b), written
  // (blocks of 32 columns, the last may be shorter)  sum_i u_i of the products of W's row i and x
  // in that block, without the weight; nullptr: not wanted, as below
  float* block_dot = nullptr;
  float* back = nullptr;  // (cols)  sum_i W[i, c] u_i; within what Gather::back is
};

struct MixtureColumn {
  int64_t part, column;
};
inline constexpr int64_t kMixtureColumns = 16;

struct MixtureGather {
  const float* row_gain = nullptr;  // (rows); nullptr: ones
  // (kMixtureColumns)  sum_i u_i W_part[i, column]
  const MixtureColumn* columns = nullptr;
  float* column_dot = nullptr;
};

// y = sum_k term_k, in order, the W of all of as many rows: the same to the last bit as matmul_each
// and a sum after it. Throws std::bad_alloc.
void matmul_mixture(std::span<const MixturePart> parts, float* y, const MixtureGather& gather,
                    ThreadPool& pool);

}  // namespace model
