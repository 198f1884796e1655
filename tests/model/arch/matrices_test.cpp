#include "model/arch/matrices.h"

#include <gtest/gtest.h>

#include "model/arch/weights.h"
#include "model/format/gguf.h"
#include "tests/support/read_config.h"

namespace {

using model::find_matrix;

TEST(LayerOf, IsTheNumberBehindBlkWhereAModelCanHaveIt) {
  EXPECT_EQ(3, model::layer_of("blk.3.attn_q.weight"));
  EXPECT_EQ(0, model::layer_of("blk.0.x"));
  for (const char* none : {"", "blk.", "blk.3", "blk.x.y", "blk.-3.x", "blk.3x.y", "output.weight",
                           "blk.9223372036854775807.x", "blk.99999999999999999999.x"}) {
    EXPECT_EQ(-1, model::layer_of(none)) << none;
  }
}

// A mixture of eight experts of eight neurons; the first of two layers has one FFN of 24, whose
// W_gate and W_up are one matrix.
tests::GgufBytes fused_first_layer() {
  tests::GgufBytes g = tests::as_family("deepseek");
  g.u32("deepseek.expert_count", 8).u32("deepseek.expert_used_count", 2);
  g.u32("deepseek.expert_feed_forward_length", 8).u32("deepseek.leading_dense_block_count", 1);
  std::erase_if(g.tensors, [](const auto& t) { return t.name.find(".ffn_") != t.name.npos; });
  return g.tensor("blk.0.ffn_up.weight", {16, 48}).pack();
}

TEST(FindMatrix, AFusedOneHasTheGateFirstInADenseLayerOfAMixtureToo) {
  const tests::LoadedGguf loaded(fused_first_layer().build());
  const model::Config config = model::read_config(loaded.file);
  const model::Tensor& both = *loaded.file.find_tensor("blk.0.ffn_up.weight");
  const auto gate = find_matrix(loaded.file, config, "blk.0.ffn_gate.weight");
  const auto up = find_matrix(loaded.file, config, "blk.0.ffn_up.weight");
  ASSERT_TRUE(gate && up);
  EXPECT_EQ(24, gate->tensor.rows());
  EXPECT_EQ(24, up->tensor.rows());
  EXPECT_EQ(both.data, gate->tensor.data);
  EXPECT_EQ(both.data + 24 * both.row_bytes(), up->tensor.data);
  EXPECT_FALSE(find_matrix(loaded.file, config, "blk.1.ffn_gate.weight"));
}

TEST(FindMatrix, OfLatentAttentionNamesWhatAFileHasInOne) {
  const auto name_of = [](const char* model, const std::string& name) {
    const model::ModelFile file = model::open_gguf(tests::model_path(model).string());
    const auto found = find_matrix(file, model::read_config(file), name);
    return found ? found->tensor.name : "none";
  };
  EXPECT_EQ("blk.1.attn_k_b.weight", name_of("own/deepseek2", "blk.1.attn_k_b.weight"));
  EXPECT_EQ("blk.1.attn_kv_b.weight", name_of("own/deepseek2-joined", "blk.1.attn_k_b.weight"));
  EXPECT_EQ("blk.1.attn_kv_b.weight", name_of("own/deepseek2-joined", "blk.1.attn_v_b.weight"));
  EXPECT_EQ("none", name_of("own/glm4", "blk.1.attn_k_b.weight"));
}

}  // namespace
