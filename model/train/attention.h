// Causal grouped-query attention over whole sequences, forward and backward.
//
// Rows are taken kAttentionBlock at a time; a block that ends at row e needs the first e columns
// only, so the upper triangle is neither computed nor kept.
#pragma once

#include <cstdint>
#include <vector>

namespace model::train {

inline constexpr int64_t kAttentionBlock = 64;

struct AttentionShape {
  int64_t t = 0;         // T
  int64_t heads = 0;     // H
  int64_t kv_heads = 0;  // K
  int64_t head_dim = 0;  // D

  int64_t width() const noexcept { return (heads + 2 * kv_heads) * head_dim; }  // of a qkv row
};

// Floats that the weights of one head of one sequence take: its blocks, one after the other,
// each (rows, columns) dense.
int64_t attention_weights_size(int64_t t) noexcept;

// One sequence. For every head h with keys and values of lane h K / H:
//   p = softmax(q k^T / sqrt(D), causal);  z = p v
// qkv (T, (H + 2K) D): q, then k, then v; p (H, attention_weights_size(T)); z (T, H D).
void attention(const AttentionShape& shape, const float* qkv, float* p, float* z) noexcept;

// d_p = d_z v^T;  d_s = p (d_p - <p, d_p>) / sqrt(D);  d_q = d_s k;  d_k = d_s^T q;  d_v = p^T d_z
// Overwrites d_qkv (T, (H + 2K) D). scratch holds kAttentionBlock * T floats.
void attention_backward(const AttentionShape& shape, const float* qkv, const float* p,
                        const float* d_z, float* d_qkv, float* scratch) noexcept;

}  // namespace model::train
