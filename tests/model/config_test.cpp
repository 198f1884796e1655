#include "model/config.h"

#include <gtest/gtest.h>

#include "model/error.h"
#include "tests/support/data.h"
#include "tests/support/read_config.h"

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;
using model::Config;
using model::find_problems;
using tests::as_family;
using tests::config_of;
using tests::GgufBytes;
using tests::LoadedGguf;
using tests::refusal;
using tests::small_llama;

std::string only(const std::vector<std::string>& lines) {
  EXPECT_EQ(1U, lines.size());
  return lines.empty() ? "" : lines.front();
}

TEST(Config, OfTheSmallModel) {
  const Config c = config_of(small_llama());
  EXPECT_EQ("llama", c.arch);
  EXPECT_EQ("small", c.name);
  EXPECT_EQ(2, c.n_layer);
  EXPECT_EQ(16, c.n_embd);
  EXPECT_EQ(4, c.n_head);
  EXPECT_EQ(2, c.n_head_kv);
  EXPECT_EQ(4, c.head_dim);
  EXPECT_EQ(24, c.n_ff);
  EXPECT_EQ(256, c.n_vocab) << "counted in tokenizer.ggml.tokens";
  EXPECT_EQ(32, c.n_ctx);
  EXPECT_EQ(4, c.rope_dim) << "the whole head by default";
  EXPECT_EQ(10000.0F, c.rope_base);
  EXPECT_EQ(1e-5F, c.norm_eps);
  EXPECT_TRUE(c.tied);
}

TEST(Config, DefaultsAndTheirOverrides) {
  EXPECT_EQ(4, config_of(small_llama().remove("llama.attention.head_count_kv")).n_head_kv);
  EXPECT_EQ(2, config_of(small_llama().u32("llama.rope.dimension_count", 2)).rope_dim);
  EXPECT_EQ(5e5F, config_of(small_llama().f32("llama.rope.freq_base", 5e5F)).rope_base);
  EXPECT_EQ(
      8,
      config_of(
          small_llama().u32("llama.attention.key_length", 8).u32("llama.attention.value_length", 8))
          .head_dim);
  EXPECT_FALSE(config_of(small_llama().tensor("output.weight", {16, 256})).tied);
  EXPECT_EQ("", config_of(small_llama().remove("general.name")).name);
}

// Facts: llama.cpp's load_hparams and the keys that its converter writes for Phi-3.
TEST(Config, RotationsAreStretchedByAFactorOrByTwoTensors) {
  const auto stretched = [](const std::string& type) {
    GgufBytes g = small_llama();
    g.f32("llama.rope.scaling.factor", 4);
    if (!type.empty()) g.string("llama.rope.scaling.type", type);
    return config_of(g).rope_scale;
  };
  EXPECT_EQ(0.25F, stretched("linear"));
  EXPECT_EQ(0.25F, stretched("")) << "linear where no type is named";
  EXPECT_EQ(1.0F, stretched("none"));
  GgufBytes g = small_llama();
  g.u32("llama.rope.scaling.original_context_length", 16)
      .f32("llama.rope.scaling.attn_factor", 1.25F)
      .tensor("rope_factors_long.weight", {2})
      .tensor("rope_factors_short.weight", {2});
  EXPECT_EQ(16, config_of(g).rope_original) << "named by no type";
  EXPECT_EQ(1.25F, config_of(g).rope_magnitude);
  EXPECT_EQ(1.0F, config_of(GgufBytes(g).remove("llama.rope.scaling.attn_factor")).rope_magnitude);
  EXPECT_EQ(
      32,
      config_of(GgufBytes(g).remove("llama.rope.scaling.original_context_length")).rope_original)
      << "the context that it was trained for";
  EXPECT_EQ(std::vector<std::string>{}, find_problems(LoadedGguf(g.build()).file));
}

TEST(Config, AFamilyThatDoesNotRotateMayHaveHeadsOfAnyWidth) {
  GgufBytes g = as_family("gpt2");
  EXPECT_EQ(5, config_of(g.u32("gpt2.embedding_length", 20)).head_dim);
  EXPECT_CONTAINS(refusal(small_llama().u32("llama.embedding_length", 20)), "which is odd");
}

