// The transformer decoder that all families share; Config says which way each goes.
//
//   for each layer l:  n  = norm(x)
//                      da = W_o attention(rope(W_q n), rope(W_k n), W_v n)     x += da
//                      df = FFN(norm(x))                                       x += df
//
// with biases, norms of queries and keys, norms after the sums, caps, windows, parallel blocks
// and experts where the family has them. Every intermediate is tapped where it is made.
#pragma once

#include <span>
#include <vector>

#include "model/arch/registry.h"
#include "model/arch/weights.h"
#include "model/kernels/ops.h"
#include "model/kernels/thread_pool.h"
#include "model/pages.h"

namespace model {

class Decoder final : public Model {
 public:
  // Throws as make_model does. The file must outlive the decoder.
  Decoder(const ModelFile& file, const Config& config, int threads);

  const Config& config() const noexcept override { return config_; }
  void forward(std::span<const int32_t> ids, int64_t first, KvCache& cache, float* logits,
               int64_t logit_rows, TapSink* sink, std::span<const Mute> muted) override;
  void unembed(const float* x, int64_t rows, float* logits) override;
  Readout readout(const float* x, int32_t token) const override;
  double head_terms(int64_t layer, const float* head_out, const float* direction,
                    float* terms) const override;
  double neuron_terms(int64_t layer, const float* act, std::span<const float> experts,
                      const float* direction, float* terms) override;

 private:
  using Values = std::vector<float>;

  // Neurons, those of all positions together, below which waking other threads costs more than it
  // saves.
  static constexpr int64_t kWorthActivating = 1 << 13;
  // Positions for which W_down^T df costs less as a product of its own than in the pass over
  // W_down, and for which a mixture's experts are read once for all that are sent to them.
  static constexpr int64_t kTogether = 4;

  // One call's batch: n positions from `first` on.
  struct Pass {
    int64_t first;
    int64_t n;
    KvCache& cache;
    TapSink* sink;
    std::span<const Mute> muted;
    // Of `count` parts from first_part on, `width` values each, sets those that are muted to zero.
    void mute(Part part, int64_t l, int64_t first_part, int64_t count, int64_t width,
              float* values) const noexcept;
    bool wants(Tap tap) const noexcept { return sink != nullptr && sink->wants(tap); }
    bool wants_in(int64_t l, Tap tap) const noexcept {
      return sink != nullptr && sink->wants_in(l, tap);
    }
    bool wants_heads() const noexcept { return sink != nullptr && sink->wants_heads(); }
    bool wants_backs() const noexcept {
      return wants_heads() || wants(Tap::kHeadBack) || wants(Tap::kHeadEnergy);
    }
    // Where head h of position i of the batch has its (T) in a table of all: T is first + i + 1.
    int64_t row(int64_t i, int64_t h, int64_t n_head) const noexcept {
      return n_head * (i * first + i * (i + 1) / 2) + h * (first + i + 1);
    }
  };

  // Angles of rotation: frequencies (rope_dim / 2), and cos and sin of the batch's positions.
  struct Rope {
    float magnitude = 1.0F;  // of cos and sin
    std::vector<double> frequency;
    Values cos, sin;  // (n, rope_dim / 2)
  };

  struct Worker {
    int64_t expert;  // E: the one that always works
    float weight;    // of what it adds
  };

