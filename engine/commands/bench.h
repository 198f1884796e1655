// `fulgurite bench`: how fast a model generates, with the taps off, live and full.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/loaded_model.h"
#include "engine/trace/schema.h"

namespace engine::commands {

struct BenchOptions {
  ModelSource model;
  uint32_t prompt = 64;     // tokens
  uint32_t generate = 128;  // tokens
  uint32_t repeats = 5;     // the median is printed
  int threads = 0;          // 0: as many as there are cores
  std::vector<trace::Level> levels = {trace::Level::kOff, trace::Level::kLive, trace::Level::kFull};
  std::optional<model::CacheType> cache = {};  // as in SessionOptions
  bool json = false;
};

// Levels are measured in turn within each repeat, after one run that is not counted, so
// that a drifting machine hits all alike. Prints a table, or one JSON object:
//
//   load_ms              from the path to a model that can run
//   memory_bytes_per_s   see memory_speed.h; measured after the runs
//   weight_bytes         of weights that one generated token reads
//   peak_bytes           the kernel's high-water mark of this process's resident memory
//                        (getrusage), pages of the mapped file included, before the memory test
//   off, live, full      for each level that was asked for:
//     prompt_tokens_per_s, generation_tokens_per_s
//     first_token_ms         from the prompt's start until the first token has been drawn
//     trace_bytes_per_token  detail that the last generated token added to the trace
//     weight_bytes_per_s     weight_bytes times generation_tokens_per_s
//     prompt_weight_bytes_per_s  of weights that the prompt's passes read: a batch of positions is
//                            one, the last has logits (of a mixture more is read: each position
//                            has its experts)
int bench(const BenchOptions& options);

// Bytes of weights that generating one token reads: all tensors, but of an embedding that is not
// the output matrix one row, and of experts those that are used.
uint64_t weight_bytes_per_token(const model::ModelFile& file);

}  // namespace engine::commands
