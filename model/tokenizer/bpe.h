// Byte-level byte-pair encoding, tokenizer.ggml.model = "gpt2" (Radford et al. 2019; Sennrich
// et al. 2016, arXiv:1508.07909).
//
// Text is cut into words (see pretokenizer.h), every byte of a word becomes a symbol, and
// neighbouring symbols are joined in the order of tokenizer.ggml.merges. In the file, bytes are
// written as printable characters, so that vocabularies are text. With an empty merge list
// every byte is a token: the character-level tokenizer of the built-in model.
//
// A byte that is no token is left out, as the makers' tokenizers do; one that is not part of
// UTF-8 text becomes U+FFFD then.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/merge.h"
#include "model/tokenizer/pair_table.h"
#include "model/tokenizer/pretokenizer.h"
#include "model/tokenizer/vocab.h"

namespace model {

class BpeTokenizer final : public VocabTokenizer {
 public:
  // Throws Error (bad_model) for malformed merges or a pre-tokenizer (tokenizer.ggml.pre) that
  // is not known.
  explicit BpeTokenizer(const ModelFile& file) : BpeTokenizer(file, pre_tokenizer_of(file)) {}

 private:
  BpeTokenizer(const ModelFile& file, const PreTokenizer& pre);
  static const PreTokenizer& pre_tokenizer_of(const ModelFile& file);

  struct Scratch {
    std::vector<MergeSymbol> symbols;
    Merger<uint32_t> merger;
  };

  void encode_run(std::string text, bool first, std::vector<int32_t>& ids) const override;
  void encode_word(std::string_view word, Scratch& scratch, std::vector<int32_t>& ids) const;
  void put_bytes(std::string_view word, size_t begin, size_t end, std::vector<int32_t>& ids) const;
  void read_merges(const ModelFile& file);
  int32_t symbol_of(std::string_view bytes);
  bool is_token(int32_t symbol) const noexcept { return symbol < vocab_size(); }

  const PreTokenizer* pre_;
  bool whole_words_;         // a word that is a token needs no merges to become it
  bool adds_space_ = false;  // before a run that does not begin with one
  // Symbols are the numbers of pieces_: the tokens, then what merges need besides.
  PieceIndex index_;
  PairTable merges_;
  std::array<int32_t, 256> byte_symbols_{};
  std::vector<int32_t> replacement_;  // tokens of U+FFFD; empty where one of its bytes is none
};

// What the model's pre-tokenizer is called: tokenizer.ggml.pre, or what a file that does not say
// must mean.
std::string pre_tokenizer_name(const ModelFile& file);

// The printable character that stands for a byte in GPT-2's vocabularies: itself where it is
// printable in Latin-1, else the next unused one from U+0100 on.
char32_t bpe_char_of_byte(unsigned char byte) noexcept;

// The bytes behind a vocabulary text; false when it holds a character that stands for none.
bool bpe_bytes_of_text(std::string_view text, std::string& bytes);

}  // namespace model