// Fact: llama.cpp's load_hparams, which every family has in common.
TEST(Config, GemmaThreeWithoutABaseRotatesByTheUsualOne) {
  EXPECT_EQ(1e4F, config_of(as_family("gemma3")).rope_base);
}

// Facts: llama.cpp's loaders of both families.
TEST(Config, QwensExpertsShareTheWidthWhereTheyHaveNoneOfTheirOwn) {
  for (const std::string arch : {"qwen2moe", "qwen3moe"}) {
    GgufBytes g = as_family(arch);
    g.u32(arch + ".expert_count", 4).u32(arch + ".expert_used_count", 2);
    EXPECT_EQ(12, config_of(g).n_ff) << arch;
    EXPECT_EQ(arch == "qwen2moe" ? 24 : 0, config_of(g).n_ff_shared) << arch;
    EXPECT_EQ(6, config_of(g.u32(arch + ".expert_feed_forward_length", 6)).n_ff) << arch;
    g.array<uint32_t>(arch + ".feed_forward_length", 4, {24, 24});
    EXPECT_EQ(arch == "qwen2moe" ? 24 : 0, config_of(g).n_ff_shared) << "said of each layer";
  }
}

// Facts: llama.cpp's loaders of these families.
TEST(Config, WhatTheNewerFamiliesLeaveOutAndScale) {
  const auto olmo = [] { return as_family("olmo2").u32("olmo2.attention.sliding_window", 6); };
  EXPECT_FALSE(config_of(as_family("olmo2")).pre_norms);
  EXPECT_EQ(1e4F, config_of(olmo()).rope_base_local);
  EXPECT_EQ(100.0F, config_of(olmo().f32("olmo2.rope.freq_base_swa", 100.0F)).rope_base_local);
  const Config stretched = config_of(olmo().f32("olmo2.rope.scaling.attn_factor", 1.25F));
  EXPECT_EQ(1.25F, stretched.rope_magnitude);
  EXPECT_EQ(1.0F, stretched.rope_magnitude_local);

  const auto granite = [](const char* key, float value) {
    return as_family("granite").f32(std::string("granite.") + key, value);
  };
  EXPECT_EQ(0.22F, config_of(granite("residual_scale", 0.22F)).update_scale);
  EXPECT_EQ(0.5F, config_of(granite("logit_scale", 2.0F)).logit_scale);
  EXPECT_CONTAINS(refusal(granite("logit_scale", 0.0F)), "logit_scale is 0 (a positive number");
  EXPECT_CONTAINS(refusal(as_family("granite").remove("granite.logit_scale")), "is missing");
  EXPECT_CONTAINS(refusal(granite("logit_scale", 1e-40F)), "no finite number");
  EXPECT_CONTAINS(refusal(granite("residual_scale", -1.0F)), "a positive number");
  EXPECT_TRUE(config_of(as_family("granite")).rotated(0));
  EXPECT_FALSE(
      config_of(as_family("granite").boolean("granite.rope.scaling.finetuned", false)).rotated(0));

  EXPECT_TRUE(config_of(as_family("glm4")).tied) << "a file without output.weight";
  const auto turned = [](const std::vector<int32_t>& sections) {
    return config_of(as_family("glm4").array<int32_t>("glm4.rope.dimension_sections", 5, sections))
        .rope;
  };
  EXPECT_EQ(model::RopeKind::kHalves, turned({2, 1, 0, 0}));
  EXPECT_EQ(model::RopeKind::kPairs, turned({0, 0, 0, 0})) << "no directions, as in llama.cpp";
  EXPECT_CONTAINS(refusal(as_family("glm4").u32("glm4.rope.dimension_sections", 2)),
                  "no list of whole numbers");
  EXPECT_EQ(0, config_of(as_family("smollm3").u32("smollm3.block_count", 3)).rope_period);
  const Config smol = config_of(as_family("smollm3").u32("smollm3.block_count", 8));
  EXPECT_TRUE(smol.rotated(2));
  EXPECT_FALSE(smol.rotated(3));
}

