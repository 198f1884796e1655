// Folders of Hugging Face against the GGUF files that hold the same models: every key, every
// number, up to the layouts that model/format/hf_folder.h names.
#include "model/format/hf_folder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "model/error.h"
#include "model/format/gguf.h"
#include "model/format/open.h"
#include "tests/support/data.h"
#include "tests/support/safetensors_bytes.h"

namespace {

using fulgurite::Error;
using model::MetaValue;
using model::ModelFile;
using model::Tensor;
using nlohmann::json;
using tests::small_config;

std::vector<float> numbers(const Tensor& t) {
  std::vector<float> values(static_cast<size_t>(t.elements()));
  for (int64_t i = 0; i < t.rows(); ++i) {
    model::dequantize_row(t, i, values.data() + i * t.cols());
  }
  return values;
}

// Rows of pairs (2 i, 2 i + 1), as GGUF's llama has them, in halves (i, i + D/2).
std::vector<float> in_halves(const Tensor& t, int64_t heads) {
  const int64_t d = t.rows() / heads;
  std::vector<float> values(static_cast<size_t>(t.elements()));
  for (int64_t r = 0; r < t.rows(); ++r) {
    const int64_t in_head = r % d;
    const int64_t to = r - in_head + in_head / 2 + (in_head % 2) * (d / 2);
    model::dequantize_row(t, r, values.data() + to * t.cols());
  }
  return values;
}

// The experts of a stack, found one by one under their own names, one after the other.
std::vector<float> joined_experts(const ModelFile& folder, std::string name, int64_t experts) {
  const std::string stem = name.substr(0, name.find("_exps"));
  std::vector<float> values;
  for (int64_t e = 0; e < experts; ++e) {
    const Tensor* t = folder.find_tensor(stem + "." + std::to_string(e) + ".weight");
    if (!t) {
      ADD_FAILURE() << stem << " has no expert " << e;
      return {};
    }
    const std::vector<float> one = numbers(*t);
    values.insert(values.end(), one.begin(), one.end());
  }
  return values;
}

void expect_same_keys(const ModelFile& folder, const ModelFile& gguf,
                      const std::vector<std::string>& apart) {
  for (const auto& [key, expected] : gguf.metadata()) {
    if (key.starts_with("general.") && key != "general.architecture") continue;
    if (std::any_of(apart.begin(), apart.end(),
                    [&, &k = key](const std::string& p) { return k.starts_with(p); })) {
      continue;
    }
    const MetaValue* got = folder.find(key);
    ASSERT_NE(nullptr, got) << key;
    if (const auto* number = std::get_if<double>(&expected)) {
      ASSERT_TRUE(std::holds_alternative<double>(*got)) << key;
      EXPECT_EQ(static_cast<float>(*number), static_cast<float>(std::get<double>(*got))) << key;
    } else {
      EXPECT_TRUE(expected == *got) << key;
    }
  }
}

void expect_same_tensors(const ModelFile& folder, const ModelFile& gguf) {
  const bool halves = folder.get_bool("fulgurite.rope.halves", false);
  const std::string arch = gguf.get_string("general.architecture");
  size_t stacks = 0;
  for (const Tensor& t : gguf.tensors()) {
    const bool q = t.name.ends_with("attn_q.weight");
    const bool k = t.name.ends_with("attn_k.weight");
    if (t.name.find("_exps.") != std::string::npos) {
      stacks += static_cast<size_t>(t.ne[2]) - 1;
      ASSERT_TRUE(numbers(t) == joined_experts(folder, t.name, t.ne[2])) << t.name;
      continue;
    }
    const Tensor* got = folder.find_tensor(t.name);
    ASSERT_NE(nullptr, got) << t.name;
    ASSERT_EQ(t.ne, got->ne) << t.name;
    EXPECT_EQ(t.dtype, got->dtype) << t.name;
    const std::string count = arch + ".attention.head_count" + (k ? "_kv" : "");
    const std::vector<float> expected =
        halves && (q || k) ? in_halves(t, gguf.get_int(count, 1, 64)) : numbers(t);
    const std::vector<float> values = numbers(*got);
    // Gemma's norms were rounded when 1 was taken from them, Qwen3's to bfloat16 (8 bits).
    const bool norm = t.name.ends_with("norm.weight");
    const double rounding = !norm                       ? 0.0
                            : arch.starts_with("gemma") ? 2e-7
                            : arch == "qwen3"           ? 1.0 / 256
                                                        : 0.0;
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(expected[i], values[i], rounding * std::fabs(expected[i])) << t.name << " " << i;
    }
  }
  EXPECT_EQ(gguf.tensors().size() + stacks, folder.tensors().size()) << "and none beyond";
}

