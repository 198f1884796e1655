#include "model/format/hf_steps.h"

#include <array>
#include <utility>

#include "model/utf8.h"

namespace model {

namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581, SentencePiece's visible space

std::string_view type_of(const Json& step) {
  return json_text(json_at(step, "type"));
}

// llama.cpp's names of pre-tokenizers, by a part of a pattern that no other one has; the first
// that fits. Facts: the tokenizer.json files of the models they are named after.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kPatterns = {{
    {R"([\r\n/]*)", "gpt-4o"},  // and Tekken, told apart by its single digits
    {R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)", "llama-bpe"},
    {R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)", "qwen2"},
    {R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+)", "deepseek-v3"},
    {R"(\s?\p{P}+)", "deepseek-coder"},
    {R"(\s?[A-Za-z)", "deepseek-llm"},
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", "gpt-2"},
    {"[0-9][0-9][0-9]", "falcon"},
}};

}  // namespace

bool json_flag(const Json& object, const char* key, bool by_default) {
  const Json& value = json_at(object, key);
  return value.is_boolean() ? value.get<bool>() : by_default;
}

Normalizer normalizer_of(const Json& normalizer) {
  Normalizer found;
  for_each_step(normalizer, "normalizers", [&](const Json& step) {
    const std::string_view type = type_of(step);
    if (type == "Prepend" && json_text(json_at(step, "prepend")) == kSpace) {
      found.prepends_space = true;
    } else if (type == "Replace" && json_text(json_at(step, "content")) == kSpace &&
               json_text(json_at(json_at(step, "pattern"), "String")) == " ") {
      found.shows_spaces = true;
    } else if (type != "NFC") {
      found.unknown = type.empty() ? "unnamed" : type;
    }
  });
  return found;
}

Splits splits_of(const Json& pre_tokenizer) {
  Splits found;
  for_each_step(pre_tokenizer, "pretokenizers", [&](const Json& step) {
    const std::string_view type = type_of(step);
    const Json& pattern = json_at(step, "pattern");
    if (type == "ByteLevel") {
      found.byte_level = true;
      found.own_pattern = json_flag(step, "use_regex", true);
      found.adds_space = json_flag(step, "add_prefix_space", false);
    } else if (type == "Digits") {
      found.digits = true;
      found.single_digits = json_flag(step, "individual_digits", false);
    } else if (type == "Punctuation") {
      found.punctuation = true;
    } else if (type == "Split" && json_text(json_at(pattern, "String")) == " ") {
      found.at_spaces = true;
    } else if (type == "Split") {
      found.patterns.push_back(json_text(json_at(pattern, "Regex")));
    } else if (type == "Metaspace") {
      const std::string_view scheme = json_text(json_at(step, "prepend_scheme"));
      const bool old = json_flag(step, "add_prefix_space", true);
      found.metaspace = !scheme.empty() ? scheme : old ? "always" : "never";
      found.metaspace_words = json_flag(step, "split", true);
    } else {
      found.unknown = type.empty() ? "unnamed" : type;
    }
  });
  return found;
}

std::string pre_name(const Splits& splits) {
  if (splits.digits && !splits.single_digits && splits.patterns.empty()) return "unknown: Digits";
  for (const auto& [part, name] : kPatterns) {
    for (const std::string_view pattern : splits.patterns) {
      if (pattern.find(part) == std::string_view::npos) continue;
      const bool tekken = name == "gpt-4o" && pattern.find(R"(\p{N}{1,3})") == pattern.npos;
      return tekken ? "tekken" : std::string(name);
    }
  }
  if (splits.patterns.empty() && splits.own_pattern && !splits.punctuation) {
    return splits.single_digits ? "starcoder" : "gpt-2";
  }
  if (splits.patterns.empty()) return "unknown";
  return "unknown: " + printable(splits.patterns.front(), 200);
}

}  // namespace model
