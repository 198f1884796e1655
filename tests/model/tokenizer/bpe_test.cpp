#include "model/tokenizer/bpe.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>

#include "model/error.h"
#include "model/tokenizer/unicode.h"
#include "model/utf8.h"
#include "tests/support/data.h"
#include "tests/support/gguf_bytes.h"

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;
using model::ModelFile;
using model::open_gguf;
using model::make_tokenizer;
using tests::GgufBytes;
using tests::LoadedGguf;
using Ids = std::vector<int32_t>;

std::string random_bytes(std::mt19937& random, size_t n) {
  std::string bytes(n, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t n = model::gpt2_word(text);
    out.emplace_back(text.substr(0, n));
    text.remove_prefix(n);
  }
  return out;
}

// Tokens of single letters a..e and what the merges make of them.
GgufBytes toy_bpe() {
  GgufBytes g;
  g.string("tokenizer.ggml.model", "gpt2").string("tokenizer.ggml.pre", "gpt-2");
  g.strings("tokenizer.ggml.tokens", {"a", "b", "c", "ab", "bc", "abc", "\xC4\xA0",
                                      "\xC4\xA0"
                                      "a",
                                      "<|end|>"});
  g.array<int32_t>("tokenizer.ggml.token_type", 5, {1, 1, 1, 1, 1, 1, 1, 1, 3});
  g.strings("tokenizer.ggml.merges", {"b c", "a b", "a bc", "\xC4\xA0 a"});
  g.u32("tokenizer.ggml.eos_token_id", 8);
  return g;
}

GgufBytes toy_spm() {
  GgufBytes g;
  g.string("tokenizer.ggml.model", "llama");
  g.strings("tokenizer.ggml.tokens",
            {"<unk>", "<s>", "<0x0A>", "\xE2\x96\x81", "a", "b", "ab", "ba", "<0x7A>"});
  g.array<int32_t>("tokenizer.ggml.token_type", 5, {2, 3, 6, 1, 1, 1, 1, 1, 6});
  g.array<float>("tokenizer.ggml.scores", 6, {0, 0, 0, -9, -9, -9, -2, -1, 0});
  g.u32("tokenizer.ggml.bos_token_id", 1);
  return g;
}

std::string refusal(GgufBytes& g) {
  const LoadedGguf loaded(g.build());
  try {
    make_tokenizer(loaded.file);
  } catch (const Error& error) {
    EXPECT_EQ(ExitCode::kBadModel, error.code());
    return error.what();
  }
  return "(accepted)";
}

// ---- the parts

TEST(BpeBytes, EveryByteHasItsOwnPrintableCharacter) {
  std::string all;
  std::set<char32_t> seen;
  for (int b = 0; b < 256; ++b) {
    const char32_t c = model::bpe_char_of_byte(static_cast<unsigned char>(b));
    EXPECT_TRUE(seen.insert(c).second) << b;
    EXPECT_GT(c, U' ');
    model::append_utf8(all, c);
  }
  EXPECT_EQ(U'A', model::bpe_char_of_byte('A'));
  EXPECT_EQ(U'\u0120', model::bpe_char_of_byte(' '));
  EXPECT_EQ(U'\u010A', model::bpe_char_of_byte('\n'));
  std::string bytes;
  ASSERT_TRUE(model::bpe_bytes_of_text(all, bytes));
  ASSERT_EQ(256U, bytes.size());
  for (size_t b = 0; b < 256; ++b) EXPECT_EQ(b, static_cast<unsigned char>(bytes[b]));
  EXPECT_FALSE(model::bpe_bytes_of_text("a b", bytes)) << "a space stands for no byte";
  EXPECT_FALSE(model::bpe_bytes_of_text("\xE2\x96\x81", bytes));
}

TEST(Gpt2Words, FollowThePattern) {
  using V = std::vector<std::string>;
  EXPECT_EQ((V{"Hello", " world", "!"}), words("Hello world!"));
  EXPECT_EQ((V{"I", "'m", " you", "'re", " I", "'", "M"}), words("I'm you're I'M"));
  EXPECT_EQ((V{"a", "  ", " b"}), words("a   b")) << "the last space goes with the word";
  EXPECT_EQ((V{"a", "\n", "b"}), words("a\nb"));
  EXPECT_EQ((V{"a", " \n", "\n", "b"}), words("a \n\nb"));
  EXPECT_EQ((V{"a", "  "}), words("a  "));
  EXPECT_EQ((V{" "}), words(" "));
  EXPECT_EQ((V{"abc", "123", " 45", ".", "6"}), words("abc123 45.6"));
  EXPECT_EQ((V{" ...", "\xC3\xA9t\xC3\xA9"}), words(" ...\xC3\xA9t\xC3\xA9"));
  EXPECT_EQ((V{"a", "\xFF\xC3"}), words("a\xFF\xC3")) << "bytes that are not UTF-8";
}

