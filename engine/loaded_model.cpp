#include "engine/loaded_model.h"

#include <cstring>
#include <map>

#include "engine/model_store.h"
#include "model/format/open.h"
#include "model/pages.h"

namespace engine {

namespace {

// FNV-1a over eight bytes at a time (Fowler, Noll & Vo), the tail byte by byte; of large
// tensors every 64th word, so that a file of gigabytes is not read through for a name.
uint64_t hash_tensor(const model::Tensor& tensor, uint64_t hash) noexcept {
  constexpr uint64_t kPrime = 0x100000001B3U;
  const size_t bytes = tensor.bytes();
  model::ready_to_read(tensor.data, bytes);
  const size_t stride = bytes > (size_t{1} << 20) ? 64 * sizeof(uint64_t) : sizeof(uint64_t);
  for (size_t i = 0; i + sizeof(uint64_t) <= bytes; i += stride) {
    uint64_t word = 0;
    std::memcpy(&word, tensor.data + i, sizeof word);
    hash = (hash ^ word) * kPrime;
  }
  for (const char c : tensor.name) hash = (hash ^ static_cast<uint8_t>(c)) * kPrime;
  return hash;
}

}  // namespace

model::ModelFile open_model_file(const ModelSource& source) {
  return source.path.empty() ? model::parse_gguf(source.builtin, kBuiltinName)
                             : model::open_model(resolve_model(source.path));
}

LoadedModel::LoadedModel(const ModelSource& source, int threads)
    : file(open_model_file(source)),
      network((model::require_runnable(file), model::make_model(file, threads))),
      tokenizer(model::make_tokenizer(file)),
      hash(0xCBF29CE484222325U) {
  std::map<model::DType, uint64_t> elements;
  for (const model::Tensor& tensor : file.tensors()) {
    parameters += static_cast<uint64_t>(tensor.elements());
    elements[tensor.dtype] += static_cast<uint64_t>(tensor.elements());
    hash = hash_tensor(tensor, hash);
  }
  uint64_t most = 0;
  for (const auto& [type, count] : elements) {
    if (count <= most) continue;
    most = count;
    quantisation = model::dtype_name(static_cast<uint32_t>(type));
  }
}

}  // namespace engine
