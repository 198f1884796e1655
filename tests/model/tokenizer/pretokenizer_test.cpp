#include "model/tokenizer/pretokenizer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "model/tokenizer/unicode.h"
#include "tests/support/data.h"

namespace {

using V = std::vector<std::string>;

V words(std::string_view pre, std::string_view text) {
  V out;
  model::find_pre_tokenizer(pre)->split(text, [&](std::string_view w) { out.emplace_back(w); });
  return out;
}

TEST(Unicode, Categories) {
  using model::category;
  using model::Category;
  EXPECT_EQ(Category::kUpper, category(U'Z'));
  EXPECT_EQ(Category::kUpper, category(U'Ω'));
  EXPECT_EQ(Category::kLower, category(U'é'));
  EXPECT_EQ(Category::kTitle, category(U'\u01C5'));
  EXPECT_EQ(Category::kModifier, category(U'\u02B0'));
  for (const char32_t c : {U'你', U'ا', U'ª', U'\U00020000', U'\u4E00', U'\u9FFF'}) {
    EXPECT_EQ(Category::kOtherLetter, category(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U'\u0301', U'\u093F', U'\uFE0F'}) {
    EXPECT_EQ(Category::kMark, category(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U'0', U'9', U'½', U'٣', U'Ⅷ'}) {
    EXPECT_EQ(Category::kNumber, category(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U'!', U'_', U'«', U'。', U'·'}) {
    EXPECT_EQ(Category::kPunctuation, category(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U'$', U'+', U'`', U'€', U'🙂', U'\u00A8'}) {
    EXPECT_EQ(Category::kSymbol, category(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U' ', U'\n', U'\v', U'\u0085', U'\u00A0', U'\u2028', U'\u3000'}) {
    EXPECT_EQ(Category::kSpace, category(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U'\0', U'\x7F', U'\u200B', U'\uE000', U'\u0378', U'\U0010FFFF'}) {
    EXPECT_EQ(Category::kOther, category(c)) << static_cast<uint32_t>(c);
  }
}

TEST(PreTokenizer, Gpt2) {
  const auto gpt2 = [](std::string_view text) { return words("gpt-2", text); };
  EXPECT_EQ((V{"Hello", " world", "!"}), gpt2("Hello world!"));
  EXPECT_EQ((V{"I", "'m", " you", "'re", " I", "'", "M"}), gpt2("I'm you're I'M"));
  EXPECT_EQ((V{"a", "  ", " b"}), gpt2("a   b")) << "the last space goes with the word";
  EXPECT_EQ((V{"a", "\n", "b"}), gpt2("a\nb"));
  EXPECT_EQ((V{"a", " \n", "\n", "b"}), gpt2("a \n\nb"));
  EXPECT_EQ((V{"a", "  "}), gpt2("a  "));
  EXPECT_EQ((V{" "}), gpt2(" "));
  EXPECT_EQ((V{"abc", "123", " 45", ".", "6"}), gpt2("abc123 45.6"));
  EXPECT_EQ((V{" ...", "\xC3\xA9t\xC3\xA9"}), gpt2(" ...\xC3\xA9t\xC3\xA9"));
  EXPECT_EQ((V{"a", "\xFF\xC3"}), gpt2("a\xFF\xC3")) << "bytes that are not UTF-8";
  EXPECT_EQ(V{}, gpt2(""));
}

TEST(PreTokenizer, Llama3TakesNumbersByThreeAndSignsBeforeWords) {
  const auto llama3 = [](std::string_view text) { return words("llama-bpe", text); };
  EXPECT_EQ((V{"I", "'M", " you", "'re"}), llama3("I'M you're"));
  EXPECT_EQ((V{"123", "456", "7"}), llama3("1234567"));
  EXPECT_EQ((V{"(foo", "_bar", ")."}), llama3("(foo_bar)."));
  EXPECT_EQ((V{"a", " \n\n", " ", " b"}), llama3("a \n\n  b"));
  EXPECT_EQ((V{" {\n\n", "}"}), llama3(" {\n\n}")) << "new lines go with the signs before them";
  EXPECT_EQ((V{"a", " ", " ", "1"}), llama3("a  1")) << "numbers take no space along";
}

TEST(PreTokenizer, Qwen2TakesNumbersOneByOne) {
  EXPECT_EQ((V{"a", "1", "2", "\xD9\xA3", "b"}), words("qwen2",
                                                       "a12\xD9\xA3"
                                                       "b"));
  EXPECT_EQ((V{"e",
               "\xCC\x81"
               "a"}),
            words("qwen2",
                  "e\xCC\x81"
                  "a"))
      << "a mark is a sign";
  EXPECT_EQ((V{"e\xCC\x81"
               "a"}),
            words("qwen35",
                  "e\xCC\x81"
                  "a"))
      << "... or part of a word";
  EXPECT_EQ((V{"\xCC\x81"}), words("qwen35", "\xCC\x81"));
  EXPECT_EQ((V{";", "\n"}), words("seed-coder", ";\n"));
  EXPECT_EQ((V{";\n"}), words("qwen2", ";\n"));
}

TEST(PreTokenizer, TekkenAndGpt4oCutWordsWhereACapitalFollows) {
  for (const char* pre : {"tekken", "gpt-4o"}) {
    EXPECT_EQ((V{"camel", "Case", "Word"}), words(pre, "camelCaseWord")) << pre;
    EXPECT_EQ((V{"HTTPServer", " ABC"}), words(pre, "HTTPServer ABC")) << pre;
    EXPECT_EQ((V{"\xC3\x89t\xC3\xA9", "\xC3\x89"}), words(pre, "\xC3\x89t\xC3\xA9\xC3\x89")) << pre;
    EXPECT_EQ((V{"AB\xE4\xBD\xA0", "CD"}), words(pre,
                                                 "AB\xE4\xBD\xA0"
                                                 "CD"))
        << pre << ": a letter without case ends the capitals";
    EXPECT_EQ((V{" ://\n/", "x"}), words(pre, " ://\n/x")) << pre;
    EXPECT_EQ((V{"a\xCC\x81"
                 "b"}),
              words(pre,
                    "a\xCC\x81"
                    "b"))
        << pre;
  }
  EXPECT_EQ((V{"I", "'m", "1", "2"}), words("tekken", "I'm12"));
  EXPECT_EQ((V{"I'm", "12"}), words("gpt-4o", "I'm12"));
}

// https://huggingface.co/moonshotai/Kimi-K2-Instruct, tokenization_kimi.py: pat_str
TEST(PreTokenizer, KimiKeepsHanApart) {
  const auto kimi = [](std::string_view text) { return words("kimi-k2", text); };
  EXPECT_EQ((V{"AB", "\xE4\xBD\xA0\xE5\xA5\xBD", "cd"}), kimi("AB\xE4\xBD\xA0\xE5\xA5\xBD"
                                                              "cd"));
  EXPECT_EQ((V{"a", " ", " ", "\xE4\xBD\xA0"}), kimi("a  \xE4\xBD\xA0"))
      << "no word of Han begins with a space";
  EXPECT_EQ((V{"\xE3\x80\x87\xE5\x8D\x81"}), kimi("\xE3\x80\x87\xE5\x8D\x81"))
      << "a number that is Han";
  EXPECT_EQ((V{"\xE3\x81\x82\xE3\x82\xA2", "\xE4\xBD\xA0"}),
            kimi("\xE3\x81\x82\xE3\x82\xA2\xE4\xBD\xA0"))
      << "Kana are letters like others";
  EXPECT_EQ((V{"camel", "Case's", " ", "123", "4"}), kimi("camelCase's 1234"));
  EXPECT_EQ((V{" ://\n", "/x"}), kimi(" ://\n/x")) << "slashes do not go with new lines";
}

TEST(PreTokenizer, SequencesOfPatternsCutThePiecesOfOneAnother) {
  EXPECT_EQ((V{"a", "1", "2", " ", "3", " x"}), words("starcoder", "a12 3 x"));
  EXPECT_EQ((V{"x", "<=", "123", "4", " \xE2\x82\xAC", "``"}),
            words("falcon", "x<=1234 \xE2\x82\xAC``"));
  EXPECT_EQ((V{"123", "45"}), words("default", "12345"));
  EXPECT_EQ((V{"It", "'s", " ", "123", "45", "$"}), words("minicpm5", "It's 12345$"));
  EXPECT_EQ((V{"\n", "\n", "a", " b", "  ", " c", " "}), words("deepseek-coder", "\n\na b   c "));
  EXPECT_EQ((V{"1", "2", "\xE4\xBD\xA0\xE5\xA5\xBD"}),
            words("deepseek-coder", "12\xE4\xBD\xA0\xE5\xA5\xBD"));
  EXPECT_EQ((V{"ab", "12", ",", "  "}), words("deepseek-llm", "ab12,  "));
}

TEST(PreTokenizer, DeepSeek3) {
  const auto v3 = [](std::string_view text) { return words("deepseek-v3", text); };
  EXPECT_EQ((V{"I", "'m", " here", ".\n"}), v3("I'm here.\n"));
  EXPECT_EQ((V{"123", "4", "ab", " ", "12"}), v3("1234ab 12"));
  EXPECT_EQ((V{"_foo", " (", "bar", ")"}), v3("_foo (bar)")) << "a sign and Latin letters";
  EXPECT_EQ((V{"a", "\xE4\xBD\xA0\xE3\x81\x82", "\xEA\xB0\x80"}),
            v3("a\xE4\xBD\xA0\xE3\x81\x82\xEA\xB0\x80"));
  EXPECT_EQ((V{"\xCC\x81"
               "e\xCC\x81",
               "  ", " \xC3\xA9"}),
            v3("\xCC\x81"
               "e\xCC\x81   \xC3\xA9"));
  EXPECT_EQ((V{"\x01", " \n",
               "\x01"
               "a"}),
            v3("\x01 \n\x01"
               "a"));
}

TEST(PreTokenizer, UnknownNamesAreNone) {
  EXPECT_EQ(nullptr, model::find_pre_tokenizer("klingon"));
  EXPECT_EQ(nullptr, model::find_pre_tokenizer(""));
  EXPECT_CONTAINS(model::known_pre_tokenizers(), "llama-bpe, ", "qwen2");
}

// Whatever the text, the words make it up and none is empty; no pattern may scan ahead so far
// that long runs of one thing take quadratic time.
TEST(PreTokenizer, EveryRuleCutsEveryText) {
  std::string names = model::known_pre_tokenizers() + ", ";
  std::mt19937 random(5);
  const V alphabet = {" ",
                      "\n",
                      "a",
                      "B",
                      "1",
                      "'",
                      "s",
                      "!",
                      "/",
                      "`",
                      "\xC3\xA9",
                      "\xC3\x89",
                      "\xE4\xBD\xA0",
                      "\xCC\x81",
                      "\xE3\x80\x80",
                      "\xFF",
                      "\xE2",
                      "\xF0\x9F\x99\x82"};
  for (size_t end = 0; (end = names.find(", ")) != std::string::npos; names.erase(0, end + 2)) {
    const std::string name = names.substr(0, end);
    for (int i = 0; i < 300; ++i) {
      std::string text;
      for (size_t left = random() % 30; left > 0; --left)
        text += alphabet[random() % alphabet.size()];
      std::string joined;
      for (const std::string& word : words(name, text)) {
        ASSERT_FALSE(word.empty()) << name;
        joined += word;
      }
      ASSERT_EQ(text, joined) << name;
    }
    for (const std::string& unit : alphabet) {
      std::string text;
      for (int i = 0; i < 30000; ++i) text += unit;
      EXPECT_GE(words(name, text + "1 x").size(), 1U);
    }
  }
}

}  // namespace
