#include "model/tokenizer/vocab.h"

#include <gtest/gtest.h>

#include <limits>

#include "model/error.h"
#include "tests/support/data.h"
#include "tests/support/toy_tokenizers.h"

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;
using model::encode_document;
using model::make_tokenizer;
using model::Special;
using tests::GgufBytes;
using tests::LoadedGguf;
using tests::toy_bpe;
using tests::toy_spm;
using Ids = std::vector<int32_t>;

// toy_bpe() with other special tokens from number 8 on.
GgufBytes with_specials(const std::vector<std::string>& names, const std::vector<int32_t>& kinds) {
  GgufBytes g = toy_bpe();
  std::vector<std::string> tokens = {"a",
                                     "b",
                                     "c",
                                     "ab",
                                     "bc",
                                     "abc",
                                     "\xC4\xA0",
                                     "\xC4\xA0"
                                     "a"};
  std::vector<int32_t> types(tokens.size(), 1);
  tokens.insert(tokens.end(), names.begin(), names.end());
  types.insert(types.end(), kinds.begin(), kinds.end());
  return g.strings("tokenizer.ggml.tokens", tokens)
      .array<int32_t>("tokenizer.ggml.token_type", 5, types);
}

// ---- special tokens

TEST(SpecialTokens, ControlTokensAreTextUnlessTheyAreAskedFor) {
  const LoadedGguf loaded(with_specials({"<|ab|>"}, {3}).build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{0, 8, 1}), t->encode("a<|ab|>b", Special::kParse));
  EXPECT_EQ((Ids{0, 3, 1}), t->encode("a<|ab|>b")) << "the signs have no tokens here";
  EXPECT_EQ((Ids{8, 8}), t->encode("<|ab|><|ab|>", Special::kParse));
  EXPECT_EQ("", t->piece(8));
  EXPECT_EQ("<|ab|>", t->label(8));
  EXPECT_TRUE(t->is_control(8));
  EXPECT_FALSE(t->is_control(7));
  EXPECT_EQ("ab", t->decode({0, 8, 1}));
}

// Google's own GGUF files of Gemma 3 have it as a token like any other, its partner not.
TEST(SpecialTokens, TurnsOfGemmaAreControlTokensWhateverTheFileSays) {
  const std::vector<std::string> names = {"<|end|>", "<start_of_turn>", "<end_of_turn>"};
  const LoadedGguf loaded(with_specials(names, {3, 1, 1}).build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{9, 0, 10}), t->encode("<start_of_turn>a<end_of_turn>", Special::kParse));
  EXPECT_TRUE(t->is_control(9));
  EXPECT_FALSE(t->ends_generation(9));
  EXPECT_TRUE(t->ends_generation(10));
}

TEST(SpecialTokens, UserDefinedTokensAreAlwaysFound) {
  const LoadedGguf loaded(with_specials({"<think>"}, {4}).build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{0, 8, 1}), t->encode("a<think>b"));
  EXPECT_EQ((Ids{0, 8, 1}), t->encode("a<think>b", Special::kParse));
  EXPECT_EQ("<think>", t->piece(8)) << "they are text";
  EXPECT_FALSE(t->is_control(8));
}

TEST(SpecialTokens, TheLeftmostIsTakenAndThereTheLongest) {
  const LoadedGguf loaded(with_specials({"<x", "<x>", "x>>>>", "<"}, {3, 3, 3, 4}).build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{9}), t->encode("<x>", Special::kParse));
  EXPECT_EQ((Ids{8, 0}), t->encode("<xa", Special::kParse));
  EXPECT_EQ((Ids{9, 0}), t->encode("<x>>>>a", Special::kParse)) << "not x>>>>, further right";
  EXPECT_EQ((Ids{11, 9}), t->encode("<<x>", Special::kParse));
  EXPECT_EQ((Ids{11, 0}), t->encode("<xa")) << "user-defined ones alone";
}

