#include "model/format/open.h"

#include <filesystem>

#include "model/error.h"
#include "model/format/gguf.h"
#include "model/format/hf_folder.h"

namespace model {

ModelFile open_model(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return open_hf_folder(path);
  if (path.ends_with(".safetensors") && fs::exists(path, ignored)) {
    const fs::path folder = fs::path(path).has_parent_path() ? fs::path(path).parent_path() : ".";
    if (is_hf_folder(folder.string())) return open_hf_folder(folder.string());
    throw fulgurite::Error(fulgurite::ExitCode::kBadModel, "has no config.json beside it", path,
                           "weights alone do not say what model they are");
  }
  return open_gguf(path);
}

}  // namespace model
