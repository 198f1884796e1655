// A conversation that never was: invented numbers in the form of a trace, so that a model without
// weights can be seen moving and its picture be measured. They add up as real ones do: shares to 1,
// attention weights to 1, probabilities to 1. The trace says that it is synthetic.
#pragma once

#include <cstdint>

#include "engine/trace/log.h"
#include "engine/trace/reader.h"

namespace engine {

struct SyntheticOptions {
  uint32_t prompt = 12;    // positions of step 0
  uint32_t generate = 12;  // steps of one position
  uint64_t seed = 1;
};

// Describes the model, named as synthetic, and writes a whole conversation. The same options give
// the same bytes.
void write_synthetic(trace::Model model, const SyntheticOptions& options, trace::Log& log);

}  // namespace engine
