// A model that can be run, and the architectures that can be.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "model/config.h"
#include "model/format/model_file.h"
#include "model/kv_cache.h"
#include "model/mute.h"
#include "model/tap.h"

namespace model {

class Model {
 public:
  virtual ~Model() = default;

  virtual const Config& config() const noexcept = 0;

  // Positions first .. first + ids.size() - 1 (< cache.capacity()), of which the cache holds all
  // before `first`; their keys and values are written into it. logits: nullptr, or (logit_rows,
  // V) for the last logit_rows positions. Every position gets the same bits whatever it is
  // batched with, whatever the number of threads, and with and without a sink (may be nullptr).
  // muted: parts that give nothing, of the model's layers, heads and neurons.
  // Allocates scratch when it sees a larger batch or cache than before (std::bad_alloc).
  // Not thread-safe: one caller at a time.
  virtual void forward(std::span<const int32_t> ids, int64_t first, KvCache& cache, float* logits,
                       int64_t logit_rows, TapSink* sink, std::span<const Mute> muted = {}) = 0;

  // What is asked of a pass that is over; the same one caller.

  // logits (rows, V) as forward() makes them of residual streams x (rows, C) behind the last layer,
  // to the last bit. Of one behind another layer: the logit lens (nostalgebraist 2020,
  // "interpreting GPT: the logit lens"). Throws std::bad_alloc.
  virtual void unembed(const float* x, int64_t rows, float* logits) = 0;

  // A token's logit, before it is capped, where x (C) is the residual stream behind the last layer
  // and the last norm's scale is held as it is there: <direction, x> + constant, and so a sum over
  // whatever x is a sum of (Elhage et al. 2021, "A Mathematical Framework for Transformer
  // Circuits"). 0 <= token < V.
  struct Readout {
    std::vector<float> direction;  // (C)
    double constant = 0.0;         // of the norm's bias and the unembedding's
  };
  virtual Readout readout(const float* x, int32_t token) const = 0;

  // What the heads and the neurons of a layer add to <direction, x>, of which the update that they
  // make is a part: with a norm after the sum its scale is held, too. Return what the bias of W_O,
  // of W_down, adds; 0 without one. head_out (H, C), act (N) and
  // experts (used, 3; empty where the layer has none) as the taps of these names gave them;
  // terms (H), (N).
  virtual double head_terms(int64_t layer, const float* head_out, const float* direction,
                            float* terms) const = 0;
  virtual double neuron_terms(int64_t layer, const float* act, std::span<const float> experts,
                              const float* direction, float* terms) = 0;
};

// Positions that are worth giving to forward() at once.
inline constexpr int64_t kBatch = 128;

// Builds the model in the file, which must outlive it, to run on `threads` >= 1 threads.
// Throws Error (bad_model) when the architecture is unknown, or a tensor is missing or has the
// wrong shape.
std::unique_ptr<Model> make_model(const ModelFile& file, int threads = 1);
std::unique_ptr<Model> make_model(ModelFile&&, int = 1) = delete;

}  // namespace model
