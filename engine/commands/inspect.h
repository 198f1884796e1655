// `fulgurite inspect`: what a model file holds and whether it would run; or what a trace holds.
#pragma once

#include <cstddef>
#include <ostream>
#include <span>
#include <string>

namespace engine::commands {

struct InspectOptions {
  std::string model_path;  // empty: the built-in model; or of a trace, see inspect_trace.h
  std::span<const std::byte> builtin;
  bool json = false;
};

// Prints one JSON object or a table. A model that could be read but not run is no failure:
// `runnable` and `problems` say so. Returns an exit code (0); throws Error (bad_model) for a
// file that cannot be read at all.
int inspect(const InspectOptions& options, std::ostream& out);

}  // namespace engine::commands