// llama.cpp, src/models/mistral3.cpp and src/llama-context.cpp.
TEST(Config, MistralsQueriesGrowBeyondTheOriginalContext) {
  GgufBytes g = as_family("mistral3");
  EXPECT_EQ(0.0F, config_of(g).temperature_scale);
  g.string("mistral3.rope.scaling.type", "yarn").f32("mistral3.rope.scaling.factor", 4.0F);
  g.u32("mistral3.rope.scaling.original_context_length", 32);
  g.f32("mistral3.attention.temperature_scale", 0.1F);
  const Config c = config_of(g);
  EXPECT_EQ(0.1F, c.temperature_scale);
  EXPECT_EQ(32, c.temperature_length);
  EXPECT_FLOAT_EQ(1.1386294F, c.rope_magnitude);
  g.f32("mistral3.rope.scaling.yarn_log_multiplier", 1.0F);
  EXPECT_FLOAT_EQ(1.0F, config_of(g).rope_magnitude);
}

TEST(Config, WhatHasNoWindowIsNotRotatedInExaoneAndCommandR7B) {
  GgufBytes g = as_family("exaone4");
  EXPECT_EQ(0, config_of(g.u32("exaone4.attention.sliding_window", 8)).window) << "the small one";
  const Config large =
      config_of(g.u32("exaone4.block_count", 64).remove("exaone4.attention.sliding_window"));
  EXPECT_EQ(4096, large.window);
  for (const int64_t l : {2, 3, 62, 63}) EXPECT_EQ(large.windowed(l), large.rotated(l)) << l;
  const Config by_two = config_of(g.u32("exaone4.attention.sliding_window_pattern", 2));
  for (const int64_t l : {0, 1, 2, 3}) EXPECT_EQ(by_two.windowed(l), by_two.rotated(l)) << l;

  GgufBytes r7b = as_family("cohere2");
  r7b.f32("cohere2.attention.layer_norm_epsilon", 1e-5F).f32("cohere2.logit_scale", 0.25F);
  EXPECT_CONTAINS(refusal(r7b), "'cohere2.attention.sliding_window' is missing");
  r7b.u32("cohere2.attention.sliding_window", 8);
  const Config c = config_of(r7b);
  EXPECT_EQ(0.25F, c.logit_scale);
  for (const int64_t l : {0, 1, 2, 3}) EXPECT_EQ(c.windowed(l), c.rotated(l)) << l;
  EXPECT_CONTAINS(refusal(r7b.remove("cohere2.logit_scale")), "is missing");
}

// The first MiniCPM's config.json: scale_emb 12, scale_depth 1.4, dim_model_base 256.
TEST(Config, EarlyFilesOfMiniCpmAreScaledAsItsFirstModels) {
  const Config c = config_of(as_family("minicpm"));
  EXPECT_EQ(12.0F, c.embedding_scale);
  EXPECT_FLOAT_EQ(1.4F / std::sqrt(static_cast<float>(c.n_layer)), c.update_scale);
  EXPECT_FLOAT_EQ(256.0F / static_cast<float>(c.n_embd), c.logit_scale);
  EXPECT_EQ(4.0F, config_of(as_family("minicpm").f32("minicpm.logit_scale", 0.25F)).logit_scale);
  EXPECT_CONTAINS(refusal(as_family("minicpm").f32("minicpm.logit_scale", 1e-40F)),
                  "minicpm.logit_scale divides to no finite number");
}

TEST(Config, GptOssIsNeverReadWithoutItsWindowOrItsExperts) {
  const auto with = [](const char* left_out) {
    GgufBytes g = as_family("gpt-oss");
    g.u32("gpt-oss.attention.sliding_window", 128).u32("gpt-oss.expert_count", 4);
    g.u32("gpt-oss.expert_used_count", 2);
    return g.remove(left_out);
  };
  const Config c = config_of(with("none"));
  EXPECT_TRUE(c.windowed(0));
  EXPECT_FALSE(c.windowed(1));
  for (const char* key : {"gpt-oss.attention.sliding_window", "gpt-oss.expert_count"})
    EXPECT_CONTAINS(refusal(with(key)), "'" + std::string(key) + "' is missing");
}

