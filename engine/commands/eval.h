// `fulgurite eval`: how well a model predicts a text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/loaded_model.h"
#include "engine/trace/schema.h"

namespace engine::commands {

struct EvalOptions {
  ModelSource model;
  std::string text;  // a file
  int64_t window =
      0;  // tokens that are seen together; 0: 128, with chunks 512, at most the model's
  int64_t chunks = -1;  // >= 0: as llama-perplexity measures, so many chunks; 0: all
  std::optional<model::CacheType> cache = {};  // as in SessionOptions
  std::vector<trace::MutedPart> muted = {};    // what the model runs without
  int threads = 0;                             // 0: as many as there are cores
  bool json = false;
};

// Mean negative log-likelihood in nats a token; prints `loss`, `perplexity` = e^loss, its standard
// `error` and `tokens` (positions predicted) to stdout, as text or as one JSON object.
//
// Without chunks: over all positions of the consecutive, non-overlapping windows of the text; a
// rest shorter than a window is left out. No BOS is put before them: it is the text that is
// predicted.
// With chunks, as llama.cpp's llama-perplexity: the text (after a BOS token, where the file asks
// for one) is cut into chunks of `window` tokens, the first of each is replaced by BOS where the
// file asks for it, and the second half of each chunk is scored: tokens window / 2 + 1 and later.
//
// Returns the exit code; throws Error (usage, failed, bad_model).
int eval(const EvalOptions& options);

}  // namespace engine::commands
