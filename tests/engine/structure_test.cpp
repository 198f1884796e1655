// Structures without weights: published shapes count as many parameters as their authors say,
// files give what they hold, synthetic traces are whole and say that they are synthetic.
#include "engine/structure/structure.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "engine/structure/published.h"
#include "engine/structure/synthetic.h"
#include "model/error.h"
#include "model/format/gguf.h"
#include "model/format/open.h"
#include "tests/support/conversation.h"
#include "tests/support/gguf_bytes.h"

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;

engine::ModelSource builtin() {
  static const std::string bytes = tests::read_file(tests::builtin_model_path());
  return {{}, std::as_bytes(std::span(bytes))};
}

// The last digit that the authors print.
TEST(Structures, CountTheParametersThatAreKnown) {
  const std::map<std::string, std::pair<double, double>> published = {
      {"gpt2", {124e6, 0.5e6}},
      {"gpt2-xl", {1.56e9, 0.005e9}},
      {"gpt3", {175e9, 0.5e9}},
      {"llama3-8b", {8.03e9, 0.005e9}},
      {"llama3-70b", {70.6e9, 0.05e9}},
      {"llama3-405b", {405.9e9, 0.05e9}},
      {"mixtral-8x7b", {46.7e9, 0.05e9}},
      {"deepseek-v3", {671e9, 0.5e9}},
      {"gpt-oss-20b", {20.91e9, 0.005e9}},
      {"gpt-oss-120b", {116.83e9, 0.005e9}}};
  ASSERT_EQ(published.size(), engine::published_shapes().size());
  for (const auto& [name, count] : published) {
    const trace::Model model = engine::find_structure(name, builtin());
    EXPECT_NEAR(count.first, static_cast<double>(model.record.parameters), count.second) << name;
  }
}