// Looking for it at every place of a long text would take minutes.
TEST(SpecialTokens, NamesThatNobodyWritesAreRefused) {
  const auto refused = [](size_t bytes) {
    const LoadedGguf loaded(with_specials({std::string(bytes, 'a')}, {3}).build());
    try {
      make_tokenizer(loaded.file);
    } catch (const Error& error) {
      EXPECT_EQ(ExitCode::kBadModel, error.code());
      return std::string(error.what());
    }
    return std::string("(accepted)");
  };
  EXPECT_EQ("(accepted)", refused(512));
  EXPECT_CONTAINS(refused(513), "token 8 has a name of 513 bytes");
}

TEST(SpecialTokens, PartsOfATextAnswerForThemselves) {
  const LoadedGguf loaded(with_specials({"<|ab|>"}, {3}).build());
  const auto t = make_tokenizer(loaded.file);
  const model::TextPart parts[] = {{"<|ab|>a", Special::kParse}, {"bc<|ab|>", {}}, {"c", {}}};
  EXPECT_EQ((Ids{8, 5, 3, 2}), t->encode_parts(parts))
      << "abc reaches over the bound, a name in plain text stays text";
  const model::TextPart split[] = {{"<|a", Special::kParse}, {"b|>", Special::kParse}};
  EXPECT_EQ((Ids{3}), t->encode_parts(split)) << "no name reaches over a bound";
  EXPECT_EQ((Ids{}), t->encode_parts({}));
}

TEST(SpecialTokens, Phi3DropsWhiteSpaceBehindItsOwn) {
  GgufBytes g = toy_spm();
  g.strings("tokenizer.ggml.tokens",
            {"<unk>", "<s>", "<0x0A>", "\xE2\x96\x81", "a", "b", "ab", "<|end|>", "<0x7A>"});
  g.array<int32_t>("tokenizer.ggml.token_type", 5, {2, 3, 6, 1, 1, 1, 1, 3, 6});
  {
    const LoadedGguf loaded(g.build());
    EXPECT_EQ((Ids{7, 3, 2, 4}),
              make_tokenizer(loaded.file)->encode("<|end|>\na", Special::kParse));
  }
  g.string("general.name", "My Phi-3 mini");
  const LoadedGguf loaded(g.build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{7, 3, 4}), t->encode("<|end|>\n \ta", Special::kParse));
  EXPECT_EQ((Ids{1, 3, 2, 4}), t->encode("<s>\na", Special::kParse)) << "but not behind <s>";
  EXPECT_EQ((Ids{7}), t->encode("<|end|>\n", Special::kParse));
}