  // Scratch of a batch; every intermediate under its own name, n rows each.
  struct Activations {
    Values x;                // (C)
    Values norm;             // (C)
    Values ffn_norm;         // (C)
    Values q;                // (H, D)
    Values k, v;             // (K, D)
    Values scores, weights;  // (H, T) of each position, or (T) of each thread
    Values z;                // (H, value_width), what W_o reads where attention is not latent
    // Of latent attention.
    Values query_low;      // (query_rank)
    Values query;          // (H, query_width)
    Values mix;            // (H, mix_width), what W_o reads
    Values latent_back;    // (H, R)
    Values sink_weight;    // (H) what each head's sink takes
    Values sum, update;    // (C) what a product gave; the same behind the norm after it
    Values gate, up, act;  // (F); of a mixture as many rows of the widest as experts work
    Values router;         // (E)
    // Of a mixture. A slot is an expert at work on a position: position, then its workers, the best
    // first and the one that always works last.
    std::vector<Worker> workers;
    Values term;                   // (slots, C) what each adds
    Values slot_gate, slot_up;     // (slots, F), or as wide as the widest
    Values slot_act, slot_share;   // the same, as W_down reads it; at first W_down^T (g^2 df)
    Values expert_in, expert_out;  // (C) of one expert's rows
    Values slot_cells;             // (slots, F / 32)
    Values spread;                 // (all neurons) of one position, zero between its uses
    // What the shares are made of.
    Values measured;               // (C) of one position
    Values z_read, act_read;       // (H, mix_width), (F) of one position, as the products read them
    Values head_out;               // (H, C)
    Values head_back;              // (H, mix_width)
    Values head_dot, head_energy;  // (H)
    Values cell_dot;               // (F / 32)
    Values neuron_back;            // (F)
    Values chosen_dot;             // (kChosenNeurons)
    std::vector<int32_t> chosen;   // (kChosenNeurons)
    std::vector<Gather> gathers;
  };

  void chain_weights() noexcept;
  void resize(int64_t n, int64_t capacity);
  void run(const Pass& pass, const int32_t* ids, float* logits, int64_t logit_rows);
  void embed(const Pass& pass, const int32_t* ids);
  void attention(const Pass& pass, int64_t l);
  void project(const Pass& pass, int64_t l);
  void project_latent(const Pass& pass, int64_t l);
  void mix_latent(const Pass& pass, int64_t l);
  void latent_backs(const Pass& pass, int64_t l);
  void multiply_each_head(const std::vector<Linear>& w, const float* x, int64_t x_width, int64_t n,
                          float* y, int64_t y_width);
  void rotate_heads(int64_t l, int64_t i, float* heads, int64_t n_heads, int64_t width) const;
  void store(const Pass& pass, int64_t l, int64_t first, int64_t last) const noexcept;
  void attend_all(const Pass& pass, int64_t l);
  void attend_position(const Pass& pass, int64_t l, int64_t i, int64_t h, float* scores,
                       float* weights) noexcept;
  void output_projection(const Pass& pass, int64_t l);
  bool has_factors() const noexcept;
  int64_t factor_bytes() const noexcept;
  float* factor(const Pages& factors, int64_t l, int64_t h) const noexcept;
  void fetch_factor(int64_t l, int64_t h) const noexcept;
  void build_factors();
  void tap_attention(const Pass& pass, int64_t l);
  bool backs_at_once(int64_t l) const noexcept;
  void head_back_at_once(const Pass& pass, int64_t l, int64_t i, int64_t h, const float* scores,
                         const float* weights);
  void head_backs(const Pass& pass, int64_t l);
  void head_back(int64_t l, int64_t i, int64_t h, const float* read);
  void tell_head(const Pass& pass, int64_t l, int64_t i, int64_t h, const float* scores,
                 const float* weights);
  void head_shares(const Pass& pass, int64_t l);
  void ffn(const Pass& pass, int64_t l);
  void dense(const Pass& pass, int64_t l);
  void activate_all(const Pass& pass, int64_t l, bool chosen);
  void neuron_backs(const Pass& pass, int64_t l);
  void neuron_shares(const Pass& pass, int64_t l);
  void mixture(const Pass& pass, int64_t l);
  void route(const Pass& pass, int64_t l);
  const Ffn& expert(int64_t l, int64_t e) const noexcept;
  const Ffn& ffn_of_slot(int64_t l, int64_t slot) const noexcept;
  template <class Work>
  void for_each_expert(const Work& work) const;
  size_t experts_bytes(const Pass& pass, int64_t l) const;
  void take_rows(const float* x, std::span<const int64_t> slots);
  void activate_slots(const Pass& pass, int64_t l, std::span<const int64_t> slots, int64_t stride);
  void keep_acts(const Pass& pass, int64_t l, std::span<const int64_t> slots, const Input& x);
  void experts_together(const Pass& pass, int64_t l, int64_t i, bool gathers);
  bool wants_some(const Pass& pass) const noexcept;
  bool keeps_acts(const Pass& pass) const noexcept;
  void add_terms(int64_t first, int64_t last) noexcept;
  void gather_mixture(const Pass& pass, int64_t l, int64_t i);
  void choose_neurons(int64_t i);
  std::pair<int64_t, int64_t> neuron_of(int64_t i, int64_t number) const noexcept;
  void gather_by_expert(const Pass& pass, int64_t l);
  const float* measured_updates(const Pass& pass, int64_t l, Values& room);
  Values chosen_shares(int64_t i, double scale) const;
  void expert_by_expert(const Pass& pass, int64_t l);
  void expert_backs(const Pass& pass, int64_t l);
  void expert_shares(const Pass& pass, int64_t l);
  void unembed(const Pass& pass, float* logits, int64_t rows);
  void logits_of(const float* norm, int64_t rows, float* logits);

