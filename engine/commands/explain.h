// `fulgurite lens`: what the model would say behind each of its layers; and
// `fulgurite attribution`: what each of its parts added to a token's logit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>

#include "engine/commands/input.h"
#include "engine/loaded_model.h"

namespace engine::commands {

// A question about the token that follows a position of a text.
struct ExplainOptions {
  ModelSource model;
  TokenInput input;
  int64_t position = -1;  // -1: the last
  // A token's text, or # and its id. Empty: the one that follows in the text, behind its end the
  // one that the model finds most probable.
  std::string token;
  std::string against;  // empty: the logit alone, not the difference to another one
  uint32_t top = 0;     // so many candidates of a layer, or terms
  int threads = 0;      // 0: as many as there are cores
  bool json = false;
};

// Print a table, or one JSON object. Return the exit code; throw Error (usage, bad_model, failed).
int lens(const ExplainOptions& options, std::ostream& out);
int attribution(const ExplainOptions& options, std::ostream& out);

}  // namespace engine::commands
