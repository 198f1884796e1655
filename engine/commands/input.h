// The tokens that a command reads: ids from the command line, or a text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/loaded_model.h"
#include "engine/trace/schema.h"

namespace engine::commands {

struct TokenInput {
  std::vector<int64_t> ids;  // as given; not empty: these, and no text
  std::string text;
  std::vector<trace::MutedPart> muted = {};  // what the model runs without
};

// The ids, or those of the text as a session begins with it. Throws Error (usage)
// when an id is not in the vocabulary, when there is none, and when they are more than the model's
// context.
std::vector<int32_t> tokens_of(const LoadedModel& model, const TokenInput& input);

}  // namespace engine::commands