  // What the terms of an update y are measured with: u = gain y and 1 / <u, y>, 0 where y is
  // nothing. Without a gain u is y; with one it lies in a_.measured until the next call.
  struct Measure {
    const float* u;
    double inverse;
  };
  Measure measure(const float* y, const Values& gain) noexcept;
  // Of the last of n rows, the norm's scale.
  float normalise(const Norm& norm, const float* x, float* y, int64_t n) const noexcept;
  void turn(Rope& rope, int64_t first, int64_t n);
  void activate(const float* gate, const float* up, int64_t n, float* act) const noexcept;
  void read_stream(const Norm& norm, int64_t n, Values& out) const noexcept;
  void make_update(const Norm& post_norm, int64_t n);
  Values before_norm(const Norm& norm, const Values& sum, const float* direction) const;
  void set_input(Input& input, const Values& x, int64_t n, int64_t cols,
                 std::initializer_list<DType> readers);
  void tap(const Pass& pass, Tap name, int64_t layer, const Values& data, int64_t rows,
           int64_t cols) const;
  // What W_o reads of the heads.
  Values& mixes() noexcept { return config_.latent() ? a_.mix : a_.z; }
  // (C) squares of the gain of a norm after the sum; nullptr without one.
  const float* row_gain(const Values& squares) const noexcept {
    return squares.empty() ? nullptr : squares.data();
  }

  Config config_;
  Weights weights_;
  std::vector<Values> attn_gain_, ffn_gain_;  // (L) of (C) or empty: see row_gain
  // (L, H) of R_h, upper triangular, with R_h^T R_h = W_O,h^T diag(g^2) W_O,h = G_h: then
  // W_O,h^T (g^2 o_h) = R_h^T (R_h z~_h) and |g o_h|^2 = |R_h z~_h|^2 cost no second look at W_O,
  // and no more accuracy where z~_h lies in a direction that W_O,h makes little of than o_h itself
  // has, while G_h would square its condition. See factor_matvec. Made when first wanted; none
  // where they would be large.
  Pages factors_;
  ThreadPool pool_;
  Rope rope_, rope_local_;
  Input input_;                // of the product at hand
  Input query_input_;          // of W_q where queries are made of a few values
  Input always_input_;         // of W_down of the expert that always works
  Input z_input_, act_input_;  // of W_O and of W_down: what is put off looks at them later
  Activations a_;
  int64_t rows_ = 0;   // for which a_ is large enough
  int64_t reach_ = 0;  // of the cache that rope_ is right for
};

}  // namespace model
