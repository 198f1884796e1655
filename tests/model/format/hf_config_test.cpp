// config.json of every family -> GGUF's keys; the layouts that differ; what is refused.
#include "model/format/hf_config.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/config.h"
#include "model/error.h"
#include "tests/support/data.h"
#include "tests/support/safetensors_bytes.h"

namespace {

using fulgurite::Error;
using model::ModelFile;
using nlohmann::json;
using tests::HfMemory;
using tests::small_config;

HfMemory folder_of(const json& config) {
  HfMemory folder;
  folder.config = config;
  return folder;
}

ModelFile opened(const std::string& model_type, const json& changes = json::object()) {
  json config = small_config(model_type);
  config.merge_patch(changes);  // null takes a key away
  return folder_of(config).open();
}

std::string refusal(HfMemory folder) {
  try {
    folder.open();
  } catch (const Error& error) {
    EXPECT_EQ(fulgurite::ExitCode::kBadModel, error.code());
    EXPECT_CONTAINS(error.what(), "folder");
    EXPECT_EQ(std::string::npos, std::string(error.what()).find('\n'));
    return error.what();
  }
  return "(accepted)";
}
std::string refusal(const std::string& model_type, const json& changes) {
  json config = small_config(model_type);
  config.update(changes);
  return refusal(folder_of(config));
}

std::vector<float> row_of(const ModelFile& file, const std::string& name, int64_t row = 0) {
  const model::Tensor* t = file.find_tensor(name);
  if (!t) {
    ADD_FAILURE() << name << " is missing";
    return {};
  }
  std::vector<float> values(static_cast<size_t>(t->cols()));
  model::dequantize_row(*t, row, values.data());
  return values;
}

// ---- keys

TEST(HfConfig, Llama) {
  const ModelFile f = opened("llama", {{"num_key_value_heads", 1}, {"rope_theta", 5e5}});
  EXPECT_EQ("llama", f.get_string("general.architecture"));
  EXPECT_EQ(6, f.get_int("llama.vocab_size", 0, 99));
  EXPECT_EQ(12, f.get_int("llama.feed_forward_length", 0, 99));
  EXPECT_EQ(1, f.get_int("llama.attention.head_count_kv", 0, 99));
  EXPECT_EQ(4, f.get_int("llama.rope.dimension_count", 0, 99));
  EXPECT_EQ(5e5, f.get_float("llama.rope.freq_base", 0));
  EXPECT_EQ(1e-6, f.get_float("llama.attention.layer_norm_rms_epsilon", 0)) << "the default";
  EXPECT_TRUE(f.get_bool("fulgurite.rope.halves", false));
  EXPECT_EQ(nullptr, f.find("llama.attention.sliding_window"));
}

TEST(HfConfig, MistralSlidesUnlessItSaysNot) {
  EXPECT_EQ(4096, opened("mistral").get_int("llama.attention.sliding_window", 0, 9999));
  EXPECT_EQ(32, opened("mistral", {{"sliding_window", 32}})
                    .get_int("llama.attention.sliding_window", 0, 9999));
  EXPECT_EQ(nullptr,
            opened("llama", {{"sliding_window", 32}}).find("llama.attention.sliding_window"))
      << "transformers' Llama passes over it";
  json config = small_config("mistral");
  config["sliding_window"] = nullptr;
  EXPECT_EQ(nullptr, folder_of(config).open().find("llama.attention.sliding_window"));
}

TEST(HfConfig, MixtralIsLlamaWithExperts) {
  const ModelFile f = opened("mixtral", {{"num_local_experts", 8}, {"num_experts_per_tok", 2}});
  EXPECT_EQ("llama", f.get_string("general.architecture"));
  EXPECT_EQ(8, f.get_int("llama.expert_count", 0, 99));
  EXPECT_EQ(2, f.get_int("llama.expert_used_count", 0, 99));
  EXPECT_EQ(1e6, f.get_float("llama.rope.freq_base", 0)) << "the default";
  EXPECT_EQ(8, opened("mixtral", {{"num_experts_per_tok", 2}}).get_int("llama.expert_count", 0, 99))
      << "the default";
}

// A key that is null, which merge_patch() would take away.
TEST(HfConfig, HeadsThatAreNullAreAsManyAsTheOthers) {
  json config = small_config("mistral");
  config["num_attention_heads"] = 2;
  config["num_key_value_heads"] = nullptr;
  EXPECT_EQ(2, folder_of(config).open().get_int("llama.attention.head_count_kv", 0, 99));
}

TEST(HfConfig, Qwen2MoeHasSharedExperts) {
  const json moe = {{"num_experts", 4},
                    {"num_experts_per_tok", 2},
                    {"moe_intermediate_size", 5},
                    {"shared_expert_intermediate_size", 9}};
  const ModelFile f = opened("qwen2_moe", moe);
  EXPECT_EQ(5, f.get_int("qwen2moe.expert_feed_forward_length", 0, 99));
  EXPECT_EQ(9, f.get_int("qwen2moe.expert_shared_feed_forward_length", 0, 99));
}

TEST(HfConfig, Gemma2HasCapsAndAWindow) {
  const ModelFile f = opened("gemma2", {{"head_dim", 4}, {"query_pre_attn_scalar", 16}});
  EXPECT_EQ(50.0F, model::read_config(f).score_soft_cap);
  EXPECT_EQ(30.0F, model::read_config(f).final_soft_cap);
  EXPECT_EQ(4096, f.get_int("gemma2.attention.sliding_window", 0, 9999));
  EXPECT_EQ(0.25, f.get_float("gemma2.attention.scale", 0)) << "other than 1/sqrt(head_dim)";
  EXPECT_EQ(nullptr, f.find("fulgurite.rope.halves")) << "GGUF's gemma has halves anyway";
}

// Where transformers' config says null there is none, and the defaults of the GGUF key do not
// count.
TEST(HfConfig, GemmasMaySayThatThereIsNone) {
  json config = small_config("gemma2");
  config["head_dim"] = 4;
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping", "sliding_window"}) {
    config[key] = nullptr;
  }
  const model::Config c = model::read_config(folder_of(config).open());
  EXPECT_EQ(0.0F, c.score_soft_cap);
  EXPECT_EQ(0.0F, c.final_soft_cap);
  EXPECT_FALSE(c.windowed(0));
}

