// What a model's name with -m means. Nothing here uses a network.
//
//   hf:ORG/REPO[:FILE]     the Hugging Face cache; FILE picks one of several GGUF files
//   ollama:NAME[:TAG]      Ollama's store; TAG is `latest` unless given
//   lmstudio:ORG/REPO[:FILE]
//   anything else          a path; of a folder without safetensors its only GGUF file
#pragma once

#include <string>

#include "engine/model_store.h"

namespace engine {

// The path that `name` means. A name that needs no store, or that exists as a file, comes back
// as it is, but for a folder without safetensors that holds a GGUF file. Throws Error (bad_model):
// unknown, with the nearest names; of several meanings; with a problem; or no path, but the name of
// something in a store.
std::string resolve_model(const std::string& name, const StoreFolders& folders);
std::string resolve_model(const std::string& name);

}  // namespace engine
