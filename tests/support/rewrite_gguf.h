// A model file with something changed.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "model/format/gguf.h"

namespace tests {

struct Rewrite {
  // Metadata that is replaced; false from `tensor`: it is left out. values: (rows, cols), to
  // change.
  std::map<std::string, model::MetaValue> metadata = {};
  std::function<bool(const model::Tensor& tensor, std::vector<float>& values)> tensor;
};

inline void rewrite_gguf(const std::string& from, const std::string& to, const Rewrite& what) {
  const model::ModelFile file = model::open_gguf(from);
  model::GgufWriter writer;
  for (const auto& [key, value] : file.metadata()) {
    if (key == "general.alignment") continue;
    const auto other = what.metadata.find(key);
    writer.add(key, other == what.metadata.end() ? value : other->second);
  }
  for (const model::Tensor& t : file.tensors()) {
    std::vector<float> values(static_cast<size_t>(t.elements()));
    for (int64_t i = 0; i < t.rows(); ++i) dequantize_row(t, i, values.data() + i * t.cols());
    if (what.tensor(t, values))
      writer.add_tensor(t.name, t.rows(), t.cols(), t.dtype, values.data());
  }
  writer.write(to);
}

}  // namespace tests