// The GGUFs of 27 B lack a scale, and their number of layers stands for it; a folder says its own.
TEST(HfConfig, AGemmaOfFortySixLayersHasTheScaleThatItSays) {
  const model::Config c = model::read_config(opened(
      "gemma2", {{"num_hidden_layers", 46}, {"head_dim", 16}, {"query_pre_attn_scalar", 16}}));
  EXPECT_EQ(0.25F, c.attention_scale);
}

// transformers: layer i slides iff (i + 1) % sliding_window_pattern != 0, and layer_types goes
// before that.
TEST(HfConfig, LayersOfGemmaSlideAsTheyAreTold) {
  const auto windowed = [](const std::string& type, json changes) {
    changes.update({{"num_hidden_layers", 6}, {"head_dim", 4}});
    const model::Config c = model::read_config(opened(type, changes));
    std::string layers;
    for (int64_t l = 0; l < c.n_layer; ++l) layers += c.windowed(l) ? 's' : 'f';
    return layers;
  };
  const json s = "sliding_attention";
  const json f = "full_attention";
  EXPECT_EQ("sssssf", windowed("gemma3_text", json::object()));
  EXPECT_EQ("ssfssf", windowed("gemma3_text", {{"sliding_window_pattern", 3}}));
  EXPECT_EQ("ffffff", windowed("gemma3_text", {{"sliding_window_pattern", 1}}));
  EXPECT_EQ("sfsfsf", windowed("gemma3_text", {{"layer_types", {s, f, s, f, s, f}}}));
  EXPECT_EQ("ssssss", windowed("gemma3_text", {{"layer_types", {s, s, s, s, s, s}},
                                               {"sliding_window_pattern", 3}}));
  EXPECT_EQ("sfsfsf", windowed("gemma2", json::object()));
  EXPECT_EQ("ffffff", windowed("gemma2", {{"layer_types", {f, f, f, f, f, f}}}));
  EXPECT_EQ(nullptr,
            opened("gemma3_text",
                   {{"num_hidden_layers", 6}, {"head_dim", 4}, {"layer_types", {s, s, s, s, s, f}}})
                .find("gemma3.attention.sliding_window_pattern"))
      << "what every program takes for granted";
  const auto refused = [](const json& types) {
    const ModelFile file = opened(
        "gemma2", {{"head_dim", 4}, {"num_hidden_layers", types.size()}, {"layer_types", types}});
    try {
      model::read_config(file);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("(accepted)");
  };
  EXPECT_CONTAINS(refused({f, s, f, s}), "is not regular: layer 1");
  EXPECT_CONTAINS(refusal("gemma2", {{"head_dim", 4}, {"layer_types", {s, s}}}),
                  "layer_types has not as many entries");
  EXPECT_CONTAINS(refusal("gemma2", {{"head_dim", 4}, {"layer_types", {"chunked_attention"}}}),
                  "layer_types holds something else");
}

TEST(HfConfig, Gemma3WithEyesIsItsTextModel) {
  json config = {{"model_type", "gemma3"}, {"text_config", small_config("gemma3_text")}};
  config["text_config"]["head_dim"] = 4;
  HfMemory folder = folder_of(config);
  folder.weights.f32("language_model.model.norm.weight", {8}, 0.0F);
  folder.weights.f32("vision_tower.x.weight", {4});
  const ModelFile f = folder.open();
  EXPECT_EQ("gemma3", f.get_string("general.architecture"));
  ASSERT_EQ(1U, f.tensors().size());
  EXPECT_EQ((std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}), row_of(f, "output_norm.weight"));
}

