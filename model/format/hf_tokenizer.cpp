#include "model/format/hf_tokenizer.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/format/hf_steps.h"
#include "model/tokenizer/pieces.h"
#include "model/utf8.h"

namespace model {
namespace {

// tokenizer.ggml.token_type
constexpr int64_t kNormal = 1;
constexpr int64_t kUnknown = 2;
constexpr int64_t kControl = 3;
constexpr int64_t kUserDefined = 4;
constexpr int64_t kUnused = 5;
constexpr int64_t kByte = 6;

// A token that is matched in the text before the vocabulary is.
struct AddedToken {
  std::string text;
  uint64_t id = 0;
  bool special = false;
  bool normalized = false, lstrip = false, rstrip = false, single_word = false;
};

// Reads tokenizer.json. What grows with the vocabulary is packed as it comes; `rest` is the
// document without it.
class DocumentReader final : public JsonReader {
 public:
  DocumentReader(const std::string& name, size_t n_vocab)
      : JsonReader(name), n_vocab_(n_vocab), rest_(name, kMostRestBytes) {}

  Json take_rest() { return rest_.take(); }

  // model.vocab: tokens and their ids, below n_vocab, in the order of the text.
  Pieces tokens;
  PieceIndex index;  // of the tokens, in this order
  std::vector<uint32_t> ids;
  // model.merges: left and right in turn.
  bool has_merges = false;
  Pieces merges;
  // added_tokens, without those of ids beyond the model's embedding (an image's place holder in
  // a text model), which cannot occur.
  std::vector<AddedToken> added;

  void on_key(std::string key) override {
    if (part_ == Part::kTokens) return add_token(key);
    if (part_ == Part::kAdded) return entry_.on_key(std::move(key));
    if (part_ != Part::kRest) return;
    if (depth() == 1) top_ = key, in_model_.clear();
    if (depth() == 2 && top_ == "model") in_model_ = key;
    rest_.on_key(std::move(key));
  }

  void on_value(Json value) override {
    switch (part_) {
      case Part::kRest:
        return rest_.on_value(std::move(value));
      case Part::kTokens:
        return set_id(value);
      case Part::kMerges:
        return depth() == begin_ + 1 ? add_merge(json_text(value)) : add_part(value);
      case Part::kAdded:
        entry_.on_value(std::move(value));
        return add_added();
      case Part::kIgnored:
        return;
    }
  }

  void on_begin(bool array) override {
    switch (part_) {
      case Part::kRest:
        break;
      case Part::kTokens:
        return set_id({});
      case Part::kMerges:
        if (!array || depth() != begin_ + 1) fail_merge();
        n_parts_ = 0;
        return;
      case Part::kAdded:
        return entry_.on_begin(array);
      case Part::kIgnored:
        return;
    }
    part_ = part_that_begins(array);
    if (part_ == Part::kRest) return rest_.on_begin(array);
    begin_ = depth();
    rest_.on_value(nullptr);
    has_merges = has_merges || part_ == Part::kMerges;
  }

  void on_end() override {
    if (part_ == Part::kRest) return rest_.on_end();
    if (depth() == begin_) {
      part_ = Part::kRest;
    } else if (part_ == Part::kMerges) {
      if (n_parts_ != 2) fail_merge();
    } else if (part_ == Part::kAdded) {
      entry_.on_end();
      add_added();
    }
  }

  // Of a vocabulary of so many tokens; published ones have twice as many merges.
  void check_merges(size_t n_tokens) const {
    constexpr size_t kMostEach = 8;
    constexpr size_t kMore = 1 << 16;
    if (merges.size() / 2 > kMostEach * n_tokens + kMore) {
      fail("there are too many merges for " + std::to_string(n_tokens) + " tokens");
    }
  }

 private:
  enum class Part { kRest, kTokens, kMerges, kAdded, kIgnored };
  static constexpr size_t kMostRestBytes = size_t{16} << 20;
  static constexpr size_t kMostAddedBytes = size_t{64} << 10;  // of a single one

