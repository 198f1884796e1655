// The makers of every architecture family, for the registry alone.
#pragma once

#include <memory>

#include "model/arch/registry.h"

namespace model {

std::unique_ptr<Model> make_llama(const ModelFile& file);

}  // namespace model
