// `fulgurite taps` and `fulgurite tap`: the names of a model's intermediates, and one of them as
// a NumPy file.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "engine/commands/input.h"
#include "engine/loaded_model.h"

namespace engine::commands {

struct TapsOptions {
  ModelSource model;
  int threads = 0;  // 0: as many as there are cores
  bool json = false;
};

// Prints every tap with its shape and formula, as a table or as a JSON array of
// {"name", "shape", "formula"}; a size that grows with the position is "T".
int taps(const TapsOptions& options, std::ostream& out);

struct TapOptions {
  ModelSource model;
  TokenInput input;
  std::string name;       // as taps() lists it
  std::string output;     // .npy
  int64_t position = -1;  // -1: all
  int threads = 0;
};

// Writes float32 (positions, rows, cols), or (positions, cols) for a tap that is a vector; rows
// that grow with the position are filled up with zeros to the last one's length. Of a single
// position: (rows, cols) or (cols). Returns the exit code; throws Error (usage, bad_model,
// failed).
int tap(const TapOptions& options);

}  // namespace engine::commands
