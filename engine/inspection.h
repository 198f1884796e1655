// Any tensor of any past position: the KV cache holds the past, so running that one
// position again with the wanted tap open gives the same numbers to the last bit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/control.h"
#include "engine/loaded_model.h"
#include "model/kv_cache.h"

namespace engine {

struct Inspection {
  // At most kMaxSide x kMaxSide, or as many in a single row; a larger tensor is given as means of
  // blocks.
  int64_t rows = 0, cols = 0;
  std::vector<float> values;
  int64_t full_rows = 0, full_cols = 0;
  // Of every value, not of the means.
  float min = 0.0F, max = 0.0F, mean = 0.0F, rms = 0.0F;
  std::string formula;  // or, when rows is 0, why there is nothing
};

inline constexpr int64_t kMaxSide = 512;

// tokens: ids of the conversation, of which the first `done` are in the cache.
Inspection inspect_tensor(LoadedModel& model, model::KvCache& cache,
                          const std::vector<int32_t>& tokens, size_t done, const Inspect& what);

// Cuts values (rows, cols) down to at most that and computes the statistics.
Inspection summarise(const std::vector<float>& values, int64_t rows, int64_t cols);

}  // namespace engine
