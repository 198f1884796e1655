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
  int64_t context = 0;  // by whose length RoPE may be stretched; 0: the tokens'
};

// The ids, or those of the text as a session begins with it. Throws Error (usage)
// when an id is not in the vocabulary, when there is none, when they are more than the context, and
// when that is more than the model's.
std::vector<int32_t> tokens_of(const LoadedModel& model, const TokenInput& input);

// Positions for which their cache has room: the context, or as many as there are tokens.
int64_t capacity_of(const TokenInput& input, const std::vector<int32_t>& tokens) noexcept;

// Throws Error (failed) where so many floats would take more than half of the memory: of what, and
// how to need less.
void require_memory(int64_t floats, const char* of, const char* hint);

}  // namespace engine::commands
