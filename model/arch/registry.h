// A model that can be run: one implementation per architecture family.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "model/config.h"
#include "model/format/gguf.h"
#include "model/kv_cache.h"
#include "model/tap.h"

namespace model {

class Model {
 public:
  virtual ~Model() = default;

  virtual const Config& config() const noexcept = 0;

  // One position: reads token `id` at `position` (< cache.capacity()), writes its keys and
  // values into the cache, and, when logits is not nullptr, the V logits of the next token.
  // sink may be nullptr; the results are the same to the last bit with and without it.
  // Not thread-safe: one caller at a time.
  virtual void forward(int32_t id, int64_t position, KvCache& cache, float* logits,
                       TapSink* sink) noexcept = 0;
};

// Builds the model in the file, which must outlive it. Throws Error (bad_model) when the
// architecture is unknown, or a tensor is missing or has the wrong shape.
std::unique_ptr<Model> make_model(const ModelFile& file);

// Names of the architectures that make_model knows.
std::vector<std::string_view> known_architectures();

}  // namespace model