TEST(HfConfig, GptNeoxRotatesAQuarterAndIsRegrouped) {
  HfMemory folder = folder_of(small_config("gpt_neox"));
  folder.config["hidden_size"] = 16;
  folder.config["use_parallel_residual"] = false;
  // (H, 3, D) = (2, 3, 8) rows of 16; the first number of a row tells which it was.
  folder.weights.f32("gpt_neox.layers.0.attention.query_key_value.weight", {48, 16});
  folder.weights.f32("gpt_neox.layers.0.attention.query_key_value.bias", {48});
  const ModelFile f = folder.open();
  EXPECT_EQ(2, f.get_int("gptneox.rope.dimension_count", 0, 99));
  EXPECT_FALSE(f.get_bool("gptneox.use_parallel_residual", true));
  const std::vector<float> bias = row_of(f, "blk.0.attn_qkv.bias");
  for (int64_t part = 0; part < 3; ++part) {
    for (int64_t head = 0; head < 2; ++head) {
      for (int64_t d = 0; d < 8; ++d) {
        const int64_t to = part * 16 + head * 8 + d;
        const auto from = static_cast<float>(head * 24 + part * 8 + d);
        EXPECT_EQ(from * 16, row_of(f, "blk.0.attn_qkv.weight", to)[0]);
        EXPECT_EQ(from, bias[static_cast<size_t>(to)]);
      }
    }
  }
}

TEST(HfConfig, Phi2AndPhi3) {
  const ModelFile two = opened("phi", {{"layer_norm_eps", 1e-4}, {"hidden_act", "gelu_new"}});
  EXPECT_EQ("phi2", two.get_string("general.architecture"));
  EXPECT_EQ(2, two.get_int("phi2.rope.dimension_count", 0, 99)) << "half of a head";
  EXPECT_EQ(1e-4, two.get_float("phi2.attention.layer_norm_epsilon", 0));
  const ModelFile three = opened(
      "phi3", {{"original_max_position_embeddings", 16},
               {"rope_scaling",
                {{"type", "longrope"}, {"short_factor", {1.0, 2.0}}, {"long_factor", {3.0, 4}}}}});
  EXPECT_EQ(16, three.get_int("phi3.rope.scaling.original_context_length", 0, 99));
  EXPECT_NEAR(std::sqrt(1.0 + std::log(4.0) / std::log(16.0)),
              three.get_float("phi3.rope.scaling.attn_factor", 0), 1e-12);
  EXPECT_EQ((std::vector<float>{1, 2}), row_of(three, "rope_factors_short.weight"));
  EXPECT_EQ((std::vector<float>{3, 4}), row_of(three, "rope_factors_long.weight"));
  EXPECT_EQ(16, model::read_config(three).rope_original) << "and the model uses them";
}