TEST(Config, ASoftmaxOfTheChosenIsTheirProbabilitiesOverTheirSum) {
  GgufBytes g = as_family("qwen3moe");
  g.u32("qwen3moe.expert_count", 4).u32("qwen3moe.expert_used_count", 2);
  g.boolean("qwen3moe.expert_weights_norm", false);
  EXPECT_FALSE(config_of(g).expert_renormalise);
  EXPECT_TRUE(config_of(g.u32("qwen3moe.expert_gating_func", 3)).expert_renormalise);
  EXPECT_CONTAINS(refusal(g.u32("qwen3moe.expert_gating_func", 2)), "expert_gating_func is 2");
}

TEST(Config, AScaleOfNothingIsTheUsualOne) {
  EXPECT_EQ(0.5F, config_of(small_llama().f32("llama.attention.scale", 0.0F)).attention_scale);
}

TEST(Config, AMagnitudeOfItsOwnCountsForEveryScaling) {
  for (const std::string type : {"", "none", "linear"}) {
    GgufBytes g = small_llama();
    g.f32("llama.rope.scaling.attn_factor", 1.25F);
    if (!type.empty()) g.string("llama.rope.scaling.type", type);
    EXPECT_EQ(1.25F, config_of(g).rope_magnitude) << type;
  }
}

// The published settings of Qwen3 with YaRN: pairs up to 64 ln(32768 / 64 pi) / ln 1e6 = 23.6 turn
// more than 32 times within 32768 positions, those from 64 ln(32768 / 2 pi) / ln 1e6 = 39.7 on less
// than once.
TEST(Config, YarnScalesThePairsThatTurnSlowly) {
  GgufBytes g = small_llama();
  g.u32("llama.attention.key_length", 128).u32("llama.attention.value_length", 128);
  g.f32("llama.rope.freq_base", 1e6F).string("llama.rope.scaling.type", "yarn");
  g.f32("llama.rope.scaling.factor", 4).u32("llama.rope.scaling.original_context_length", 32768);
  const Config c = config_of(g);
  EXPECT_EQ(0.25F, c.rope_scale);
  EXPECT_EQ(131072, c.n_ctx) << "four times what it was trained for";
  EXPECT_EQ(327680, config_of(GgufBytes(g).f32("llama.rope.scaling.factor", 10)).n_ctx);
  EXPECT_EQ(23, c.rope_kept);
  EXPECT_EQ(40, c.rope_scaled);
  EXPECT_FLOAT_EQ(1.1386294F, c.rope_magnitude) << "1 + 0.1 ln 4";
  EXPECT_EQ(1.0F, c.rope_magnitude_local);
  EXPECT_EQ(0, c.rope_original) << "there is one set of factors";
  for (const float factor : {0.878F, 1.0F, 1.5F}) {
    EXPECT_FLOAT_EQ(
        1.1386294F,
        config_of(GgufBytes(g).f32("llama.rope.scaling.yarn_attn_factor", factor)).rope_magnitude)
        << "vLLM's attn_factor, which llama.cpp and transformers pass over";
  }
  EXPECT_FLOAT_EQ(
      1.5F * 1.1386294F,
      config_of(GgufBytes(g).f32("llama.rope.scaling.attn_factor", 1.5F)).rope_magnitude);
  const Config degenerate =
      config_of(GgufBytes(g).u32("llama.rope.scaling.original_context_length", 4));
  EXPECT_EQ(0, degenerate.rope_kept);
  EXPECT_EQ(1, degenerate.rope_scaled) << "the pair at both corners keeps its frequency";
  EXPECT_CONTAINS(refusal(GgufBytes(g).f32("llama.rope.scaling.yarn_ext_factor", 0.5F)),
                  "yarn_ext_factor is not supported");
  EXPECT_CONTAINS(refusal(GgufBytes(g).f32("llama.rope.scaling.yarn_log_multiplier", 1.0F)),
                  "yarn_log_multiplier is not supported");
  EXPECT_CONTAINS(refusal(GgufBytes(g).f32("llama.rope.scaling.yarn_beta_fast", 0.5F)),
                  "contradicts itself");
}

TEST(Config, YarnThatShortensMagnifiesNothing) {
  GgufBytes g = small_llama();
  g.string("llama.rope.scaling.type", "yarn").f32("llama.rope.scaling.factor", 0.5F);
  EXPECT_EQ(1.0F, config_of(g).rope_magnitude);
}

