// SentencePiece as llama.cpp runs it, tokenizer.ggml.model = "llama" (Kudo & Richardson 2018,
// arXiv:1808.06226): neighbouring parts are joined while the result is a token, the one with
// the highest score first, and a character that is no token falls back to one <0xXX> token a
// byte. Where such tokens are missing, a run of them becomes one unknown token. Control and
// byte tokens are never made from text as written. Folders of Hugging Face have merges instead
// of scores: the first of the list is joined first.
//
// In files U+2581 stands for a space. Here both are the space, so that a text that holds U+2581
// itself is decoded with spaces in its place.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/merge.h"
#include "model/tokenizer/pair_table.h"
#include "model/tokenizer/vocab.h"

namespace model {

class SpmTokenizer final : public VocabTokenizer {
 public:
  // Throws Error (bad_model) when the scores are missing, not one a token, or not numbers, or
  // when byte tokens are misspelt or doubled.
  explicit SpmTokenizer(const ModelFile& file);

  // Undoes the space that encode() puts before every run of text where the file asks for it
  // (tokenizer.ggml.add_space_prefix, on by default).
  std::string decode(std::span<const int32_t> ids) const override;

  bool is_byte(int32_t id) const override {
    return std::find(byte_ids_.begin(), byte_ids_.end(), id) != byte_ids_.end();
  }

 private:
  struct Scratch {
    std::vector<MergeSymbol> symbols;
    Merger<float> merger;
    bool unknown = false;  // the last token of the run is the unknown one
  };
  // What puts a space before a run of text: nothing; the normaliser; or a pre-tokenizer
  // (Metaspace), where there is none yet, before every run or the first of a text.
  enum class Prefix : uint8_t { kNone, kNormaliser, kAlways, kFirst };

  static Prefix prefix_of(const ModelFile& file);
  bool pretokenizes() const noexcept {
    return prefix_ == Prefix::kAlways || prefix_ == Prefix::kFirst;
  }

  void read_scores(const ModelFile& file);
  void read_merges(const ModelFile& file);
  void add_byte(const ModelFile& file, size_t id);
  void add_inner_pairs(std::string_view piece);
  void normalise(std::string& text, bool begins) const override;
  void encode_run(std::string text, bool first, std::vector<int32_t>& ids) const override;
  void encode_chunk(std::string_view chunk, Scratch& scratch, std::vector<int32_t>& ids) const;
  void put_character(std::string_view character, bool& unknown, std::vector<int32_t>& ids) const;

  PieceIndex index_;  // of the tokens that are made from text
  std::vector<float> scores_;
  PairTable merges_;                     // where the file has them, no others are joined
  std::array<int32_t, 256> byte_ids_{};  // -1: not in the vocabulary
  // Pairs of bytes, the last of a character and the first of the next, that stand in some token.
  // Between all others a text can be cut before anything is joined.
  std::bitset<1 << 16> inner_pairs_;
  Prefix prefix_ = Prefix::kNormaliser;
  bool by_words_ = false;  // no token reaches from one over the space before the next
  bool fuses_unknown_ = true;
};

}  // namespace model
