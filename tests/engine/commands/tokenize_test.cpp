#include "engine/commands/tokenize.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "model/error.h"
#include "tests/support/data.h"
#include "tests/support/gguf_bytes.h"

namespace {

using engine::commands::tokenize;
using engine::commands::TokenizeOptions;
using fulgurite::Error;
using fulgurite::ExitCode;
using nlohmann::json;
using Ids = std::vector<int32_t>;

std::string output_of(const TokenizeOptions& options) {
  std::ostringstream out;
  EXPECT_EQ(0, tokenize(options, out));
  return out.str();
}

TokenizeOptions of_small_model(const std::string& text) {
  TokenizeOptions options;
  options.model.path = tests::data("models/llama-gqa.gguf").string();
  options.text = text;
  return options;
}

TEST(Tokenize, JsonHasIdsAndPieces) {
  TokenizeOptions options = of_small_model("Once");
  options.json = true;
  const json with = json::parse(output_of(options));
  ASSERT_EQ(with["ids"].size(), with["pieces"].size());
  EXPECT_EQ(1, with["ids"][0]);
  EXPECT_EQ("<s>", with["pieces"][0]) << "a control token has its name";
  options.special = false;
  const json without = json::parse(output_of(options));
  EXPECT_EQ(without["ids"].size() + 1, with["ids"].size());
  std::string text;
  for (const auto& piece : without["pieces"]) text += piece.get<std::string>();
  EXPECT_EQ(" Once", text);
}

TEST(Tokenize, SpecialTokensInTheTextAreParsedUnlessTheyShallNot) {
  TokenizeOptions options = of_small_model("</s>");
  options.json = true;
  EXPECT_EQ((Ids{1, 2}), json::parse(output_of(options))["ids"].get<Ids>());
  options.special = false;
  const json plain = json::parse(output_of(options));
  EXPECT_GT(plain["ids"].size(), 1U);
}

TEST(Tokenize, BytesThatAreNoUtf8AreLegible) {
  TokenizeOptions options = of_small_model(std::string("\xF0\x9F\0\"\\\x01\n\t", 8));
  options.json = true;
  options.special = false;
  const json d = json::parse(output_of(options));
  const std::vector<std::string> want = {
      " ", "<0xF0>", "<0x9F>", std::string(1, '\0'), "\"", "\\", "\x01", "\n", "\t"};
  EXPECT_EQ(want, d["pieces"].get<std::vector<std::string>>());
}

TEST(Tokenize, TheTableHasALineForEveryToken) {
  TokenizeOptions options = of_small_model("\n");
  EXPECT_EQ("      1  '<s>'\n    410  ' '\n     13  '\\x0A'\n", output_of(options));
}

TEST(Tokenize, FilesOfAnyContentWork) {
  const tests::TempFolder folder;
  TokenizeOptions options = of_small_model("");
  options.file = folder.file("text");
  options.json = true;
  options.special = false;
  std::ofstream(options.file).close();
  EXPECT_EQ(R"({"ids":[],"pieces":[]})"
            "\n",
            output_of(options));
  std::string bytes;
  for (int i = 0; i < 100000; ++i) bytes += static_cast<char>(i * 7 % 256);
  std::ofstream(options.file, std::ios::binary) << bytes;
  EXPECT_GE(json::parse(output_of(options))["ids"].size(), 50000U);
}

TEST(Tokenize, WhatCannotBeReadIsNamed) {
  TokenizeOptions options = of_small_model("");
  for (const char* path : {"/no/such/file", "/tmp"}) {
    options.file = path;
    try {
      output_of(options);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(ExitCode::kFailed, error.code());
      EXPECT_CONTAINS(error.what(), path);
    }
  }
}

TEST(Tokenize, AVocabularyNeedsNoTensors) {
  REQUIRE_SHARED_DATA();
  TokenizeOptions options;
  options.model.path = tests::shared_data("vocab/ggml-vocab-qwen2.gguf").string();
  options.text = "<|im_start|>hi";
  options.json = true;
  EXPECT_EQ((Ids{151644, 6023}), json::parse(output_of(options))["ids"].get<Ids>());
}

TEST(Tokenize, WithoutAVocabularyATextIsMisuse) {
  REQUIRE_SHARED_DATA();
  TokenizeOptions options;
  options.model.path = tests::shared_data("models/real/nano-gpt-sort-f32.gguf").string();
  options.text = "hi";
  try {
    output_of(options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(ExitCode::kUsage, error.code());
  }
}

}  // namespace
