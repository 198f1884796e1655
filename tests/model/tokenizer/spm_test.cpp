#include "model/tokenizer/spm.h"

#include <gtest/gtest.h>

#include "model/tokenizer/tokenizer.h"
#include "tests/support/data.h"
#include "tests/support/toy_tokenizers.h"

namespace {

using model::make_tokenizer;
using model::Special;
using tests::GgufBytes;
using tests::LoadedGguf;
using tests::toy_spm;
using Ids = std::vector<int32_t>;

TEST(Spm, TheHighestScoreIsJoinedFirst) {
  const LoadedGguf loaded(toy_spm().build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{3, 4, 7}), t->encode("aba")) << "ba before ab";
  EXPECT_EQ((Ids{3, 6, 3}), t->encode("ab "));
  EXPECT_EQ((Ids{}), t->encode(""));
  EXPECT_EQ("ab", t->decode({1, 3, 6})) << "<s> has no bytes";
  EXPECT_TRUE(t->adds_bos()) << "on by default";
  EXPECT_EQ(1, t->bos_id());
}

TEST(Spm, OfEqualScoresTheLeftmostIsJoined) {
  GgufBytes g = toy_spm();
  g.array<float>("tokenizer.ggml.scores", 6, {0, 0, 0, -9, -9, -9, -1, -1, 0});
  const LoadedGguf loaded(g.build());
  EXPECT_EQ((Ids{3, 6, 4}), make_tokenizer(loaded.file)->encode("aba"));
}

TEST(Spm, WithoutScoresAllAreEqual) {
  GgufBytes g = toy_spm();
  const LoadedGguf loaded(g.remove("tokenizer.ggml.scores").build());
  EXPECT_EQ((Ids{3, 6, 4}), make_tokenizer(loaded.file)->encode("aba"));
}

TEST(Spm, UnknownCharactersFallBackToBytes) {
  const LoadedGguf loaded(toy_spm().build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{3, 4, 2, 8}), t->encode("a\nz"));
  EXPECT_EQ("a\nz", t->decode({3, 4, 2, 8}));
}

TEST(Spm, WhatHasNoBytesEitherBecomesOneUnknownToken) {
  const LoadedGguf loaded(toy_spm().build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{3, 4, 0, 8, 0, 4}), t->encode("aq\xC3\xA9zqa"));
  EXPECT_EQ((Ids{3, 0}), t->encode("\xFF"));
  GgufBytes g = toy_spm();
  g.array<int32_t>("tokenizer.ggml.token_type", 5, {3, 3, 6, 1, 1, 1, 1, 1, 6});
  const LoadedGguf without(g.build());
  EXPECT_EQ((Ids{3, 4}), make_tokenizer(without.file)->encode("aq")) << "or is left out";
}

TEST(Spm, WithoutKindsBytesAreKnownByTheirNames) {
  GgufBytes g = toy_spm();
  const LoadedGguf loaded(g.remove("tokenizer.ggml.token_type").build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{3, 4, 2, 8}), t->encode("a\nz"));
  EXPECT_EQ("a\nz", t->decode({3, 4, 2, 8}));
}

TEST(Spm, TokensOfTheKindUnusedAreMadeAsInLlamaCpp) {
  GgufBytes g = toy_spm();
  g.array<int32_t>("tokenizer.ggml.token_type", 5, {2, 3, 6, 1, 1, 1, 1, 5, 6});
  const LoadedGguf loaded(g.build());
  EXPECT_EQ((Ids{3, 4, 7}), make_tokenizer(loaded.file)->encode("aba"));
}

TEST(Spm, SpecialTokensAreFoundAsTheFileWritesThem) {
  GgufBytes g = toy_spm();
  g.strings("tokenizer.ggml.tokens", {"<unk>", "\xE2\x96\x81<PRE>", "<0x0A>", "\xE2\x96\x81", "a",
                                      "b", "ab", "ba", "<0x7A>"});
  const LoadedGguf loaded(g.build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{3, 4, 1, 3, 5}), t->encode("a\xE2\x96\x81<PRE>b", Special::kParse));
  EXPECT_EQ((Ids{3, 4, 3, 0, 5}), t->encode("a <PRE>b", Special::kParse));
}

TEST(Spm, TheFileNamesTheUnknownToken) {
  GgufBytes g = toy_spm();
  g.u32("tokenizer.ggml.unknown_token_id", 5);
  const LoadedGguf loaded(g.build());
  EXPECT_EQ((Ids{3, 5}), make_tokenizer(loaded.file)->encode("q"));
}

TEST(Spm, AnEscapedSpaceInTheTextIsASpace) {
  const LoadedGguf loaded(toy_spm().build());
  EXPECT_EQ((Ids{3, 4, 3, 4}), make_tokenizer(loaded.file)
                                   ->encode("a\xE2\x96\x81"
                                            "a"));
}

TEST(Spm, TokensThatReachOverSpacesAreFound) {
  GgufBytes g = toy_spm();
  g.strings("tokenizer.ggml.tokens",
            {"<unk>", "<s>", "<0x0A>", "\xE2\x96\x81", "a", "b", "b\xE2\x96\x81",
             "b\xE2\x96\x81"
             "a",
             "<0x7A>"});
  const LoadedGguf loaded(g.build());
  EXPECT_EQ((Ids{3, 7, 6}), make_tokenizer(loaded.file)->encode("b ab "));
}

TEST(Spm, EveryRunOfTextGetsItsSpace) {
  const LoadedGguf loaded(toy_spm().build());
  const auto t = make_tokenizer(loaded.file);
  EXPECT_EQ((Ids{1, 3, 4, 1, 3, 5}), t->encode("<s>a<s>b", Special::kParse));
  EXPECT_EQ("ab", t->decode({1, 3, 4, 1, 3, 5})) << "and loses it again";
  EXPECT_EQ(" a b", t->decode(t->encode(" a b")));
}

TEST(Spm, AVeryLongWordTakesNoQuadraticTime) {
  const LoadedGguf loaded(toy_spm().build());
  std::string text = "b";
  for (int i = 0; i < 100000; ++i) text += "ab";
  Ids want(100000, 7);  // "ba" is better than "ab"
  want.insert(want.begin(), 3);
  want.push_back(5);
  EXPECT_EQ(want, make_tokenizer(loaded.file)->encode(text));
}

TEST(Spm, TheSpaceInFrontCanBeSwitchedOff) {
  GgufBytes g = toy_spm();
  g.boolean("tokenizer.ggml.add_space_prefix", false)
      .boolean("tokenizer.ggml.add_bos_token", false);
  const LoadedGguf loaded(g.build());
  EXPECT_EQ((Ids{6}), make_tokenizer(loaded.file)->encode("ab"));
  EXPECT_FALSE(make_tokenizer(loaded.file)->adds_bos());
}

}  // namespace
