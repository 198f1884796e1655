// `fulgurite eval`: how well a model predicts a text.
#pragma once

#include <string>

#include "engine/loaded_model.h"

namespace engine::commands {

struct EvalOptions {
  ModelSource model;
  std::string text;      // a file
  int64_t window = 128;  // tokens that are seen together
  int threads = 0;       // 0: as many as the machine has
  bool json = false;
};

// Mean negative log-likelihood in nats a token over all positions of the consecutive,
// non-overlapping windows of the text (a rest shorter than a window is left out); prints `loss`,
// `perplexity` = e^loss and `tokens` (positions predicted) to stdout, as text or as one JSON
// object. Returns the exit code; throws Error (usage, failed, bad_model).
int eval(const EvalOptions& options);

}  // namespace engine::commands
