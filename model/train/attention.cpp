#include "model/train/attention.h"

#include <algorithm>
#include <cmath>

#include "model/kernels/gemm.h"
#include "model/kernels/train_ops.h"

namespace model::train {
namespace {

// Calls f(first row, rows, columns, offset of the block in a head's weights).
template <class F>
void for_each_block(int64_t t, F&& f) {
  int64_t offset = 0;
  for (int64_t first = 0; first < t; first += kAttentionBlock) {
    const int64_t rows = std::min(kAttentionBlock, t - first);
    const int64_t cols = first + rows;
    f(first, rows, cols, offset);
    offset += rows * cols;
  }
}

}  // namespace

int64_t attention_weights_size(int64_t t) noexcept {
  int64_t size = 0;
  for_each_block(t, [&](int64_t, int64_t rows, int64_t cols, int64_t) { size += rows * cols; });
  return size;
}

void attention(const AttentionShape& shape, const float* qkv, float* p, float* z) noexcept {
  const TrainOps& ops = train_ops();
  const int64_t d = shape.head_dim;
  const int64_t ld = shape.width();
  const int64_t ldz = shape.heads * d;
  const float scale = 1.0F / std::sqrt(static_cast<float>(d));
  for (int64_t h = 0; h < shape.heads; ++h) {
    const int64_t lane = h * shape.kv_heads / shape.heads;
    const float* q = qkv + h * d;
    const float* k = qkv + (shape.heads + lane) * d;
    const float* v = k + shape.kv_heads * d;
    for_each_block(shape.t, [&](int64_t first, int64_t rows, int64_t cols, int64_t offset) {
      float* block = p + offset;
      gemm(Op::kNone, Op::kTranspose, rows, cols, d, scale, q + first * ld, ld, k, ld, 0.0F, block,
           cols);
      ops.causal_softmax(block, rows, cols, cols, first);
      gemm(Op::kNone, Op::kNone, rows, d, cols, 1.0F, block, cols, v, ld, 0.0F,
           z + first * ldz + h * d, ldz);
    });
    p += attention_weights_size(shape.t);
  }
}

void attention_backward(const AttentionShape& shape, const float* qkv, const float* p,
                        const float* d_z, float* d_qkv, float* scratch) noexcept {
  const TrainOps& ops = train_ops();
  const int64_t d = shape.head_dim;
  const int64_t ld = shape.width();
  const int64_t ldz = shape.heads * d;
  const float scale = 1.0F / std::sqrt(static_cast<float>(d));
  std::fill_n(d_qkv, shape.t * ld, 0.0F);
  for (int64_t h = 0; h < shape.heads; ++h) {
    const int64_t lane = h * shape.kv_heads / shape.heads;
    const int64_t at_k = (shape.heads + lane) * d;
    const int64_t at_v = at_k + shape.kv_heads * d;
    for_each_block(shape.t, [&](int64_t first, int64_t rows, int64_t cols, int64_t offset) {
      const float* block = p + offset;
      const float* d_zb = d_z + first * ldz + h * d;
      gemm(Op::kNone, Op::kTranspose, rows, cols, d, 1.0F, d_zb, ldz, qkv + at_v, ld, 0.0F, scratch,
           cols);
      gemm(Op::kTranspose, Op::kNone, cols, d, rows, 1.0F, block, cols, d_zb, ldz, 1.0F,
           d_qkv + at_v, ld);
      ops.softmax_backward(block, cols, scratch, cols, rows, cols, scale);
      gemm(Op::kNone, Op::kNone, rows, d, cols, 1.0F, scratch, cols, qkv + at_k, ld, 0.0F,
           d_qkv + first * ld + h * d, ld);
      gemm(Op::kTranspose, Op::kNone, cols, d, rows, 1.0F, scratch, cols, qkv + first * ld + h * d,
           ld, 1.0F, d_qkv + at_k, ld);
    });
    p += attention_weights_size(shape.t);
  }
}

}  // namespace model::train
