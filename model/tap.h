// Every intermediate of a forward pass has a name; a sink sees it where it is made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace model {

// Shapes in the letters of model/tensor.h; T is position + 1, the reach of attention.
enum class Tap : uint8_t {
  kEmbedding,  // embd           (C)
  kResidPre,   // resid.pre      (C)     x before attention
  kAttnNorm,   // attn.norm      (C)
  kQ,          // attn.q         (H, D)  after RoPE
  kK,          // attn.k         (K, D)  after RoPE
  kV,          // attn.v         (K, D)
  kScores,     // attn.scores    (H, T)  q.k / sqrt(D)
  kWeights,    // attn.weights   (H, T)  softmax of the scores
  kMix,        // attn.z         (H, D)  sum_j a_j v_j
  kHeadOut,    // attn.head_out  (H, C)  o_h = W_O,h z_h
  kHeadBack,   // attn.head_back (H, D)  W_O,h^T o_h, gathered while W_O is read
  kAttnOut,    // attn.out       (C)     da, the attention update
  kResidMid,   // resid.mid      (C)
  kFfnNorm,    // ffn.norm       (C)
  kGate,       // ffn.gate       (F)
  kUp,         // ffn.up         (F)
  kAct,        // ffn.act        (F)     silu(gate) * up
  kFfnOut,     // ffn.out        (C)     df, the FFN update
  kFfnBack,    // ffn.back       (F)     W_down^T df, gathered while W_down is read
  kResidPost,  // resid.post     (C)
  kNorm,       // norm           (C)     before the unembedding
  kLogits,     // logits         (V)
};
inline constexpr int kTapCount = 22;

struct TapInfo {
  Tap tap;
  std::string_view name;     // "attn.weights"
  bool per_layer;            // named "blk.N." + name
  std::string_view formula;  // for people
};

const TapInfo& tap_info(Tap tap) noexcept;

// "blk.3.attn.weights"; global taps ignore the layer.
std::string tap_name(Tap tap, int64_t layer);

struct TapPlace {
  Tap tap;
  int64_t layer;
};
// The inverse of tap_name; nothing when there is no such tap or the layer is not below n_layer.
std::optional<TapPlace> find_tap(std::string_view name, int64_t n_layer);

class TapSink {
 public:
  virtual ~TapSink() = default;
  // data (rows, cols) stays good until return. Must not throw: it runs inside the pass.
  virtual void on_tap(Tap tap, int64_t layer, const float* data, int64_t rows,
                      int64_t cols) noexcept = 0;
  // An operation of `layer` has ended that began at the end of the one before it and read
  // so many bytes of weights and cache. 0 attention, 1 FFN, 2 embedding, 3 unembedding.
  virtual void on_operation(int /*kind*/, int64_t /*layer*/, int64_t /*bytes*/) noexcept {}
};

}  // namespace model