  Part part_that_begins(bool array) const {
    if (depth() == 1 && top_ == "added_tokens" && array) return Part::kAdded;
    if (depth() != 2) return Part::kRest;
    if (in_model_ == "vocab") return array ? Part::kIgnored : Part::kTokens;  // a Unigram's
    return in_model_ == "merges" && array ? Part::kMerges : Part::kRest;
  }

  void add_token(std::string_view text) {
    if (index.find(tokens, text) >= 0) {
      fail("the key " + model::quoted(text) + " comes twice");
    }
    index.insert(tokens, tokens.add(text));
  }

  void set_id(const Json& id) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= n_vocab_) {
      fail("token " + model::quoted(tokens[tokens.size() - 1]) + " has no id below the " +
           std::to_string(n_vocab_) + " of config.json");
    }
    ids.push_back(id.get<uint32_t>());
  }

  [[noreturn]] void fail_merge() const {
    fail("merge " + std::to_string(merges.size() / 2) + " is no pair of tokens");
  }

  void add_merge(std::string_view text) {
    const size_t space = text.find(' ');
    if (space == std::string_view::npos || space == 0 || space + 1 == text.size()) fail_merge();
    merges.add(text.substr(0, space));
    merges.add(text.substr(space + 1));
    check_merges(n_vocab_);
  }

  void add_part(const Json& value) {
    if (!value.is_string() || n_parts_ == 2) fail_merge();
    merges.add(json_text(value));
    if (++n_parts_ == 2) check_merges(n_vocab_);
  }

  void add_added() {
    if (!entry_.complete()) return;
    const Json token = std::exchange(entry_, JsonBuilder(name(), kMostAddedBytes)).take();
    const Json& id = json_at(token, "id");
    const std::string_view text = json_text(json_at(token, "content"));
    if (!id.is_number_unsigned() || text.empty()) fail("an added token has no id or no content");
    if (id.get<uint64_t>() >= n_vocab_) return;
    if (added.size() == n_vocab_) fail("there are more added tokens than tokens");
    const bool special = json_flag(token, "special", false);
    added.push_back({std::string(text), id.get<uint64_t>(), special,
                     json_flag(token, "normalized", !special), json_flag(token, "lstrip", false),
                     json_flag(token, "rstrip", false), json_flag(token, "single_word", false)});
  }

  const size_t n_vocab_;
  JsonBuilder rest_;
  std::string top_;       // the last key of the document
  std::string in_model_;  // and of its "model"
  Part part_ = Part::kRest;
  size_t begin_ = 0;                            // its depth
  size_t n_parts_ = 0;                          // of the merge that is read
  JsonBuilder entry_{name(), kMostAddedBytes};  // the added token that is read
};

class Builder {
 public:
  Builder(const DocumentReader& read, const Json& rest, const Json& settings, const Json& config,
          int64_t n_vocab, ModelFile& file)
      : read_(read),
        tokenizer_(rest),
        model_(json_at(rest, "model")),
        normalizer_(normalizer_of(json_at(rest, "normalizer"))),
        splits_(splits_of(json_at(rest, "pre_tokenizer"))),
        settings_(settings),
        config_(config),
        n_vocab_(static_cast<size_t>(n_vocab)),
        file_(file) {}

  void build() {
    const bool bytes = splits_.byte_level || decodes_bytes();
    const std::string refused = what_is_unknown(bytes);
    if (!refused.empty()) {
      file_.add("tokenizer.ggml.model", refused);
      return;
    }
    read_tokens();
    read_added_tokens();
    file_.add("tokenizer.ggml.model", bytes ? "gpt2" : "llama");
    file_.add("tokenizer.ggml.pre", bytes ? pre_name(splits_) : "default");
    bytes ? add_byte_level() : add_visible_spaces();
    special_ids(!bytes);
    file_.add("tokenizer.ggml.tokens", std::move(tokens_));
    file_.add("tokenizer.ggml.token_type", std::move(types_));
  }

 private:
  [[noreturn]] void fail(std::string what) const {
    file_.fail("tokenizer.json: " + std::move(what), "damaged; fetch it again");
  }

