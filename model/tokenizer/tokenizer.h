// Text <-> token ids, from a model file's own tokenizer.ggml.* keys.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace model {

class ModelFile;

// What becomes of a special token's name that stands in a text, such as "<|im_start|>".
// User-defined tokens (<think>, runs of spaces ...) are found either way.
enum class Special {
  kPlainText,  // a control token's name is text like any other
  kParse,      // it becomes that token; of several, the leftmost, and there the longest
};

struct TextPart {
  std::string_view text;
  Special special = Special::kPlainText;
};

// Immutable and thread-safe.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Any bytes are accepted, UTF-8 or not. Neither BOS nor EOS is added: see encode_document.
  // Characters that the vocabulary cannot express become its unknown token or, without one,
  // are left out; when nothing would be left of a text, Error (usage).
  std::vector<int32_t> encode(std::string_view text, Special special = Special::kPlainText) const {
    const TextPart part{text, special};
    return encode_parts({&part, 1});
  }

  // One text in parts, each with its own answer about special tokens. Other than those, tokens
  // may reach over the bounds of the parts.
  virtual std::vector<int32_t> encode_parts(std::span<const TextPart> parts) const = 0;

  // The raw bytes that one token adds to a text: not necessarily whole UTF-8 characters; none
  // for control tokens. For text that is streamed, append one piece after the other.
  // CHECKs 0 <= id < vocab_size(), as do all that take an id. Lives as long as the tokenizer.
  virtual std::string_view piece(int32_t id) const = 0;

  // The same, but of a control token its name: for showing tokens, not text.
  virtual std::string_view label(int32_t id) const { return piece(id); }

  // The text whose encode() gives `ids`, where there is one: the pieces, without the space that
  // SentencePiece puts before every run of text.
  virtual std::string decode(std::span<const int32_t> ids) const;
  std::string decode(std::initializer_list<int32_t> ids) const {
    return decode(std::span<const int32_t>(ids.begin(), ids.size()));
  }

  virtual int32_t vocab_size() const noexcept = 0;
  virtual int32_t bos_id() const noexcept { return -1; }  // -1: none
  virtual int32_t eos_id() const noexcept { return -1; }
  // Whether the file asks for a BOS before a text, an EOS after it; if so, they exist.
  virtual bool adds_bos() const noexcept { return false; }
  virtual bool adds_eos() const noexcept { return false; }

  // Control tokens (and the unknown token) stand for no text.
  virtual bool is_control(int32_t) const { return false; }
  // Stands for a byte that no other token covers; a token of text may have the same piece.
  virtual bool is_byte(int32_t) const { return false; }
  // Whether a generated token means that the model has finished: EOS, end of turn ...
  virtual bool ends_generation(int32_t) const { return false; }
};

// encode(), with the BOS and EOS that the file asks for.
std::vector<int32_t> encode_document(const Tokenizer& tokenizer, std::string_view text,
                                     Special special);

// The same of a text that is to go on: special tokens are parsed, and no EOS is added, whatever the
// file asks for.
std::vector<int32_t> encode_beginning(const Tokenizer& tokenizer, std::string_view text);

// Builds the tokenizer that the file describes; the file need not outlive it. Throws Error
// (bad_model) when its model or pre-tokenizer is unknown or its arrays are inconsistent.
std::unique_ptr<Tokenizer> make_tokenizer(const ModelFile& file);

}  // namespace model
