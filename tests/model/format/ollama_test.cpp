// Models in the dialect of Ollama's own converter: what it leaves unsaid is what Ollama's reader
// of such files takes for granted (model/models/gemma3/model_text.go).
#include "model/format/ollama.h"

#include <gtest/gtest.h>

#include "model/arch/registry.h"
#include "model/format/open.h"
#include "model/tokenizer/chat_template.h"
#include "model/tokenizer/tokenizer.h"
#include "tests/support/data.h"
#include "tests/support/rewrite_gguf.h"

namespace {

using model::MetaValue;
using tests::Rewrite;

const std::string kEpsilon = "gemma3.attention.layer_norm_rms_epsilon";
const std::string kBase = "gemma3.rope.freq_base";
const std::string kGlobalBase = "gemma3.rope.global.freq_base";
const std::string kCap = "gemma3.final_logit_softcapping";

class Gemma3OfOllama : public ::testing::Test {
 protected:
  void SetUp() override { REQUIRE_SHARED_DATA(); }

  std::string write(const std::string& name, const Rewrite& what) const {
    tests::rewrite_gguf(tests::shared_data("models/synth/gemma3.gguf").string(), folder_.file(name),
                        what);
    return folder_.file(name);
  }
  // Of some positions, more than the window.
  static std::vector<float> logits(const std::string& path) {
    const model::ModelFile file = model::open_model(path);
    EXPECT_EQ(std::vector<std::string>(), model::find_problems(file)) << path;
    const auto network = model::make_model(file, 1);
    const std::vector<int32_t> ids = {1, 300, 17, 411, 90, 5, 222, 64, 400, 31, 8, 77};
    model::KvCache cache(network->config(), std::ssize(ids));
    std::vector<float> all(ids.size() * 512);
    network->forward(ids, 0, cache, all.data(), std::ssize(ids), nullptr);
    return all;
  }
  // The vocabulary with a mark for pictures behind it, for which token_embd has no row.
  static std::map<std::string, MetaValue> one_token_more() {
    const model::ModelFile file =
        model::open_model(tests::shared_data("models/synth/gemma3.gguf").string());
    std::map<std::string, MetaValue> longer;
    auto tokens = *file.get_strings("tokenizer.ggml.tokens");
    tokens.emplace_back("<image_soft_token>");
    auto scores = std::get<std::vector<double>>(*file.find("tokenizer.ggml.scores"));
    scores.push_back(0.0);
    auto types = std::get<std::vector<int64_t>>(*file.find("tokenizer.ggml.token_type"));
    types.push_back(3);
    return {{"tokenizer.ggml.tokens", tokens},
            {"tokenizer.ggml.scores", scores},
            {"tokenizer.ggml.token_type", types}};
  }

