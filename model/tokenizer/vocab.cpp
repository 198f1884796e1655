#include "model/tokenizer/vocab.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <utility>

#include "model/error.h"
#include "model/tokenizer/bpe.h"
#include "model/tokenizer/ids_only.h"
#include "model/tokenizer/spm.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

// Files often mark these as plain or user-defined tokens; whatever they say, they are control
// tokens, and the first group ends what a model has to say (the names that llama.cpp knows).
constexpr std::array<std::string_view, 21> kEndNames = {
    "<|eot_id|>",    "<|im_end|>",    "<|end|>",
    "<|return|>",    "<|call|>",      "<|eom_id|>",
    "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>",
    "</s>",          "<EOT>",         "_<EOT>",
    "[EOT]",         "[EOS]",         "<end_of_utterance>",
    "<eos>",         "<|file_sep|>",  "<|repo_name|>",
    "<|fim_pad|>",   "<|fim_repo|>",  "<｜end▁of▁sentence｜>",
};
constexpr std::array<std::string_view, 12> kControlNames = {
    "<|fim_prefix|>", "<|fim_middle|>",  "<|fim_suffix|>", "<fim_prefix>",
    "<fim_middle>",   "<fim_suffix>",    "<fim-prefix>",   "<fim-middle>",
    "<fim-suffix>",   "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>",
};

template <size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) noexcept {
  return std::find(names.begin(), names.end(), name) != names.end();
}

[[noreturn]] void fail(const ModelFile& file, const std::string& what) {
  throw Error(ExitCode::kBadModel, what, file.name(), "convert the model again");
}

bool is_ascii_space(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// Phi-3's special tokens take the white space behind them along; GGUF has no key for that, so
// that llama.cpp goes by the model's name, too.
bool is_phi3(const ModelFile& file) {
  std::string name = file.get_string("general.name", "");
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name.find("phi-3") != std::string::npos || name.find("phi3") != std::string::npos;
}

}  // namespace

VocabTokenizer::VocabTokenizer(const ModelFile& file, const Defaults& defaults) {
  texts_ = file.get_strings("tokenizer.ggml.tokens");
  if (!texts_ || texts_->empty()) fail(file, "tokenizer.ggml.tokens is missing or empty");
  size_t bytes = 0;
  for (const std::string& text : *texts_) bytes += text.size();
  constexpr size_t kMost = std::numeric_limits<int32_t>::max();
  if (texts_->size() > kMost / 2 || bytes > kMost) fail(file, "the vocabulary is too large");
  read_kinds(file);
  read_special_ids(file, defaults);
  find_ends();
  strips_behind_ = is_phi3(file);
  pieces_.reserve(texts_->size());
}

void VocabTokenizer::read_kinds(const ModelFile& file) {
  const size_t n = texts_->size();
  kinds_.assign(n, TokenKind::kNormal);
  const MetaValue* value = file.find("tokenizer.ggml.token_type");
  if (!value) return;
  const auto read = [&](const auto& numbers) {
    if (numbers.size() != n) {
      fail(file, "there are " + std::to_string(n) + " tokens, but " +
                     std::to_string(numbers.size()) + " values in tokenizer.ggml.token_type");
    }
    for (size_t i = 0; i < n; ++i) {
      if (std::cmp_less(numbers[i], 0) || std::cmp_greater(numbers[i], 6)) {
        fail(file,
             "token " + std::to_string(i) + " has the unknown type " + std::to_string(numbers[i]));
      }
      if (numbers[i] != 0) kinds_[i] = static_cast<TokenKind>(numbers[i]);  // 0: not said
    }
  };
  if (const auto* numbers = std::get_if<std::vector<int64_t>>(value)) return read(*numbers);
  if (const auto* numbers = std::get_if<std::vector<uint64_t>>(value)) return read(*numbers);
  fail(file, "tokenizer.ggml.token_type is not an array of integers");
}

void VocabTokenizer::read_special_ids(const ModelFile& file, const Defaults& defaults) {
  const auto last = static_cast<int64_t>(kinds_.size()) - 1;
  const auto id = [&](const char* key, int32_t fallback) {
    if (fallback > last || (fallback >= 0 && !is_special(static_cast<size_t>(fallback)))) {
      fallback = -1;
    }
    return static_cast<int32_t>(file.get_int(key, 0, last, fallback));
  };
  bos_ = id("tokenizer.ggml.bos_token_id", defaults.bos);
  eos_ = id("tokenizer.ggml.eos_token_id", defaults.eos);
  const auto unknown = std::find(kinds_.begin(), kinds_.end(), TokenKind::kUnknown);
  unknown_ = id("tokenizer.ggml.unknown_token_id",
                unknown == kinds_.end() ? -1 : static_cast<int32_t>(unknown - kinds_.begin()));
  adds_bos_ = file.get_bool("tokenizer.ggml.add_bos_token", defaults.adds_bos);
  adds_eos_ = file.get_bool("tokenizer.ggml.add_eos_token", false);
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    if (const int32_t end = id(key, -1); end >= 0) ends_.push_back(end);
  }
  if (eos_ >= 0) ends_.push_back(eos_);
}