TEST(Config, WindowsMayComeInAPatternInAnyFamilyThatHasThem) {
  GgufBytes g = small_llama();
  g.u32("llama.attention.sliding_window", 8);
  EXPECT_TRUE(config_of(g).windowed(0) && config_of(g).windowed(1));
  g.u32("llama.attention.sliding_window_pattern", 2);
  EXPECT_TRUE(config_of(g).windowed(0));
  EXPECT_FALSE(config_of(g).windowed(1));
}

TEST(Config, ScalingsThatLeadToNoNumberAreRefused) {
  EXPECT_CONTAINS(refusal(small_llama().f32("llama.rope.scaling.factor", 1e-45F)),
                  "leads to no finite number", "rope.scaling.factor");
  GgufBytes g = small_llama();
  g.string("llama.rope.scaling.type", "longrope");
  EXPECT_CONTAINS(refusal(g.u32("llama.rope.scaling.original_context_length", 1)),
                  "original_context_length is 1");
}

TEST(Config, ANameIsOneLineOfBoundedLength) {
  const std::string name =
      config_of(small_llama().string("general.name", std::string(1 << 20, '\x1b'))).name;
  EXPECT_LE(name.size(), 5000U);
  EXPECT_EQ(std::string::npos, name.find('\x1b'));
}

TEST(Config, WhatIsTheSameInEveryLayerMayBeSaidOfEach) {
  using Sizes = std::vector<uint32_t>;
  const auto with = [](const char* key, const Sizes& sizes) {
    return small_llama().array<uint32_t>(key, 4, sizes);
  };
  EXPECT_EQ(24, config_of(with("llama.feed_forward_length", Sizes{24, 24})).n_ff);
  EXPECT_EQ(2, config_of(with("llama.attention.head_count_kv", Sizes{2, 2})).n_head_kv);
  EXPECT_CONTAINS(refusal(with("llama.attention.head_count_kv", Sizes{2, 1})),
                  "head_count_kv differs from layer to layer");
  EXPECT_CONTAINS(refusal(with("llama.attention.head_count", Sizes{0, 0})), "head_count is 0");
  EXPECT_CONTAINS(refusal(with("llama.attention.head_count", Sizes(100, 4))),
                  "head_count is of 100 layers (the model has 2)");
}

TEST(Config, TheVocabularyIsCountedOrNamed) {
  EXPECT_EQ(256, config_of(small_llama().u32("llama.vocab_size", 256)).n_vocab);
  EXPECT_EQ(
      99,
      config_of(small_llama().remove("tokenizer.ggml.tokens").u32("llama.vocab_size", 99)).n_vocab);
  EXPECT_CONTAINS(refusal(small_llama().u32("llama.vocab_size", 255)),
                  "vocab_size is 255, but tokenizer.ggml.tokens has 256");
  EXPECT_CONTAINS(refusal(small_llama().remove("tokenizer.ggml.tokens")),
                  "'tokenizer.ggml.tokens' is missing, and so is llama.vocab_size");
}

TEST(Config, AnUnknownArchitectureNamesItselfAndTheKnownOnes) {
  EXPECT_CONTAINS(refusal(small_llama().string("general.architecture", "mamba")),
                  "'mamba' is not supported", "known: llama");
  EXPECT_CONTAINS(refusal(small_llama().remove("general.architecture")), "is missing");
  EXPECT_CONTAINS(refusal(small_llama().u32("general.architecture", 3)), "not a string");
}

TEST(Config, EveryRequiredKeyIsAskedFor) {
  for (const std::string key :
       {"llama.block_count", "llama.embedding_length", "llama.feed_forward_length",
        "llama.context_length", "llama.attention.head_count",
        "llama.attention.layer_norm_rms_epsilon"}) {
    EXPECT_CONTAINS(refusal(small_llama().remove(key)), "'" + key + "' is missing");
  }
}

