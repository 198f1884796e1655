#include "model/tokenizer/vocab.h"

#include <algorithm>
#include <array>
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
// tokens, and the first group ends what a model has to say (the names that llama.cpp knows, and
// Ling 2's).
constexpr std::array<std::string_view, 31> kEndNames = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|calls|>",
    "<|flush|>",
    "<|eom_id|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "</s>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<end_of_utterance>",
    "<eos>",
    "<|file_sep|>",
    "<|repo_name|>",
    "<|fim_repo|>",
    "<fim-repo>",
    "<REPO>",
    "<reponame>",
    "<|fim_pad|>",
    "<fim_pad>",
    "<fim-pad>",
    "<PAD>",
    "[PAD]",
    "<｜end▁of▁sentence｜>",
    "<|role_end|>",
};
constexpr std::array<std::string_view, 13> kControlNames = {
    "<start_of_turn>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<fim_prefix>",
    "<fim_middle>",    "<fim_suffix>",   "<fim-prefix>",   "<fim-middle>",   "<fim-suffix>",
    "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>",
};

// The marks inside a message of the harmony format, which are a part of what is said. llama.cpp
// finds them in any text as well; here what a user writes stays text.
constexpr std::array<std::string_view, 4> kTextNames = {"<|channel|>", "<|message|>", "<|start|>",
                                                        "<|constrain|>"};

template <size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) noexcept {
  return std::find(names.begin(), names.end(), name) != names.end();
}

[[noreturn]] void fail(const ModelFile& file, const std::string& what) {
  throw Error(ExitCode::kBadModel, what, file.name(), "convert the model again");
}

// A text and which special tokens are looked for where: parts one behind the other.
struct Searched {
  struct Part {
    size_t end;
    bool all;
  };
  std::string_view text;
  std::vector<Part> parts;
};

// Calls on_run(begin, end) for what lies between the special tokens and on_token(id) for them.
template <class OnRun, class OnToken>
void cut(const SpecialTexts& specials, const Searched& in, const OnRun& on_run,
         const OnToken& on_token) {
  size_t taken = 0;  // of the text: behind the last token
  size_t pos = 0;
  for (const Searched::Part& part : in.parts) {
    while (pos < part.end) {
      const auto found = specials.find(in.text, taken, pos, part.end, part.all);
      if (found.id < 0) break;
      if (found.begin > taken) on_run(taken, found.begin);
      on_token(found.id);
      pos = taken = found.end;
    }
    pos = std::max(pos, part.end);
  }
  if (in.text.size() > taken) on_run(taken, in.text.size());
}

bool has(const std::vector<int32_t>& ids, int32_t id) noexcept {
  return std::binary_search(ids.begin(), ids.end(), id);
}

// Phi-3's special tokens take the white space behind them along; GGUF has no key for that, so
// that llama.cpp goes by the model's name, too.
bool is_phi3(const ModelFile& file) {
  const std::string name = lower_ascii(file.get_string("general.name", ""));
  return name.find("phi-3") != std::string::npos || name.find("phi3") != std::string::npos;
}

}  // namespace

VocabTokenizer::VocabTokenizer(const ModelFile& file, const Defaults& defaults) {
  texts_ = file.get_strings("tokenizer.ggml.tokens");
  if (!texts_ || texts_->empty()) fail(file, "tokenizer.ggml.tokens is missing or empty");
  constexpr size_t kLongest = size_t{1} << 16;  // of a token; published ones have some hundreds
  size_t bytes = 0;
  for (size_t i = 0; i < texts_->size(); ++i) {
    const size_t n = (*texts_)[i].size();
    if (n > kLongest) {
      fail(file, "token " + std::to_string(i) + " has " + std::to_string(n) + " bytes, more than " +
                     std::to_string(kLongest));
    }
    bytes += n;
  }
  constexpr size_t kMost = std::numeric_limits<int32_t>::max();
  if (texts_->size() > kMost / 2 || bytes > kMost) fail(file, "the vocabulary is too large");
  read_kinds(file);
  read_special_ids(file, defaults);
  read_added_tokens(file);
  find_ends();
  is_phi3_ = is_phi3(file);
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
    const bool is_said = contains(kTextNames, text);
    if (is_said) said_.push_back(static_cast<int32_t>(i));
    if (!ends && !is_said && !contains(kControlNames, text)) continue;
    // In vocabularies of bytes "</s>" is a tag of HTML when it is a token like any other.
    if (text == "</s>" && kinds_[i] == TokenKind::kNormal) continue;
    kinds_[i] = TokenKind::kControl;
    if (ends) ends_.push_back(static_cast<int32_t>(i));
  }
  std::sort(ends_.begin(), ends_.end());
  ends_.erase(std::unique(ends_.begin(), ends_.end()), ends_.end());
  // In the harmony format (gpt-oss) "<|end|>" ends a message, and what ends the answer is one of
  // two others; as in llama.cpp.
  const auto ends_with = [&](std::string_view name) {
    return std::find_if(ends_.begin(), ends_.end(),
                        [&](int32_t id) { return (*texts_)[static_cast<size_t>(id)] == name; });
  };
  if (ends_with("<|return|>") != ends_.end() && ends_with("<|call|>") != ends_.end()) {
    if (const auto end = ends_with("<|end|>"); end != ends_.end()) ends_.erase(end);
  }
}

