// libFuzzer target: any bytes are either a model, described in full, or refused with an Error.
#include <cstdint>
#include <string>
#include <string_view>

#include "model/error.h"
#include "model/format/gguf.h"
#include "model/tokenizer/tokenizer.h"

namespace {

// Token ids without texts cost time by their number, and find nothing new.
bool has_many_ids(const model::ModelFile& file) {
  constexpr int64_t kMany = 4096;
  constexpr int64_t kAll = int64_t{1} << 62;
  const std::string key = file.get_string("general.architecture", "") + ".vocab_size";
  return file.find(key) && file.get_int(key, 0, kAll) > kMany;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto file = model::parse_gguf({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
    unsigned sum = 0;
    for (const model::Tensor& tensor : file.tensors()) {
      sum += std::to_integer<unsigned>(tensor.data[0]);
      sum += std::to_integer<unsigned>(tensor.data[tensor.bytes() - 1]);
    }
    if (sum == ~0U) return -1;  // so that the bytes are really read
    if (has_many_ids(file)) return 0;
    model::find_problems(file);
    const auto tokenizer = model::make_tokenizer(file);
    const std::string_view head(reinterpret_cast<const char*>(data), size < 256 ? size : 256);
    const auto ids = tokenizer->encode(head);
    tokenizer->decode(ids);
  } catch (const fulgurite::Error&) {
  }
  return 0;
}