TEST(Unicode, ClassesOfCharacters) {
  using model::char_class;
  using model::CharClass;
  for (const char32_t c : {U'a', U'Z', U'é', U'Ω', U'你', U'ا', U'\u02B0', U'\U00020000'}) {
    EXPECT_EQ(CharClass::kLetter, char_class(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U'0', U'9', U'½', U'٣', U'Ⅷ'}) {
    EXPECT_EQ(CharClass::kNumber, char_class(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U' ', U'\n', U'\u00A0', U'\u3000'}) {
    EXPECT_EQ(CharClass::kSpace, char_class(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U'!', U'\u0301', U'\u200B', U'€', U'🙂', U'\U0010FFFF', U'\x7F'}) {
    EXPECT_EQ(CharClass::kOther, char_class(c)) << static_cast<uint32_t>(c);
  }
}

// ---- byte-level BPE

TEST(Bpe, TheEarliestMergeIsMadeFirst) {
  const LoadedGguf loaded(toy_bpe().build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{5}), t->encode("abc")) << "b c before a b, so that a bc can follow";
  EXPECT_EQ((Ids{3, 3}), t->encode("abab"));
  EXPECT_EQ((Ids{0, 6, 3}), t->encode("a ab")) << "a b before \\u0120 a";
  EXPECT_EQ((Ids{0, 7, 2}), t->encode("a ac"));
  EXPECT_EQ((Ids{}), t->encode(""));
  EXPECT_EQ("abc a", t->decode({5, 7}));
  EXPECT_EQ(8, t->eos_id());
  EXPECT_EQ(-1, t->bos_id());
  EXPECT_FALSE(t->adds_bos());
  EXPECT_EQ("", t->piece(8)) << "a control token has no bytes";
}

TEST(Bpe, AByteWithoutATokenIsNamed) {
  const LoadedGguf loaded(toy_bpe().build());
  const auto t = make_tokenizer(loaded.file);
  try {
    t->encode("ab\n");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(ExitCode::kUsage, error.code());
    EXPECT_CONTAINS(error.what(), "'\\x0A'");
  }
  EXPECT_THROW(t->encode("<|end|>"), Error) << "control tokens are not made from text";
}

TEST(Bpe, AMergeWhoseResultIsNoTokenFallsBackToBytes) {
  GgufBytes g = toy_bpe();
  g.strings("tokenizer.ggml.merges", {"c c"});
  const LoadedGguf loaded(g.build());
  EXPECT_EQ((Ids{2, 2, 0}), make_tokenizer(loaded.file)->encode("cca"));
}

TEST(Bpe, WithoutMergesEveryByteIsAToken) {
  const LoadedGguf loaded(tests::small_llama().build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{'R', 'O', ' ', '\n', 0xC3, 0xA9}), t->encode("RO \n\xC3\xA9"));
  std::mt19937 random(7);
  for (int i = 0; i < 200; ++i) {
    const std::string bytes = random_bytes(random, random() % 300);
    ASSERT_EQ(bytes, t->decode(t->encode(bytes)));
  }
}

TEST(Bpe, RandomBytesSurviveWithMergesToo) {
  GgufBytes g = tests::small_llama();
  g.strings("tokenizer.ggml.merges", {"h e", "he r", "\xC4\xA0 t", "\xC4\x80 \xC4\x80"});
  const LoadedGguf loaded(g.build());
  const auto t = make_tokenizer(loaded.file);
  std::mt19937 random(8);
  for (int i = 0; i < 200; ++i) {
    const std::string bytes = random_bytes(random, random() % 300) + std::string(" there\0\0", 8);
    ASSERT_EQ(bytes, t->decode(t->encode(bytes)));
  }
}

TEST(Bpe, AVeryLongWordTakesNoQuadraticTime) {
  GgufBytes g = toy_bpe();
  g.strings("tokenizer.ggml.merges", {"a b", "b c"});
  const LoadedGguf loaded(g.build());
  const auto t = make_tokenizer(loaded.file);
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "ab";
  EXPECT_EQ(Ids(100000, 3), t->encode(text));
}

TEST(BpeDeathTest, AnIdOutsideTheVocabularyIsABug) {
  const LoadedGguf loaded(toy_bpe().build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_DEATH(t->piece(9), "bug");
  EXPECT_DEATH(t->piece(-1), "bug");
}

// ---- SentencePiece

TEST(Spm, TheHighestScoreIsJoinedFirst) {
  const LoadedGguf loaded(toy_spm().build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{3, 4, 7}), t->encode("aba")) << "ba before ab";
  EXPECT_EQ((Ids{3, 6, 3}), t->encode("ab "));
  EXPECT_EQ((Ids{}), t->encode(""));
  EXPECT_EQ(" ab", t->decode({1, 3, 6})) << "<s> has no bytes";
  EXPECT_TRUE(t->adds_bos()) << "on by default";
  EXPECT_EQ(1, t->bos_id());
}

TEST(Spm, OfEqualScoresTheLeftmostIsJoined) {
  GgufBytes g = toy_spm();
  g.array<float>("tokenizer.ggml.scores", 6, {0, 0, 0, -9, -9, -9, -1, -1, 0});
  const LoadedGguf loaded(g.build());
  EXPECT_EQ((Ids{3, 6, 4}), make_tokenizer(loaded.file)->encode("aba"));
}

TEST(Spm, UnknownCharactersFallBackToBytes) {
  const LoadedGguf loaded(toy_spm().build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{3, 4, 2, 8}), t->encode("a\nz"));
  EXPECT_EQ(" a\nz", t->decode({3, 4, 2, 8}));
  try {
    t->encode("q");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(ExitCode::kUsage, error.code());
    EXPECT_CONTAINS(error.what(), "'q'");
  }
}