  tests::TempFolder folder_;
};

TEST_F(Gemma3OfOllama, TheLargeOnesAreStretchedAndSeeNothing) {
  const uint64_t long_context = 131072;
  const std::string usual =
      write("usual.gguf", {.metadata = {{"gemma3.context_length", long_context},
                                        {kEpsilon, 1e-6},
                                        {kBase, 1e6},
                                        {"gemma3.rope.scaling.factor", 8.0}}});
  Rewrite dialect{.metadata = one_token_more(),
                  .without = {kEpsilon, kBase, "gemma3.vocab_size"},
                  .more_tensors = {"v.blk.0.attn_q.weight", "mm.mm_input_projection.weight"}};
  dialect.metadata["gemma3.context_length"] = long_context;
  const std::string ollama = write("ollama.gguf", dialect);
  EXPECT_EQ(logits(usual), logits(ollama));
  const model::ModelFile file = model::open_model(ollama);
  EXPECT_EQ(nullptr, file.find_tensor("v.blk.0.attn_q.weight"));
  EXPECT_NE(nullptr, file.find_tensor("blk.0.attn_q.weight"));
  EXPECT_EQ(512, model::make_tokenizer(file)->vocab_size());
}

TEST_F(Gemma3OfOllama, TheSmallOneIsNotStretchedNorCapped) {
  const std::string usual = write("usual.gguf", {.metadata = {{kEpsilon, 1e-6}, {kBase, 5e5}}});
  const std::string ollama =
      write("ollama.gguf",
            {.metadata = {{kGlobalBase, 5e5}, {"gemma3.rope.local.freq_base", 1e4}, {kCap, 30.0}},
             .without = {kEpsilon, kBase}});
  EXPECT_EQ(logits(usual), logits(ollama));
  EXPECT_NE(logits(usual), logits(write("bare.gguf", {.without = {kEpsilon, kBase}})))
      << "the base of a file that names none is 1e6";
}

// Its first files of the large ones name the context of their first training.
TEST(Gemma3OfOllamas, TheLargeOnesAreKnownByTheirLayers) {
  const auto mended = [](uint64_t layers, uint64_t window) {
    model::ModelFile file("m", "GGUF v3", 0);
    file.add("general.architecture", std::string("gemma3"));
    file.add("gemma3.block_count", layers);
    file.add("gemma3.context_length", uint64_t{8192});
    file.add("gemma3.attention.sliding_window", window);
    model::mend_gemma3_of_ollama(file);
    return std::pair(file.get_float("gemma3.rope.scaling.factor", 1.0),
                     file.get_int("gemma3.context_length", 0, 1 << 30));
  };
  for (const uint64_t layers : {34, 48, 62})
    EXPECT_EQ(std::pair(8.0, int64_t{131072}), mended(layers, 1024)) << layers;
  EXPECT_EQ(std::pair(1.0, int64_t{8192}), mended(26, 512)) << "the small one";
  EXPECT_EQ(std::pair(1.0, int64_t{8192}), mended(34, 8192));
}

TEST_F(Gemma3OfOllama, TheirChatsAreGemmas) {
  const auto chat = model::chat_of(model::open_model(write("m.gguf", {.without = {kEpsilon}})));
  ASSERT_TRUE(chat.has_value());
  EXPECT_EQ(model::ChatTemplate::kGemma, chat->family);
  EXPECT_FALSE(model::chat_of(model::open_model(write("usual.gguf", {}))).has_value());
}

TEST_F(Gemma3OfOllama, OtherFilesStayAsTheyAre) {
  const std::string path = write("m.gguf", {.metadata = one_token_more()});
  EXPECT_FALSE(model::find_problems(model::open_model(path)).empty());
}

// gpt-oss, by the names of github.com/ollama/ollama, llama/compat/llama-ollama-compat.cpp.
TEST(GptOssOfOllama, RunsAsTheUsualOne) {
  const tests::TempFolder folder;
  const model::ModelFile usual = model::open_gguf(tests::model_path("own/gpt-oss").string());
  const auto replaced = [](std::string name, std::string_view from, std::string_view to) {
    const size_t at = name.find(from);
    return at == name.npos ? name : name.replace(at, from.size(), to);
  };
  model::GgufWriter writer;
  for (const auto& [key, value] : usual.metadata()) {
    const bool left_out = key == "gpt-oss.expert_feed_forward_length" ||
                          key == "gpt-oss.rope.scaling.type" || key == "general.architecture";
    if (!left_out) writer.add(replaced(key, "gpt-oss.", "gptoss."), value);
  }
  writer.add("general.architecture", std::string("gptoss"));
  for (model::Tensor t : usual.tensors()) {
    for (const auto& [from, to] :
         {std::pair{".attn_output.", ".attn_out."}, std::pair{".attn_sinks.weight", ".attn_sinks"},
          std::pair{".post_attention_norm.", ".ffn_norm."}})
      t.name = replaced(t.name, from, to);
    writer.add_tensor(t);
  }
  writer.write(folder.file("theirs.gguf"));
  const model::ModelFile theirs = model::open_model(folder.file("theirs.gguf"));
  EXPECT_EQ("gpt-4o", theirs.get_string("tokenizer.ggml.pre"));
  const auto logits = [](const model::ModelFile& file) {
    const auto network = model::make_model(file, 1);
    const std::vector<int32_t> ids = {1, 300, 17, 311, 90, 5, 222, 64, 300, 31, 8, 77};
    model::KvCache cache(network->config(), std::ssize(ids));
    std::vector<float> last(static_cast<size_t>(network->config().n_vocab));
    network->forward(ids, 0, cache, last.data(), 1, nullptr);
    return last;
  };
  EXPECT_EQ(logits(usual), logits(theirs));
  const auto chat = model::chat_of(theirs);
  ASSERT_TRUE(chat.has_value());
  EXPECT_EQ(model::ChatTemplate::kHarmony, chat->family);
}

TEST(GptOssOfOllama, ANameThatIsThereAlreadyIsNotTakenTwice) {
  model::ModelFile file("m", "GGUF v3", 0);
  file.add("general.architecture", std::string("gptoss"));
  file.add("gptoss.block_count", uint64_t{2});
  file.add("gpt-oss.block_count", uint64_t{3});
  model::mend_gpt_oss_of_ollama(file);
  EXPECT_EQ(3, file.get_int("gpt-oss.block_count", 0, 9));
  EXPECT_EQ(2, file.get_int("gptoss.block_count", 0, 9));
}

TEST(GptOssOfOllama, EarlyFilesAreToBePulledAgain) {
  model::ModelFile file("m", "GGUF v3", 0);
  file.add("general.architecture", std::string("gptoss"));
  model::Tensor fused;
  fused.name = "blk.0.ffn_gate_up_exps.weight";
  file.add(fused);
  EXPECT_THROW(model::mend_gpt_oss_of_ollama(file), fulgurite::Error);
}

// By the names of github.com/ollama/ollama, convert/convert_mistral_causal.go.
TEST(Mistral3OfOllama, KeepsItsScalings) {
  model::ModelFile file("m", "GGUF v3", 0);
  file.add("general.architecture", std::string("mistral3"));
  file.add("mistral3.rope.scaling.type", std::string("yarn"));
  file.add("mistral3.rope.scaling.beta_fast", 30.0);
  file.add("mistral3.rope.scaling.mscale_all_dim", 1.0);
  file.add("mistral3.rope.scaling_beta", 0.1);
  model::mend_mistral3_of_ollama(file);
  EXPECT_EQ(30.0, file.get_float("mistral3.rope.scaling.yarn_beta_fast", 0.0));
  EXPECT_EQ(1.0, file.get_float("mistral3.rope.scaling.yarn_log_multiplier", 0.0));
  EXPECT_EQ(0.1, file.get_float("mistral3.attention.temperature_scale", 0.0));
  EXPECT_EQ("yarn", file.get_string("mistral3.rope.scaling.type"));
  model::ModelFile usual("m", "GGUF v3", 0);
  usual.add("general.architecture", std::string("mistral3"));
  model::mend_mistral3_of_ollama(usual);
  EXPECT_EQ(1U, usual.metadata().size()) << "stays as it is";
}

}  // namespace