void VocabTokenizer::find_ends() {
  for (size_t i = 0; i < kinds_.size(); ++i) {
    const std::string& text = (*texts_)[i];
    const bool ends = contains(kEndNames, text);
    if (!ends && !contains(kControlNames, text)) continue;
    // In vocabularies of bytes "</s>" is a tag of HTML when it is a token like any other.
    if (text == "</s>" && kinds_[i] == TokenKind::kNormal) continue;
    kinds_[i] = TokenKind::kControl;
    if (ends) ends_.push_back(static_cast<int32_t>(i));
  }
  std::sort(ends_.begin(), ends_.end());
  ends_.erase(std::unique(ends_.begin(), ends_.end()), ends_.end());
}

void VocabTokenizer::finish_pieces() {
  CHECK(pieces_.size() >= kinds_.size());
  for (size_t i = 0; i < kinds_.size(); ++i) {
    if (is_special(i)) {
      specials_.add(pieces_, static_cast<int32_t>(i), kinds_[i] == TokenKind::kUserDefined);
    }
  }
  specials_.finish(pieces_);
  texts_ = nullptr;
}

bool VocabTokenizer::is_special(size_t id) const noexcept {
  const TokenKind kind = kinds_[id];
  return kind == TokenKind::kControl || kind == TokenKind::kUserDefined ||
         kind == TokenKind::kUnknown;
}

std::vector<int32_t> VocabTokenizer::encode_parts(std::span<const TextPart> parts) const {
  std::string joined;  // where there are several
  if (parts.size() > 1) {
    for (const TextPart& part : parts) joined += part.text;
  }
  const std::string_view text = parts.size() > 1 ? std::string_view(joined)
                                : parts.empty()  ? ""
                                                 : parts[0].text;
  if (text.size() > std::numeric_limits<uint32_t>::max()) {
    throw Error(ExitCode::kUsage, "is longer than 4 GB", "the text", "shorten it");
  }
  std::vector<int32_t> ids;
  size_t begin = 0;  // of the text that has no tokens yet
  const auto encode_until = [&](size_t end) {
    if (end > begin) encode_text(text.substr(begin, end - begin), ids);
  };
  size_t part_begin = 0;
  for (const TextPart& part : parts) {
    const size_t part_end = part_begin + part.text.size();
    const bool all = part.special == Special::kParse;
    for (size_t pos = part_begin; pos < part_end;) {
      const auto found = specials_.find(pieces_, text.substr(0, part_end), pos, all);
      if (found.id < 0) break;
      encode_until(found.begin);
      ids.push_back(found.id);
      pos = begin = found.begin + found.bytes;
      const bool strips = strips_behind_ && found.id != bos_ && found.id != unknown_ &&
                          label(found.id) != "<|endoftext|>";
      while (strips && begin < part_end && is_ascii_space(text[begin])) pos = ++begin;
    }
    part_begin = part_end;
  }
  encode_until(text.size());
  if (ids.empty() && begin < text.size()) {
    throw Error(ExitCode::kUsage, "the model's vocabulary has no token for " + quoted(text), {},
                "use other characters");
  }
  return ids;
}

std::string_view VocabTokenizer::label(int32_t id) const {
  CHECK(id >= 0 && id < vocab_size());
  return pieces_[static_cast<size_t>(id)];
}

std::string_view VocabTokenizer::piece(int32_t id) const {
  return is_control(id) ? std::string_view() : label(id);
}

bool VocabTokenizer::is_control(int32_t id) const {
  CHECK(id >= 0 && id < vocab_size());
  const TokenKind kind = kinds_[static_cast<size_t>(id)];
  return kind == TokenKind::kControl || kind == TokenKind::kUnknown;
}

bool VocabTokenizer::ends_generation(int32_t id) const {
  CHECK(id >= 0 && id < vocab_size());
  return std::binary_search(ends_.begin(), ends_.end(), id);
}

std::string Tokenizer::decode(std::span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) text += piece(id);
  return text;
}

std::vector<int32_t> encode_document(const Tokenizer& tokenizer, std::string_view text,
                                     Special special) {
  std::vector<int32_t> ids = tokenizer.encode(text, special);
  if (tokenizer.adds_bos()) ids.insert(ids.begin(), tokenizer.bos_id());
  if (tokenizer.adds_eos()) ids.push_back(tokenizer.eos_id());
  return ids;
}

std::unique_ptr<Tokenizer> make_tokenizer(const ModelFile& file) {
  const std::string kind = file.get_string("tokenizer.ggml.model");
  if (kind == "gpt2") return std::make_unique<BpeTokenizer>(file);
  if (kind == "llama") return std::make_unique<SpmTokenizer>(file);
  if (kind == "no_vocab" || kind == "none") return std::make_unique<IdsOnlyTokenizer>(file);
  throw Error(ExitCode::kBadModel, "the tokenizer " + quoted(kind) + " is not supported",
              file.name(),
              "'gpt2' (byte-level BPE), 'llama' (SentencePiece) and 'no_vocab' (ids only) are");
}

}  // namespace model