TEST(Config, SizesAreChecked) {
  for (const std::string key :
       {"llama.block_count", "llama.embedding_length", "llama.feed_forward_length",
        "llama.context_length", "llama.attention.head_count", "llama.attention.head_count_kv",
        "llama.attention.key_length", "llama.rope.dimension_count"}) {
    EXPECT_CONTAINS(refusal(small_llama().u32(key, 0)), key + " is 0");
    EXPECT_CONTAINS(refusal(small_llama().u32(key, 0xFFFFFFFF)), key + " is 4294967295");
    EXPECT_CONTAINS(refusal(small_llama().i32(key, -1)), key + " is -1");
    EXPECT_CONTAINS(refusal(small_llama().f32(key, 4)), key + " is not a whole number");
  }
}

TEST(Config, SizesMustAgree) {
  EXPECT_CONTAINS(refusal(small_llama().u32("llama.attention.head_count_kv", 3)),
                  "4 heads cannot share 3 KV heads");
  EXPECT_CONTAINS(refusal(small_llama().u32("llama.attention.head_count_kv", 8)),
                  "4 heads cannot share 8 KV heads");
  EXPECT_CONTAINS(refusal(small_llama().u32("llama.embedding_length", 18)),
                  "18 does not divide into 4 heads");
  EXPECT_CONTAINS(refusal(small_llama().u32("llama.rope.dimension_count", 3)), "odd");
  EXPECT_CONTAINS(refusal(small_llama().u32("llama.rope.dimension_count", 6)), "is 6");
  EXPECT_CONTAINS(refusal(small_llama().u32("llama.attention.value_length", 8)),
                  "llama.attention.value_length differs");
}

TEST(Config, NumbersMustBePositiveAndFinite) {
  for (const std::string key : {"llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base"}) {
    for (const float value : {0.0F, -1.0F, std::numeric_limits<float>::quiet_NaN(),
                              std::numeric_limits<float>::infinity()}) {
      EXPECT_CONTAINS(refusal(small_llama().f32(key, value)), key) << value;
    }
    for (const double value : {1e300, 1e-300}) {
      EXPECT_CONTAINS(refusal(small_llama().raw(key, 12, tests::le(value))), key) << value;
    }
  }
}

TEST(Config, WhatWouldSilentlyGiveWrongNumbersIsRefused) {
  EXPECT_CONTAINS(refusal(small_llama().u32("llama.expert_count", 8)), "expert_used_count");
  EXPECT_CONTAINS(refusal(small_llama()
                              .u32("llama.expert_count", 8)
                              .u32("llama.expert_used_count", 2)
                              .u32("llama.expert_gating_func", 2)),
                  "expert_gating_func is 2");
  EXPECT_CONTAINS(refusal(small_llama()
                              .u32("llama.expert_count", 8)
                              .u32("llama.expert_used_count", 2)
                              .f32("llama.expert_weights_scale", 2.5F)),
                  "expert_weights_scale is not supported");
  EXPECT_EQ("(accepted)", refusal(small_llama().u32("llama.expert_count", 0)));
  EXPECT_CONTAINS(refusal(small_llama().string("llama.rope.scaling.type", "mrope")), "'mrope'");
  EXPECT_CONTAINS(refusal(small_llama().string("llama.rope.scaling.type", "llama3")),
                  "needs the tensor rope_freqs.weight");
  EXPECT_CONTAINS(refusal(small_llama()
                              .u32("llama.rope.dimension_count", 4)
                              .u32("llama.rope.dimension_count_swa", 2)),
                  "rope.dimension_count_swa differs");
  EXPECT_CONTAINS(
      refusal(
          small_llama().u32("llama.expert_group_count", 2).u32("llama.expert_group_used_count", 1)),
      "expert_group_used_count differs");
  EXPECT_EQ("(accepted)", refusal(small_llama().string("llama.rope.scaling.type", "none")));
  EXPECT_CONTAINS(refusal(small_llama().f32("llama.logit_scale", 4)), "logit_scale");
  EXPECT_CONTAINS(refusal(small_llama().boolean("llama.attention.causal", false)), "causal");
}

TEST(Runnable, TheSmallModelAndThoseOfTheRepositoryAre) {
  EXPECT_EQ(std::vector<std::string>{}, find_problems(LoadedGguf(small_llama().build()).file));
  for (const char* name : {"models/llama-gqa.gguf", "models/llama-gqa-f16.gguf"}) {
    const auto file = model::open_gguf(tests::data(name).string());
    EXPECT_EQ(std::vector<std::string>{}, find_problems(file));
    EXPECT_NO_THROW(require_runnable(file));
  }
}

