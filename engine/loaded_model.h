// A model file, opened: its bytes, its tokenizer and the network that reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "model/arch/registry.h"
#include "model/format/gguf.h"
#include "model/kernels/ops.h"
#include "model/tokenizer/tokenizer.h"

namespace engine {

// Where a model comes from: a path, or, when that is empty or kBuiltin, the bytes built into the
// program.
struct ModelSource {
  std::string path;
  std::span<const std::byte> builtin;
};

inline constexpr const char* kBuiltin = "builtin";
inline constexpr const char* kBuiltinName = "built-in model";

model::ModelFile open_model_file(const ModelSource& source);

struct LoadedModel {
  // To run on `threads` >= 1 threads. Throws Error (bad_model) with the reason. The builtin
  // bytes must outlive the object.
  explicit LoadedModel(const ModelSource& source, int threads = 1);

  model::ModelFile file;
  std::unique_ptr<model::Model> network;
  std::unique_ptr<model::Tokenizer> tokenizer;
  uint64_t parameters = 0;
  std::string quantisation;  // the type that holds most parameters
  // What keys and values are kept in unless somebody says otherwise: binary16 beside weights whose
  // products round what they read to 8 bits, which is half the reading, else float32.
  model::CacheType cache = model::CacheType::kF32;
  uint64_t hash = 0;  // of the tensors' bytes: equal weights, equal hash
};

}  // namespace engine
