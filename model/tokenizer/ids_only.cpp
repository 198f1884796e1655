#include "model/tokenizer/ids_only.h"

#include "model/error.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

constexpr int64_t kMostTokens = int64_t{1} << 21;  // eight times the largest known vocabulary

int64_t count_tokens(const ModelFile& file) {
  const std::string key = file.get_string("general.architecture", "") + ".vocab_size";
  if (file.find(key)) return file.get_int(key, 1, kMostTokens);
  const Tensor* embedding = file.find_tensor("token_embd.weight");
  if (!embedding || embedding->ne[1] < 1 || embedding->ne[1] > kMostTokens) {
    throw Error(ExitCode::kBadModel, "the size of the vocabulary is not said", file.name(),
                key + " is missing");
  }
  return embedding->ne[1];
}

}  // namespace

IdsOnlyTokenizer::IdsOnlyTokenizer(const ModelFile& file) {
  const int64_t n = count_tokens(file);
  is_folder_ = file.format() == "safetensors";
  pieces_.reserve(static_cast<size_t>(n));
  for (int64_t id = 0; id < n; ++id) pieces_.add('[' + std::to_string(id) + ']');
}

std::vector<int32_t> IdsOnlyTokenizer::encode_parts(std::span<const TextPart> parts) const {
  for (const TextPart& part : parts) {
    if (part.text.empty()) continue;
    std::string mend = "give it token ids from 0 to " + std::to_string(vocab_size() - 1);
    if (is_folder_) {
      mend +=
          ", or put its tokenizer.json into the folder: tokenizer.model and vocab.json are not "
          "read";
    }
    throw Error(ExitCode::kUsage, "the model has no vocabulary, so text means nothing to it", {},
                mend);
  }
  return {};
}

std::string_view IdsOnlyTokenizer::piece(int32_t id) const {
  CHECK(id >= 0 && id < vocab_size());
  return pieces_[static_cast<size_t>(id)];
}

}  // namespace model
