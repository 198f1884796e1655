// Where models lie on a machine; engine/model_name.h says what a name with -m means. Nothing here
// uses a network.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace engine {

struct StoreFolders {
  std::vector<std::filesystem::path> hugging_face;  // they hold models--ORG--REPO/
  std::vector<std::filesystem::path> ollama;        // they hold manifests/ and blobs/
  std::vector<std::filesystem::path> lm_studio;     // they hold ORG/REPO/
  std::vector<std::filesystem::path> llama_cpp;     // they hold GGUF files, side by side
  std::filesystem::path working;                    // empty: none

  // All but the working folder.
  std::vector<std::filesystem::path> stores() const;
};

// As those programs choose them: HF_HUB_CACHE (or HUGGINGFACE_HUB_CACHE), HF_HOME, XDG_CACHE_HOME,
// OLLAMA_MODELS, LLAMA_CACHE, HOME, and below that LM Studio's home pointer and settings.
StoreFolders store_folders();

struct FoundModel {
  std::string name;          // for -m
  std::string path;          // for model::open_model
  std::string problem = {};  // what keeps it from being what its name says, as Error's what
  std::string mend = {};     // as Error's hint
};

// Every model in the folders, by name. A folder or manifest that is missing, unreadable or
// damaged is passed over; symbolic links are followed, but no folder is entered deeper than its
// store is laid out, so that a loop of links ends.
std::vector<FoundModel> find_models(const StoreFolders& folders);

// What a store has under `name`, with its scheme, that find_models() passes over, and its problem;
// nothing when it has no such thing.
std::optional<FoundModel> find_unusable(const std::string& name, const StoreFolders& folders);

// A folder that Hugging Face's libraries would take for a model, complete or not.
bool is_safetensors_folder(const std::filesystem::path& folder);
// The GGUF files of a folder itself that can be opened as a model, named by their paths.
std::vector<FoundModel> gguf_files_in(const std::filesystem::path& folder);
// Why a folder that may be there cannot be looked into; empty: it can, or it is not there.
std::string why_unreadable(const std::filesystem::path& folder);

}  // namespace engine
