// tokenizer.json: what is taken from it, what is refused, and in how much memory.
#include "model/format/hf_tokenizer.h"

#include <gtest/gtest.h>

#include "model/error.h"
#include "model/format/open.h"
#include "model/tokenizer/tokenizer.h"
#include "tests/support/data.h"
#include "tests/support/peak.h"

namespace {

using fulgurite::Error;
using model::ModelFile;

constexpr const char* kVocab = R"("vocab":{"b":1,"a":0,"ab":2,"<s>":3})";

// The document of a byte-level BPE whose model holds `parts`.
std::string document(const std::string& parts, const std::string& more = {}) {
  return R"({"pre_tokenizer":{"type":"ByteLevel"},"model":{"type":"BPE",)" + parts + "}" + more +
         "}";
}

ModelFile read(const std::string& tokenizer, int64_t n_vocab = 5) {
  ModelFile file("folder", "safetensors", 0);
  model::add_hf_tokenizer({tokenizer, {}, {}}, {}, n_vocab, file);
  return file;
}

std::string refusal(const std::string& tokenizer, int64_t n_vocab = 5) {
  try {
    read(tokenizer, n_vocab);
  } catch (const Error& error) {
    EXPECT_EQ(fulgurite::ExitCode::kBadModel, error.code());
    EXPECT_EQ(std::string::npos, std::string(error.what()).find('\n'));
    return error.what();
  }
  return "(accepted)";
}

using Strings = std::vector<std::string>;

TEST(HfTokenizer, TokensMergesAndAddedTokensComeInAnyOrder) {
  const std::string merges = R"("merges":["a b",["ab","a b"]])";
  const std::string added =
      R"("added_tokens":[{"id":4,"content":"<|end|>","special":true},{"id":0,"content":"A"},)"
      R"({"id":99,"content":"<image>"}])";
  for (const std::string& text : {document(std::string(kVocab) + "," + merges, "," + added),
                                  document(merges + "," + kVocab, "," + added),
                                  "{" + added + "," + document(merges + "," + kVocab).substr(1)}) {
    const ModelFile file = read(text, 6);
    EXPECT_EQ((Strings{"A", "b", "ab", "<s>", "<|end|>", "[PAD5]"}),
              *file.get_strings("tokenizer.ggml.tokens"));
    EXPECT_EQ((Strings{"a b", "ab a b"}), *file.get_strings("tokenizer.ggml.merges"));
    EXPECT_EQ((std::vector<int64_t>{4, 1, 1, 1, 3, 5}),
              std::get<std::vector<int64_t>>(*file.find("tokenizer.ggml.token_type")));
    EXPECT_EQ(4, file.get_int("tokenizer.ggml.eot_token_id", 0, 5));
    EXPECT_EQ("gpt-2", file.get_string("tokenizer.ggml.pre"));
  }
}

TEST(HfTokenizer, AListForAVocabularyIsNamedByItsType) {
  const ModelFile file = read(R"({"model":{"type":"Unigram","vocab":[["a",-1.5],["b",[2]]]}})");
  EXPECT_EQ("Unigram", file.get_string("tokenizer.ggml.model"));
}

TEST(HfTokenizer, WhatIsNoTokenizerIsRefused) {
  const std::string vocab = std::string(kVocab) + ",";
  const auto merges = [&](const std::string& list) {
    return document(vocab + "\"merges\":" + list);
  };
  EXPECT_EQ("(accepted)", refusal(merges("[]")));
  EXPECT_CONTAINS(refusal(merges("{}")), "the merges are missing");
  EXPECT_CONTAINS(refusal(document(kVocab)), "the merges are missing");
  EXPECT_CONTAINS(refusal(document("\"merges\":[]")), "the vocabulary is missing or empty");
  EXPECT_CONTAINS(refusal(document("\"vocab\":{},\"merges\":[]")), "missing or empty");
  EXPECT_CONTAINS(refusal(document("\"vocab\":3,\"merges\":[]")), "missing or empty");
  for (const char* merge : {"3", "\"ab\"", "\" b\"", "\"a \"", "[]", "[\"a\"]", "{}", "null",
                            "[\"a\",1]", "[\"a\",\"b\",\"c\"]", "[\"a\",[\"b\"]]", "[[]]"}) {
    EXPECT_CONTAINS(refusal(merges("[\"a b\"," + std::string(merge) + "]")),
                    "is no pair of tokens");
  }
  for (const char* id : {"-1", "5", "1.0", "\"1\"", "null", "[1]", "{}", "18446744073709551616"}) {
    EXPECT_CONTAINS(refusal(document("\"vocab\":{\"x\":" + std::string(id) + "},\"merges\":[]")),
                    "token 'x' has no id below the 5");
  }
  EXPECT_CONTAINS(refusal(document(R"("vocab":{"a":0,"b":0},"merges":[])")),
                  "two tokens have the id 0");
  EXPECT_CONTAINS(refusal(document(R"("vocab":{"a":0,"a":1},"merges":[])")), "'a' comes twice");
  EXPECT_CONTAINS(refusal(document(vocab + "\"merges\":[]," + kVocab)), "'vocab' comes twice");
  EXPECT_CONTAINS(refusal(document(vocab + "\"merges\":[],\"merges\":[]")), "'merges' comes twice");
  for (const char* added : {"3", "{}", "[]", R"({"id":1})", R"({"id":1,"content":""})",
                            R"({"id":-1,"content":"x"})", R"({"id":1,"content":["x"]})"}) {
    EXPECT_CONTAINS(refusal(document(vocab + "\"merges\":[]",
                                     ",\"added_tokens\":[" + std::string(added) + "]")),
                    "an added token has no id or no content");
  }
}

TEST(HfTokenizer, TextsMadeToExhaustMemoryAreRefusedInLittleOfIt) {
  const auto expect_little = [](const char* name, std::string text, int64_t n_vocab,
                                const char* why) {
    text.shrink_to_fit();
    const auto parse = [&] { EXPECT_CONTAINS(refusal(text, n_vocab), why) << name; };
    EXPECT_LT(tests::seconds(parse), tests::kSanitized ? 10.0 : 1.0) << name;
    if (tests::kSanitized) return;
    EXPECT_LT(tests::peak_bytes(parse), tests::kMostPeakBytes) << name;
  };
  const auto many = [](const std::string& one, int n) {
    std::string list = one;
    for (int i = 1; i < n; ++i) list += "," + one;
    return list;
  };
  constexpr int64_t kMost = 1 << 19;
  const std::string vocab = std::string(kVocab) + ",";
  {
    const std::string merges = "\"merges\":[" + many(R"(["a","a"])", 1'300'000) + "]";
    expect_little("1.3 million merges", document(vocab + merges), 5, "too many merges");
    expect_little("the same before the vocabulary", document(merges + "," + kVocab), 5, "too many");
  }
  expect_little("the same for half a million tokens",
                document("\"merges\":[" + many(R"(["a","a"])", 1'300'000) + "]," + kVocab), kMost,
                "asks for 524288 tokens, but there are 4");
  expect_little("added tokens without end",
                document(vocab + "\"merges\":[]",
                         ",\"added_tokens\":[" + many(R"({"id":1,"content":"a"})", 600'000) + "]"),
                5, "more added tokens than tokens");
  expect_little("a document of something else",
                document(vocab + "\"merges\":[]", ",\"x\":[" + many("{}", 3'000'000) + "]"), 5,
                "far more memory");
  std::string tokens = document(R"("vocab":{"":0)");
  tokens.resize(tokens.size() - 2);
  for (int i = 1; i < 700'000; ++i) {
    tokens += ",\"" + std::to_string(i) + "\":" + std::to_string(i);
  }
  expect_little("more tokens than the model has", tokens + "},\"merges\":[]}}", kMost,
                "has no id below the 524288");
}

// ---- the tokens that come of it, by the rules of github.com/huggingface/tokenizers

using Ids = std::vector<int32_t>;

Ids ids_of(const std::string& tokenizer, const std::string& text) {
  return model::make_tokenizer(read(tokenizer, 16))->encode(text, model::Special::kParse);
}

// Bytes: a b c, a space ("\u0120") and what is joined of them.
std::string byte_level(const std::string& pre = R"({"type":"ByteLevel","add_prefix_space":false})",
                       const std::string& more = {}, const std::string& added = {}) {
  return R"({"pre_tokenizer":)" + pre + R"(,"added_tokens":[)" + added + R"(],"model":{)" + more +
         R"("vocab":{"a":0,"b":1,"c":2,"ab":3,"bc":4,"abc":5,"\u0120":6,"\u0120a":7},)"
         R"("merges":["b c","ab c","a b","\u0120 a"]}})";
}

// The same with U+2581 for a space, and <unk>.
std::string visible_spaces(const std::string& normalizer, const std::string& pre,
                           const std::string& more = {}, const std::string& added = {}) {
  return R"({"normalizer":)" + normalizer + R"(,"pre_tokenizer":)" + pre + R"(,"added_tokens":[)" +
         added + R"(],"model":{"type":"BPE","unk_token":"<unk>",)" + more +
         R"("vocab":{"a":0,"b":1,"c":2,"ab":3,"bc":4,"abc":5,"\u2581":6,"\u2581a":7,)"
         R"("\u2581\u2581":8,"<unk>":9},"merges":["b c","ab c","a b","\u2581 a",)"
         R"("\u2581 \u2581"]}})";
}

constexpr const char* kLlama2 =
    R"({"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"\u2581"},)"
    R"({"type":"Replace","pattern":{"String":" "},"content":"\u2581"}]})";

std::string metaspace(const std::string& settings) {
  return R"({"type":"Metaspace","replacement":"\u2581",)" + settings + "}";
}

TEST(HfTokenizer, AModelWithoutATypeIsBpeWhereItHasMerges) {
  EXPECT_EQ((Ids{4}), ids_of(byte_level(), "bc"));
  EXPECT_EQ("unknown", read(R"({"model":{"vocab":{"a":0}}})").get_string("tokenizer.ggml.model"));
}

TEST(HfTokenizer, OnlyPairsOfTheListAreJoined) {
  EXPECT_EQ((Ids{0, 4}), ids_of(byte_level(), "abc")) << "a bc is no pair of the list";
  EXPECT_EQ((Ids{7, 4}), ids_of(visible_spaces(kLlama2, "null"), "abc"))
      << "neither is it there, though abc is a token";
}

TEST(HfTokenizer, AWordThatIsATokenNeedsNoMergesWhereTheFileSaysSo) {
  EXPECT_EQ((Ids{5}), ids_of(byte_level(R"({"type":"ByteLevel","add_prefix_space":false})",
                                        R"("ignore_merges":true,)"),
                             "abc"));
}

TEST(HfTokenizer, ByteLevelPutsASpaceBeforeARunThatBeginsWithNone) {
  const std::string prefixes = R"({"type":"ByteLevel","add_prefix_space":true})";
  const std::string end = R"({"id":9,"content":"<|end|>","special":true,"normalized":false})";
  EXPECT_EQ((Ids{7, 9, 6, 1}), ids_of(byte_level(prefixes, "", end), "a<|end|>b"));
  EXPECT_EQ((Ids{7}), ids_of(byte_level(prefixes), " a"));
  EXPECT_EQ((Ids{0}), ids_of(byte_level(), "a"));
}

TEST(HfTokenizer, MetaspacePutsASpaceWhereNoneIs) {
  const std::string end = R"({"id":10,"content":"<s>","special":true,"normalized":false})";
  const auto ids = [&](const std::string& settings, const std::string& text) {
    return ids_of(visible_spaces("null", metaspace(settings), "", end), text);
  };
  const std::string always = R"("prepend_scheme":"always","split":false)";
  EXPECT_EQ((Ids{7, 10, 7}), ids(always, "a<s>a"));
  EXPECT_EQ((Ids{7}), ids(always, " a")) << "one is there";
  const std::string first = R"("prepend_scheme":"first","split":false)";
  EXPECT_EQ((Ids{7, 10, 0}), ids(first, "a<s>a"));
  EXPECT_EQ((Ids{10, 0}), ids(first, "<s>a"));
  EXPECT_EQ((Ids{0}), ids(R"("prepend_scheme":"never","split":false)", "a"));
  EXPECT_EQ((Ids{7}), ids(R"("add_prefix_space":true)", "a")) << "as older files say it";
  EXPECT_EQ((Ids{0}), ids(R"("add_prefix_space":false)", "a"));
  EXPECT_EQ((Ids{0, 8, 1}), ids(R"("prepend_scheme":"never","split":false)", "a  b"));
  EXPECT_EQ((Ids{0, 6, 6, 1}), ids(R"("prepend_scheme":"never")", "a  b"))
      << "every space begins a word";
}

TEST(HfTokenizer, UnknownCharactersAreOneTokenWhereTheFileFusesThem) {
  EXPECT_EQ((Ids{6, 9, 0, 9}),
            ids_of(visible_spaces(kLlama2, "null", R"("fuse_unk":true,)"), "xyaz"));
  EXPECT_EQ((Ids{6, 9, 9, 0, 9}), ids_of(visible_spaces(kLlama2, "null"), "xyaz"));
  const std::string unknown = R"({"id":9,"content":"<unk>","special":true,"normalized":false})";
  EXPECT_EQ((Ids{6, 9, 9, 6, 9}),
            ids_of(visible_spaces(kLlama2, "null", R"("fuse_unk":true,)", unknown), "x<unk>y"))
      << "but not with one that is written";
}

TEST(HfTokenizer, BytesStandInForCharactersOnlyWhereTheFileSaysSo) {
  const auto ids = [](const char* fallback) {
    const std::string more = std::string("\"byte_fallback\":") + fallback + ",";
    std::string file = visible_spaces(kLlama2, "null", more);
    file.replace(file.find("\"c\":2"), 5, "\"<0x0A>\":2");
    return ids_of(file, "a\n");
  };
  EXPECT_EQ((Ids{7, 2}), ids("true"));
  EXPECT_EQ((Ids{7, 9}), ids("false"));
}

TEST(HfTokenizer, RobertasTemplateAddsItsTokens) {
  const auto adds = [](const std::string& cls) {
    const std::string file =
        R"({"post_processor":{"type":"RobertaProcessing","sep":["c",2],"cls":[")" + cls +
        "\",0]}," + byte_level().substr(1);
    ModelFile read_file("folder", "safetensors", 0);
    model::add_hf_tokenizer({file, R"({"bos_token":"a","eos_token":"c"})", {}}, {}, 16, read_file);
    return std::pair(read_file.get_bool("tokenizer.ggml.add_bos_token", false),
                     read_file.get_bool("tokenizer.ggml.add_eos_token", false));
  };
  EXPECT_EQ(std::pair(true, true), adds("a"));
  EXPECT_EQ(std::pair(false, true), adds("b"));
}