// config.json of google/gemma-3-4b-it leaves these to transformers' Gemma3TextConfig.
TEST(HfConfig, Gemma3ThatSeesLeavesItsHeadsToTheDefaults) {
  json config = small_config("gemma3_text");
  for (const char* key : {"num_attention_heads", "num_key_value_heads", "head_dim", "vocab_size",
                          "max_position_embeddings"}) {
    config.erase(key);
  }
  const ModelFile f = folder_of({{"model_type", "gemma3"}, {"text_config", config}}).open();
  EXPECT_EQ(8, f.get_int("gemma3.attention.head_count", 0, 99));
  EXPECT_EQ(4, f.get_int("gemma3.attention.head_count_kv", 0, 99));
  EXPECT_EQ(256, f.get_int("gemma3.attention.key_length", 0, 999));
  EXPECT_EQ(262208, f.get_int("gemma3.vocab_size", 0, 1 << 20));
  EXPECT_EQ(131072, f.get_int("gemma3.context_length", 0, 1 << 20));
  EXPECT_CONTAINS(refusal("llama", {{"num_attention_heads", nullptr}}), "is missing");
}

// transformers' ACT2FN: "gelu" is exact, the others approximate it as GGUF's readers do.
TEST(HfConfig, GeluByItsNameAloneIsTheExactOne) {
  using model::FfnKind;
  const auto kind = [](const char* type, const json& changes) {
    return model::read_config(opened(type, changes)).ffn;
  };
  EXPECT_EQ(FfnKind::kGeluExact, kind("gpt_neox", {{"hidden_act", "gelu"}, {"rotary_pct", 0.5}}));
  EXPECT_EQ(FfnKind::kGelu, kind("gpt_neox", {{"hidden_act", "gelu_fast"}, {"rotary_pct", 0.5}}));
  EXPECT_EQ(FfnKind::kGelu, kind("phi", {{"hidden_act", "gelu_new"}}));
  EXPECT_EQ(FfnKind::kGeluExact, kind("phi", {{"hidden_act", "gelu_python"}}));
  EXPECT_EQ(FfnKind::kSiluGated, kind("llama", {{"hidden_act", "swish"}}));
  EXPECT_EQ(FfnKind::kGeluGated, kind("gemma", {{"hidden_act", "gelu"}, {"head_dim", 4}}));
}

TEST(HfConfig, ARouterMayNormaliseOrNot) {
  const json experts = {{"num_experts", 4}, {"num_experts_per_tok", 2}, {"norm_topk_prob", true}};
  EXPECT_TRUE(model::read_config(opened("olmoe", experts)).expert_renormalise);
  EXPECT_FALSE(model::read_config(opened("olmoe", {{"num_experts", 4}, {"num_experts_per_tok", 2}}))
                   .expert_renormalise);
  json moe = {{"num_experts", 4},
              {"num_experts_per_tok", 2},
              {"moe_intermediate_size", 5},
              {"head_dim", 4}};
  EXPECT_FALSE(model::read_config(opened("qwen3_moe", moe)).expert_renormalise) << "the default";
  moe["norm_topk_prob"] = true;
  EXPECT_TRUE(model::read_config(opened("qwen3_moe", moe)).expert_renormalise);
  const json mixtral = {
      {"num_local_experts", 4}, {"num_experts_per_tok", 2}, {"norm_topk_prob", false}};
  EXPECT_TRUE(model::read_config(opened("mixtral", mixtral)).expert_renormalise)
      << "which knows no such key";
}