  bool falls_back() const { return json_flag(model_, "byte_fallback", false); }
  bool decodes_bytes() const {
    return json_text(json_at(json_at(tokenizer_, "decoder"), "type")) == "ByteLevel";
  }
  // A few words where the tokenizer is not one of those that are known.
  std::string what_is_unknown(bool bytes) const {
    std::string_view type = json_text(json_at(model_, "type"));
    // Early files do not name it.
    if (type.empty() && read_.has_merges && read_.tokens.size() > 0) type = "BPE";
    if (type != "BPE") return type.empty() ? "unknown" : std::string(type);
    const auto with = [](std::string_view what, std::string_view step) {
      std::string text("BPE with the ");
      return text.append(what).append(" ").append(printable(step));
    };
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (const auto text = json_text(json_at(model_, key)); !text.empty()) return with(key, text);
    }
    if (!normalizer_.unknown.empty()) return with("normalizer", normalizer_.unknown);
    if (!splits_.unknown.empty()) return with("pre-tokenizer", splits_.unknown);
    if (bytes) {
      if (normalizer_.shows_spaces || normalizer_.prepends_space) {
        return with("normalizer", normalizer_.shows_spaces ? "Replace" : "Prepend");
      }
      if (!splits_.metaspace.empty()) return with("pre-tokenizer", "Metaspace");
      return splits_.at_spaces ? with("pre-tokenizer", "Split") : "";
    }
    const bool metaspace = !splits_.metaspace.empty();
    if (!metaspace && !normalizer_.shows_spaces) return "BPE";
    if (metaspace && splits_.metaspace != "always" && splits_.metaspace != "first" &&
        splits_.metaspace != "never") {
      return with("prepend_scheme", splits_.metaspace);
    }
    return splits_.other.empty() ? "" : with("pre-tokenizer", splits_.other);
  }

  void add_byte_level() {
    file_.add("tokenizer.ggml.merges", merges_as_text());
    if (splits_.adds_space) file_.add("fulgurite.tokenizer.add_prefix_space", true);
    file_.add("fulgurite.tokenizer.ignore_merges", json_flag(model_, "ignore_merges", false));
  }

  void add_visible_spaces() {
    if (falls_back()) mark_bytes();
    file_.add("fulgurite.tokenizer.byte_fallback", falls_back());
    file_.add("tokenizer.ggml.scores", scores());
    const std::string_view scheme = splits_.metaspace;
    const bool prepends = scheme == "always" || scheme == "first";
    file_.add("tokenizer.ggml.add_space_prefix", prepends || normalizer_.prepends_space);
    file_.add("fulgurite.tokenizer.merges", merges_as_ids());
    if (prepends && !normalizer_.prepends_space) {
      file_.add("fulgurite.tokenizer.prepend", std::string(scheme));
    }
    if (!scheme.empty() && splits_.metaspace_words) {
      file_.add("fulgurite.tokenizer.split_words", true);
    }
    file_.add("fulgurite.tokenizer.fuse_unknown", json_flag(model_, "fuse_unk", false));
  }

  void read_tokens() {
    const Pieces& texts = read_.tokens;
    if (texts.size() == 0) fail("the vocabulary is missing or empty");
    constexpr size_t kMostUnused = 1 << 16;  // published ones are padded by some hundreds
    if (n_vocab_ > 2 * texts.size() + kMostUnused) {
      fail("config.json asks for " + std::to_string(n_vocab_) + " tokens, but there are " +
           std::to_string(texts.size()));
    }
    if (!read_.has_merges) fail("the merges are missing");
    read_.check_merges(texts.size());
    tokens_.resize(n_vocab_);
    types_.assign(n_vocab_, kUnused);
    for (size_t t = 0; t < texts.size(); ++t) {
      const size_t i = read_.ids[t];
      if (types_[i] != kUnused) fail("two tokens have the id " + std::to_string(i));
      tokens_[i] = texts[t];
      types_[i] = kNormal;
    }
    for (size_t i = 0; i < n_vocab_; ++i) {
      if (types_[i] == kUnused) tokens_[i] = "[PAD" + std::to_string(i) + "]";
    }
  }

  void read_added_tokens() {
    const std::string_view unknown = json_text(json_at(model_, "unk_token"));
    for (const AddedToken& token : read_.added) {
      added_ids_.erase(tokens_[token.id]);
      tokens_[token.id] = token.text;
      types_[token.id] = token.special ? kControl : kUserDefined;
      if (token.special && falls_back() && token.text == unknown) types_[token.id] = kUnknown;
      added_ids_[token.text] = token.id;
    }
    using Ids = std::vector<uint64_t>;
    const auto add = [&](const char* name, bool AddedToken::*has) {
      Ids ids;
      for (const AddedToken& token : read_.added) {
        if (token.*has) ids.push_back(token.id);
      }
      if (!ids.empty()) file_.add(std::string("fulgurite.tokenizer.") + name, std::move(ids));
    };
    add("normalized", &AddedToken::normalized);
    add("lstrip", &AddedToken::lstrip);
    add("rstrip", &AddedToken::rstrip);
    add("single_word", &AddedToken::single_word);
  }

  // The token that is spelled so.
  std::optional<uint64_t> id_of(const std::string& text) const {
    if (const auto at = added_ids_.find(text); at != added_ids_.end()) return at->second;
    const int32_t found = read_.index.find(read_.tokens, text);
    if (found < 0) return std::nullopt;
    const uint64_t id = read_.ids[static_cast<size_t>(found)];
    return tokens_[id] == text ? std::optional(id) : std::nullopt;
  }

  size_t n_merges() const { return read_.merges.size() / 2; }
  std::string_view left(size_t merge) const { return read_.merges[2 * merge]; }
  std::string_view right(size_t merge) const { return read_.merges[2 * merge + 1]; }

  std::vector<std::string> merges_as_text() const {
    std::vector<std::string> texts(n_merges());
    for (size_t m = 0; m < texts.size(); ++m) texts[m].append(left(m)).append(" ").append(right(m));
    return texts;
  }

  // Left and right in turn.
  std::vector<uint64_t> merges_as_ids() const {
    std::vector<uint64_t> ids;
    for (size_t m = 0; m < n_merges(); ++m) {
      const auto a = id_of(std::string(left(m)));
      const auto b = id_of(std::string(right(m)));
      if (a && b) ids.insert(ids.end(), {*a, *b});
    }
    return ids;
  }

  std::vector<double> scores() const {
    constexpr size_t kNever = ~size_t{0};
    std::vector<size_t> rank(n_vocab_, kNever);
    std::string joined;
    for (size_t r = 0; r < n_merges(); ++r) {
      joined.assign(left(r)).append(right(r));
      const auto id = id_of(joined);
      if (id && rank[*id] == kNever) rank[*id] = r;
    }
    // What no merge makes comes after everything that one makes.
    std::vector<double> scores(n_vocab_, 0.0);
    for (size_t i = 0; i < n_vocab_; ++i) {
      if (types_[i] != kNormal && types_[i] != kUserDefined) continue;
      scores[i] = -static_cast<double>(1 + std::min(rank[i], n_merges()));
    }
    return scores;
  }

  void mark_bytes() {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    for (size_t i = 0; i < n_vocab_; ++i) {
      const std::string& t = tokens_[i];
      if (types_[i] == kNormal && t.size() == 6 && t.starts_with("<0x") && t[5] == '>' &&
          kHex.find(t[3]) != kHex.npos && kHex.find(t[4]) != kHex.npos) {
        types_[i] = kByte;
      }
    }
  }

  // A token that tokenizer_config.json names, as a text or as an object that holds one.
  std::optional<uint64_t> named(const char* key) const {
    const Json& value = json_at(settings_, key);
    const std::string_view text = json_text(value.is_object() ? json_at(value, "content") : value);
    return text.empty() ? std::nullopt : id_of(std::string(text));
  }
  // Else the id in config.json, or the first of several.
  std::optional<uint64_t> special(const char* name) const {
    if (const auto id = named(name)) return id;
    const Json& value = json_at(config_, (std::string(name) + "_id").c_str());
    const Json& id = value.is_array() && !value.empty() ? value[0] : value;
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= n_vocab_) return std::nullopt;
    return id.get<uint64_t>();
  }

  void special_ids(bool spm) {
    const auto bos = special("bos_token");
    const auto eos = special("eos_token");
    const auto put = [&](const char* key, const std::optional<uint64_t>& id) {
      if (id) file_.add(std::string("tokenizer.ggml.") + key, *id);
    };
    put("bos_token_id", bos);
    put("eos_token_id", eos);
    put("unknown_token_id", id_of(std::string(json_text(json_at(model_, "unk_token")))));
    put("padding_token_id", named("pad_token"));
    for (const char* turn : {"<|eot_id|>", "<|im_end|>", "<end_of_turn>", "<|end|>"}) {
      const auto id = id_of(turn);
      if (!id || types_[*id] == kNormal) continue;
      put("eot_token_id", id);
      break;
    }
    file_.add("tokenizer.ggml.add_bos_token",
              adds("add_bos_token", bos, true, spm && names_a_llama_class()));
    file_.add("tokenizer.ggml.add_eos_token", adds("add_eos_token", eos, false, false));
  }

  bool names_a_llama_class() const {
    const std::string_view name = json_text(json_at(settings_, "tokenizer_class"));
    return name.starts_with("Llama") || name.starts_with("Gemma");
  }

  // Whether every text gets this token before (or behind) it: what tokenizer_config.json says,
  // else what the template of tokenizer.json does.
  bool adds(const char* key, const std::optional<uint64_t>& id, bool first, bool by_default) const {
    const Json& said = json_at(settings_, key);
    if (said.is_boolean()) return said.get<bool>();
    if (!id) return false;
    bool templated = false;
    bool adds = false;
    for_each_step(json_at(tokenizer_, "post_processor"), "processors", [&](const Json& step) {
      const std::string_view type = json_text(json_at(step, "type"));
      if (type == "RobertaProcessing" || type == "BertProcessing") {
        const Json& pair = json_at(step, first ? "cls" : "sep");  // its text and its id
        templated = true;
        adds = adds || (pair.is_array() && !pair.empty() && json_text(pair[0]) == tokens_[*id]);
      }
      const Json& single = json_at(step, "single");
      if (!single.is_array() || single.empty()) return;
      templated = true;
      const Json& end = first ? single.front() : single.back();
      const std::string_view text = json_text(json_at(json_at(end, "SpecialToken"), "id"));
      adds = adds || (!text.empty() && text == tokens_[*id]);
    });
    return templated ? adds : by_default;
  }

  const DocumentReader& read_;
  const Json& tokenizer_;  // without what read_ has
  const Json& model_;
  const Normalizer normalizer_;
  const Splits splits_;
  const Json& settings_;
  const Json& config_;
  const size_t n_vocab_;
  ModelFile& file_;
  std::vector<std::string> tokens_;
  std::vector<int64_t> types_;
  std::unordered_map<std::string, uint64_t> added_ids_;
};

