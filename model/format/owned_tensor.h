// A tensor whose numbers were made, not mapped.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/format/model_file.h"

namespace model {

// Adds `values` as F32 of shape ne to `file`, which keeps them. false: the name is taken.
inline bool add_owned(ModelFile& file, std::string name, std::array<int64_t, 4> ne,
                      std::vector<float> values) {
  auto storage = std::make_shared<const std::vector<float>>(std::move(values));
  const auto* data = reinterpret_cast<const std::byte*>(storage->data());
  file.keep(std::move(storage));
  return file.add(Tensor{std::move(name), DType::kF32, ne, data});
}

}  // namespace model
