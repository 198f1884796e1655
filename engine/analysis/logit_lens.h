// The logit lens: what a position would say of the next token if the model ended behind any of its
// layers (nostalgebraist 2020, "interpreting GPT: the logit lens", lesswrong.com).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/loaded_model.h"
#include "engine/past.h"
#include "engine/sampler.h"

namespace engine {

// What the last norm, W_U and the softmax make of one residual stream.
struct Reading {
  std::vector<Choice> best;  // the most probable first, ties by id
  float probability = 0.0F;  // of the token that was asked for ...
  uint32_t rank = 0;         // ... and how many are more probable
};

// Of the embedding and of the stream behind each layer, (L + 1); the last is what the model says.
// At the temperature, at 1 where that is not above 0; the n best of each (fewer where the
// vocabulary is smaller). position < past.done, 0 <= token < V. Throws Error (bad_model) where a
// stream gives no finite logits, std::bad_alloc.
std::vector<Reading> read_layers(const LoadedModel& model, const Past& past, uint32_t position,
                                 int32_t token, float temperature, size_t n);

}  // namespace engine
