// Names of tensors: transformers' -> GGUF's.
#include "model/format/hf_names.h"

#include <gtest/gtest.h>

namespace {

TEST(HfNames, MeanTheSameInEveryFamily) {
  const auto name = [](const char* hf, const char* arch = "llama") {
    return model::gguf_tensor_name(hf, arch);
  };
  EXPECT_EQ("token_embd.weight", name("model.embed_tokens.weight"));
  EXPECT_EQ("token_embd.weight", name("transformer.wte.weight", "gpt2"));
  EXPECT_EQ("token_embd.weight", name("gpt_neox.embed_in.weight", "gptneox"));
  EXPECT_EQ("output.weight", name("embed_out.weight", "gptneox"));
  EXPECT_EQ("output.bias", name("lm_head.bias", "phi2"));
  EXPECT_EQ("output_norm.bias", name("model.final_layernorm.bias", "phi2"));
  EXPECT_EQ("blk.12.attn_q.bias", name("model.layers.12.self_attn.q_proj.bias", "qwen2"));
  EXPECT_EQ("blk.0.attn_output.weight", name("model.layers.0.self_attn.dense.weight", "phi2"));
  EXPECT_EQ("blk.0.ffn_up.weight", name("model.layers.0.mlp.gate_up_proj.weight", "phi3"));
  EXPECT_EQ("blk.1.ffn_norm.weight", name("model.layers.1.post_attention_layernorm.weight"));
  EXPECT_EQ("blk.1.post_attention_norm.weight",
            name("model.layers.1.post_attention_layernorm.weight", "gemma2"));
  EXPECT_EQ("blk.1.ffn_norm.weight",
            name("model.layers.1.pre_feedforward_layernorm.weight", "gemma3"));
  EXPECT_EQ("blk.1.attn_q_norm.weight",
            name("language_model.model.layers.1.self_attn.q_norm.weight", "gemma3"));
  EXPECT_EQ("blk.0.ffn_down.7.weight", name("model.layers.0.block_sparse_moe.experts.7.w2.weight"));
  EXPECT_EQ("blk.0.ffn_up.63.weight", name("model.layers.0.mlp.experts.63.up_proj.weight"));
  EXPECT_EQ("blk.0.ffn_gate_inp_shexp.weight",
            name("model.layers.0.mlp.shared_expert_gate.weight", "qwen2moe"));
}

TEST(HfNames, WhatIsNoWeightHasNoneAndWhatIsUnknownKeepsItsOwn) {
  EXPECT_EQ("", model::gguf_tensor_name("h.3.attn.bias", "gpt2"));
  EXPECT_EQ("", model::gguf_tensor_name("model.layers.0.self_attn.rotary_emb.inv_freq", "llama"));
  for (const char* odd : {"model.layers.0.mlp.router.weight", "model.layers.x.mlp.fc1.weight",
                          "model.layers.0.mlp.experts.a.w1.weight", "lm_head", "", "model.",
                          "model.layers.0", "model.layers.0.input_layernorm.scale"}) {
    EXPECT_EQ(odd, model::gguf_tensor_name(odd, "llama"));
  }
}

}  // namespace
