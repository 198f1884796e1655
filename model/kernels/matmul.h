// Y = X W^T + b for stored weights of every format, one row of X a position, with what the
// shares need gathered in the same pass over the weights.
//
// One definition of the sum, so that every instruction set, every number of threads and every
// number of positions gives the same bits:
//   - A row of W and a row of x are cut into blocks of 32 values; the last may be shorter.
//   - Weights in blocks (Q8_0, Q4_K ...): x is rounded to 8 bits a block, x~ = dx q with
//     dx = max|x| / 127; the product of a block is an exact integer times its scales:
//       t = (d * dx) * float(A) - (m * dx) * float(B),  A = sum of scale * w * q, B = sum of min *
//       q.
//   - F32, F16 and BF16: x~ = x; t is the sum of the 32 products, added as a tree
//       (i + 16, then i + 8, i + 4, i + 2, i + 1), without fused multiply-adds.
//   - Lane b mod 8 adds its blocks' t in order; the eight lanes are added as a tree
//       ((0+4)+(2+6)) + ((1+5)+(3+7)); then the bias.
#pragma once

#include <cstdint>
#include <span>

#include "model/kernels/lines.h"
#include "model/kernels/thread_pool.h"
#include "model/tensor.h"

namespace model {

inline constexpr int64_t kBlockWidth = 32;
inline constexpr int64_t kTilePositions = 16;

// A matrix and what is added to its product.
struct Linear {
  Tensor weight;                 // (rows, cols)
  Tensor bias;                   // (rows) F32, or data == nullptr
  const Linear* next = nullptr;  // what the pass multiplies with after this one, if that is known
  bool empty() const noexcept { return weight.data == nullptr; }
};

// What a pass over the weights may gather for one position, besides y. Any pointer may be
// nullptr: not wanted. With y' = y + b the whole row sum, u_i = row_gain_i y'_i or what is given,
// and the columns cut into groups of group_width (the last may be shorter; heads, or 32 neurons
// together):
//   o_g,i = sum over the columns c of group g of W[i, c] x~[c]          one group's term
struct Gather {
  const float* row_gain = nullptr;  // (rows); nullptr: ones
  // (rows) u, where it is not made of this product: of all positions or of none.
  const float* u = nullptr;
  int64_t group_width = 0;     // 0: no groups
  float* group_dot = nullptr;  // (groups)         sum_i o_g,i u_i
  float* group_out = nullptr;  // (groups, rows)   o_g,i
  // (cols)  group_back: sum_i W[i, c] row_gain_i o_g(c),i;  else: sum_i W[i, c] u_i
  // For weights in blocks within 4e-5 (relative, root mean square): see row_back.h.
  float* back = nullptr;
  bool group_back = false;
  // (n_chosen)  sum_i W[i, chosen[n]] u_i, for a few columns in ascending order.
  const int32_t* chosen = nullptr;
  int64_t n_chosen = 0;
  float* chosen_dot = nullptr;
};

// Rows of x prepared for weights of one kind; reused by every product with the same x.
class Input {
 public:
  // Copies nothing: x (n, cols) with a distance of ld floats must outlive the products.
  // quantise: also the 8-bit form; tiles: and where they pay its tiles. Work is shared over the
  // pool.
  void set(const float* x, int64_t n, int64_t cols, int64_t ld, bool quantise, ThreadPool& pool,
           bool tiles = true);

  int64_t n() const noexcept { return n_; }
  int64_t cols() const noexcept { return cols_; }
  const float* row(int64_t i) const noexcept { return x_ + i * ld_; }

  // x~ of row i, what block-format weights are really multiplied with; (cols).
  void rounded(int64_t i, float* out) const noexcept;

  // The same of n <= kWidestPart values that begin a block.
  static constexpr int64_t kWidestPart = 512;
  static void rounded_part(const float* x, int64_t n, float* out) noexcept;

  // For the kernels. Blocks are padded to a multiple of 8 with zeros.
  const int8_t* q(int64_t i) const noexcept { return q_.data() + i * blocks_ * kBlockWidth; }
  const float* d(int64_t i) const noexcept { return d_.data() + i * blocks_; }
  // Sums of the 8-bit values of both halves of each block: (blocks / 8, 2, 8).
  const int32_t* sums(int64_t i) const noexcept { return sums_.data() + i * blocks_ * 2; }
  int64_t blocks() const noexcept { return blocks_; }

  // Where active_isa() is kAmx, they were asked for and n is at least half a tile, the 8-bit form
  // once more, sixteen positions together; else there are none. The last is filled up with zeros.
  // Block b is the one with number b % 8 * (blocks / 8) + b / 8.
  int64_t tiles() const noexcept { return tiles_; }
  // (blocks, 8, 16, 4): four neighbouring values of each position.
  const int8_t* tile_q(int64_t t) const noexcept {
    return tile_q_.data() + t * blocks_ * kBlockWidth * kTilePositions;
  }
  // (blocks, 16)
  const float* tile_d(int64_t t) const noexcept {
    return tile_d_.data() + t * blocks_ * kTilePositions;
  }
  // (blocks, 2, 16) sums of the values of both halves
  const float* tile_sums(int64_t t) const noexcept {
    return tile_sums_.data() + t * blocks_ * 2 * kTilePositions;
  }

 private:
  void round(int64_t first, int64_t last) noexcept;
  void make_tiles(int64_t first, int64_t last) noexcept;

  const float* x_ = nullptr;
  int64_t n_ = 0, cols_ = 0, ld_ = 0, blocks_ = 0, tiles_ = 0;
  Lines<int8_t> q_, tile_q_;
  Lines<float> d_, tile_d_, tile_sums_;
  Lines<int32_t> sums_;
};

// True for weights that multiply x rounded to 8 bits.
bool rounds_input(DType type) noexcept;

// y[i * ld + r] for i < x.n(), r < rows. gathers: nullptr, or one for each row of x.
// The same y to the last bit with and without gathers, for any x.n() and any pool. This and what
// follows throw std::bad_alloc.
void matmul(const Linear& w, const Input& x, float* y, int64_t ld, const Gather* gathers,
            ThreadPool& pool);

// Several products with the same x, for which the threads meet once where x is one row.
struct Product {
  const Linear* w;
  float* y;
  int64_t ld;
};
void matmul(std::span<const Product> products, const Input& x, ThreadPool& pool);
// Product k with row k of x alone, y (rows).
void matmul_each(std::span<const Product> products, const Input& x, ThreadPool& pool);

// back[c] = sum_i W[i, c] u_i, (cols): W^T u, for weights that were not gathered in their pass.
void matmul_back(const Tensor& w, const float* u, float* back, ThreadPool& pool);

// The same of n positions: u (n, rows), back (n, cols). In floats, so within 1e-6.
void matmul_back(const Tensor& w, const float* u, int64_t n, float* back, ThreadPool& pool);

// back_ik = W_k^T u_ik of n positions i and matrices k of one shape; u and back (n, matrices), so
// many floats apart. The same bits for any n and any pool.
void matmul_back_each(std::span<const Linear> w, const float* u, int64_t u_step, int64_t n,
                      float* back, int64_t back_step, ThreadPool& pool);

// The same by the definition above, in plain loops on one thread: what tests compare with.
void matmul_reference(const Linear& w, const Input& x, float* y, int64_t ld) noexcept;

}  // namespace model
