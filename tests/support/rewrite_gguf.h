// A model file with something changed.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "model/format/gguf.h"

namespace tests {

struct Rewrite {
  // Metadata that is replaced or added; false from `tensor`: it is left out. values: (rows, cols),
  // to change.
  std::map<std::string, model::MetaValue> metadata = {};
  std::function<bool(const model::Tensor& tensor, std::vector<float>& values)> tensor = {};
  std::set<std::string> without = {};          // keys that are left out
  std::vector<std::string> more_tensors = {};  // of 32 zeros each
};

inline void rewrite_gguf(const std::string& from, const std::string& to, const Rewrite& what) {
  const model::ModelFile file = model::open_gguf(from);
  model::GgufWriter writer;
  for (const auto& [key, value] : file.metadata()) {
    if (key != "general.alignment" && !what.without.contains(key) && !what.metadata.contains(key))
      writer.add(key, value);
  }
  for (const auto& [key, value] : what.metadata) writer.add(key, value);
  for (const model::Tensor& t : file.tensors()) {
    std::vector<float> values(static_cast<size_t>(t.elements()));
    for (int64_t i = 0; i < t.rows(); ++i) dequantize_row(t, i, values.data() + i * t.cols());
    if (!what.tensor || what.tensor(t, values))
      writer.add_tensor(t.name, t.rows(), t.cols(), t.dtype, values.data());
  }
  const std::vector<float> zeros(32, 0.0F);
  for (const std::string& name : what.more_tensors)
    writer.add_tensor(name, 1, 32, model::DType::kF32, zeros.data());
  writer.write(to);
}

}  // namespace tests
