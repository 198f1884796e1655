#include "engine/loaded_model.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <span>
#include <vector>

#include "engine/model_name.h"
#include "model/format/open.h"
#include "model/kernels/matmul.h"
#include "model/kernels/thread_pool.h"
#include "model/pages.h"

namespace engine {

namespace {

// FNV-1a (Fowler, Noll & Vo) over eight bytes at a time, of large tensors over every 64th word, so
// that a file of gigabytes is not read through for a name; then over the tensor's name.
uint64_t hash_tensor(const model::Tensor& tensor, uint64_t hash) noexcept {
  constexpr uint64_t kPrime = 0x100000001B3U;
  const size_t bytes = tensor.bytes();
  const size_t stride = bytes > (size_t{1} << 20) ? 64 * sizeof(uint64_t) : sizeof(uint64_t);
  for (size_t i = 0; i + sizeof(uint64_t) <= bytes; i += stride) {
    uint64_t word = 0;
    std::memcpy(&word, tensor.data + i, sizeof word);
    hash = (hash ^ word) * kPrime;
  }
  for (const char c : tensor.name) hash = (hash ^ static_cast<uint8_t>(c)) * kPrime;
  return hash;
}

// All threads touch the pages of the weights, since what follows looks at every one: on a virtual
// machine its first touch takes a microsecond or more.
void touch(const std::vector<model::Tensor>& tensors, int threads) {
  constexpr size_t kPart = size_t{4} << 20;
  constexpr size_t kPage = 4096;
  std::vector<std::span<const std::byte>> parts;
  for (const model::Tensor& tensor : tensors) {
    const std::span whole(tensor.data, tensor.bytes());
    for (size_t i = 0; i < whole.size(); i += kPart) {
      parts.push_back(whole.subspan(i, std::min(kPart, whole.size() - i)));
    }
  }
  std::atomic<size_t> next{0};
  model::ThreadPool pool(threads);
  pool.run([&](int) {
    for (size_t i = next++; i < parts.size(); i = next++) {
      model::ready_to_read(parts[i].data(), parts[i].size());
      for (size_t k = 0; k < parts[i].size(); k += kPage) {
        static_cast<void>(*const_cast<const volatile std::byte*>(parts[i].data() + k));
      }
    }
  });
}

}  // namespace

model::ModelFile open_model_file(const ModelSource& source) {
  return source.path.empty() || source.path == kBuiltin
             ? model::parse_gguf(source.builtin, kBuiltinName)
             : model::open_model(resolve_model(source.path));
}

LoadedModel::LoadedModel(const ModelSource& source, int threads)
    : file(open_model_file(source)), hash(0xCBF29CE484222325U) {
  try {
    network = model::make_model(file, threads);
    tokenizer = model::make_tokenizer(file);
  } catch (const fulgurite::Error&) {
    model::require_runnable(file);  // says how many more problems there are
    throw;
  }
  touch(file.tensors(), threads);
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
    quantisation = model::dtype_name(type);
    cache = model::rounds_input(type) ? model::CacheType::kF16 : model::CacheType::kF32;
  }
}

}  // namespace engine
