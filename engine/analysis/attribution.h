// Direct logit attribution: what every part of a model added to one token's logit, with the scale
// of the last norm held (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits",
// transformer-circuits.pub). Direct: what a part did to the parts behind it is theirs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/loaded_model.h"
#include "engine/past.h"
#include "engine/trace/schema.h"

namespace engine {

// logit = constant + embedding + rest + the sums of heads, ffn and both biases.
struct Attribution {
  double logit = 0.0;                 // before it is capped; or the difference of two
  double constant = 0.0;              // of the last norm's bias and the unembedding's
  double embedding = 0.0;             // of what the layers begin with
  double rest = 0.0;                  // what rounding leaves
  std::vector<float> heads;           // (L, H)
  std::vector<float> attention_bias;  // (L), what muting all heads leaves
  std::vector<float> ffn;             // (L), all neurons together
  std::vector<float> ffn_bias;        // (L)
  // Of a mixture: the experts that worked, layer by layer, parts of ffn.
  std::vector<trace::ExpertTerm> experts;
  // The strongest neurons of all layers, by magnitude, ties by layer and number; parts of ffn.
  std::vector<trace::NeuronTerm> neurons;
};

// Of the token's logit at a position, or of its difference to that of `against` (-1: none).
// At most so many neurons. position < past.done, 0 <= token, against < V. Throws std::bad_alloc.
Attribution attribute_logit(const LoadedModel& model, const Past& past, uint32_t position,
                            int32_t token, int32_t against, size_t neurons);

}  // namespace engine
