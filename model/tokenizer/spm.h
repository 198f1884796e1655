// SentencePiece as llama.cpp runs it, tokenizer.ggml.model = "llama" (Kudo & Richardson 2018,
// arXiv:1808.06226): spaces become U+2581, neighbouring parts are joined while the result is
// a token, the one with the highest score first, and a character that is no token falls back
// to one <0xXX> token a byte. Control and byte tokens are never made from text as written.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/tokenizer/vocab.h"

namespace model {

class SpmTokenizer final : public VocabTokenizer {
 public:
  // Throws Error (bad_model) when the scores are missing, not one a token, or not numbers.
  explicit SpmTokenizer(const ModelFile& file);

  // Where the file asks for it (tokenizer.ggml.add_space_prefix, on by default) a space is
  // put before a text that is not empty.
  std::vector<int32_t> encode(std::string_view text) const override;

 private:
  std::unordered_map<std::string, int32_t> ids_;  // text -> id, of tokens made from text
  std::vector<double> scores_;
  std::array<int32_t, 256> byte_ids_{};  // -1: not in the vocabulary
  bool adds_space_ = true;
};

}  // namespace model