TEST(SpecialTokens, EveryEndOfATurnEndsTheGeneration) {
  GgufBytes g =
      with_specials({"<|end|>x", "<|im_end|>", "<|eot_id|>", "<extra>", "<odd>"}, {3, 4, 1, 3, 3});
  g.u32("tokenizer.ggml.eot_token_id", 11);
  const LoadedGguf loaded(g.build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ(8, t->eos_id());
  for (const int32_t id : {8, 9, 10, 11}) EXPECT_TRUE(t->ends_generation(id)) << id;
  for (const int32_t id : {0, 5, 12}) EXPECT_FALSE(t->ends_generation(id)) << id;
  EXPECT_TRUE(t->is_control(9)) << "whatever the file calls it";
  EXPECT_TRUE(t->is_control(10));
  EXPECT_EQ((Ids{0}), t->encode("a<|im_end|>"));
}

// llama.cpp, src/llama-vocab.cpp: of gpt-oss.
TEST(SpecialTokens, OfHarmonyEndOneMessageOrTheAnswer) {
  const LoadedGguf loaded(
      with_specials({"<|return|>", "<|call|>", "<|end|>", "<|start|>"}, {3, 3, 3, 3}).build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_TRUE(t->ends_generation(8));
  EXPECT_TRUE(t->ends_generation(9));
  EXPECT_FALSE(t->ends_generation(10));
  EXPECT_EQ("", t->piece(10));
  EXPECT_EQ("<|start|>", t->piece(11)) << "a part of what is said";
  EXPECT_EQ((Ids{11}), t->encode("<|start|>", Special::kParse));
  EXPECT_NE((Ids{11}), t->encode("<|start|>")) << "what a user writes stays text";
  EXPECT_TRUE(
      make_tokenizer(LoadedGguf(with_specials({"<|return|>", "<|end|>"}, {3, 3}).build()).file)
          ->ends_generation(9));
}

TEST(SpecialTokens, ATagOfHtmlIsNoEnd) {
  const LoadedGguf loaded(with_specials({"x", "</s>"}, {3, 1}).build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_FALSE(t->ends_generation(9));
  EXPECT_EQ("</s>", t->piece(9));
  const LoadedGguf control(with_specials({"x", "</s>"}, {3, 4}).build());
  EXPECT_TRUE(make_tokenizer(control.file)->ends_generation(9));
}

TEST(SpecialTokens, BosAndEosAreAddedWhereTheFileAsksForThem) {
  GgufBytes g = with_specials({"<e>", "<b>"}, {3, 3});
  g.u32("tokenizer.ggml.bos_token_id", 9);
  {
    const LoadedGguf loaded(g.build());
    const auto t = make_tokenizer(loaded.file);
    EXPECT_EQ((Ids{0}), encode_document(*t, "a", Special::kParse));
  }
  g.boolean("tokenizer.ggml.add_bos_token", true).boolean("tokenizer.ggml.add_eos_token", true);
  {
    const LoadedGguf loaded(g.build());
    const auto t = make_tokenizer(loaded.file);
    EXPECT_EQ((Ids{9, 0, 8}), encode_document(*t, "a", Special::kParse));
    EXPECT_EQ((Ids{9, 8}), encode_document(*t, "", Special::kParse));
  }
  g.remove("tokenizer.ggml.bos_token_id").remove("tokenizer.ggml.eos_token_id");
  const LoadedGguf loaded(g.build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_FALSE(t->adds_bos()) << "there is none";
  EXPECT_FALSE(t->adds_eos());
}

TEST(SpecialTokens, SomePreTokenizersMeanABos) {
  GgufBytes g = with_specials({"<e>", "<b>"}, {3, 3});
  g.u32("tokenizer.ggml.bos_token_id", 9).string("tokenizer.ggml.pre", "llama-bpe");
  {
    const LoadedGguf loaded(g.build());
    EXPECT_TRUE(make_tokenizer(loaded.file)->adds_bos());
  }
  g.boolean("tokenizer.ggml.add_bos_token", false);
  const LoadedGguf loaded(g.build());
  EXPECT_FALSE(make_tokenizer(loaded.file)->adds_bos());
}

TEST(SpecialTokens, ATokenWithoutATextIsNeverMade) {
  const LoadedGguf loaded(with_specials({"", "", "<e>"}, {3, 4, 3}).build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{5}), t->encode("abc", Special::kParse));
  EXPECT_EQ("", t->label(8));
}

// ---- no vocabulary

TEST(IdsOnly, AModelWithoutAVocabularyRunsById) {
  GgufBytes g;
  g.string("general.architecture", "gpt2").string("tokenizer.ggml.model", "no_vocab");
  g.u32("gpt2.vocab_size", 12);
  const LoadedGguf loaded(g.build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ(12, t->vocab_size());
  EXPECT_EQ("[11]", t->piece(11));
  EXPECT_EQ("[0][3]", t->decode({0, 3}));
  EXPECT_EQ((Ids{}), t->encode(""));
  EXPECT_EQ(-1, t->bos_id());
  EXPECT_FALSE(t->ends_generation(3));
  try {
    t->encode("AB");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(ExitCode::kUsage, error.code());
    EXPECT_CONTAINS(error.what(), "no vocabulary", "0 to 11");
  }
}

TEST(IdsOnly, TheEmbeddingTellsTheSizeWhereNoKeyDoes) {
  GgufBytes g;
  g.string("general.architecture", "gpt2").string("tokenizer.ggml.model", "no_vocab");
  {
    const LoadedGguf loaded(g.build());
    EXPECT_THROW(make_tokenizer(loaded.file), Error);
  }
  g.tensor("token_embd.weight", {4, 7});
  const LoadedGguf loaded(g.build());
  EXPECT_EQ(7, make_tokenizer(loaded.file)->vocab_size());
}

TEST(IdsOnly, TheSortingModelOpens) {
  REQUIRE_SHARED_DATA();
  const auto t = make_tokenizer(
      model::open_gguf(tests::shared_data("models/real/nano-gpt-sort-f32.gguf").string()));
  EXPECT_EQ(3, t->vocab_size());
  EXPECT_EQ("[2]", t->piece(2));
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
  EXPECT_CONTAINS(refusal(g.string("tokenizer.ggml.pre", "klingon")), "pre-tokenizer 'klingon'",
                  "llama-bpe", "qwen2");
  g = toy_spm();
  EXPECT_CONTAINS(refusal(g.strings("tokenizer.ggml.scores", {"0"})), "not an array of floats");
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

TEST(MakeTokenizer, RefusesBytesThatAreThereTwice) {
  GgufBytes g = toy_spm();
  g.strings("tokenizer.ggml.tokens",
            {"<unk>", "<s>", "<0x0A>", "\xE2\x96\x81", "a", "b", "ab", "ba", "<0x0A>"});
  EXPECT_CONTAINS(refusal(g), "2 and 8 are the same byte");
}

TEST(MakeTokenizer, RefusesIdsOutOfRange) {
  for (const char* key : {"bos_token_id", "eos_token_id", "eot_token_id", "unknown_token_id"}) {
    GgufBytes g = toy_spm();
    EXPECT_CONTAINS(refusal(g.u32(std::string("tokenizer.ggml.") + key, 0xFFFFFFFF)), key);
  }
}

TEST(MakeTokenizer, RefusesKeysOfAnotherType) {
  GgufBytes g = toy_bpe();
  EXPECT_CONTAINS(refusal(g.u32("tokenizer.ggml.tokens", 1)), "tokenizer.ggml.tokens");
  g = toy_bpe();
  EXPECT_CONTAINS(refusal(g.u32("tokenizer.ggml.merges", 1)), "tokenizer.ggml.merges");
  g = toy_bpe();
  EXPECT_CONTAINS(refusal(g.array<float>("tokenizer.ggml.token_type", 6, {1.0F})), "token_type");
  g = toy_bpe();
  EXPECT_CONTAINS(refusal(g.u32("tokenizer.ggml.pre", 1)), "tokenizer.ggml.pre");
  g = toy_spm();
  EXPECT_CONTAINS(refusal(g.strings("tokenizer.ggml.scores", {"a"})), "scores");
  g = toy_spm();
  EXPECT_CONTAINS(refusal(g.string("tokenizer.ggml.add_space_prefix", "yes")), "add_space_prefix");
}

TEST(MakeTokenizer, TakesTypesOfAnyIntegers) {
  GgufBytes g = toy_bpe();
  g.array<uint32_t>("tokenizer.ggml.token_type", 4, {1, 1, 1, 1, 1, 1, 1, 1, 3});
  const LoadedGguf loaded(g.build());
  EXPECT_TRUE(make_tokenizer(loaded.file)->is_control(8));
}

TEST(MakeTokenizer, ATokenOfMegabytesIsRefused) {
  GgufBytes g = toy_bpe();
  std::vector<std::string> tokens =
      *LoadedGguf(g.build()).file.get_strings("tokenizer.ggml.tokens");
  tokens[1] = std::string(70'000, 'a');
  EXPECT_CONTAINS(refusal(g.strings("tokenizer.ggml.tokens", tokens)),
                  "token 1 has 70000 bytes, more than 65536");
}

}  // namespace
