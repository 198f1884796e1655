// Where models lie on a machine, and how to name them with -m. Nothing here uses a network.
//
//   hf:ORG/REPO[:FILE]     the Hugging Face cache; FILE picks one of several GGUF files
//   ollama:NAME[:TAG]      Ollama's store; TAG is `latest` unless given
//   lmstudio:ORG/REPO[:FILE]
//   anything else          a path; of a folder without safetensors its only GGUF file
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace engine {

struct StoreFolders {
  std::vector<std::filesystem::path> hugging_face;  // they hold models--ORG--REPO/
  std::vector<std::filesystem::path> ollama;        // they hold manifests/ and blobs/
  std::vector<std::filesystem::path> lm_studio;     // they hold ORG/REPO/
  std::filesystem::path working;                    // empty: none
};

// As those programs choose them: HF_HUB_CACHE (or HUGGINGFACE_HUB_CACHE), HF_HOME, XDG_CACHE_HOME,
// OLLAMA_MODELS, HOME, and below that LM Studio's home pointer and settings.
StoreFolders store_folders();

struct FoundModel {
  std::string name;          // for -m
  std::string path;          // for model::open_model
  std::string problem = {};  // what keeps it from being what its name says, as Error's what
};

// Every model in the folders, by name. A folder or manifest that is missing, unreadable or
// damaged is passed over; symbolic links are followed, but no folder is entered deeper than its
// store is laid out, so that a loop of links ends.
std::vector<FoundModel> find_models(const StoreFolders& folders);

// The path that `name` means. A name that needs no store, or that exists as a file, comes back
// as it is, but for a folder without safetensors that holds a GGUF file. Throws Error (bad_model):
// unknown, with the nearest names; of several meanings; or with a problem.
std::string resolve_model(const std::string& name, const StoreFolders& folders);
std::string resolve_model(const std::string& name);

}  // namespace engine