TEST(HfTokenizer, NormalizedTokensAreLookedForInNormalisedText) {
  const std::string added = R"({"id":10,"content":"<x>","special":true,"normalized":true},)"
                            R"({"id":11,"content":"<y>","special":true,"normalized":false})";
  const std::string t = visible_spaces(kLlama2, "null", "", added);
  EXPECT_EQ((Ids{10, 0}), ids_of(t, "<x>a")) << "the text's space is its own; the rest gets none";
  EXPECT_EQ((Ids{7, 10, 1}), ids_of(t, "a <x>b"));
  EXPECT_EQ((Ids{7, 9, 9, 9}), ids_of(t, "a<x>")) << "no space before it";
  EXPECT_EQ((Ids{7, 11, 10}), ids_of(t, "a<y><x>"));
}

TEST(HfTokenizer, AddedTokensTakeSpacesAlongOrStandAlone) {
  const auto added = [](const std::string& settings) {
    return byte_level(R"({"type":"ByteLevel","add_prefix_space":false})", "",
                      R"({"id":9,"content":"b","special":false,)" + settings + "}");
  };
  EXPECT_EQ((Ids{0, 6, 9, 7}), ids_of(added(R"("lstrip":false)"), "a b a"));
  EXPECT_EQ((Ids{0, 9, 7}), ids_of(added(R"("lstrip":true)"),
                                   "a \t\xE3\x80\x80"
                                   "b a"));
  EXPECT_EQ((Ids{0, 6, 9, 0}), ids_of(added(R"("rstrip":true)"), "a b \n a"));
  EXPECT_EQ((Ids{9, 9, 0}), ids_of(added(R"("lstrip":true,"rstrip":true)"), "b b a"));
  EXPECT_EQ((Ids{3, 6, 9}), ids_of(added(R"("single_word":true)"), "ab b"));
  EXPECT_EQ((Ids{1, 6, 9}), ids_of(added(R"("single_word":true)"), "b_ b")) << "_ is no token here";
  EXPECT_EQ((Ids{1, 2, 6, 9}), ids_of(added(R"("single_word":true)"),
                                      "b\xC3\xA9"
                                      "c b"));
}

