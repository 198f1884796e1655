// `fulgurite inspect` of a trace: which model wrote it, and what its conversations are.
#pragma once

#include <ostream>
#include <string>

namespace engine::commands {

// Prints a table, or one JSON object:
//
//   file, format, bytes, written_by, schema
//   complete, damaged    as trace::McapEnd has them
//   model                null: the trace does not say
//   conversations        of each its settings (again where it went on with others), muted parts,
//                        steps, tokens and text
//   records              messages and bytes of each topic
//
// Returns an exit code (0); throws Error (bad_model) for a file that is no trace.
int inspect_trace(const std::string& path, bool json, std::ostream& out);

}  // namespace engine::commands