TEST(Spm, TheSpaceInFrontCanBeSwitchedOff) {
  GgufBytes g = toy_spm();
  g.boolean("tokenizer.ggml.add_space_prefix", false)
      .boolean("tokenizer.ggml.add_bos_token", false);
  const LoadedGguf loaded(g.build());
  EXPECT_EQ((Ids{6}), make_tokenizer(loaded.file)->encode("ab"));
  EXPECT_FALSE(make_tokenizer(loaded.file)->adds_bos());
}

TEST(Spm, RandomBytesSurvive) {
  const ModelFile file = open_gguf(tests::data("models/llama-gqa.gguf").string());
  const auto t = make_tokenizer(file);
  std::mt19937 random(9);
  for (int i = 0; i < 200; ++i) {
    const std::string bytes = random_bytes(random, 1 + random() % 300);
    ASSERT_EQ(" " + bytes, t->decode(t->encode(bytes)));
  }
}

// ---- files whose tokenizer is wrong

TEST(MakeTokenizer, RefusesWhatContradictsItself) {
  GgufBytes g = toy_bpe();
  EXPECT_CONTAINS(refusal(g.string("tokenizer.ggml.model", "rwkv")), "'rwkv' is not supported");
  g = toy_bpe();
  EXPECT_CONTAINS(refusal(g.remove("tokenizer.ggml.model")), "is missing");
  g = toy_bpe();
  EXPECT_CONTAINS(refusal(g.remove("tokenizer.ggml.tokens")), "missing or empty");
  g = toy_bpe();
  EXPECT_CONTAINS(refusal(g.strings("tokenizer.ggml.tokens", {})), "missing or empty");
  g = toy_bpe();
  EXPECT_CONTAINS(refusal(g.array<int32_t>("tokenizer.ggml.token_type", 5, {1})),
                  "9 tokens, but 1 values");
  g = toy_bpe();
  EXPECT_CONTAINS(
      refusal(g.array<int32_t>("tokenizer.ggml.token_type", 5, {1, 1, 1, 1, 1, 1, 1, 1, 77})),
      "unknown type 77");
  g = toy_bpe();
  EXPECT_CONTAINS(refusal(g.u32("tokenizer.ggml.eos_token_id", 9)), "eos_token_id is 9");
  for (const char* merge : {"", "ab", " b", "a ", "a b c", " "}) {
    g = toy_bpe();
    EXPECT_CONTAINS(refusal(g.strings("tokenizer.ggml.merges", {merge})), "not two parts");
  }
  g = toy_bpe();
  EXPECT_CONTAINS(refusal(g.string("tokenizer.ggml.pre", "llama-bpe")),
                  "pre-tokenizer 'llama-bpe'");
  g = toy_spm();
  EXPECT_CONTAINS(refusal(g.remove("tokenizer.ggml.scores")), "scores is missing");
  g = toy_spm();
  EXPECT_CONTAINS(refusal(g.array<float>("tokenizer.ggml.scores", 6, {0})), "but 1 scores");
  g = toy_spm();
  std::vector<float> scores(9, std::numeric_limits<float>::quiet_NaN());
  EXPECT_CONTAINS(refusal(g.array<float>("tokenizer.ggml.scores", 6, scores)), "is no number");
  g = toy_spm();
  EXPECT_CONTAINS(
      refusal(g.array<int32_t>("tokenizer.ggml.token_type", 5, {6, 1, 1, 1, 1, 1, 1, 1, 1})),
      "not written <0xXX>");
}