// model/format/hf_tokenizer.h says what the keys mean.
void VocabTokenizer::read_added_tokens(const ModelFile& file) {
  const auto ids = [&](const char* name) {
    const std::string key = std::string("fulgurite.tokenizer.") + name;
    Ids list;
    const MetaValue* value = file.find(key);
    if (!value) return list;
    const auto* numbers = std::get_if<std::vector<uint64_t>>(value);
    if (!numbers) fail(file, key + " is not an array of unsigned integers");
    for (const uint64_t id : *numbers) {
      if (id >= kinds_.size()) fail(file, key + " names token " + std::to_string(id));
      list.push_back(static_cast<int32_t>(id));
    }
    std::sort(list.begin(), list.end());
    return list;
  };
  added_ = {ids("normalized"), ids("lstrip"), ids("rstrip"), ids("single_word")};
}

bool VocabTokenizer::in_normalised(int32_t id) const noexcept {
  return has(added_.normalised, id);
}

void VocabTokenizer::finish_pieces(const std::string& file_name) {
  CHECK(pieces_.size() >= kinds_.size());
  for (size_t i = 0; i < kinds_.size(); ++i) {
    if (!is_special(i)) continue;
    const auto id = static_cast<int32_t>(i);
    std::string name = (*texts_)[i];  // where U+2581 is no space
    if (name.size() > SpecialTexts::kLongest) {
      throw Error(ExitCode::kBadModel,
                  "the special token " + std::to_string(i) + " has a name of " +
                      std::to_string(name.size()) + " bytes",
                  file_name, "at most " + std::to_string(SpecialTexts::kLongest));
    }
    const bool phi3 = is_phi3_ && id != bos_ && id != unknown_ && name != "<|endoftext|>";
    const SpecialTexts::Rule rule{.always = kinds_[i] == TokenKind::kUserDefined,
                                  .lstrip = has(added_.lstrip, id),
                                  .rstrip = phi3 || has(added_.rstrip, id),
                                  .single_word = has(added_.single_word, id)};
    if (in_normalised(id)) normalise(name, true);
    (in_normalised(id) ? normalised_specials_ : specials_).add(name, id, rule);
  }
  specials_.finish();
  normalised_specials_.finish();
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
  Searched raw{text, {}};
  size_t end_of_part = 0;
  for (const TextPart& part : parts) {
    end_of_part += part.text.size();
    raw.parts.push_back({end_of_part, part.special == Special::kParse});
  }
  Ids ids;
  const auto put = [&](int32_t id) { ids.push_back(id); };
  const auto encode = [&](size_t begin, size_t end) {
    std::string normal;
    Searched run;
    size_t at = begin;
    for (const Searched::Part& part : raw.parts) {
      if (part.end <= at || at == end) continue;
      const size_t until = std::min(part.end, end);
      std::string of_part(text.substr(at, until - at));
      normalise(of_part, at == begin);
      normal += of_part;
      run.parts.push_back({normal.size(), part.all});
      at = until;
    }
    run.text = normal;
    cut(
        normalised_specials_, run,
        [&](size_t first, size_t last) {
          encode_run(normal.substr(first, last - first), begin + first == 0, ids);
        },
        put);
  };
  cut(specials_, raw, encode, put);
  if (ids.empty() && !text.empty()) {
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
  return is_control(id) && !has(said_, id) ? std::string_view() : label(id);
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

std::vector<int32_t> encode_beginning(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> ids = encode_document(tokenizer, text, Special::kParse);
  if (tokenizer.adds_eos()) ids.pop_back();
  return ids;
}

std::unique_ptr<Tokenizer> make_tokenizer(const ModelFile& file) {
  // Whether this kind needs them or not.
  for (const char* key : {"tokenizer.ggml.pre", "tokenizer.chat_template"}) {
    file.get_string(key, "");
  }
  const std::string kind = file.get_string("tokenizer.ggml.model");
  if (kind == "gpt2") return std::make_unique<BpeTokenizer>(file);
  if (kind == "llama") return std::make_unique<SpmTokenizer>(file);
  if (kind == "no_vocab" || kind == "none") return std::make_unique<IdsOnlyTokenizer>(file);
  throw Error(ExitCode::kBadModel, "the tokenizer " + quoted(kind) + " is not supported",
              file.name(),
              "'gpt2' (byte-level BPE), 'llama' (SentencePiece) and 'no_vocab' (ids only) are");
}

}  // namespace model
