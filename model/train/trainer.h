// Training as a loop of steps: a batch of random windows of the text, gradients in parallel over
// its sequences, clipping, AdamW, and a learning rate that warms up and falls along a cosine.
//
// Same settings, tokens and instruction set give the same weights bit for bit: windows and
// dropout are functions of (seed, step), every thread owns a fixed share of the sequences, and
// gradients are added in the order of the threads.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/config.h"
#include "model/kernels/thread_pool.h"
#include "model/kernels/train_ops.h"
#include "model/train/parameters.h"
#include "model/train/transformer.h"

namespace model::train {

struct Settings {
  int64_t steps = 5000;
  int64_t warmup = 200;  // steps of linear growth from 0 to lr
  int64_t batch = 16;    // B, sequences a step
  int64_t length = 256;  // T, tokens a sequence
  // One step in this many takes windows of `length`; the others take twice as many windows of
  // half that length, from which a small model learns more for the same work.
  int64_t full_every = 1;
  float lr = 2e-3F;     // peak
  float min_lr = 0.0F;  // at the last step
  float beta1 = 0.9F;
  float beta2 = 0.95F;
  float epsilon = 1e-8F;
  float weight_decay = 0.1F;  // of matrices; norms have none
  float clip = 1.0F;          // largest global norm of the gradient; 0 never clips
  bool muon = false;          // matrices inside the layers by Muon instead of AdamW
  float momentum = 0.95F;     // of Muon
  float dropout = 0.0F;
  uint64_t seed = 1;
  int threads = 1;
};

// Throws Error (usage) naming the flag when a shape or a setting makes no sense, or when training
// would take more memory than `max_bytes`. Fills config.head_dim and rope_dim when they are 0.
void check_settings(Config& config, const Settings& settings, uint64_t max_bytes);

// Bytes that a Trainer of this shape allocates, roughly.
double trainer_bytes(const Config& config, const Settings& settings) noexcept;

float learning_rate(const Settings& settings, int64_t step) noexcept;

// Mean -log p in nats a token over all positions of the consecutive, non-overlapping windows
// tokens[i .. i + window) with the targets one further on. A rest shorter than a window is left
// out. workspaces holds one per thread of the pool, for windows of at least this length.
// The result does not depend on the number of threads. stop: asked now and then, from any thread of
// the pool; once it says yes the result is of no tokens.
struct Evaluation {
  double loss = 0.0;
  int64_t tokens = 0;  // positions that were predicted; 0 when there is no whole window
};
Evaluation evaluate(const Weights& weights, std::span<const int32_t> tokens, int64_t window,
                    ThreadPool& pool, std::vector<Transformer>& workspaces,
                    const std::function<bool()>& stop = {});

// Workspaces for evaluate() alone.
std::vector<Transformer> make_workspaces(const Config& config, int64_t window, int threads);

class Trainer {
 public:
  // `tokens` outlives the trainer and has more than settings.length elements, all below
  // config.n_vocab. Both config and settings have passed check_settings.
  Trainer(const Config& config, const Settings& settings, std::span<const int32_t> tokens);

  struct StepReport {
    double loss = 0.0;  // mean over the batch, with dropout, before the update
    float grad_norm = 0.0F;
    float lr = 0.0F;
  };
  // One optimiser step.
  StepReport step();

  // Mean loss without dropout over consecutive windows of `tokens`, see above.
  Evaluation evaluate(std::span<const int32_t> tokens, int64_t window,
                      const std::function<bool()>& stop = {});

  // What has to be kept to go on exactly where a run was left.
  struct State {
    int64_t step = 0;  // steps done
    Parameters weights, moment1, moment2;
  };
  const State& state() const noexcept { return state_; }
  // CHECKs that the shape is the same.
  void set_state(State state);

  const Config& config() const noexcept { return state_.weights.config(); }
  const Settings& settings() const noexcept { return settings_; }

 private:
  // One tensor in the flat arrays.
  struct Piece {
    int64_t at, rows, cols;
    bool decays, muon;
  };

  void draw_batch();  // sets sequences_, length_, inputs_, targets_
  void gradients_of_share(int thread);
  void update_share(int thread, const AdamW& step);

  Settings settings_;
  std::span<const int32_t> tokens_;
  State state_;
  ThreadPool pool_;
  std::vector<Transformer> workspaces_;  // one a thread
  std::vector<Parameters> gradients_;    // one a thread; the first receives the sum
  std::vector<double> partial_;          // one a thread
  std::vector<Piece> pieces_;
  std::vector<std::vector<float>> scratch_;  // one a thread
  int64_t sequences_ = 0, length_ = 0;       // B and T of this step
  std::vector<int32_t> inputs_, targets_;    // (B, T)
};

}  // namespace model::train
