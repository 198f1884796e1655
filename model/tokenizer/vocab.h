// What every tokenizer of a GGUF file has: tokens with a text, a kind and bytes, and special
// tokens that are found before the rest of a text is looked at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/format/model_file.h"
#include "model/tokenizer/pieces.h"
#include "model/tokenizer/special_texts.h"
#include "model/tokenizer/tokenizer.h"

namespace model {

// tokenizer.ggml.token_type, the numbers of SentencePiece.
enum class TokenKind : uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

class VocabTokenizer : public Tokenizer {
 public:
  std::vector<int32_t> encode_parts(std::span<const TextPart> parts) const final;
  std::string_view piece(int32_t id) const final;
  std::string_view label(int32_t id) const final;
  int32_t vocab_size() const noexcept final { return static_cast<int32_t>(kinds_.size()); }
  int32_t bos_id() const noexcept final { return bos_; }
  int32_t eos_id() const noexcept final { return eos_; }
  bool adds_bos() const noexcept final { return adds_bos_ && bos_ >= 0; }
  bool adds_eos() const noexcept final { return adds_eos_ && eos_ >= 0; }
  bool is_control(int32_t id) const final;
  bool ends_generation(int32_t id) const final;

 protected:
  // What a model of tokenizer means where the file does not say.
  struct Defaults {
    bool adds_bos = false;
    int32_t bos = -1, eos = -1;  // are taken where such tokens are of the kind control
  };

  // Reads tokens, kinds and the keys about special tokens. Throws Error (bad_model) where they
  // contradict each other.
  VocabTokenizer(const ModelFile& file, const Defaults& defaults);

  // Changes a run of text between special tokens, or of its name such a token, to what those of
  // normalised text are looked for in. begins: it is not a later part of a run.
  virtual void normalise(std::string& /*text*/, bool /*begins*/) const {}
  // Appends the tokens of normalised text without special tokens; it is not empty. first: of the
  // whole text.
  virtual void encode_run(std::string text, bool first, std::vector<int32_t>& ids) const = 0;

  // The texts as the file has them, while the constructors run.
  const std::vector<std::string>& texts() const noexcept { return *texts_; }
  TokenKind kind(size_t id) const noexcept { return kinds_[id]; }
  bool is_special(size_t id) const noexcept;
  int32_t unknown_id() const noexcept { return unknown_; }  // -1: none

  // Whether a special token is looked for in normalised text, behind the others.
  bool in_normalised(int32_t id) const noexcept;

  // To be called once for every id, in order, then finish_pieces(). bytes: what the token adds
  // to a text, or, of control and unknown tokens, the name. Throws Error (bad_model), naming the
  // file, where special tokens have names that nobody would write.
  void add_piece(std::string_view bytes) { pieces_.add(bytes); }
  void finish_pieces(const std::string& file_name);

  Pieces pieces_;  // of the tokens; tokenizers may add others behind them

 private:
  using Ids = std::vector<int32_t>;

  // What of the settings of added tokens in tokenizer.json GGUF has no key for.
  struct AddedTokens {
    Ids normalised, lstrip, rstrip, single_word;  // ascending
  };

  void read_kinds(const ModelFile& file);
  void read_added_tokens(const ModelFile& file);
  void read_special_ids(const ModelFile& file, const Defaults& defaults);
  void find_ends();

  const std::vector<std::string>* texts_ = nullptr;
  std::vector<TokenKind> kinds_;
  AddedTokens added_;
  SpecialTexts specials_;
  SpecialTexts normalised_specials_;
  Ids ends_;  // of generation, ascending
  Ids said_;  // control tokens that are a part of what is said, ascending
  int32_t bos_ = -1;
  int32_t eos_ = -1;
  int32_t unknown_ = -1;
  bool adds_bos_ = false;
  bool adds_eos_ = false;
  bool is_phi3_ = false;
};

}  // namespace model