// Computed apart from the published formula for theta 500000, width 128 and Llama 3.1's settings:
// wavelengths below 2048 stay, above 8192 are stretched eightfold.
TEST(HfConfig, Llama31GetsItsFrequencyFactors) {
  const ModelFile f = opened("llama", {{"head_dim", 128},
                                       {"rope_theta", 500000.0},
                                       {"rope_scaling",
                                        {{"rope_type", "llama3"},
                                         {"factor", 8.0},
                                         {"low_freq_factor", 1.0},
                                         {"high_freq_factor", 4.0},
                                         {"original_max_position_embeddings", 8192}}}});
  const std::vector<float> factors = row_of(f, "rope_freqs.weight");
  ASSERT_EQ(64U, factors.size());
  EXPECT_EQ(1.0F, factors[0]);
  EXPECT_EQ(1.0F, factors[28]) << "wavelength 1956";
  EXPECT_NEAR(1.5534146F, factors[30], 1e-6F);
  EXPECT_NEAR(5.2573266F, factors[34], 1e-5F);
  EXPECT_EQ(8.0F, factors[35]) << "wavelength 8218";
  EXPECT_EQ(8.0F, factors[63]);
  EXPECT_EQ(nullptr, f.find("llama.rope.scaling.type"));
}

TEST(HfConfig, OtherScalingsKeepTheirNames) {
  const ModelFile f = opened("llama", {{"rope_scaling", {{"type", "linear"}, {"factor", 4}}}});
  EXPECT_EQ("linear", f.get_string("llama.rope.scaling.type"));
  EXPECT_EQ(4.0, f.get_float("llama.rope.scaling.factor", 0));
  EXPECT_EQ(
      nullptr,
      opened("llama", {{"rope_scaling", {{"type", "default"}}}}).find("llama.rope.scaling.type"));
}

// transformers: attention_factor, or the ratio of two of YaRN's, takes the place of 0.1 ln s + 1.
TEST(HfConfig, YarnKeepsItsSettings) {
  const auto yarn = [](json changes) {
    json all = {{"type", "yarn"}, {"factor", 4}, {"original_max_position_embeddings", 32}};
    all.merge_patch(changes);
    changes = all;
    return model::read_config(opened("llama", {{"rope_scaling", changes}}));
  };
  EXPECT_EQ(0.25F, yarn(json::object()).rope_scale);
  EXPECT_FLOAT_EQ(1.1386294F, yarn(json::object()).rope_magnitude);
  EXPECT_EQ(1.25F, yarn({{"attention_factor", 1.25}}).rope_magnitude);
  EXPECT_FLOAT_EQ(1.1386294F / 1.0693147F,
                  yarn({{"mscale", 1.0}, {"mscale_all_dim", 0.5}}).rope_magnitude);
  EXPECT_CONTAINS(
      refusal("llama", {{"rope_scaling", {{"type", "yarn"}, {"factor", 4}, {"truncate", false}}}}),
      "has truncate off");
  EXPECT_EQ(0.5F, yarn({{"factor", nullptr}}).rope_scale) << "64 positions of 32";
  for (const char* type : {"linear", "llama3", "yarn"}) {
    EXPECT_CONTAINS(refusal("llama", {{"rope_scaling", {{"type", type}}}}), "has no factor");
  }
}

