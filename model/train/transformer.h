// The transformer of model/train/weights.h on a group of sequences, forward and backward by hand.
//
// One object is one thread's workspace: it keeps the activations of the last forward pass, about
// bytes_per_position() a position, and allocates nothing later. Weights and gradients belong to
// the caller and may be shared for reading; they are views into a Parameters, since the matrices
// that read the same input (wq, wk, wv; w_gate, w_up) are taken as one and must follow each other.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"
#include "model/train/attention.h"
#include "model/train/parameters.h"

namespace model::train {

// sequences * length tokens and, for each, the token that follows it.
struct Batch {
  const int32_t* tokens = nullptr;   // (B, T)
  const int32_t* targets = nullptr;  // (B, T)
  int64_t sequences = 0;             // B
  int64_t length = 0;                // T
};

struct DropoutRate {
  float rate = 0.0F;      // 0 <= rate < 1
  uint64_t key = 0;       // of the step
  int64_t first_row = 0;  // of this group in the whole batch, in positions
};

class Transformer {
 public:
  // Holds up to max_rows = B * T positions of sequences of at most max_length.
  Transformer(const Config& config, int64_t max_rows, int64_t max_length);

  // Sum over all positions of -log p(target), in nats. With loss_scale != 0 the gradient of
  // loss_scale * sum is prepared for backward().
  double forward(const Weights& weights, const Batch& batch, const DropoutRate& dropout,
                 float loss_scale) noexcept;

  // Adds the gradients of the last forward pass to `gradients`. Once per forward pass.
  void backward(const Weights& weights, const Weights& gradients) noexcept;

  // The logits (B * T, V) without targets or dropout; they stay in the workspace until the next
  // call.
  const float* logits(const Weights& weights, const int32_t* tokens, int64_t sequences,
                      int64_t length) noexcept;

  static int64_t bytes_per_position(const Config& config, int64_t length) noexcept;

 private:
  struct LayerActivations {
    std::vector<float> x;      // (N, C) residual stream before the layer
    std::vector<float> r1;     // (N) scale of attn_norm
    std::vector<float> n1;     // (N, C)
    std::vector<float> qkv;    // (N, (H + 2K) D), q and k rotated
    std::vector<float> p;      // (B, H, attention_weights_size(T))
    std::vector<float> z;      // (N, H D)
    std::vector<float> x_mid;  // (N, C) residual stream between attention and FFN
    std::vector<float> r2;     // (N)
    std::vector<float> n2;     // (N, C)
    std::vector<float> gu;     // (N, 2F) gate, up
    std::vector<float> act;    // (N, F)
  };

  void run_layers(const Weights& weights) noexcept;
  void layer_forward(const LlamaLayer<Matrix>& w, size_t l, float* x_out) noexcept;
  void layer_backward(const LlamaLayer<Matrix>& w, const LlamaLayer<Matrix>& g, size_t l) noexcept;
  void rotate(float* qkv, float direction) const noexcept;
  void drop(const float* base, const float* x, uint64_t site, float* out) const noexcept;

  Config config_;
  int64_t max_rows_;
  int64_t max_length_;
  Batch batch_;
  DropoutRate dropout_;
  std::vector<float> cos_, sin_;  // (max_length, rope_dim / 2)
  std::vector<LayerActivations> layers_;
  std::vector<float> x_last_, r_last_, n_last_;  // (N, C), (N), (N, C)
  std::vector<float> logits_;                    // (N, V), then its gradient
  std::vector<float> dx_;                        // (N, C) gradient of the residual stream
  std::vector<float> dy_, dn_;                   // (N, C)
  std::vector<float> d_wide_;                    // (N, max(F, H D))
  std::vector<float> d_qkv_;                     // (N, (H + 2K) D)
  std::vector<float> scratch_;                   // (kAttentionBlock, T)
};

}  // namespace model::train