// ---- what llama.cpp makes of the same texts

std::string hex(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    out += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

void expect_oracle_ids(const std::filesystem::path& model_path,
                       const std::filesystem::path& oracle) {
  const ModelFile file = open_gguf(model_path.string());
  const auto t = make_tokenizer(file);
  size_t texts = 0;
  const nlohmann::json description = tests::read_json(oracle);
  for (const auto& c : description["cases"]) {
    if (c.contains("greedy")) {
      const auto ids = c["greedy"]["ids"].get<Ids>();
      EXPECT_EQ(c["greedy"]["text_hex"], hex(t->decode(ids))) << oracle;
    }
    if (!c.contains("text") || !c["text"].is_string()) continue;
    ++texts;
    Ids ids = t->encode(c["text"].get<std::string>());
    if (t->adds_bos()) ids.insert(ids.begin(), t->bos_id());
    // The oracles keep the first tokens of a long text.
    const auto want = c["ids"].get<Ids>();
    ASSERT_GE(ids.size(), want.size()) << oracle << " " << c["text"];
    if (want.size() >= 64) ids.resize(want.size());
    EXPECT_EQ(want, ids) << oracle << " " << c["text"];
  }
  EXPECT_GE(texts, 1U) << oracle;
}

TEST(TokenizerOracle, TheSmallModelsOfTheRepository) {
  for (const std::string name : {"llama-gqa", "llama-gqa-f16"}) {
    expect_oracle_ids(tests::data("models/" + name + ".gguf"),
                      tests::data("oracles/" + name + "/oracle.json"));
  }
}

TEST(TokenizerOracle, TheRealModels) {
  REQUIRE_SHARED_DATA();
  for (const std::string name :
       {"stories260K-f32", "stories260K-f16", "shakespeare-llama-f32", "shakespeare-llama-f16",
        "TinyStories-656K-f32", "shakespeare-gpt2-f32"}) {
    expect_oracle_ids(tests::shared_data("models/real/" + name + ".gguf"),
                      tests::shared_data("oracles/" + name + "/oracle.json"));
  }
}

void expect_vocabulary_ids(const std::string& model_path, const std::string& oracle) {
  const ModelFile file = open_gguf(tests::shared_data(model_path).string());
  const auto t = make_tokenizer(file);
  const nlohmann::json description = tests::read_json(tests::shared_data(oracle));
  EXPECT_GE(description["cases"].size(), 40U);
  for (const auto& c : description["cases"]) {
    EXPECT_EQ(c["ids"].get<Ids>(), t->encode(c["text"].get<std::string>()))
        << oracle << " " << c["text"];
  }
}

TEST(TokenizerOracle, Gpt2) {
  REQUIRE_SHARED_DATA();
  expect_vocabulary_ids("vocab/ggml-vocab-gpt-2.gguf", "oracles/tokenizer/ggml-vocab-gpt-2.json");
}

TEST(TokenizerOracle, Llama2) {
  REQUIRE_SHARED_DATA();
  expect_vocabulary_ids("vocab/ggml-vocab-llama-spm.gguf",
                        "oracles/tokenizer/ggml-vocab-llama-spm.json");
}

TEST(TokenizerOracle, Stories260K) {
  REQUIRE_SHARED_DATA();
  expect_vocabulary_ids("models/real/stories260K-f16.gguf",
                        "oracles/tokenizer/stories260K-tok512.json");
}

}  // namespace
