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
};

// Positions that are worth giving to forward() at once.
inline constexpr int64_t kBatch = 128;

// Builds the model in the file, which must outlive it, to run on `threads` >= 1 threads.
// Throws Error (bad_model) when the architecture is unknown, or a tensor is missing or has the
// wrong shape.
std::unique_ptr<Model> make_model(const ModelFile& file, int threads = 1);

}  // namespace model
