// Metadata of large mixtures and of latent attention.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/read_config.h"

namespace {

using model::Config;
using tests::as_family;
using tests::config_of;
using tests::GgufBytes;
using tests::refusal;

// A mixture of eight experts of eight neurons; the first of two layers is dense.
GgufBytes large_mixture(const std::string& arch) {
  return as_family(arch)
      .u32(arch + ".expert_count", 8)
      .u32(arch + ".expert_used_count", 2)
      .u32(arch + ".expert_feed_forward_length", 8)
      .u32(arch + ".leading_dense_block_count", 1);
}

// Facts: what llama.cpp's loaders of these families read, and what they take for granted.
TEST(Config, LargeMixturesHaveDenseLayersFirstAndExpertsThatAlwaysWork) {
  const Config deepseek =
      config_of(large_mixture("deepseek").u32("deepseek.expert_shared_count", 2));
  EXPECT_FALSE(deepseek.mixed(0));
  EXPECT_TRUE(deepseek.mixed(1));
  EXPECT_EQ(24, deepseek.neurons(0));
  EXPECT_EQ(8 * 8 + 2 * 8, deepseek.neurons(1));
  EXPECT_FALSE(deepseek.shared_gated);
  EXPECT_FALSE(deepseek.expert_renormalise);
  EXPECT_EQ(model::RouterKind::kSoftmax, deepseek.router);
  EXPECT_EQ(model::RouterKind::kSigmoid, config_of(large_mixture("glm4moe")).router);
  EXPECT_EQ(model::RouterKind::kSoftmax,
            config_of(large_mixture("glm4moe").u32("glm4moe.expert_gating_func", 1)).router);
  EXPECT_TRUE(config_of(large_mixture("ernie4_5-moe")).expert_renormalise);
  const Config wide = config_of(large_mixture("ernie4_5-moe")
                                    .u32("ernie4_5-moe.expert_shared_count", 2)
                                    .u32("ernie4_5-moe.expert_shared_feed_forward_length", 16));
  EXPECT_EQ(16, wide.n_ff_shared) << "all that always work together";
  const Config unsaid =
      config_of(large_mixture("ernie4_5-moe").u32("ernie4_5-moe.expert_shared_count", 2));
  EXPECT_EQ(0, unsaid.n_ff_shared);
  const Config each = config_of(large_mixture("deepseek")
                                    .u32("deepseek.expert_shared_count", 2)
                                    .u32("deepseek.expert_shared_feed_forward_length", 12));
  EXPECT_EQ(2 * 12, each.n_ff_shared);
  const Config zero = config_of(large_mixture("deepseek")
                                    .u32("deepseek.expert_shared_count", 2)
                                    .u32("deepseek.expert_shared_feed_forward_length", 0));
  EXPECT_EQ(2 * 8, zero.n_ff_shared) << "0 says nothing";
  for (const char* arch : {"bailingmoe2", "dots1"})
    EXPECT_EQ(model::RouterKind::kSigmoid, config_of(large_mixture(arch)).router) << arch;
}

// Number 3 is a softmax over the chosen: of all experts, divided by the sum of the chosen.
TEST(Config, ARouterOfTheChosenAloneIsOneOfAllWhoseChosenAreDividedByTheirSum) {
  const auto of_chosen = [](const std::string& arch) {
    return large_mixture(arch).u32(arch + ".expert_gating_func", 3);
  };
  const Config c = config_of(of_chosen("glm4moe"));
  EXPECT_EQ(model::RouterKind::kSoftmax, c.router);
  EXPECT_TRUE(c.expert_renormalise);
  EXPECT_CONTAINS(refusal(of_chosen("bailingmoe2")
                              .u32("bailingmoe2.expert_group_count", 2)
                              .u32("bailingmoe2.expert_group_used_count", 1)),
                  "expert_gating_func is 3");
}

TEST(Config, ABiasToChooseByCountsInLayersThatRun) {
  const auto biased = [](const std::string& layer) {
    return config_of(large_mixture("glm4moe")
                         .u32("glm4moe.block_count", 3)
                         .u32("glm4moe.nextn_predict_layers", 1)
                         .tensor("blk." + layer + ".exp_probs_b.bias", {8}))
        .choice_biased;
  };
  EXPECT_TRUE(biased("1"));
  EXPECT_FALSE(biased("2"));
}

TEST(Config, LayersThatOnlyGuessFurtherTokensAreLeftOut) {
  const Config c = config_of(large_mixture("glm4moe")
                                 .u32("glm4moe.block_count", 3)
                                 .u32("glm4moe.nextn_predict_layers", 1));
  EXPECT_EQ(2, c.n_layer);
  EXPECT_CONTAINS(refusal(large_mixture("glm4moe").u32("glm4moe.nextn_predict_layers", 2)),
                  "nextn_predict_layers is 2 of 2 layers");
}

TEST(Config, LargeMixturesThatContradictThemselvesAreRefused) {
  const auto refused = [](const char* key, uint32_t value) {
    return refusal(large_mixture("bailingmoe2").u32(std::string("bailingmoe2.") + key, value));
  };
  EXPECT_CONTAINS(refused("leading_dense_block_count", 2), "is 2 of 2 layers");
  EXPECT_CONTAINS(refused("feed_forward_length", 65), "65 neurons", "only 64");
  EXPECT_CONTAINS(refused("expert_gating_func", 4), "expert_gating_func is 4");
  EXPECT_CONTAINS(refused("expert_count", 0), "expert_count is 0");
  // What the file says of shared experts is of each, in ERNIE's of all together.
  EXPECT_CONTAINS(refusal(large_mixture("ernie4_5-moe")
                              .u32("ernie4_5-moe.expert_shared_count", 200)
                              .u32("ernie4_5-moe.feed_forward_length", 1000)),
                  "1000 neurons", "only 64");
  EXPECT_CONTAINS(refusal(large_mixture("dots1").remove("dots1.expert_feed_forward_length")),
                  "'dots1.expert_feed_forward_length' is missing");
  EXPECT_CONTAINS(refused("expert_group_count", 2), "expert_group_used_count' is missing");
  const auto one_of = [](uint32_t groups) {
    return refusal(large_mixture("bailingmoe2")
                       .u32("bailingmoe2.expert_group_count", groups)
                       .u32("bailingmoe2.expert_group_used_count", 1));
  };
  EXPECT_CONTAINS(one_of(3), "2 of 8 experts", "1 of 3 groups");
  EXPECT_CONTAINS(one_of(8), "1 of 8 groups") << "the two best of a group are looked at";
  EXPECT_CONTAINS(
      refusal(large_mixture("ernie4_5-moe").u32("ernie4_5-moe.interleave_moe_layer_step", 2)),
      "interleave_moe_layer_step is 2");
}

// Keys as files have them since April 2025, of heads 6 + 2 wide; before, W_UK and W_UV were one.
GgufBytes latent(bool apart = true) {
  GgufBytes g = large_mixture("deepseek2")
                    .u32("deepseek2.attention.kv_lora_rank", 12)
                    .u32("deepseek2.rope.dimension_count", 2);
  if (!apart) {
    return g.u32("deepseek2.attention.key_length", 8).u32("deepseek2.attention.value_length", 5);
  }
  return g.u32("deepseek2.attention.key_length", 14)
      .u32("deepseek2.attention.value_length", 12)
      .u32("deepseek2.attention.key_length_mla", 8)
      .u32("deepseek2.attention.value_length_mla", 5)
      .u32("deepseek2.attention.head_count_kv", 1);
}

TEST(Config, LatentAttentionKeepsOneVectorForAllHeads) {
  for (const bool apart : {true, false}) {
    const Config c = config_of(latent(apart));
    EXPECT_TRUE(c.latent());
    EXPECT_EQ(1, c.n_head_kv);
    EXPECT_EQ(12 + 2, c.head_dim);
    EXPECT_EQ(14, c.cached_width()) << "values are the beginning of the keys";
    EXPECT_EQ(12, c.value_width());
    EXPECT_EQ(5, c.mix_width());
    EXPECT_EQ(8, c.query_width);
    EXPECT_EQ(0, c.query_rank);
    EXPECT_FLOAT_EQ(1.0F / std::sqrt(8.0F), c.attention_scale) << "of the heads as published";
  }
  EXPECT_EQ(6, config_of(latent().u32("deepseek2.attention.q_lora_rank", 6)).query_rank);
}

// arXiv:2309.00071, and DeepSeek's own m: the scores grow by (1 + 0.1 m ln(factor))^2. llama.cpp
// has 0.1 m in the key.
TEST(Config, LatentAttentionStretchesItsScoresByYarn) {
  GgufBytes g = latent();
  g.string("deepseek2.rope.scaling.type", "yarn").f32("deepseek2.rope.scaling.factor", 40.0F);
  const float usual = 1.0F / std::sqrt(8.0F);
  const auto squared = [](float x) { return x * x; };
  Config c = config_of(g);
  EXPECT_FLOAT_EQ(usual * squared(1.0F + 0.1F * std::log(40.0F)), c.attention_scale);
  EXPECT_FLOAT_EQ(1.0F + 0.1F * std::log(40.0F), c.rope_magnitude);
  c = config_of(g.f32("deepseek2.rope.scaling.yarn_log_multiplier", 0.0707F));
  EXPECT_FLOAT_EQ(usual * squared(1.0F + 0.0707F * std::log(40.0F)), c.attention_scale);
  EXPECT_FLOAT_EQ(1.0F, c.rope_magnitude);
}

TEST(Config, LatentAttentionThatContradictsItselfIsRefused) {
  EXPECT_CONTAINS(refusal(latent().remove("deepseek2.attention.kv_lora_rank")),
                  "'deepseek2.attention.kv_lora_rank' is missing");
  EXPECT_CONTAINS(refusal(latent().remove("deepseek2.attention.value_length_mla")),
                  "'deepseek2.attention.value_length_mla' is missing");
  EXPECT_CONTAINS(refusal(latent(false).remove("deepseek2.attention.value_length")),
                  "'deepseek2.attention.value_length' is missing");
  EXPECT_CONTAINS(refusal(latent().u32("deepseek2.rope.dimension_count", 8)),
                  "all 8 values of a query are rotated", "rope.dimension_count");
  EXPECT_CONTAINS(refusal(latent().u32("deepseek2.attention.head_count", 65536)),
                  "2 layers of 65536 heads");
  EXPECT_CONTAINS(refusal(latent().f32("deepseek2.attention.temperature_scale", 0.5F)),
                  "temperature_scale");
  EXPECT_CONTAINS(refusal(latent().f32("deepseek2.rope.scaling.attn_factor", 1.2F)),
                  "rope.scaling.attn_factor is not supported");
  EXPECT_CONTAINS(refusal(latent().f32("deepseek2.rope.scaling.yarn_log_multiplier", 0.1F)),
                  "yarn_log_multiplier is not supported without YaRN");
}

}  // namespace