TEST(HfTokenizer, StepsThatWouldChangeTheTokensAreRefusedByName) {
  const auto model_of = [](const std::string& tokenizer) {
    return read(tokenizer, 16).get_string("tokenizer.ggml.model");
  };
  const std::string replaced = R"({"type":"Replace","pattern":{"String":"a"},"content":"b"})";
  const std::string bytes = R"({"type":"ByteLevel"})";
  EXPECT_EQ("gpt2", model_of(byte_level(R"({"type":"Sequence","pretokenizers":[)" + bytes + "]}")));
  EXPECT_EQ(
      "BPE with the pre-tokenizer WhitespaceSplit",
      model_of(byte_level(R"({"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},)" +
                          bytes + "]}")));
  EXPECT_EQ("BPE with the normalizer Lowercase",
            model_of(visible_spaces(R"({"type":"Lowercase"})", bytes)));
  EXPECT_EQ("BPE with the normalizer Replace", model_of(visible_spaces(replaced, bytes)));
  EXPECT_EQ("BPE with the normalizer Prepend",
            model_of(visible_spaces(R"({"type":"Prepend","prepend":"\u2581"})", bytes)));
  EXPECT_EQ("gpt2", model_of(visible_spaces(R"({"type":"NFC"})", bytes)));
  EXPECT_EQ("llama", model_of(visible_spaces(kLlama2, "null")));
  EXPECT_EQ("BPE with the pre-tokenizer Digits",
            model_of(visible_spaces(kLlama2, R"({"type":"Digits"})")));
  EXPECT_EQ("BPE with the end_of_word_suffix </w>",
            model_of(visible_spaces(kLlama2, "null", R"("end_of_word_suffix":"</w>",)")));
  EXPECT_EQ("BPE", model_of(visible_spaces("null", "null")));
}

TEST(HfTokenizer, TinyStories656KAsHuggingFaceReadsItsSpecialTokens) {
  REQUIRE_SHARED_DATA();
  const auto t = model::make_tokenizer(
      model::open_model(tests::shared_data("models/real/TinyStories-656K-hf").string()));
  // Of the package @huggingface/tokenizers.
  const std::vector<std::pair<std::string, Ids>> cases = {
      {"<|start_story|>Once upon", {1, 1, 147, 201, 189, 111}},
      {"Once upon <|end_story|>", {1, 80, 147, 201, 189, 111, 2}},
      {"Once upon<|end_story|>", {1, 80, 147, 201, 189, 111, 208, 183, 209, 210}},
      {"a<unk>b", {1, 85, 23, 148, 63, 24, 54}},
      {"a <unk> b", {1, 85, 0, 80, 54}},
      {"<|end_story|><|start_story|>x", {1, 2, 208, 212, 210, 76}},
      {"\xF0\x9F\x99\x82\r  x", {1, 80, 0, 80, 80, 76}},
      {"<unk>#", {1, 0, 0}},
  };
  for (const auto& [text, ids] : cases) {
    EXPECT_EQ(ids, encode_document(*t, text, model::Special::kParse)) << text;
  }
}

}  // namespace
