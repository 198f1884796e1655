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
};

// Returns the exit code. Ctrl-C ends the text and finishes the trace.
int run(const RunOptions& options);

}  // namespace engine::commands