TEST(Runnable, EveryTensorIsNeededInItsShapeAndType) {
  GgufBytes g = small_llama();
  g.tensors.pop_back();
  EXPECT_CONTAINS(only(find_problems(LoadedGguf(g.build()).file)),
                  "tensor 'output_norm.weight' is missing");
  g = small_llama();
  g.tensors[1].ne = {8};
  EXPECT_CONTAINS(only(find_problems(LoadedGguf(g.pack().build()).file)),
                  "'blk.0.attn_norm.weight' is 8 x 1, but the metadata asks");
  g = small_llama();
  g.tensors[2].type = 26;
  EXPECT_CONTAINS(only(find_problems(LoadedGguf(g.build()).file)), "'blk.0.attn_q.weight'", "I32");
}

TEST(Runnable, ATensorThatTheArchitectureWouldIgnoreIsAProblem) {
  const LoadedGguf loaded(small_llama().tensor("blk.0.attn_sinks.weight", {4}).build());
  EXPECT_CONTAINS(only(find_problems(loaded.file)), "'blk.0.attn_sinks.weight' has no place");
}

std::string problems_of(const GgufBytes& g) {
  std::string all;
  for (const std::string& line : find_problems(LoadedGguf(g.build()).file)) all += line + "\n";
  return all;
}

// What llama.cpp's loaders ask for: without it the numbers would be others.
TEST(Runnable, BiasesAndHeadsThatAFamilyHasAreNeeded) {
  for (const char* name : {"attn_q", "attn_k", "attn_v"}) {
    const std::string bias = std::string("blk.0.") + name + ".bias";
    EXPECT_CONTAINS(problems_of(as_family("qwen2")), "'" + bias + "' is missing");
  }
  EXPECT_CONTAINS(problems_of(as_family("gptneox")), "'blk.0.attn_norm.bias' is missing",
                  "'blk.1.ffn_down.bias' is missing", "'output.weight' is missing");
  EXPECT_CONTAINS(problems_of(as_family("phi2")), "'output.bias' is missing");
  EXPECT_CONTAINS(problems_of(as_family("olmoe")), "'output.weight' is missing");
}

TEST(Runnable, ATiedHeadMayHaveABias) {
  const LoadedGguf loaded(small_llama().tensor("output.bias", {256}).build());
  EXPECT_EQ(std::vector<std::string>{}, find_problems(loaded.file));
}

TEST(Runnable, AnRmsNormHasNoBias) {
  const LoadedGguf loaded(small_llama().tensor("blk.0.attn_norm.bias", {16}).build());
  EXPECT_CONTAINS(only(find_problems(loaded.file)), "'blk.0.attn_norm.bias' has no place");
}

TEST(Runnable, MillionsOfMissingTensorsAreNotListed) {
  const LoadedGguf dense(small_llama().u32("llama.block_count", 4096).build());
  EXPECT_EQ(1000U, find_problems(dense.file).size());
  GgufBytes g = small_llama().u32("llama.expert_count", 4096).u32("llama.expert_used_count", 1);
  EXPECT_EQ(1000U, find_problems(LoadedGguf(g.build()).file).size());
  EXPECT_CONTAINS(refusal(g.u32("llama.block_count", 4096)), "4096 layers of 4096 experts");
}

TEST(Runnable, TheTokenizerIsPartOfIt) {
  const LoadedGguf loaded(small_llama().string("tokenizer.ggml.model", "bert").build());
  EXPECT_CONTAINS(only(find_problems(loaded.file)), "'bert' is not supported");
}

TEST(Runnable, TheFirstProblemIsThrownAndTheOthersCounted) {
  GgufBytes g = small_llama();
  g.tensors.erase(g.tensors.begin() + 1, g.tensors.begin() + 4);
  const LoadedGguf loaded(g.pack().build());
  try {
    require_runnable(loaded.file);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(ExitCode::kBadModel, error.code());
    EXPECT_CONTAINS(error.what(), "test.gguf: tensor 'blk.0.attn_norm.weight'", "and 2 more",
                    "inspect");
  }
}

}  // namespace
