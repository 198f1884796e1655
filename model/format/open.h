// Whatever a path names -> a model, told apart by what is there, not by its name.
#pragma once

#include <string>

#include "model/format/model_file.h"

namespace model {

// A GGUF file (with or without that suffix, alone or the first of a split one), a folder with a
// config.json, or a .safetensors file inside such a folder. Throws Error (bad_model) naming the
// path, what is wrong with it and the mend.
ModelFile open_model(const std::string& path);

}  // namespace model
