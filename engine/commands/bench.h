// `fulgurite bench`: how fast a model generates, with the taps off, live and full.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/loaded_model.h"
#include "engine/trace/schema.h"

namespace engine::commands {

struct BenchOptions {
  ModelSource model;
  uint32_t prompt = 64;     // tokens
  uint32_t generate = 128;  // tokens
  uint32_t repeats = 5;     // the median is printed
  std::vector<trace::Level> levels = {trace::Level::kOff, trace::Level::kLive, trace::Level::kFull};
  bool json = false;
};

// Levels are measured in turn within each repeat, so that a drifting machine hits all alike.
int bench(const BenchOptions& options);

}  // namespace engine::commands
