#include "engine/commands/inspect.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "model/error.h"
#include "tests/support/data.h"
#include "tests/support/gguf_bytes.h"

namespace {

using engine::commands::inspect;
using engine::commands::InspectOptions;
using nlohmann::json;

std::string output_of(const InspectOptions& options) {
  std::ostringstream out;
  EXPECT_EQ(0, inspect(options, out));
  return out.str();
}

std::string output_of(const std::string& bytes, bool as_json) {
  const std::vector<std::byte> builtin = tests::LoadedGguf::as_bytes(bytes);
  return output_of({"", builtin, as_json});
}

TEST(Inspect, JsonDescribesTheFile) {
  const std::string path = tests::data("models/llama-gqa-f16.gguf").string();
  const json d = json::parse(output_of({path, {}, true}));
  EXPECT_EQ(path, d["file"].get<std::string>());
  EXPECT_EQ("GGUF v3", d["format"]);
  EXPECT_EQ("llama", d["architecture"]);
  EXPECT_EQ("llama-gqa-f16 (random weights, seed 102)", d["name"]);
  // 2 V C + C, and a layer's 2 C + 4 C C + 3 C F, with V = 512, C = 64, F = 128.
  EXPECT_EQ(2 * 512 * 64 + 64 + 2 * (2 * 64 + 4 * 64 * 64 + 3 * 64 * 128), d["parameters"]);
  EXPECT_EQ(308992, d["bytes"]);
  EXPECT_TRUE(d["runnable"]);
  EXPECT_TRUE(d["problems"].empty());
  EXPECT_EQ(2, d["config"]["layers"]);
  EXPECT_EQ(4, d["config"]["kv_heads"]);
  EXPECT_FALSE(d["config"]["tied_output"]);
  EXPECT_EQ("llama", d["tokenizer"]["model"]);
  EXPECT_EQ(1, d["tokenizer"]["bos"]);
  EXPECT_EQ(512, d["metadata"]["tokenizer.ggml.tokens"]["count"]) << "long arrays are shortened";
  EXPECT_EQ("<unk>", d["metadata"]["tokenizer.ggml.tokens"]["first"][0]);
  EXPECT_EQ(21, d["tensors"].size());
  EXPECT_EQ(json({{"name", "blk.0.ffn_gate.weight"},
                  {"type", "F16"},
                  {"shape", {64, 128}},
                  {"bytes", 16384},
                  {"offset", 98816}}),
            d["tensors"][7]);
}

TEST(Inspect, EveryTypeHasItsSum) {
  const std::string path = tests::data("models/llama-gqa-f16.gguf").string();
  const json d = json::parse(output_of({path, {}, true}));
  ASSERT_EQ(2U, d["types"].size());
  // Five norms of 64 stay F32; the rest is F16.
  EXPECT_EQ(json({{"tensors", 5}, {"parameters", 5 * 64}, {"bytes", 5 * 64 * 4}}),
            d["types"]["F32"]);
  EXPECT_EQ(16, d["types"]["F16"]["tensors"]);
  EXPECT_EQ(d["tensor_bytes"].get<int>(),
            d["types"]["F16"]["bytes"].get<int>() + d["types"]["F32"]["bytes"].get<int>());
  EXPECT_CONTAINS(output_of({path, {}, false}), "F32           5 tensors, 320 parameters");
}

// A guess that was wrong would spoil the text, and nothing else would tell.
TEST(Inspect, ThePreTokenizerIsNamedAlsoWhereItIsGuessed) {
  const auto of = [](tests::GgufBytes g) {
    g.string("tokenizer.ggml.model", "gpt2").strings("tokenizer.ggml.merges", {});
    return json::parse(output_of(g.build(), true))["tokenizer"];
  };
  const json said = of(tests::small_llama().string("tokenizer.ggml.pre", "llama-bpe"));
  EXPECT_EQ("llama-bpe", said["pre_tokenizer"]);
  EXPECT_EQ(false, said["pre_guessed"]);
  const json guessed = of(tests::small_llama().remove("tokenizer.ggml.pre"));
  EXPECT_EQ("default", guessed["pre_tokenizer"]);
  EXPECT_EQ(true, guessed["pre_guessed"]);
}

TEST(Inspect, AFolderOfShardsIsShownWithoutOffsets) {
  REQUIRE_SHARED_DATA();
  const std::string path = tests::shared_data("models/hf/qwen3moe-sharded").string();
  const json d = json::parse(output_of({path, {}, true}));
  EXPECT_EQ("safetensors", d["format"]);
  EXPECT_EQ("qwen3moe", d["architecture"]);
  EXPECT_EQ(629112 + 629416, d["bytes"]);
  EXPECT_EQ("qwen3moe-sharded", d["name"]);
  EXPECT_TRUE(d["tensors"][0]["offset"].is_null());
  EXPECT_CONTAINS(output_of({path, {}, false}), "blk.1.ffn_down.7.weight", "64 x 64");
}

TEST(Inspect, WithoutAPathTheBuiltInModelIsShown) {
  const json d = json::parse(output_of(tests::small_llama().build(), true));
  EXPECT_EQ("built-in model", d["file"]);
  EXPECT_TRUE(d["config"]["tied_output"]);
}

TEST(Inspect, WhatFewModelsHaveIsShownWhereItIs) {
  tests::GgufBytes g = tests::small_llama();
  EXPECT_FALSE(json::parse(output_of(g.build(), true))["config"].contains("window"));
  g.f32("llama.rope.scaling.factor", 4).u32("llama.attention.sliding_window", 8);
  const json config = json::parse(output_of(g.build(), true))["config"];
  EXPECT_EQ(0.25, config["rope_scale"]);
  EXPECT_EQ(8, config["window"]);
  EXPECT_EQ(2, config["windowed_layers"]) << "of two";
  EXPECT_FALSE(config.contains("experts"));
}

TEST(Inspect, AModelThatCannotRunIsShownWithItsProblems) {
  tests::GgufBytes g = tests::small_llama();
  g.string("general.architecture", "mamba").tensor("q", {256}, 12, 144);
  const json d = json::parse(output_of(g.build(), true));
  EXPECT_FALSE(d["runnable"]);
  EXPECT_CONTAINS(d["problems"][0].get<std::string>(), "'mamba' is not supported");
  EXPECT_TRUE(d["config"].is_null());
  EXPECT_EQ("gpt2", d["tokenizer"]["model"]);
  EXPECT_EQ("Q4_K", d["tensors"].back()["type"]);
  EXPECT_CONTAINS(output_of(g.build(), false), "'mamba' is not supported");
}

TEST(Inspect, StringsThatAreNotUtf8KeepTheJsonValid) {
  tests::GgufBytes g = tests::small_llama();
  g.string("general.name", "a\xFF\"\n\x1B").string("k\xC3", "v").strings("s", {"\xF0\x9F"});
  g.f32("nan", std::numeric_limits<float>::quiet_NaN());
  const json d = json::parse(output_of(g.build(), true));
  EXPECT_EQ("a\xEF\xBF\xBD\"\n\x1B", d["name"]);
  EXPECT_TRUE(d["metadata"]["nan"].is_null());
  const std::string table = output_of(g.build(), false);
  EXPECT_CONTAINS(table, "a\\xFF\"\\x0A\\x1B");
  EXPECT_EQ(std::string::npos, std::string(table).find("\x1B"));
}

TEST(Inspect, TheTableNamesEverything) {
  const std::string table = output_of({tests::data("models/llama-gqa.gguf").string(), {}, false});
  for (const char* word : {"llama-gqa.gguf", "GGUF v3", "parameters    198080", "runnable      yes",
                           "kv_heads", "512 [<unk>, <s>", "blk.2.ffn_down.weight", "176 x 64"}) {
    EXPECT_CONTAINS(table, word);
  }
}

TEST(Inspect, AFileThatCannotBeReadThrows) {
  std::ostringstream out;
  EXPECT_THROW(inspect({"/nonexistent.gguf", {}, true}, out), fulgurite::Error);
  EXPECT_EQ("", out.str());
}

}  // namespace
