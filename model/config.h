// What a model's metadata says: its sizes, and which of the few ways of its family it goes.
// Letters as in model/tensor.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

namespace model {

enum class NormKind { kRms, kLayer };
// Over what the queries and keys are normalised before they are rotated; or behind that.
enum class QkNorm { kNone, kHead, kProjection, kRotatedHead };
// Which two values of a head turn together: (2i, 2i+1), or (i, i + half of the rotated part).
enum class RopeKind { kNone, kPairs, kHalves };
// act = silu(gate) * up, gelu(gate) * up, gelu(up), gelu(up) by the normal distribution itself, or
// what clamped_swiglu() of model/kernels/ops.h makes of gate and up.
enum class FfnKind { kSiluGated, kGeluGated, kGelu, kGeluExact, kClampedSwiglu };

// What a router's logits become: probabilities of all experts together, or of each by itself.
enum class RouterKind { kSoftmax, kSigmoid };

struct Config {
  std::string arch = "llama";  // general.architecture
  std::string name;            // general.name, may be empty
  int64_t n_layer = 0;         // L
  int64_t n_layer_unused = 0;  // that a file has behind them, for guessing more tokens at once
  int64_t n_embd = 0;          // C
  int64_t n_head = 0;          // H
  int64_t n_head_kv = 0;       // K, divides H
  int64_t head_dim = 0;        // D: of a query and a key
  int64_t n_ff = 0;            // F; of one expert, in a mixture
  int64_t n_vocab = 0;         // V
  int64_t n_ctx = 0;           // longest context it was trained for, or YaRN stretches to
  bool tied = true;            // no output.weight: token_embd.weight serves for both
  bool own_head = false;       // the family's files are never tied
  bool head_biased = false;    // the output has a bias
  bool all_biased = false;     // every matrix of a layer adds a bias, and every layer norm
  // Biases of W_q, W_k, W_v, of W_o, of the FFN and of the router that only some files of the
  // family have, in some layer.
  bool added_head_biases = false, added_attention_bias = false, added_ffn_biases = false;
  bool added_router_bias = false;

  NormKind norm = NormKind::kRms;
  float norm_eps = 1e-5F;
  float embedding_scale = 1.0F;    // x = scale E[id]
  bool learned_positions = false;  // x += P[position]
  bool parallel = false;           // x + attention(n) + ffn(m), both from the same x
  bool pre_norms = true;           // n and m are norms of x; else x as it is
  bool shared_norm = false;        // m = n: one norm for both
  bool post_norms = false;         // each update is normalised before it is added
  float update_scale = 1.0F;       // each update is multiplied by it before it is added
  float logit_scale = 1.0F;        // logits = scale W_U norm(x)
  float final_soft_cap = 0.0F;     // logits = cap tanh(logits / cap); 0: none

  RopeKind rope = RopeKind::kPairs;
  int64_t rope_dim = 0;        // leading part of a head that is rotated, even, <= D
  float rope_base = 10000.0F;  // theta (Su et al. 2021, arXiv:2104.09864)
  float rope_scale = 1.0F;     // positions are multiplied by it (linear scaling)
  // Of pairs from rope_scaled on; not of the first rope_kept; between, in part (YaRN).
  int64_t rope_kept = 0, rope_scaled = 0;
  float rope_magnitude = 1.0F;   // cos and sin are multiplied by it (long RoPE, YaRN)
  int64_t rope_original = 0;     // context before it was stretched: long factors beyond; 0: none
  int64_t rope_period = 0;       // of so many layers the last is not rotated; 0: all are
  float rope_base_local = 0.0F;  // of windowed layers, which are not scaled; 0: as the others
  float rope_magnitude_local = 1.0F;
  QkNorm qk_norm = QkNorm::kNone;
  float attention_scale = 0.0F;  // of q . k; read_config sets it, 1 / sqrt(D) by default
  float score_soft_cap = 0.0F;   // s = cap tanh(s / cap); 0: none
  bool sinks = false;            // a head's weights leave a part to a logit of its own
  // q *= 1 + scale ln(1 + floor(position / length)); 0: not (Llama 4, arXiv:2501.19399).
  float temperature_scale = 0.0F;
  int64_t temperature_length = 1;
  // Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434): of a position one vector c of R
  // values is kept for all heads, which is key and value, and beside it the key's rotated part; D
  // is R + rope_dim, K is 1. 0: keys and values of each KV head.
  int64_t kv_rank = 0;         // R
  int64_t query_rank = 0;      // all queries are made of so many values; 0: of all of x
  int64_t query_width = 0;     // of a head, its last rope_dim rotated: the others become R by W_UK
  int64_t head_value_dim = 0;  // of a head, made of its R by W_UV
  int64_t window = 0;          // windowed layers see this many positions, themselves included
  int64_t window_period = 0;   // of so many layers the last is not windowed; 0: all are

