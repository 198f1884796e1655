// libFuzzer target: whatever the vocabulary, it is refused with an Error or makes tokens within
// itself of any text; and a vocabulary that has every byte gives every text back.
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "model/error.h"
#include "model/format/model_file.h"
#include "model/tokenizer/bpe.h"
#include "model/tokenizer/chat_template.h"
#include "model/tokenizer/pretokenizer.h"
#include "model/tokenizer/tokenizer.h"
#include "model/utf8.h"

namespace {

using model::ModelFile;
using model::Special;
using Strings = std::vector<std::string>;

// Takes numbers and short texts from the front of the input.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : rest_(bytes) {}
  uint8_t number() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return value;
  }
  std::string text(size_t most) {
    const std::string taken(rest_.substr(0, number() % (most + 1)));
    rest_.remove_prefix(taken.size() < rest_.size() ? taken.size() : rest_.size());
    return taken;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

std::string name_of_rule(uint8_t which) {
  Strings names = {"default"};
  std::string all = model::known_pre_tokenizers() + ", ";
  for (size_t end = 0; (end = all.find(", ")) != std::string::npos; all.erase(0, end + 2)) {
    names.push_back(all.substr(0, end));
  }
  return names[which % names.size()];
}

// Every byte, and tokens and merges from the input.
ModelFile whole_vocabulary(Bytes& in, bool bpe) {
  ModelFile file("fuzz", "fuzz", 0);
  Strings tokens;
  Strings merges;
  std::vector<int64_t> kinds(256, bpe ? 1 : 6);
  for (int b = 0; b < 256; ++b) {
    const auto byte = static_cast<unsigned char>(b);
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string& token = tokens.emplace_back();
    if (bpe) {
      model::append_utf8(token, model::bpe_char_of_byte(byte));
    } else {
      token = std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + '>';
    }
  }
  for (int n = in.number() % 24; n > 0; --n) {
    const std::string& left = tokens[in.number() % tokens.size()];
    const std::string& right = tokens[in.number() % tokens.size()];
    if (bpe) {
      constexpr size_t kLongest = 64;  // doubling goes far
      if (left.size() + right.size() > kLongest) continue;
      merges.push_back(left + ' ' + right);
      tokens.push_back(left + right);
    } else {
      tokens.push_back(in.text(4));
    }
    kinds.push_back(1);
  }
  for (const char* name : {"<|end|>", "<|x|>"}) tokens.emplace_back(name), kinds.push_back(3);
  file.add("tokenizer.ggml.model", bpe ? "gpt2" : "llama");
  file.add("tokenizer.ggml.pre", name_of_rule(in.number()));
  std::vector<double> scores(tokens.size());
  for (double& score : scores) score = in.number();
  file.add("tokenizer.ggml.scores", std::move(scores));
  file.add("tokenizer.ggml.tokens", std::move(tokens));
  file.add("tokenizer.ggml.token_type", std::move(kinds));
  file.add("tokenizer.ggml.merges", std::move(merges));
  return file;
}

// What only a tokenizer.json says; see model/format/hf_tokenizer.h.
void add_hf_settings(Bytes& in, ModelFile& file) {
  const auto add = [&](const char* name, auto value) {
    file.add(std::string("fulgurite.tokenizer.") + name, std::move(value));
  };
  const uint8_t settings = in.number();
  if (settings & 1) add("split_words", true);
  if (settings & 2) add("fuse_unknown", false);
  if (settings & 4) add("ignore_merges", true);
  if (settings & 8) add("add_prefix_space", true);
  if (settings & 16) add("prepend", std::string(settings & 32 ? "always" : "first"));
  for (const char* name : {"normalized", "lstrip", "rstrip", "single_word", "merges"}) {
    std::vector<uint64_t> ids(in.number() % 6);
    for (uint64_t& id : ids) id = in.number() % 16;
    if (!ids.empty()) add(name, std::move(ids));
  }
}

ModelFile hostile_vocabulary(Bytes& in) {
  ModelFile file("fuzz", "fuzz", 0);
  const uint8_t shape = in.number();
  Strings tokens(in.number() % 12);
  for (std::string& token : tokens) token = in.text(7);
  Strings merges(in.number() % 12);
  for (std::string& merge : merges) merge = in.text(7);
  std::vector<int64_t> kinds(shape & 1 ? tokens.size() : in.number() % 12);
  for (int64_t& kind : kinds) kind = in.number() % 9 - 1;
  std::vector<double> scores(shape & 2 ? tokens.size() : in.number() % 12);
  for (double& score : scores) {
    score = in.number();
    if (score == 255) score = std::numeric_limits<double>::quiet_NaN();
    if (score == 254) score = -std::numeric_limits<double>::infinity();
  }
  const uint8_t which = in.number();
  file.add("tokenizer.ggml.model", which % 8 == 0 ? "no_vocab" : which % 2 ? "gpt2" : "llama");
  file.add("general.name", shape & 4 ? "phi-3" : "x");
  if (shape & 8) file.add("tokenizer.ggml.pre", name_of_rule(in.number()));
  for (const char* id : {"bos", "eos", "eot", "unknown"}) {
    if (const uint8_t value = in.number(); value & 1) {
      file.add(std::string("tokenizer.ggml.") + id + "_token_id", uint64_t{value} / 16);
    }
  }
  file.add("tokenizer.ggml.add_bos_token", (shape & 16) != 0);
  file.add("tokenizer.ggml.add_space_prefix", (shape & 32) != 0);
  file.add("tokenizer.ggml.tokens", std::move(tokens));
  if (shape & 64) file.add("tokenizer.ggml.token_type", std::move(kinds));
  file.add("tokenizer.ggml.scores", std::move(scores));
  file.add("tokenizer.ggml.merges", std::move(merges));
  add_hf_settings(in, file);
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes in({reinterpret_cast<const char*>(data), size});
  try {
    const uint8_t mode = in.number() % 4;
    const bool whole = mode < 2;
    const auto tokenizer =
        model::make_tokenizer(whole ? whole_vocabulary(in, mode == 0) : hostile_vocabulary(in));
    const std::string_view text = in.rest();
    for (const Special special : {Special::kParse, Special::kPlainText}) {
      const auto ids = encode_document(*tokenizer, text, special);
      for (const int32_t id : ids) {
        CHECK(id >= 0 && id < tokenizer->vocab_size());
        tokenizer->ends_generation(id);
      }
      const std::string back = tokenizer->decode(ids);
      const bool exact = whole && special == Special::kPlainText &&
                         (mode == 0 || text.find("\xE2\x96\x81") == std::string_view::npos);
      CHECK(!exact || back == text);
    }
    if (const auto chat = model::recognise_chat_template(text)) {
      const std::vector<model::Message> messages = {{model::Role::kSystem, std::string(text)},
                                                    {model::Role::kUser, "a"}};
      encode_chat(*tokenizer, *chat, messages, true);
    }
  } catch (const fulgurite::Error&) {
  }
  return 0;
}
