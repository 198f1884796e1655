// `fulgurite logits`: the logits of every position, as a NumPy file.
#pragma once

#include <string>

#include "engine/commands/input.h"
#include "engine/loaded_model.h"

namespace engine::commands {

struct LogitsOptions {
  ModelSource model;
  TokenInput input;
  std::string output;  // .npy
  int threads = 0;     // 0: as many as there are cores
};

// Writes float32 (positions, V). Returns the exit code; throws Error (usage, bad_model, failed).
int logits(const LogitsOptions& options);

}  // namespace engine::commands