  FfnKind ffn = FfnKind::kSiluGated;
  int64_t n_expert = 0;            // E; 0: dense
  int64_t n_expert_used = 0;       // the router's best, per token
  bool expert_renormalise = true;  // their probabilities are divided by their sum
  float expert_scale = 1.0F;       // and multiplied by it
  RouterKind router = RouterKind::kSoftmax;
  bool choice_biased = false;  // the best are those of largest p_e + b_e
  // Of so many groups of experts only the best are looked into, by the sum of each group's two
  // largest (DeepSeek-V3, arXiv:2412.19437), of softmax by its largest (V2, arXiv:2405.04434,
  // group_limited_greedy of its published model); 1: all experts are one group.
  int64_t expert_groups = 1, expert_groups_used = 1;
  int64_t n_ff_shared = 0;    // neurons of the expert that always works; 0: none
  bool shared_gated = false;  // a gate of its own says how much of it is taken
  int64_t dense_layers = 0;   // leading layers of a mixture that have one FFN instead ...
  int64_t n_ff_dense = 0;     // ... of so many neurons

  bool latent() const noexcept { return kv_rank > 0; }
  // Of a stored value and of what a head mixes of them; and of what W_o reads of a head.
  int64_t value_width() const noexcept { return latent() ? kv_rank : head_dim; }
  int64_t mix_width() const noexcept { return latent() ? head_value_dim : head_dim; }
  // Numbers kept of a position in a layer.
  int64_t cached_width() const noexcept { return (latent() ? 1 : 2 * n_head_kv) * head_dim; }
  bool windowed(int64_t layer) const noexcept {
    return window > 0 && (window_period == 0 || layer % window_period != window_period - 1);
  }
  bool rotated(int64_t layer) const noexcept {
    return rope != RopeKind::kNone && (rope_period == 0 || (layer + 1) % rope_period != 0);
  }
  // Whether a family's matrices of q, k and v add a bias; and whether this file's do, which may
  // have more than its family.
  bool needs_head_biases() const noexcept { return all_biased || arch.starts_with("qwen2"); }
  bool heads_biased() const noexcept { return needs_head_biases() || added_head_biases; }
  bool attention_biased() const noexcept { return all_biased || added_attention_bias; }
  bool ffn_biased() const noexcept { return all_biased || added_ffn_biases; }
  bool router_biased() const noexcept { return all_biased || added_router_bias; }
  // Whether scores are q . k / sqrt(D).
  bool root_scale() const noexcept {
    return std::abs(attention_scale * std::sqrt(static_cast<float>(head_dim)) - 1.0F) < 1e-4F;
  }
  bool gated() const noexcept { return ffn != FfnKind::kGelu && ffn != FfnKind::kGeluExact; }
  // Whether a layer's FFN is a mixture.
  bool mixed(int64_t layer) const noexcept { return n_expert > 0 && layer >= dense_layers; }
  // Experts that work on a token, in a layer that has them.
  int64_t experts_at_work() const noexcept { return n_expert_used + (n_ff_shared > 0 ? 1 : 0); }
  int64_t widest_ffn() const noexcept { return std::max(n_ff, n_ff_shared); }
  // Of expert e; n_expert is the one that always works, in a dense model 0 the whole FFN.
  int64_t neurons_of(int64_t e) const noexcept {
    return e < n_expert || n_expert == 0 ? n_ff : n_ff_shared;
  }
  // Neurons of a layer, over all experts: expert e's n-th is e * n_ff + n, the shared ones last.
  // Of a mixture no layer has more than those that are mixed.
  int64_t neurons() const noexcept { return n_expert > 0 ? n_expert * n_ff + n_ff_shared : n_ff; }
  int64_t neurons(int64_t layer) const noexcept {
    return n_expert > 0 && !mixed(layer) ? n_ff_dense : neurons();
  }
};

}  // namespace model
