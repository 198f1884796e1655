// A model's structure without its weights: what `--structure` shows.
#pragma once

#include <string>
#include <vector>

#include "engine/loaded_model.h"
#include "engine/trace/log.h"
#include "engine/trace/reader.h"
#include "model/config.h"

namespace engine {

// What the trace says of how a model is built.
trace::StructureRecord structure_record(const model::Config& config);
// The same and its sizes; context, buckets, parameters, hash and quantisation are left to whoever
// knows them.
trace::Model describe(const model::Config& config, std::string name);

// what: the name of a published shape, "builtin", a GGUF file (its header is enough), a Hugging
// Face folder or its config.json. The context is cut to what a picture of all layers can hold.
// Throws Error: usage for a name that nobody knows, bad_model for a file that cannot be read.
trace::Model find_structure(const std::string& what, const ModelSource& builtin);

// For help and errors: "gpt2, gpt2-xl, ..."
std::string structure_names();

// The model's description, and that nothing follows.
void write_structure(const trace::Model& model, trace::Log& log);
// The description alone.
void write_description(const trace::Model& model, trace::Log& log);

}  // namespace engine
