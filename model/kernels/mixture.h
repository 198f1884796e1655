// What the experts of a mixture add to one position, with what its shares need gathered in the
// same pass over the weights.
#pragma once

#include <cstdint>
#include <span>

#include "model/kernels/matmul.h"

namespace model {

// One expert's matrix W_k (rows, cols), and what its product counts.
struct MixturePart {
  const Linear* w;
  float weight;
  float* term;  // (rows)  weight (W x + b), written
};

struct MixtureColumn {
  int64_t part, column;
};
inline constexpr int64_t kMixtureColumns = 16;

// With u_i = row_gain_i y_i, y the sum of all terms. nullptr: not wanted.
struct MixtureGather {
  const float* row_gain = nullptr;  // (rows); nullptr: ones
  // (parts, blocks of 32 columns, the last may be shorter)  sum_i u_i of the products of W_k's row
  // i and x_k in that block, without the weight
  float* block_dot = nullptr;
  // (parts, cols)  sum_i W_k[i, c] u_i; within what Gather::back is
  float* back = nullptr;
  // (kMixtureColumns)  sum_i u_i W_part[i, column]
  const MixtureColumn* columns = nullptr;
  float* column_dot = nullptr;
};

// y = sum_k term_k, in order, W_k with row k of x, all of one shape: the same to the last bit as
// matmul_each and a sum after it. Throws std::bad_alloc.
void matmul_mixture(std::span<const MixturePart> parts, const Input& x, float* y,
                    const MixtureGather& gather, ThreadPool& pool);

}  // namespace model
