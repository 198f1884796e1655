// A model without a vocabulary, tokenizer.ggml.model = "no_vocab": it runs by token ids.
#pragma once

#include "model/format/model_file.h"
#include "model/tokenizer/pieces.h"
#include "model/tokenizer/tokenizer.h"

namespace model {

class IdsOnlyTokenizer final : public Tokenizer {
 public:
  // The size of the vocabulary is <architecture>.vocab_size or the rows of token_embd.weight.
  // Throws Error (bad_model) when the file has neither.
  explicit IdsOnlyTokenizer(const ModelFile& file);

  // Throws Error (usage) for any text but an empty one.
  std::vector<int32_t> encode_parts(std::span<const TextPart> parts) const override;

  // "[17]" for 17.
  std::string_view piece(int32_t id) const override;
  int32_t vocab_size() const noexcept override { return static_cast<int32_t>(pieces_.size()); }

 private:
  Pieces pieces_;
  bool is_folder_ = false;  // of Hugging Face
};

}  // namespace model
