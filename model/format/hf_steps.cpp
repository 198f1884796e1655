#include "model/format/hf_steps.h"

#include <algorithm>
#include <array>
#include <utility>

#include "model/utf8.h"

namespace model {

namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581, SentencePiece's visible space

std::string_view type_of(const Json& step) {
  return json_text(json_at(step, "type"));
}

// llama.cpp's names of pre-tokenizers and the steps that they are, as step_text() puts them; one
// that ends with ~ only begins so. Facts: the tokenizer.json files of the models they are named
// after.
struct Known {
  std::string_view name;
  std::array<std::string_view, 7> steps;
};
constexpr Known kKnown[] = {
    {"gpt-2", {"ByteLevel"}},
    {"gpt-2", {"ByteLevel with a space"}},
    {"gpt-2",
     {R"(Split 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
      "Bytes"}},
    {"starcoder", {"Digits", "ByteLevel"}},
    {"llama-bpe",
     {R"(Split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
      R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
      "Bytes"}},
    {"qwen2",
     {R"(Split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
      R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
      "Bytes"}},
    {"gpt-4o",
     {R"(Split [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
      R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
      R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
      "Bytes"}},
    {"tekken",
     {R"(Split [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
      R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
      R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
      "Bytes"}},
    {"deepseek-v3",
     {R"(Split \p{N}{1,3})", "Split [一-龥぀-ゟ゠-ヿ]+",
      R"(Split [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|)"
      R"([^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
      "Bytes"}},
    {"deepseek-coder",
     {R"(Split [\r\n])", R"(Split \s?\p{L}+)", R"(Split \s?\p{P}+)", "Split [一-~", "Digits",
      "Bytes"}},
    {"deepseek-llm",
     {R"(Split [\r\n])", R"(Split \s?[A-Za-z~)", R"(Split \s?[!-/:-~)", R"(Split \s+$)",
      "Split [一-~", "Digits", "Bytes"}},
};

// A step of a byte-level pre-tokenizer (ByteLevel, Digits, Punctuation or Split) in a few words:
// Bytes is ByteLevel without a pattern of its own, Digits cuts them one by one, Numbers in runs.
std::string step_text(const Json& step, std::string_view type) {
  if (type == "ByteLevel") {
    // The space comes before every piece that the steps before it have left, not before the text.
    const std::string_view space =
        json_flag(step, "add_prefix_space", false) ? " with a space" : "";
    return std::string(json_flag(step, "use_regex", true) ? "ByteLevel" : "Bytes").append(space);
  }
  if (type == "Digits") return json_flag(step, "individual_digits", false) ? "Digits" : "Numbers";
  const std::string behavior(json_text(json_at(step, "behavior")));
  std::string text(type);
  if (type == "Punctuation") return text + " " + (behavior.empty() ? "Isolated" : behavior);
  // Removed and inverted keeps the matches alone: the same as Isolated where nothing else is left.
  const bool inverted = json_flag(step, "invert", false);
  if (behavior == "Removed" && inverted) {
    text = "Keep";
  } else if (behavior != "Isolated") {
    text += " " + behavior;
  }
  text += ' ';
  for (const char c : json_text(json_at(json_at(step, "pattern"), "Regex"))) {
    if (c == '\r') {
      text += "\\r";
    } else if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text;
}

bool are(const std::vector<std::string>& steps, const Known& known) {
  for (size_t i = 0; i < std::max(steps.size(), known.steps.size()); ++i) {
    const std::string_view have = i < steps.size() ? std::string_view(steps[i]) : "";
    std::string_view want = i < known.steps.size() ? known.steps[i] : "";
    if (!want.ends_with('~')) {
      if (have != want) return false;
    } else {
      want.remove_suffix(1);
      if (!have.starts_with(want)) return false;
    }
  }
  return true;
}

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
    if (type == "Split" && json_text(json_at(json_at(step, "pattern"), "String")) == " ") {
      found.at_spaces = true;
    } else if (type == "Metaspace") {
      const std::string_view scheme = json_text(json_at(step, "prepend_scheme"));
      const bool old = json_flag(step, "add_prefix_space", true);
      found.metaspace = !scheme.empty() ? scheme : old ? "always" : "never";
      found.metaspace_words = json_flag(step, "split", true);
    } else if (type == "ByteLevel" || type == "Digits" || type == "Punctuation" ||
               type == "Split") {
      found.steps.push_back(step_text(step, type));
      if (type == "ByteLevel") {
        found.byte_level = true;
        found.adds_space = json_flag(step, "add_prefix_space", false);
      } else if (found.other.empty()) {
        found.other = type;
      }
    } else {
      found.unknown = type.empty() ? "unnamed" : type;
    }
  });
  return found;
}

std::string pre_name(const Splits& splits) {
  std::vector<std::string> steps = splits.steps;
  // The patterns of the known ones of two steps match everything.
  if (steps.size() == 2 && steps[0].starts_with("Keep ")) steps[0].replace(0, 4, "Split");
  for (const Known& known : kKnown) {
    if (are(steps, known)) return std::string(known.name);
  }
  std::string unknown = "unknown";
  for (size_t i = 0; i < steps.size(); ++i) unknown.append(i == 0 ? ": " : ", ").append(steps[i]);
  return printable(unknown, 300);
}

}  // namespace model
