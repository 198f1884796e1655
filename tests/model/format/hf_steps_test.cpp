// Pre-tokenizers of published tokenizer.json files by name, and what only resembles them refused.
#include "model/format/hf_steps.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/data.h"

namespace {

using model::Json;

Json split(const std::string& regex, const char* behavior = "Isolated", bool invert = false) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", regex}}},
          {"behavior", behavior},
          {"invert", invert}};
}
Json bytes(bool regex, bool space = false) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", space}, {"use_regex", regex}};
}
Json digits(bool single) {
  return {{"type", "Digits"}, {"individual_digits", single}};
}
const Json kPunctuation = {{"type", "Punctuation"}, {"behavior", "Contiguous"}};

std::string name(const std::vector<Json>& steps) {
  return pre_name(model::splits_of({{"type", "Sequence"}, {"pretokenizers", steps}}));
}

// As the tokenizer.json files of Llama 3.1 and Qwen3 have them.
std::string words(const std::string& numbers) {
  return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)" + numbers +
         R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}
const std::string kLlama3 = words(R"(\p{N}{1,3})");
const std::string kQwen = words(R"(\p{N})");
const std::string kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
// gpt-oss; Mistral NeMo's has no endings and single digits.
std::string cased(const std::string& ending, const std::string& numbers) {
  return R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)" +
         ending +
         R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)" +
         ending + "|" + numbers + R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}
const std::string kEndings = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";

const std::vector<Json> kDeepSeekV3 = {
    split(R"(\p{N}{1,3})"), split("[一-龥぀-ゟ゠-ヿ]+"),
    split("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?"
          "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"),
    bytes(false)};
const std::vector<Json> kDeepSeekCoder = {split("[\r\n]"),       split(R"(\s?\p{L}+)"),
                                          split(R"(\s?\p{P}+)"), split("[一-龥ࠀ-一가-퟿]+"),
                                          digits(true),          bytes(false)};
const std::vector<Json> kDeepSeekLlm = {split("[\r\n]"),
                                        split(R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿ]+)"),  // cut short
                                        split(R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)"),
                                        split(R"(\s+$)"),
                                        split("[一-龥ࠀ-一가-퟿]+"),
                                        digits(true),
                                        bytes(false)};

TEST(PreName, OfPublishedFiles) {
  EXPECT_EQ("gpt-2", name({bytes(true)}));
  EXPECT_EQ("gpt-2", name({bytes(true, true)}));
  EXPECT_EQ("gpt-2", name({split(kGpt2), bytes(false)}));
  EXPECT_EQ("starcoder", name({digits(true), bytes(true)}));
  EXPECT_EQ("llama-bpe", name({split(kLlama3), bytes(false)}));
  EXPECT_EQ("qwen2", name({split(kQwen), bytes(false)}));
  EXPECT_EQ("gpt-4o", name({split(cased(kEndings, R"(\p{N}{1,3})")), bytes(false)}));
  EXPECT_EQ("tekken", name({split(cased("", R"(\p{N})")), bytes(false)}));
  EXPECT_EQ("deepseek-v3", name(kDeepSeekV3));
  EXPECT_EQ("deepseek-coder", name(kDeepSeekCoder));
  EXPECT_EQ("deepseek-llm", name(kDeepSeekLlm));
  EXPECT_EQ("gpt-2", pre_name(model::splits_of(bytes(true)))) << "without a sequence";
}

TEST(PreName, WhatAPatternMatchesMayBeKeptOrWhatItDoesNotRemoved) {
  EXPECT_EQ("llama-bpe", name({split(kLlama3, "Removed", true), bytes(false)}));
  for (const auto& [behavior, invert] :
       {std::pair{"Removed", false}, {"MergedWithNext", false}, {"Contiguous", false}}) {
    EXPECT_CONTAINS(name({split(kLlama3, behavior, invert), bytes(false)}), "unknown: Split ");
  }
  std::vector<Json> some = kDeepSeekV3;
  some[0] = split(R"(\p{N}{1,3})", "Removed", true);
  EXPECT_CONTAINS(name(some), "unknown: Keep ") << "of the rest nothing would be left";
}

// Each of these splits texts in another way than the pattern that it holds.
TEST(PreName, OfStepsThatOnlyHoldAKnownOneIsUnknown) {
  for (const std::vector<Json>& steps : std::vector<std::vector<Json>>{
           {digits(true), split(kLlama3), bytes(false)},
           {split(kLlama3), digits(true), bytes(false)},
           {split(R"(\p{N}{1,3})"), split(kLlama3), bytes(false)},
           {split(kQwen + "|x"), bytes(false)},
           {split(kQwen.substr(kQwen.find("[^")), "Isolated"), bytes(false)},
           {split(cased("", R"(\p{N}{1,3})")), bytes(false)},
           {split(R"([\p{Han}]+|)" + cased(kEndings, R"(\p{N}{1,3})")), bytes(false)},
           {split(kQwen), bytes(true)},
           {split(kQwen), bytes(false, true)},
           {digits(true), bytes(true, true)},
           {digits(false), bytes(true)},
           {bytes(true), digits(true)},
           {kPunctuation, bytes(true)},
           {kPunctuation, bytes(true), digits(false), split("[0-9][0-9][0-9]")},
           {split(kQwen)},
           {}}) {
    EXPECT_EQ(0U, name(steps).find("unknown")) << Json(steps);
  }
  std::vector<Json> turned = kDeepSeekCoder;
  std::reverse(turned.begin(), turned.end());
  EXPECT_CONTAINS(name(turned), "unknown: Bytes, Digits, Split [");
  std::vector<Json> less = kDeepSeekLlm;
  less.erase(less.begin() + 3);
  EXPECT_CONTAINS(name(less), "unknown: ");
}

}  // namespace
