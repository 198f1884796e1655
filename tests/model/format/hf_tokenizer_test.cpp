// tokenizer.json: what is taken from it, what is refused, and in how much memory.
#include "model/format/hf_tokenizer.h"

#include <gtest/gtest.h>

#include "model/error.h"
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

}  // namespace