// To the last one, as `numel()` over the published checkpoints' headers counts them.
TEST(Structures, CountToTheLastParameter) {
  const auto count = [](const char* name) {
    return engine::find_structure(name, builtin()).record.parameters;
  };
  EXPECT_EQ(124'439'808U, count("gpt2"));
  EXPECT_EQ(1'557'611'200U, count("gpt2-xl"));
  EXPECT_EQ(8'030'261'248U, count("llama3-8b"));
  EXPECT_EQ(70'553'706'496U, count("llama3-70b"));
  EXPECT_EQ(405'853'388'800U, count("llama3-405b"));
  EXPECT_EQ(46'702'792'704U, count("mixtral-8x7b"));
  EXPECT_EQ(671'026'419'200U, count("deepseek-v3"));
}

// The formula against files that hold the tensors themselves.
TEST(Structures, TheFormulaCountsWhatFilesHold) {
  std::vector<std::string> paths = {tests::builtin_model_path(), tests::gqa_model_path(),
                                    tests::model_path("own/gpt-oss").string()};
  std::error_code none;
  for (const auto& entry :
       std::filesystem::directory_iterator(tests::shared_data("models/synth"), none)) {
    if (entry.path().extension() == ".gguf") paths.push_back(entry.path().string());
  }
  for (const std::string& path : paths) {
    const model::ModelFile file = model::open_model(path);
    uint64_t held = 0;
    for (const model::Tensor& t : file.tensors()) {
      if (!t.name.starts_with("rope_")) held += static_cast<uint64_t>(t.elements());
    }
    EXPECT_EQ(held, engine::count_parameters(model::read_config(file))) << path;
  }
}

TEST(Structures, OfTheBuiltInModelIsItsFiles) {
  const trace::Model model = engine::find_structure("builtin", builtin());
  EXPECT_EQ(827'008U, model.record.parameters);
  EXPECT_EQ(6U, model.record.layers);
  EXPECT_EQ(216U, model.record.neurons);
  EXPECT_EQ(256U, model.structure.trained_context);
}

TEST(Structures, MixturesAndTheirLeadingDenseLayers) {
  const trace::Model v3 = engine::find_structure("deepseek-v3", builtin());
  EXPECT_EQ(256U, v3.structure.experts);
  EXPECT_EQ(8U, v3.structure.experts_used);
  EXPECT_EQ(2048U, v3.structure.shared_neurons);
  EXPECT_EQ(3U, v3.structure.dense_layers);
  EXPECT_EQ(18432U, v3.structure.dense_neurons);
  EXPECT_EQ(576U, v3.structure.kv_width);  // 512 + 64: arXiv:2412.19437, section 4.2
}

class ConfigFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("structure-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_ / "Some-Model");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& text) {
    const auto path = folder_ / "Some-Model" / "config.json";
    std::ofstream(path) << text;
    return path.string();
  }
  std::filesystem::path folder_;
};

// Of EleutherAI/pythia-160m, abridged; the count is that of Biderman et al. 2023
// (arXiv:2304.01373), table 1, and of the checkpoint's tensors.
TEST_F(ConfigFile, OfPythiaHasTwoMatricesAnFfn) {
  const std::string path = write(R"({"architectures": ["GPTNeoXForCausalLM"],
      "model_type": "gpt_neox", "hidden_act": "gelu", "hidden_size": 768, "intermediate_size": 3072,
      "layer_norm_eps": 1e-05, "max_position_embeddings": 2048, "num_attention_heads": 12,
      "num_hidden_layers": 12, "rotary_emb_base": 10000, "rotary_pct": 0.25,
      "tie_word_embeddings": false, "use_parallel_residual": true, "vocab_size": 50304})");
  EXPECT_EQ(162'322'944U, engine::find_structure(path, builtin()).record.parameters);
}

// Mistral 7B v0.1's, abridged.
constexpr const char* kMistral = R"({"model_type": "mistral", "hidden_size": 4096,
  "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
  "num_key_value_heads": 8, "vocab_size": 32000, "max_position_embeddings": 32768,
  "sliding_window": 4096, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "hidden_act": "silu",
  "tie_word_embeddings": false})";

TEST_F(ConfigFile, AConfigAloneIsEnough) {
  const std::string path = write(kMistral);
  for (const std::string& what : {path, (folder_ / "Some-Model").string()}) {
    const trace::Model model = engine::find_structure(what, builtin());
    EXPECT_EQ("Some-Model", model.name);
    EXPECT_EQ(7'241'732'096U, model.record.parameters);
    EXPECT_EQ(4096U, model.structure.window);
    EXPECT_EQ(32768U, model.structure.trained_context);
  }
}

// Counts that 32 bits do not hold, and plates of more cells than memory.
TEST_F(ConfigFile, WhatIsTooLargeToBeDrawnIsRefusedWithItsName) {
  const auto refusal = [&](const std::string& sizes) -> std::string {
    const std::string path = write(R"({"hidden_size": 64, "num_attention_heads": 4,
        "num_key_value_heads": 4, "head_dim": 16, "vocab_size": 512, "max_position_embeddings": 64,
        "rms_norm_eps": 1e-6, "hidden_act": "silu", "tie_word_embeddings": false, )" +
                                   sizes + "}");
    try {
      engine::find_structure(path, builtin());
    } catch (const Error& error) {
      EXPECT_EQ(ExitCode::kBadModel, error.code());
      return error.what();
    }
    return "(accepted)";
  };
  const std::string mixture = R"("model_type": "qwen3_moe", "num_hidden_layers": 2,
      "intermediate_size": 128, "norm_topk_prob": true, "decoder_sparse_step": 1,
      "mlp_only_layers": [], "num_experts_per_tok": 1, )";
  EXPECT_EQ("(accepted)", refusal(mixture + R"("num_experts": 8, "moe_intermediate_size": 64)"));
  for (const char* sizes : {R"("num_experts": 4096, "moe_intermediate_size": 1048576)",
                            R"("num_experts": 256, "moe_intermediate_size": 16777216)"}) {
    EXPECT_CONTAINS(refusal(mixture + sizes), "config.json: is a model too large to be drawn");
  }
  EXPECT_CONTAINS(refusal(R"("model_type": "llama", "num_hidden_layers": 4096,
                             "intermediate_size": 16777216)"),
                  "config.json: is a model too large to be drawn");
}

TEST_F(ConfigFile, BadOnesAreRefusedWithTheirName) {
  for (const char* text : {"", "{", "[]", "{}", R"({"model_type": "unheard"})",
                           R"({"model_type": "llama", "hidden_size": -1})"}) {
    const std::string path = write(text);
    try {
      engine::find_structure(path, builtin());
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(ExitCode::kBadModel, error.code()) << error.what();
      EXPECT_CONTAINS(error.what(), "config.json");
    }
  }
}

TEST(Structures, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  try {
    engine::find_structure("gpt5", builtin());
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(ExitCode::kUsage, error.code());
    EXPECT_CONTAINS(error.what(), "gpt5", "builtin", "deepseek-v3");
  }
  EXPECT_THROW(engine::find_structure("missing/model.gguf", builtin()), Error);
}

class Synthetic : public ::testing::TestWithParam<const char*> {};

TEST_P(Synthetic, TraceIsWholeAndItsSharesAddUpToOne) {
  trace::Log log;
  engine::write_synthetic(engine::find_structure(GetParam(), builtin()), {3, 2, 7}, log);
  trace::Reader reader(log);
  reader.poll();  // every count is checked there
  ASSERT_EQ(3U, reader.steps());
  ASSERT_EQ(5U, reader.positions());
  EXPECT_TRUE(reader.finished());
  EXPECT_NE(0U, reader.model()->structure.flags & trace::kStructureSynthetic);
  EXPECT_CONTAINS(reader.model()->name, "synthetic");
  const auto& m = reader.model()->record;
  for (size_t p = 0; p < reader.positions(); ++p) {
    const trace::Position& at = reader.position(p);
    for (uint32_t l = 0; l < m.layers; ++l) {
      double heads = double{at.attention.bias_share[l]};
      for (uint32_t h = 0; h < m.heads; ++h) {
        heads += double{at.attention.head(l, h).share};
        const float* weights =
            at.kv.read.data() + (l * m.kv_heads + trace::kv_head_of(m, h)) * (p + 1);
        const double read_in_all = 1.0 - double{at.attention.sink(l, h)};
        double nats = 0.0;
        for (size_t j = 0; j <= p; ++j) {
          const double part = double{weights[j]} / read_in_all;
          nats -= part > 0.0 ? part * std::log(part) : 0.0;
        }
        EXPECT_NEAR(nats, double{at.attention.head(l, h).entropy}, 1e-4);
        double reads = double{at.attention.head(l, h).rest_share};
        for (const trace::KvRead& read : at.attention.reads_of(l, h)) reads += double{read.share};
        ASSERT_NEAR(1.0, reads, 1e-4);
      }
      EXPECT_NEAR(1.0, heads, 1e-3);
      double slots = 0.0;
      for (size_t j = 0; j <= p; ++j) slots += double{at.kv.read[l * m.kv_heads * (p + 1) + j]};
      EXPECT_NEAR(1.0 - double{at.attention.sink(l, 0)}, slots, 1e-4);
      double neurons = double{at.ffn.rest_share[l]} + double{at.ffn.bias_share[l]};
      for (uint32_t i = 0; i < at.ffn.record->top; ++i)
        neurons += double{at.ffn.top[l * at.ffn.record->top + i].share};
      EXPECT_NEAR(1.0, neurons, 1e-3);
      if (reader.model()->structure.experts == 0) continue;
      double experts = 0.0;
      for (const trace::ExpertShare& e : at.experts.used_in(l)) experts += double{e.share};
      EXPECT_NEAR(1.0, experts, 1e-3);
    }
  }
}
TEST(Structures, SayOverWhatQueriesAndKeysAreNormalised) {
  model::Config c;
  constexpr uint32_t kBoth = trace::kStructureHeadNorms | trace::kStructureProjectionNorms;
  EXPECT_EQ(0U, engine::structure_record(c).flags & kBoth);
  c.qk_norm = model::QkNorm::kHead;
  EXPECT_EQ(trace::kStructureHeadNorms, engine::structure_record(c).flags & kBoth);
  c.qk_norm = model::QkNorm::kProjection;
  EXPECT_EQ(trace::kStructureProjectionNorms, engine::structure_record(c).flags & kBoth);
  c.qk_norm = model::QkNorm::kRotatedHead;
  EXPECT_EQ(kBoth, engine::structure_record(c).flags & kBoth);
}

TEST(Structures, SayHowALargeMixtureIsRouted) {
  model::Config c;
  c.n_expert = 8;
  const auto flags = [&] { return engine::structure_record(c).flags; };
  constexpr uint32_t kAll = trace::kStructureSigmoidRouter | trace::kStructureChoiceBias |
                            trace::kStructureScaledExperts | trace::kStructureSharedWhole;
  c.n_ff_shared = 32;
  c.shared_gated = true;
  EXPECT_EQ(0U, flags() & kAll);
  c.shared_gated = false;
  EXPECT_EQ(uint32_t{trace::kStructureSharedWhole}, flags() & kAll);
  c.router = model::RouterKind::kSigmoid;
  c.choice_biased = true;
  c.expert_scale = 2.5F;
  EXPECT_EQ(kAll, flags() & kAll);
  c.n_ff_dense = 24;
  c.dense_layers = 1;
  EXPECT_EQ(24U, engine::structure_record(c).dense_neurons);
  EXPECT_EQ(1U, engine::structure_record(c).dense_layers);
}

TEST(Structures, SayWhatAnFfnDoesAndWhatIsAdded) {
  model::Config c;
  const auto flags = [&] { return engine::structure_record(c).flags; };
  EXPECT_NE(0U, flags() & trace::kStructureGated);
  EXPECT_EQ(0U, flags() & trace::kStructureHeadBiases);
  EXPECT_NE(0U, flags() & trace::kStructureRotated);
  c.ffn = model::FfnKind::kGelu;
  EXPECT_EQ(0U, flags() & trace::kStructureGated);
  c.ffn = model::FfnKind::kGeluExact;  // GPT-NeoX
  EXPECT_EQ(0U, flags() & trace::kStructureGated);
  EXPECT_NE(0U, flags() & trace::kStructureGelu);
  c.added_attention_bias = true;
  EXPECT_EQ(trace::kStructureBiases,
            flags() & (trace::kStructureFfnBiases | trace::kStructureBiases));
  c.added_attention_bias = false;
  c.arch = "qwen2";
  EXPECT_EQ(trace::kStructureHeadBiases,
            flags() & (trace::kStructureHeadBiases | trace::kStructureBiases));
  c.norm = model::NormKind::kLayer;
  c.all_biased = true;
  EXPECT_NE(0U, flags() & trace::kStructureBiases);
  EXPECT_NE(0U, flags() & trace::kStructureFfnBiases);
  c.head_dim = 64;
  c.attention_scale = 0.1F;
  EXPECT_EQ(0U, flags() & trace::kStructureRootScale);
  c.attention_scale = 0.125F;
  EXPECT_NE(0U, flags() & trace::kStructureRootScale);
  c.score_soft_cap = 50.0F;
  EXPECT_NE(0U, flags() & trace::kStructureScoreCap);
  EXPECT_EQ(0U, flags() & trace::kStructureLogitCap);
}

TEST(Structures, OfPublishedShapesSayHowPositionsComeIn) {
  constexpr uint32_t kPositions = trace::kStructurePositions | trace::kStructureRotated;
  const auto flags = [](const char* name) {
    return engine::find_structure(name, builtin()).structure.flags;
  };
  EXPECT_EQ(trace::kStructurePositions, flags("gpt2") & kPositions);
  EXPECT_EQ(trace::kStructurePositions, flags("gpt3") & kPositions);
  EXPECT_EQ(trace::kStructureRotated, flags("llama3-8b") & kPositions);
  for (const char* name : {"gpt2", "gpt3", "llama3-8b", "mixtral-8x7b", "gpt-oss-20b"}) {
    EXPECT_NE(0U, flags(name) & trace::kStructureRootScale) << name;
  }
}

// A model that runs is described as its file is, but for what a picture without weights cuts down.
TEST(Structures, AreWhatASessionSaysOfTheSameModel) {
  tests::Conversation talk(tests::builtin_model_path());
  talk.reader.poll();
  const trace::Model& running = *talk.reader.model();
  const trace::Model at_rest = engine::find_structure("builtin", builtin());
  EXPECT_EQ(at_rest.record.layers, running.record.layers);
  EXPECT_EQ(at_rest.record.width, running.record.width);
  EXPECT_EQ(at_rest.record.heads, running.record.heads);
  EXPECT_EQ(at_rest.record.kv_heads, running.record.kv_heads);
  EXPECT_EQ(at_rest.record.head_width, running.record.head_width);
  EXPECT_EQ(at_rest.record.neurons, running.record.neurons);
  EXPECT_EQ(at_rest.record.vocabulary, running.record.vocabulary);
  EXPECT_EQ(at_rest.record.parameters, running.record.parameters);
  EXPECT_EQ(at_rest.architecture, running.architecture);
  EXPECT_EQ("F16", running.quantisation);
  EXPECT_NE(0U, running.record.weights_hash);
  EXPECT_EQ(at_rest.structure.flags, running.structure.flags);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Synthetic,
                         ::testing::Values("builtin", "gpt2", "llama3-8b", "mixtral-8x7b",
                                           "gpt-oss-20b", "deepseek-v3", "gpt3"));

}  // namespace
