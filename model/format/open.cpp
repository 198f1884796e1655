#include "model/format/open.h"

#include <algorithm>
#include <filesystem>

#include "model/error.h"
#include "model/format/gguf.h"
#include "model/format/hf_folder.h"

namespace model {
namespace {

using fulgurite::Error;
using fulgurite::ExitCode;
namespace fs = std::filesystem;

// One of the files of a folder stands for all.
ModelFile open_safetensors(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : ".";
  if (!is_hf_folder(folder.string())) {
    throw Error(ExitCode::kBadModel, "has no config.json beside it", path.string(),
                "weights alone do not say what model they are");
  }
  const std::vector<std::string> files = hf_weight_files(folder.string());
  if (std::find(files.begin(), files.end(), path.filename().string()) == files.end()) {
    throw Error(ExitCode::kBadModel,
                "is not of the model in its folder, which is read from " + files.front(),
                path.string(), "name the folder");
  }
  return open_hf_folder(folder.string());
}

}  // namespace

ModelFile open_model(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return open_hf_folder(path);
  if (path.ends_with(".safetensors") && fs::exists(path, ignored)) return open_safetensors(path);
  return open_gguf(path);
}

}  // namespace model