void expect_twins(const std::string& folder_name, const std::string& gguf_name,
                  const std::vector<std::string>& apart = {}) {
  const ModelFile folder = model::open_model(tests::shared_data("models/" + folder_name).string());
  const ModelFile gguf =
      model::open_model(tests::shared_data("models/" + gguf_name + ".gguf").string());
  EXPECT_EQ("safetensors", folder.format());
  expect_same_keys(folder, gguf, apart);
  expect_same_tensors(folder, gguf);
}

TEST(HfFolder, LlamaHasTheKeysAndNumbersOfItsGguf) {
  REQUIRE_SHARED_DATA();
  expect_twins("hf/llama-gqa", "synth/llama-gqa", {"tokenizer."});
}

TEST(HfFolder, Gpt2IsTransposed) {
  REQUIRE_SHARED_DATA();
  expect_twins("hf/gpt2", "synth/gpt2");
}

TEST(HfFolder, Qwen2HasItsBiasesAndItsTokenizer) {
  REQUIRE_SHARED_DATA();
  expect_twins("hf/qwen2", "synth/qwen2");
}

TEST(HfFolder, Qwen3KeepsItsBfloat16) {
  REQUIRE_SHARED_DATA();
  expect_twins("hf/qwen3-bf16", "synth/qwen3");
}

TEST(HfFolder, Gemma3GetsItsOnesBack) {
  REQUIRE_SHARED_DATA();
  expect_twins("hf/gemma3", "synth/gemma3", {"tokenizer."});
}

TEST(HfFolder, Qwen3MoeIsReadFromTwoShardsExpertByExpert) {
  REQUIRE_SHARED_DATA();
  expect_twins("hf/qwen3moe-sharded", "synth/qwen3moe");
}

TEST(HfFolder, TheStoriesHaveTheirGgufsNumbers) {
  REQUIRE_SHARED_DATA();
  expect_twins("real/stories260K-hf", "real/stories260K-f32", {"tokenizer."});
  expect_twins("real/TinyStories-656K-hf", "real/TinyStories-656K-f32", {"tokenizer.ggml.scores"});
}

TEST(HfFolder, AnEmptyTokenizerIsDamagedNotMissing) {
  const tests::TempFolder folder;
  std::ofstream(folder.file("config.json")) << "{}";
  std::ofstream(folder.file("tokenizer.json")).flush();
  try {
    model::open_model(folder.file(""));
    FAIL() << "opened";
  } catch (const fulgurite::Error& error) {
    EXPECT_EQ(fulgurite::ExitCode::kBadModel, error.code());
    EXPECT_NE(std::string::npos, std::string(error.what()).find("tokenizer.json: is empty"))
        << error.what();
  }
}

TEST(HfFolder, ScoresOrderTokensAsTheMergesDo) {
  REQUIRE_SHARED_DATA();
  const auto scores_of = [](const char* name) {
    const ModelFile file = model::open_model(tests::shared_data(name).string());
    return std::get<std::vector<double>>(*file.find("tokenizer.ggml.scores"));
  };
  const std::vector<double> ours = scores_of("models/real/TinyStories-656K-hf");
  const std::vector<double> theirs = scores_of("models/real/TinyStories-656K-f32.gguf");
  ASSERT_EQ(theirs.size(), ours.size());
  const double never = *std::min_element(ours.begin(), ours.end());
  size_t compared = 0;
  for (size_t i = 4; i < ours.size(); ++i) {
    if (ours[i] == never || ours[i - 1] == never) continue;
    ++compared;
    EXPECT_EQ(theirs[i] < theirs[i - 1], ours[i] < ours[i - 1]) << i;
  }
  EXPECT_GT(compared, 1500U);
}

// ---- what is read, and what is refused

class HfFolderFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    write("config.json", small_config("llama").dump());
    tests::SafetensorsBytes one, two;
    write("m-1.safetensors", one.f32("model.norm.weight", {8}).build());
    write("m-2.safetensors", two.f32("model.embed_tokens.weight", {6, 8}).build());
    index({{"model.norm.weight", "m-1.safetensors"},
           {"model.embed_tokens.weight", "m-2.safetensors"}});
  }
  void write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_.file(name), std::ios::binary) << bytes;
  }
  void index(const json& map) {
    write("model.safetensors.index.json", json{{"weight_map", map}}.dump());
  }
  std::string refusal(const std::string& name = "") {
    try {
      model::open_model(folder_.file(name));
    } catch (const Error& error) {
      EXPECT_EQ(std::string::npos, std::string(error.what()).find('\n'));
      return error.what();
    }
    return "(accepted)";
  }
  tests::TempFolder folder_;
};

TEST_F(HfFolderFiles, AFolderOrAnyOfItsShardsOpensTheModel) {
  for (const char* name : {"", "m-1.safetensors"}) {
    const ModelFile f = model::open_model(folder_.file(name));
    EXPECT_EQ(2U, f.tensors().size());
    EXPECT_EQ("no_vocab", f.get_string("tokenizer.ggml.model")) << "it has no tokenizer.json";
  }
}

TEST_F(HfFolderFiles, OneFileGoesBeforeAnIndex) {
  write("model.safetensors", tests::SafetensorsBytes().f32("model.norm.weight", {8}).build());
  EXPECT_EQ(1U, model::open_model(folder_.file("")).tensors().size());
}

TEST_F(HfFolderFiles, AMissingShardIsNamed) {
  std::filesystem::remove(folder_.file("m-2.safetensors"));
  EXPECT_CONTAINS(refusal(), "m-2.safetensors: no such file");
}

TEST_F(HfFolderFiles, ATensorThatItsShardLacksIsNamed) {
  index({{"model.norm.weight", "m-1.safetensors"},
         {"model.embed_tokens.weight", "m-2.safetensors"},
         {"lm_head.weight", "m-2.safetensors"}});
  EXPECT_CONTAINS(refusal(), "m-2.safetensors: has no tensor 'lm_head.weight'");
}

TEST_F(HfFolderFiles, AnIndexMayNotLeaveItsFolder) {
  for (const char* name : {"../m-1.safetensors", "/etc/passwd", "..", ".", "a/b", "a\\b"}) {
    index({{"model.norm.weight", name}});
    EXPECT_CONTAINS(refusal(), "index.json: ");
    EXPECT_NE("(accepted)", refusal());
  }
  index({{"model.norm.weight", std::string("m\0x", 3)}});
  EXPECT_CONTAINS(refusal(), "not a file of its folder");
  index({{"model.norm.weight", 3}});
  EXPECT_CONTAINS(refusal(), "names no file");
  index(json::array());
  EXPECT_CONTAINS(refusal(), "has no weight_map");
}

TEST_F(HfFolderFiles, WhatIsNoModelSaysWhatIsMissing) {
  std::filesystem::remove(folder_.file("model.safetensors.index.json"));
  EXPECT_CONTAINS(refusal(), "holds a config.json, but no model.safetensors");
  write("pytorch_model.bin", "");
  EXPECT_CONTAINS(refusal(), "pytorch_model.bin may hold programs");
  std::filesystem::remove(folder_.file("config.json"));
  EXPECT_CONTAINS(refusal(), "holds no config.json");
  EXPECT_CONTAINS(refusal("m-1.safetensors"), "has no config.json beside it");
}

// Weights that the folder's model is not made of must not open as it.
TEST_F(HfFolderFiles, AFileThatIsNoneOfTheModelsIsNotTheModel) {
  EXPECT_EQ("(accepted)", refusal("m-1.safetensors"));
  write("adapter_model.safetensors", "");
  EXPECT_CONTAINS(refusal("adapter_model.safetensors"), "is not of the model in its folder",
                  "name the folder");
}

TEST_F(HfFolderFiles, HostileTextsAreRefused) {
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("nul"), std::string(1 << 20, '['),
        std::string("{\"model_type\": \"llama\", \"model_type\": \"llama\"}"),
        std::string("{\"model_type\": \"\xFF\"}")}) {
    write("config.json", text);
    EXPECT_NE("(accepted)", refusal());
  }
}

}  // namespace
