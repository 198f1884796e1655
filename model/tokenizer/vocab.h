// What every tokenizer of a GGUF file has: tokens with a text, a kind and bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/format/gguf.h"
#include "model/tokenizer/tokenizer.h"

namespace model {

// tokenizer.ggml.token_type, the numbers of SentencePiece.
enum class TokenKind : int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

class VocabTokenizer : public Tokenizer {
 public:
  std::string_view piece(int32_t id) const override;
  int32_t vocab_size() const noexcept override { return static_cast<int32_t>(kinds_.size()); }
  int32_t bos_id() const noexcept override { return bos_; }
  int32_t eos_id() const noexcept override { return eos_; }
  bool adds_bos() const noexcept override { return adds_bos_; }

 protected:
  // Reads tokens, kinds, bos, eos and add_bos_token. Throws Error (bad_model) where they
  // contradict each other.
  VocabTokenizer(const ModelFile& file, bool adds_bos_by_default);

  // The texts as the file has them; they live as long as the file.
  const std::vector<std::string>& texts() const noexcept { return *texts_; }
  TokenKind kind(size_t id) const noexcept { return kinds_[id]; }

  // To be called once for every id, in order. Control and unknown tokens have no bytes.
  void add_piece(std::string_view bytes);
  void forget_texts() noexcept { texts_ = nullptr; }

 private:
  const std::vector<std::string>* texts_ = nullptr;
  std::vector<TokenKind> kinds_;
  std::string bytes_;         // all pieces, one after the other
  std::vector<size_t> ends_;  // of piece i in bytes_
  int32_t bos_ = -1;
  int32_t eos_ = -1;
  bool adds_bos_ = false;
};

}  // namespace model
