// What a value is computed from: for every kind of activation, the formula of its tap.
#include "render/scene/cell_sources.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/trace_builder.h"

namespace {

using scene::CellRef;
using scene::CellSource;
using scene::Layout;
using scene::Part;

class CellSources : public ::testing::Test {
 protected:
  CellSources() {
    trace::StructureRecord s = tests::small_mixture();
    s.flags = trace::kStructureGated;
    s.dense_layers = 2;
    s.dense_neurons = 40;
    trace::ModelRecord m = tests::small_model();
    m.buckets = 15;  // of four neurons: experts have whole ones
    layout_ = std::make_unique<Layout>(std::vector{trace::Model{m, s, {}, {}, {}}});
  }
  // "name[row,col] x rows x cols", of each.
  std::vector<std::string> of(const std::string& cell, uint32_t position = 4,
                              int32_t token = 7) const {
    const auto ref = scene::find_cell(*layout_, cell);
    EXPECT_TRUE(ref) << cell;
    std::vector<std::string> out;
    for (const CellSource& source : scene::cell_sources(*layout_, *ref, position, token)) {
      const auto sheet = scene::find_sheet(*layout_, source.sheet);
      EXPECT_TRUE(sheet) << cell;
      EXPECT_GE(source.row, sheet->first_row) << sheet->name;
      EXPECT_GE(source.col, sheet->first_col) << sheet->name;
      EXPECT_LE(source.row + source.rows, sheet->first_row + sheet->rows) << sheet->name;
      EXPECT_LE(source.col + source.cols, sheet->first_col + sheet->cols) << sheet->name;
      out.push_back(sheet->name + "[" + std::to_string(source.row) + "," +
                    std::to_string(source.col) + "] " + std::to_string(source.rows) + "x" +
                    std::to_string(source.cols));
    }
    return out;
  }
  using Names = std::vector<std::string>;
  std::unique_ptr<Layout> layout_;
};

// C = 32, H = 4, K = 2, D = 8; head 3 reads KV head 1.
TEST_F(CellSources, OfAProductAreAVectorAndARow) {
  EXPECT_EQ((Names{"blk.1.attn.norm[0,0] 1x32", "blk.1.attn_q.weight[29,0] 1x32"}),
            of("blk.1.attn.q[3,5]"));
  EXPECT_EQ((Names{"blk.1.attn.z[3,0] 1x8", "blk.1.attn_output.weight[17,24] 1x8"}),
            of("blk.1.attn.head_out[3,17]"));
  EXPECT_EQ((Names{"blk.1.ffn.norm[0,0] 1x32", "blk.1.ffn_gate.weight[39,0] 1x32"}),
            of("blk.1.ffn.gate[0,39]"));
  EXPECT_EQ((Names{"blk.1.ffn.act[0,0] 1x40", "blk.1.ffn_down.weight[9,0] 1x40"}),
            of("blk.1.ffn.out[0,9]"));
  EXPECT_EQ((Names{"norm[0,0] 1x32", "output.weight[39,0] 1x32"}), of("logits[0,39]"));
}

TEST_F(CellSources, OfAMixOfValuesAreAllOfThemSoFar) {
  EXPECT_EQ((Names{"blk.1.kv.v[0,10] 5x1"}), of("blk.1.attn.z[3,2]"));
}

TEST_F(CellSources, OfAKeyIsTheRowOfItsMatrix) {
  EXPECT_EQ((Names{"blk.1.attn_k.weight[13,0] 1x32"}), of("blk.1.kv.k[2,13]"));
  EXPECT_EQ((Names{"blk.1.attn_k.weight[13,0] 1x32", "blk.1.attn.norm[0,0] 1x32"}),
            of("blk.1.kv.k[4,13]"))
      << "at the position that is shown, what it was multiplied by too";
}

TEST_F(CellSources, OfANeuronAreItsTwoHalves) {
  EXPECT_EQ((Names{"blk.1.ffn.gate[0,6] 1x1", "blk.1.ffn.up[0,6] 1x1"}), of("blk.1.ffn.act[0,6]"));
}

TEST_F(CellSources, OfAnExpertAreItsOwnWeights) {
  // Expert 2 has neurons 32 to 47 of all.
  EXPECT_EQ((Names{"blk.2.ffn.norm[0,0] 1x32", "blk.2.ffn_up.2.weight[5,0] 1x32"}),
            of("blk.2.ffn.up[0,37]"));
  EXPECT_EQ((Names{"blk.2.ffn.norm[0,0] 1x32", "blk.2.ffn_gate_inp.weight[1,0] 1x32"}),
            of("blk.2.router[0,1]"));
  const Names update = of("blk.2.ffn.out[0,3]");
  ASSERT_EQ(5U, update.size());
  EXPECT_EQ("blk.2.router[0,0] 1x3", update[0]);
  EXPECT_EQ("blk.2.ffn_down_shexp.weight[3,0] 1x12", update[4]);
}

TEST_F(CellSources, OfANormAreTheStreamAndItsGain) {
  EXPECT_EQ((Names{"blk.1.resid.pre[0,0] 1x32", "blk.1.attn_norm.weight[0,8] 1x1"}),
            of("blk.1.attn.norm[0,8]"));
  EXPECT_EQ((Names{"blk.2.resid.post[0,0] 1x32", "output_norm.weight[0,8] 1x1"}), of("norm[0,8]"));
}

TEST_F(CellSources, OfTheStreamAreTheTermsOfItsSum) {
  EXPECT_EQ((Names{"blk.1.resid.pre[0,8] 1x1", "blk.1.attn.out[0,8] 1x1"}),
            of("blk.1.resid.mid[0,8]"));
  EXPECT_EQ((Names{"blk.1.resid.mid[0,8] 1x1", "blk.1.ffn.out[0,8] 1x1"}),
            of("blk.1.resid.post[0,8]"));
  EXPECT_EQ((Names{"blk.0.resid.post[0,8] 1x1"}), of("blk.1.resid.pre[0,8]"));
  EXPECT_EQ((Names{"embd[0,8] 1x1"}), of("blk.0.resid.pre[0,8]"));
  EXPECT_EQ((Names{"token_embd.weight[7,8] 1x1"}), of("embd[0,8]"));
  EXPECT_EQ(Names{}, of("embd[0,8]", 4, -1)) << "whose token is not known";
  EXPECT_EQ(4U, of("blk.1.attn.out[0,8]").size()) << "one channel of every head";
}

TEST_F(CellSources, OfAStoredWeightAreNone) {
  for (const char* name : {"blk.1.attn_q.weight[3,5]", "token_embd.weight[3,5]",
                           "blk.1.attn_norm.weight[0,3]", "blk.2.ffn_gate.1.weight[3,5]"})
    EXPECT_EQ(Names{}, of(name)) << name;
}

}  // namespace
