// What can be asked of positions that were run: the cache holds the past, so running one position
// again with a tap open gives the same numbers to the last bit.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/loaded_model.h"
#include "model/kv_cache.h"
#include "model/mute.h"
#include "model/tap.h"

namespace engine {

// What running a position again takes. tokens: of which the first `done` are in the cache.
struct Past {
  model::KvCache& cache;
  const std::vector<int32_t>& tokens;
  size_t done;
  std::span<const model::Mute> muted = {};  // what it was run without
};

struct TapValues {
  int64_t rows = 0, cols = 0;
  std::vector<float> data;  // (rows, cols); empty: the model makes no such tensor
};

// The values of these taps at a position below past.done. Throws std::bad_alloc.
std::vector<TapValues> run_again(const LoadedModel& model, const Past& past, uint32_t position,
                                 std::span<const model::TapPlace> places);

// Hands over every tap that the sink wants but those that need logits. Throws std::bad_alloc.
void run_again(const LoadedModel& model, const Past& past, uint32_t position, model::TapSink& sink);

// "blk.3.kv.k", "blk.3.kv.v": a layer's keys or values as cached.
struct CachePlace {
  int64_t layer;
  bool keys;
};
std::optional<CachePlace> find_cache(std::string_view name, int64_t n_layer);

}  // namespace engine