TEST(HfConfig, TransformersFiveKeepsRopeInOnePlace) {
  const ModelFile f =
      opened("llama", {{"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 7e4}}}});
  EXPECT_EQ(7e4, f.get_float("llama.rope.freq_base", 0));
  const ModelFile gemma = opened(
      "gemma3_text", {{"head_dim", 4},
                      {"rope_parameters",
                       {{"full_attention", {{"rope_theta", 3e6}, {"rope_type", "default"}}},
                        {"sliding_attention", {{"rope_theta", 2e4}, {"rope_type", "default"}}}}}});
  EXPECT_EQ(3e6, gemma.get_float("gemma3.rope.freq_base", 0));
  EXPECT_EQ(2e4, gemma.get_float("gemma3.rope.freq_base_swa", 0));
  const ModelFile old_name =
      opened("llama", {{"rope_theta", 1e4}, {"rope_scaling", {{"rope_theta", 7e4}}}});
  EXPECT_EQ(7e4, old_name.get_float("llama.rope.freq_base", 0));
}

// ---- tensors

TEST(HfFolderTensors, AHeadThatIsNeitherStoredNorTiedIsMissed) {
  json config = small_config("llama");
  config["tie_word_embeddings"] = false;
  EXPECT_CONTAINS(refusal(folder_of(config)), "'lm_head.weight' is missing");
  config["tie_word_embeddings"] = "no";
  EXPECT_CONTAINS(refusal(folder_of(config)), "tie_word_embeddings is not true or false");
  json both = {{"model_type", "gemma3"},
               {"tie_word_embeddings", false},
               {"text_config", small_config("gemma3_text")}};
  both["text_config"]["head_dim"] = 4;
  EXPECT_CONTAINS(refusal(folder_of(both)), "'lm_head.weight' is missing")
      << "said for the whole model";
}

TEST(HfFolderTensors, ATiedHeadIsTheEmbedding) {
  HfMemory folder = folder_of(small_config("llama"));
  folder.config["tie_word_embeddings"] = true;
  folder.weights.f32("lm_head.weight", {6, 8}, 1.0F);
  EXPECT_EQ(1.0F, row_of(folder.open(), "token_embd.weight")[0]) << "stored under the head's name";
  folder.weights.f32("model.embed_tokens.weight", {6, 8}, 2.0F);
  const ModelFile both = folder.open();
  EXPECT_EQ(2.0F, row_of(both, "token_embd.weight")[0]);
  EXPECT_EQ(nullptr, both.find_tensor("output.weight"));
  folder.config["tie_word_embeddings"] = false;
  EXPECT_EQ(1.0F, row_of(folder.open(), "output.weight")[0]);
}

TEST(HfFolderTensors, VectorsBecomeFloat32AndUnalignedDataIsMoved) {
  HfMemory folder = folder_of(small_config("llama"));
  folder.weights.raw("odd", "U8", {0}, "");
  folder.weights.raw("model.norm.weight", "BF16", {8},
                     std::string("\x80\x3F\x00\x40", 4) + std::string(12, '\0'));
  folder.weights.raw("model.embed_tokens.weight", "F16", {6, 8}, std::string(96, '\x3C'));
  folder.weights.header.erase("odd");
  const ModelFile f = folder.open();
  const model::Tensor* norm = f.find_tensor("output_norm.weight");
  EXPECT_EQ(model::DType::kF32, norm->dtype);
  EXPECT_EQ(2.0F, row_of(f, "output_norm.weight")[1]);
  EXPECT_EQ(model::DType::kF16, f.find_tensor("token_embd.weight")->dtype);
  for (const model::Tensor& t : f.tensors()) EXPECT_EQ(0U, reinterpret_cast<uintptr_t>(t.data) % 2);
}

TEST(HfFolderTensors, WhatCannotBeReadIsRefused) {
  const auto with = [](const char* dtype, const std::vector<int64_t>& shape, size_t bytes) {
    HfMemory folder = folder_of(small_config("llama"));
    folder.weights.raw("model.norm.weight", dtype, shape, std::string(bytes, '\0'));
    return refusal(std::move(folder));
  };
  EXPECT_CONTAINS(with("F8_E4M3", {8}, 8), "F8_E4M3, which is not supported", "F32, F16 and BF16");
  EXPECT_CONTAINS(with("F64", {8}, 64), "F64, which is not supported");
  EXPECT_CONTAINS(with("F32", {}, 4), "has 0 dimensions");
  EXPECT_CONTAINS(with("F32", {1, 1, 1, 1, 1}, 4), "has 5 dimensions");
  EXPECT_CONTAINS(with("F32", {0}, 0), "is empty");
  HfMemory twice = folder_of(small_config("llama"));
  twice.weights.f32("model.norm.weight", {8}).f32("norm.weight", {8});
  EXPECT_CONTAINS(refusal(std::move(twice)), "is there twice");
  HfMemory neox = folder_of(small_config("gpt_neox"));
  neox.config["rotary_pct"] = 1.0;
  neox.weights.f32("gpt_neox.layers.0.attention.query_key_value.weight", {7, 8});
  EXPECT_CONTAINS(refusal(std::move(neox)), "does not divide into its heads");
}

// ---- refusals

TEST(HfConfig, UnknownFamiliesNameTheKnownOnes) {
  EXPECT_CONTAINS(refusal("mamba\n", json::object()), "'mamba\\x0A' is not supported", "qwen3_moe",
                  "phi3");
  EXPECT_CONTAINS(refusal("llama", {{"model_type", 3}}), "names no model_type");
}

TEST(HfConfig, SettingsThatWouldGiveWrongNumbersAreRefused) {
  EXPECT_CONTAINS(refusal("llama", {{"hidden_act", "relu"}}), "hidden_act is 'relu'");
  EXPECT_CONTAINS(refusal("llama", {{"hidden_act", 3}}), "hidden_act is no text");
  EXPECT_CONTAINS(refusal("gemma", {{"hidden_act", "silu"}, {"head_dim", 4}}), "hidden_act");
  EXPECT_CONTAINS(refusal("olmoe", {{"clip_qkv", 8.0}}), "clip_qkv is not supported");
  EXPECT_CONTAINS(refusal("phi", {{"qk_layernorm", true}}), "qk_layernorm is not supported");
  EXPECT_CONTAINS(refusal("gpt_neox", {{"attention_bias", false}}), "attention_bias is off");
  EXPECT_CONTAINS(refusal("qwen2", {{"use_sliding_window", true}, {"max_window_layers", 0}}),
                  "use_sliding_window");
  EXPECT_EQ("(accepted)",
            refusal("qwen2", {{"use_sliding_window", true}, {"max_window_layers", 1}}));
  EXPECT_CONTAINS(refusal("qwen3", {{"head_dim", 4}, {"layer_types", {"sliding_attention"}}}),
                  "layer_types holds sliding_attention");
  EXPECT_EQ("(accepted)", refusal("qwen3", {{"head_dim", 4}, {"layer_types", {"full_attention"}}}));
  EXPECT_CONTAINS(refusal("llama", {{"rope_scaling", {{"type", "ntk"}}}}), "'ntk'");
  EXPECT_EQ("(accepted)",
            refusal("llama", {{"rope_scaling", {{"type", "dynamic"}, {"factor", 2.0}}}}));
  EXPECT_CONTAINS(refusal("llama", {{"is_causal", false}}), "is_causal is off");
  for (const json& odd : {json("yarn"), json::array({1}), json{{"full_attention", 5}}})
    EXPECT_CONTAINS(refusal("llama", {{"rope_parameters", odd}}), "rope_parameters is no object");
  EXPECT_CONTAINS(refusal("llama", {{"rope_parameters", {{"rope_type", "mrope"}}}}),
                  "rope_parameters is of the type 'mrope'");
  EXPECT_CONTAINS(refusal("llama", {{"head_dim", 0}}), "head_dim is 0 (in config.json)");
  EXPECT_CONTAINS(refusal("llama", {{"rms_norm_eps", 0.0}}), "rms_norm_eps is not positive");
  EXPECT_CONTAINS(refusal("llama", {{"rope_scaling", "linear"}}), "rope_scaling is no object");
  EXPECT_CONTAINS(refusal("llama", {{"rope_scaling", {{"factor", 2}}}}), "has no type");
  EXPECT_CONTAINS(refusal("llama", {{"rope_scaling", {{"rope_type", 5}}}}), "rope_type");
  for (const char* bias : {"attention_bias", "mlp_bias"}) {
    json biased = small_config("llama");
    biased[bias] = true;
    HfMemory folder = folder_of(biased);
    folder.weights.f32("model.norm.weight", {8});
    EXPECT_CONTAINS(refusal(folder), "holds no such biases");
    EXPECT_EQ("(accepted)", refusal(folder_of(biased))) << "config.json alone is a structure";
    biased[bias] = false;
    HfMemory unsaid = folder_of(biased);
    const bool heads = std::string(bias) == "attention_bias";
    unsaid.weights.f32(
        heads ? "model.layers.0.self_attn.q_proj.bias" : "model.layers.0.mlp.up_proj.bias", {8});
    EXPECT_CONTAINS(refusal(unsaid),
                    std::string(bias) + " is off, but the folder holds such biases");
  }
  EXPECT_CONTAINS(refusal("llama", {{"quantization_config", {{"bits", 4}}}}),
                  "quantization_config is not supported");
  const json moe = {{"head_dim", 4},
                    {"num_experts", 4},
                    {"num_experts_per_tok", 2},
                    {"moe_intermediate_size", 8}};
  json some = moe;
  some["mlp_only_layers"] = {0};
  EXPECT_CONTAINS(refusal("qwen3_moe", some), "mlp_only_layers is not supported");
  some = moe;
  some["decoder_sparse_step"] = 2;
  EXPECT_CONTAINS(refusal("qwen3_moe", some), "decoder_sparse_step is not 1");
  EXPECT_CONTAINS(refusal("gemma3_text", {{"head_dim", 4}, {"use_bidirectional_attention", true}}),
                  "use_bidirectional_attention is on");
  EXPECT_CONTAINS(
      refusal("gemma3_text",
              {{"head_dim", 4},
               {"rope_parameters",
                {{"sliding_attention", {{"rope_theta", 1e4}, {"rope_type", "linear"}}}}}}),
      "scales the layers with a window");
  EXPECT_CONTAINS(refusal("gpt_neox", {{"hidden_act", "gelu_10"}}), "hidden_act is 'gelu_10'");
  EXPECT_CONTAINS(refusal("gemma", {{"head_dim", 4}, {"hidden_activation", "gelu"}}),
                  "hidden_activation is 'gelu'");
}

TEST(HfConfig, NumbersOutOfRangeAreRefused) {
  EXPECT_CONTAINS(refusal("llama", {{"hidden_size", nullptr}}), "hidden_size is missing");
  EXPECT_CONTAINS(refusal("llama", {{"hidden_size", 0}}), "hidden_size is 0");
  EXPECT_CONTAINS(refusal("llama", {{"hidden_size", -8}}), "hidden_size is no whole number");
  EXPECT_CONTAINS(refusal("llama", {{"hidden_size", 8.5}}), "hidden_size is no whole number");
  EXPECT_EQ(model::read_config(opened("llama", json::object())).n_embd,
            model::read_config(opened("llama", {{"hidden_size", 8.0}})).n_embd);
  EXPECT_CONTAINS(refusal("llama", {{"hidden_size", "8"}}), "hidden_size is no whole number");
  EXPECT_CONTAINS(refusal("llama", {{"num_attention_heads", 1e18}}), "no whole number");
  EXPECT_CONTAINS(refusal("llama", {{"num_attention_heads", 99}}), "rotates no part");
  EXPECT_CONTAINS(refusal("llama", {{"head_dim", 1 << 20}}), "head_dim is 1048576");
  EXPECT_CONTAINS(refusal("llama", {{"rope_theta", 0}}), "rope_theta is not positive");
  EXPECT_CONTAINS(refusal("llama", {{"rope_theta", "x"}}), "rope_theta is no number");
  EXPECT_CONTAINS(refusal("llama", {{"vocab_size", 1U << 31}}), "vocab_size");
  EXPECT_CONTAINS(refusal("gpt_neox", {{"rotary_pct", 2.0}}), "rotates no part");
  EXPECT_CONTAINS(refusal("phi3", {{"original_max_position_embeddings", 16},
                                   {"rope_scaling", {{"type", "su"}, {"long_factor", {1}}}}}),
                  "long_factor has not half as many");
  EXPECT_CONTAINS(refusal("llama", {{"rope_scaling", {{"type", "llama3"}, {"factor", 0}}}}),
                  "factor that is not positive");
  EXPECT_CONTAINS(refusal("llama", {{"rope_scaling",
                                     {{"type", "llama3"}, {"factor", 8}, {"low_freq_factor", 4}}}}),
                  "0 < low_freq_factor < high_freq_factor");
}

TEST(HfConfig, AVocabularyThatIsNearlyAllPaddingIsRefused) {
  HfMemory folder = folder_of(small_config("llama"));
  folder.config["vocab_size"] = 1 << 18;
  folder.tokenizer =
      json{{"decoder", {{"type", "ByteLevel"}}},
           {"model", {{"type", "BPE"}, {"vocab", {{"a", 0}}}, {"merges", json::array()}}}}
          .dump();
  EXPECT_CONTAINS(refusal(std::move(folder)), "asks for 262144 tokens, but there are 1");
}

}  // namespace
