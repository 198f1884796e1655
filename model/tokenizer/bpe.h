// Byte-level byte-pair encoding, tokenizer.ggml.model = "gpt2" (Radford et al. 2019; Sennrich
// et al. 2016, arXiv:1508.07909).
//
// Text is cut into words, every byte of a word becomes a printable character (so that
// vocabularies are text), and neighbouring parts are joined in the order of
// tokenizer.ggml.merges. With an empty merge list every byte is a token: the character-level
// tokenizer of the built-in model. Control tokens are never made from text.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/tokenizer/vocab.h"

namespace model {

class BpeTokenizer final : public VocabTokenizer {
 public:
  // Throws Error (bad_model) for malformed merges or a pre-tokenizer (tokenizer.ggml.pre)
  // other than GPT-2's; a file that names none is taken to mean GPT-2's.
  explicit BpeTokenizer(const ModelFile& file);

  std::vector<int32_t> encode(std::string_view text) const override;

 private:
  void encode_word(std::string_view word, std::vector<int32_t>& ids) const;

  std::unordered_map<std::string, int32_t> ids_;   // printable text -> id
  std::unordered_map<std::string, double> ranks_;  // "left right" -> place in the list
  std::array<int32_t, 256> byte_ids_{};            // -1: not in the vocabulary
};

// The printable character that stands for a byte in GPT-2's vocabularies: itself where it is
// printable in Latin-1, else the next unused one from U+0100 on.
char32_t bpe_char_of_byte(unsigned char byte) noexcept;

// The bytes behind a vocabulary text; false when it holds a character that stands for none.
bool bpe_bytes_of_text(std::string_view text, std::string& bytes);

// Length in bytes of the word that begins at text[0], text not empty, by GPT-2's pattern
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// A byte that is not UTF-8 counts as one character of the third kind.
size_t gpt2_word(std::string_view text) noexcept;

}  // namespace model
