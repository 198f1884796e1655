#include "model/tokenizer/vocab.h"

#include <limits>

#include "model/error.h"
#include "model/tokenizer/bpe.h"
#include "model/tokenizer/spm.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

VocabTokenizer::VocabTokenizer(const ModelFile& file, bool adds_bos_by_default) {
  const auto fail = [&](const std::string& what) {
    throw Error(ExitCode::kBadModel, what, file.name(), "convert the model again");
  };
  texts_ = file.get_strings("tokenizer.ggml.tokens");
  if (!texts_ || texts_->empty()) fail("tokenizer.ggml.tokens is missing or empty");
  const size_t n = texts_->size();
  if (n > static_cast<size_t>(std::numeric_limits<int32_t>::max())) fail("too many tokens");

  kinds_.assign(n, TokenKind::kNormal);
  if (const MetaValue* value = file.find("tokenizer.ggml.token_type")) {
    const auto* numbers = std::get_if<std::vector<int64_t>>(value);
    if (!numbers) fail("tokenizer.ggml.token_type is not an array of signed integers");
    if (numbers->size() != n) {
      fail("there are " + std::to_string(n) + " tokens, but " + std::to_string(numbers->size()) +
           " values in tokenizer.ggml.token_type");
    }
    for (size_t i = 0; i < n; ++i) {
      const int64_t number = (*numbers)[i];
      if (number < 0 || number > 6) {
        fail("token " + std::to_string(i) + " has the unknown type " + std::to_string(number));
      }
      if (number != 0) kinds_[i] = static_cast<TokenKind>(number);  // 0: not said
    }
  }
  const auto last = static_cast<int64_t>(n) - 1;
  bos_ = static_cast<int32_t>(file.get_int("tokenizer.ggml.bos_token_id", 0, last, -1));
  eos_ = static_cast<int32_t>(file.get_int("tokenizer.ggml.eos_token_id", 0, last, -1));
  adds_bos_ = file.get_bool("tokenizer.ggml.add_bos_token", adds_bos_by_default) && bos_ >= 0;
  ends_.reserve(n);
}

std::string_view VocabTokenizer::piece(int32_t id) const {
  CHECK(id >= 0 && id < vocab_size());
  const auto i = static_cast<size_t>(id);
  const size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(bytes_).substr(begin, ends_[i] - begin);
}

void VocabTokenizer::add_piece(std::string_view bytes) {
  CHECK(ends_.size() < kinds_.size());
  const TokenKind kind = kinds_[ends_.size()];
  if (kind != TokenKind::kControl && kind != TokenKind::kUnknown) bytes_ += bytes;
  ends_.push_back(bytes_.size());
}

std::unique_ptr<Tokenizer> make_tokenizer(const ModelFile& file) {
  const std::string kind = file.get_string("tokenizer.ggml.model");
  if (kind == "gpt2") return std::make_unique<BpeTokenizer>(file);
  if (kind == "llama") return std::make_unique<SpmTokenizer>(file);
  throw Error(ExitCode::kBadModel, "the tokenizer " + quoted(kind) + " is not supported",
              file.name(), "'gpt2' (byte-level BPE) and 'llama' (SentencePiece) are");
}

}  // namespace model
