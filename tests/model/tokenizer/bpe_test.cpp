#include "model/tokenizer/bpe.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "model/error.h"
#include "model/utf8.h"
#include "tests/support/data.h"
#include "tests/support/toy_tokenizers.h"

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;
using model::make_tokenizer;
using model::ModelFile;
using model::open_gguf;
using tests::GgufBytes;
using tests::LoadedGguf;
using tests::toy_bpe;
using Ids = std::vector<int32_t>;

std::string random_bytes(std::mt19937& random, size_t n) {
  std::string bytes(n, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

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

TEST(Bpe, CharactersWithoutATokenAreLeftOut) {
  const LoadedGguf loaded(toy_bpe().build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{3, 0}), t->encode("ab\nza"));
  EXPECT_EQ((Ids{3}), t->encode("ab\xFF")) << "there is no U+FFFD either";
  EXPECT_EQ((Ids{}), t->encode(""));
  try {
    t->encode("\n\xC3\xA9");
    FAIL() << "nothing would be left";
  } catch (const Error& error) {
    EXPECT_EQ(ExitCode::kUsage, error.code());
    EXPECT_CONTAINS(error.what(), "'\\x0A\xC3\xA9'");
  }
}

TEST(Bpe, AByteThatIsNoUtf8BecomesTheReplacementCharacterWhereItHasNoToken) {
  GgufBytes g = toy_bpe();
  // The printable characters of the bytes EF BF BD are U+00EF, U+00BF and U+00BD.
  g.strings("tokenizer.ggml.tokens", {"a", "\xC3\xAF", "\xC2\xBF", "\xC2\xBD"});
  g.remove("tokenizer.ggml.token_type").u32("tokenizer.ggml.eos_token_id", 0);
  g.strings("tokenizer.ggml.merges", {"\xC3\xAF \xC2\xBF"});
  const LoadedGguf loaded(g.build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{0, 1, 2, 3, 0}), t->encode("a\xFF"
                                            "a"));
  EXPECT_EQ((Ids{0, 0}), t->encode("a\xC3\xA9"
                                   "a"))
      << "a character is left out";
}

TEST(Bpe, SymbolsThatAreNoTokensCanStillBeMergedIntoOne) {
  GgufBytes g = toy_bpe();
  g.strings("tokenizer.ggml.tokens", {"abcd", "a"});
  g.remove("tokenizer.ggml.token_type").u32("tokenizer.ggml.eos_token_id", 1);
  g.strings("tokenizer.ggml.merges", {"a b", "c d", "ab cd"});
  const LoadedGguf loaded(g.build());
  EXPECT_EQ((Ids{0, 1}), make_tokenizer(loaded.file)->encode("abcda"));
}

TEST(Bpe, AWordThatIsATokenNeedsNoMergesWhereThePreTokenizerSaysSo) {
  GgufBytes g = toy_bpe();
  g.strings("tokenizer.ggml.merges", {"b c"});
  {
    const LoadedGguf loaded(g.build());
    EXPECT_EQ((Ids{0, 4}), make_tokenizer(loaded.file)->encode("abc"));
  }
  g.string("tokenizer.ggml.pre", "llama-bpe");
  const LoadedGguf loaded(g.build());
  EXPECT_EQ((Ids{5}), make_tokenizer(loaded.file)->encode("abc"));
}

// Files from before spring 2024 name no rule; " (" is one word of GPT-2's, two of the default's.
TEST(Bpe, WhereTheFileNamesNoRuleTheArchitectureSays) {
  GgufBytes g;
  g.string("tokenizer.ggml.model", "gpt2");
  g.strings("tokenizer.ggml.tokens", {"\xC4\xA0", "(", "\xC4\xA0("});
  g.strings("tokenizer.ggml.merges", {"\xC4\xA0 ("});
  const auto ids = [&](const std::string& arch) {
    GgufBytes of = g;
    return make_tokenizer(LoadedGguf(of.string("general.architecture", arch).build()).file)
        ->encode(" (");
  };
  for (const char* arch : {"gpt2", "phi2", "olmoe", "qwen2", "qwen2moe"})
    EXPECT_EQ((Ids{2}), ids(arch)) << arch;
  EXPECT_EQ((Ids{0, 1}), ids("llama"));
  EXPECT_EQ((Ids{0, 1}), ids("gptneox")) << "as in llama.cpp's own cases";
  GgufBytes said = g;
  said.string("tokenizer.ggml.pre", "default").string("general.architecture", "gpt2");
  EXPECT_EQ((Ids{0, 1}), make_tokenizer(LoadedGguf(said.build()).file)->encode(" ("));
  std::vector<std::string> tokens = {"\xC4\xA0", "(", "\xC4\xA0("};
  while (tokens.size() < 128009) tokens.push_back("<" + std::to_string(tokens.size()) + ">");
  tokens.emplace_back("<|eot_id|>");
  g.strings("tokenizer.ggml.tokens", tokens);
  EXPECT_EQ((Ids{2}), ids("llama")) << "the vocabulary of Llama 3";
  g.string("tokenizer.ggml.pre", "default");
  EXPECT_EQ((Ids{2}), ids("llama")) << "as Ollama's files of it say";
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

}  // namespace
