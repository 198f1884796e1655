// libFuzzer target: any bytes are either a folder of Hugging Face, described in full, or refused
// with an Error. The input is what the folder's files hold, with a zero byte after each text:
//   config.json 0 tokenizer.json 0 tokenizer_config.json 0 model.safetensors
#include <cstdint>
#include <string_view>

#include "model/error.h"
#include "model/format/hf_folder.h"
#include "model/tokenizer/tokenizer.h"

namespace {

std::string_view take_text(std::string_view& rest) {
  const size_t end = rest.find('\0');
  const std::string_view text = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  model::HfParts parts;
  parts.name = "fuzz";
  parts.config = take_text(rest);
  parts.tokenizer.tokenizer = take_text(rest);
  parts.tokenizer.tokenizer_config = take_text(rest);
  parts.shards.push_back(
      {"fuzz", {reinterpret_cast<const std::byte*>(rest.data()), rest.size()}, {}});
  try {
    model::shards_of_index(parts.config, "fuzz");
  } catch (const fulgurite::Error&) {
  }
  try {
    const model::ModelFile file = model::parse_hf(parts);
    unsigned sum = 0;
    for (const model::Tensor& tensor : file.tensors()) {
      sum += std::to_integer<unsigned>(tensor.data[0]);
      sum += std::to_integer<unsigned>(tensor.data[tensor.bytes() - 1]);
    }
    if (sum == ~0U) return -1;  // so that the bytes are really read
    model::find_problems(file);
    const auto tokenizer = model::make_tokenizer(file);
    tokenizer->decode(tokenizer->encode("a text, <|x|> and 12"));
  } catch (const fulgurite::Error&) {
  }
  return 0;
}