// A text, or a list of {name, template} of which one is called "default".
std::string_view chat_template_of(const Json& settings) {
  const Json& value = json_at(settings, "chat_template");
  if (!value.is_array()) return json_text(value);
  for (const Json& entry : value) {
    if (json_text(json_at(entry, "name")) == "default") {
      return json_text(json_at(entry, "template"));
    }
  }
  return {};
}

}  // namespace

void add_hf_tokenizer(const HfTokenizer& source, const Json& config, int64_t n_vocab,
                      ModelFile& file) {
  if (source.tokenizer.empty()) {
    file.add("tokenizer.ggml.model", "no_vocab");
    return;
  }
  const std::string name = file.name() + "/tokenizer.json";
  DocumentReader reader(name, static_cast<size_t>(n_vocab));
  read_json(source.tokenizer, reader);
  const Json rest = reader.take_rest();
  Json settings;
  if (!source.tokenizer_config.empty()) {
    settings = parse_json(source.tokenizer_config, file.name() + "/tokenizer_config.json");
  }
  Builder(reader, rest, settings, config, n_vocab, file).build();
  const std::string_view chat =
      source.chat_template.empty() ? chat_template_of(settings) : source.chat_template;
  if (!chat.empty()) file.add("tokenizer.chat_template", std::string(chat));
}

}  // namespace model
