// Every intermediate of a forward pass has a name; a sink sees it where it is made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/config.h"

namespace model {

// Shapes in the letters of model/tensor.h, of latent attention as tap_formula() says; T is
// position + 1, the reach of attention; N is F, or the neurons of all experts; x~ is x as the
// product read it (rounded to 8 bits a block where the weights are quantised). With a norm after
// the sum, terms are measured behind its gain g.
enum class Tap : uint8_t {
  kEmbedding,   // embd             (C)
  kResidPre,    // resid.pre        (C)     x before attention
  kAttnNorm,    // attn.norm        (C)
  kQ,           // attn.q           (H, D)  after RoPE
  kK,           // attn.k           (K, D)  after RoPE
  kV,           // attn.v           (K, D)
  kScores,      // attn.scores      (H, T)  q.k / sqrt(D); 0 outside of the window
  kWeights,     // attn.weights     (H, T)  softmax of the scores, and of a sink where there is one
  kMix,         // attn.z           (H, D)  sum_j a_j v_j
  kHeadOut,     // attn.head_out    (H, C)  o_h = W_O,h z~_h
  kHeadBack,    // attn.head_back   (H, D)  W_O,h^T (g^2 o_h)
  kHeadEnergy,  // attn.head_energy (H)     z~_h . head_back_h = |g o_h|^2
  kHeadShare,   // attn.head_share  (H)     <o_h, da> / |da|^2
  kAttnBiasShare,  // attn.bias_share  (1)     what the bias adds to them; together 1
  kAttnOut,        // attn.out         (C)     da, the attention update
  kResidMid,       // resid.mid        (C)     x + da
  kFfnNorm,        // ffn.norm         (C)
  kRouter,         // router           (E)     softmax(W_router m), with a bias where there is one
  kExperts,        // experts          (used, 3)  expert, its weight, its share of df; told before
                   //                             what their neurons do
  kGate,           // ffn.gate         (N)
  kUp,             // ffn.up           (N)
  kAct,            // ffn.act          (N)     act~, what W_down reads
  kNeuronShare,    // ffn.neuron_share (N)     act~_n <w_n, df> / |df|^2
  kCellShare,      // ffn.cell_share   (N / 32)  the same, of 32 neurons together
  kChosenShare,    // ffn.top_share    (n, 2)  neuron, its share: those of largest |act~|, in a
                   //                          mixture of largest |G_e act~|
  kFfnBiasShare,   // ffn.bias_share   (1)
  kFfnOut,         // ffn.out          (C)     df, the FFN update
  kResidPost,      // resid.post       (C)
  kNorm,           // norm             (C)     before the unembedding
  kLogits,         // logits           (V)
};
inline constexpr int kTapCount = 30;

// One value for each neuron of a layer: in a mixture 0 where the expert did not run.
constexpr bool of_neurons(Tap tap) noexcept {
  return tap == Tap::kGate || tap == Tap::kUp || tap == Tap::kAct || tap == Tap::kNeuronShare;
}

// Whether a pass comes to this tap only where it computes logits.
constexpr bool needs_logits(Tap tap) noexcept {
  return tap == Tap::kNorm || tap == Tap::kLogits;
}

// How many neurons kChosenShare has, at most; how many neurons a cell has.
inline constexpr int64_t kChosenNeurons = 16;
inline constexpr int64_t kCellWidth = 32;

// Whether there are kCellShare and kChosenShare of a mixture: no cell holds neurons of two experts.
inline bool has_whole_cells(const Config& c) noexcept {
  return c.n_ff % kCellWidth == 0 && c.n_ff_shared % kCellWidth == 0;
}

struct TapInfo {
  Tap tap;
  std::string_view name;     // "attn.weights"
  bool per_layer;            // named "blk.N." + name
  bool matrix;               // rows by nature (heads, experts), even where there is only one
  std::string_view formula;  // for people, as Llama has it
};

const TapInfo& tap_info(Tap tap) noexcept;

struct TapPlace {
  Tap tap;
  int64_t layer;
};

// For people: what a layer of a model of this kind makes of it.
std::string tap_formula(const TapPlace& place, const Config& config);

// "blk.3.attn.weights"; global taps ignore the layer.
std::string tap_name(Tap tap, int64_t layer);

// The inverse of tap_name; nothing when there is no such tap or the layer is not below n_layer.
std::optional<TapPlace> find_tap(std::string_view name, int64_t n_layer);

// What a head has read, and what the terms of that are measured with. Good until on_head returns.
struct AttendedHead {
  const float* scores;   // (T)
  const float* weights;  // (T)
  const float* mix;      // (D), of latent attention (R): sum_j a_j v_j of what is kept
  const float* back;     // the same: as kHeadBack
  float energy;          // as kHeadEnergy
  float sink;            // the weight that its sink takes, 0 where it has none
};

// A part of a forward pass.
enum class Operation { kAttention, kFfn, kEmbed, kUnembed };

// What it throws ends the pass and comes out of Model::forward().
class TapSink {
 public:
  virtual ~TapSink() = default;
  // Whether on_tap is to be called for this tap. Those that cost a pass over the weights
  // (head_out, head_back, neuron_share ...) are computed only when they are wanted.
  virtual bool wants(Tap tap) const noexcept = 0;
  // The same in one layer, for taps of its FFN: its sizes may differ from the other layers'.
  virtual bool wants_in(int64_t /*layer*/, Tap tap) const noexcept { return wants(tap); }
  // data (rows, cols) stays good until return, that of attn.weights until reduce(kAttention, layer)
  // has returned.
  virtual void on_tap(Tap tap, int64_t layer, int64_t position, const float* data, int64_t rows,
                      int64_t cols) = 0;
  // Whether on_head is to be called.
  virtual bool wants_heads() const noexcept { return false; }
  // Every head of every position, before reduce(kAttention, layer). From any thread of the pass,
  // and from several at once: most often from the one that attended, which has all of it at hand.
  virtual void on_head(int64_t /*layer*/, int64_t /*position*/, int64_t /*head*/,
                       const AttendedHead& /*read*/) {}
  // What the taps of `layer`'s attention or FFN left to be done, now that all of them have
  // come: called once, by the caller beside the next product, and over before the same
  // taps of another layer come.
  virtual void reduce(Operation /*part*/, int64_t /*layer*/) {}
  // The last reduce() of this forward pass is done: no tap of a layer comes any more. Called by the
  // caller beside the last product, or at the end.
  virtual void layers_done() {}
  // An operation of `layer` has ended, for all positions of the batch, that began at the end of
  // the one before it and read so many bytes of weights and cache.
  virtual void on_operation(Operation /*which*/, int64_t /*layer*/, int64_t /*bytes*/) {}
};

}  // namespace model
