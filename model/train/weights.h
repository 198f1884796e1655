// The weights of a model being trained. The Llama family: RMSNorm, rotary positions, grouped-query
// attention, SwiGLU (Touvron et al. 2023, arXiv:2302.13971; Shazeer 2020, arXiv:2002.05202).
//
//   x = token_embd[id]
//   for each layer:  x += W_o attention(rope(W_q n), rope(W_k n), W_v n),  n = rmsnorm(x)
//                    x += W_down (silu(W_gate m) * (W_up m)),              m = rmsnorm(x)
//   logits = W_output rmsnorm(x)
//
// RoPE rotates neighbouring pairs (2i, 2i+1) of a head, as GGUF's "llama" expects.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/config.h"

namespace model {

// T: a float matrix, or whatever a list of the same shape holds.
template <class T>
struct LlamaLayer {
  T attn_norm;  // (C)
  T wq;         // (H*D, C)
  T wk;         // (K*D, C)
  T wv;         // (K*D, C)
  T wo;         // (C, H*D)
  T ffn_norm;   // (C)
  T w_gate;     // (F, C)
  T w_up;       // (F, C)
  T w_down;     // (C, F)
};

template <class T>
struct LlamaWeights {
  T token_embd;  // (V, C)
  std::vector<LlamaLayer<T>> layers;
  T output_norm;  // (C)
  T output;       // (V, C); left empty when the embedding is tied
};

// The one list of this family's tensors: load, save, count, optimiser and tests visit it.
// Calls f(tensor, gguf_name, rows, cols) in file order; vectors have rows = 1.
template <class Weights, class F>
void for_each_tensor(Weights& w, const Config& c, F&& f) {
  const int64_t q_width = c.n_head * c.head_dim;
  const int64_t kv_width = c.n_head_kv * c.head_dim;
  f(w.token_embd, std::string("token_embd.weight"), c.n_vocab, c.n_embd);
  for (size_t l = 0; l < w.layers.size(); ++l) {
    auto& layer = w.layers[l];
    const std::string blk = "blk." + std::to_string(l) + ".";
    f(layer.attn_norm, blk + "attn_norm.weight", int64_t{1}, c.n_embd);
    f(layer.wq, blk + "attn_q.weight", q_width, c.n_embd);
    f(layer.wk, blk + "attn_k.weight", kv_width, c.n_embd);
    f(layer.wv, blk + "attn_v.weight", kv_width, c.n_embd);
    f(layer.wo, blk + "attn_output.weight", c.n_embd, q_width);
    f(layer.ffn_norm, blk + "ffn_norm.weight", int64_t{1}, c.n_embd);
    f(layer.w_gate, blk + "ffn_gate.weight", c.n_ff, c.n_embd);
    f(layer.w_up, blk + "ffn_up.weight", c.n_ff, c.n_embd);
    f(layer.w_down, blk + "ffn_down.weight", c.n_embd, c.n_ff);
  }
  f(w.output_norm, std::string("output_norm.weight"), int64_t{1}, c.n_embd);
  if (!c.tied) f(w.output, std::string("output.weight"), c.n_vocab, c.n_embd);
}

}  // namespace model
