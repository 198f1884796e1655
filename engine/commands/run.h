// `fulgurite run`: text in, text out, on stdout, as it is generated.
#pragma once

#include <string>

#include "engine/control.h"
#include "engine/loaded_model.h"
#include "engine/session.h"

namespace engine::commands {

struct RunOptions {
  ModelSource model;
  Generate generate;
  SessionOptions session;
  std::string trace_path;  // empty: no file
  std::string serve;       // where others may watch, see trace::Server; empty: nowhere
  int threads = 0;         // 0: as many as there are cores
  bool json = false;
  uint32_t logprobs = 5;  // candidates that are told of each token, as JSON
};

// Prints prompt and text, or with json nothing but one object a line for each generated token:
//
//   {"position": 6, "id": 11, "text": ",", "bytes": [44], "logprob": -0.31, "top": [
//     {"id": 11, "text": ",", "bytes": [44], "logprob": -0.31}, ...]}
//
// logprob: natural logarithm of the model's own probability over the whole vocabulary, before any
// sampler. text: with U+FFFD for bytes that are no whole character.
//
// Where it is served, it begins with the first viewer and ends when all have all of it.
//
// Returns the exit code. Ctrl-C ends the text after the token at hand and finishes the trace; a
// second one ends the program at once.
int run(const RunOptions& options);

}  // namespace engine::commands
