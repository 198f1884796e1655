// What the inspector says beside a node's measure.
#include "render/scene/node_meaning.h"

#include <gtest/gtest.h>

#include "render/scene/node_path.h"
#include "tests/support/trace_builder.h"

namespace {

class Besides : public ::testing::Test {
 protected:
  Besides() {
    tests::TraceBuilder builder(log_, tests::small_model());
    builder.describe();
    builder.start();
    builder.step(3);
    builder.step();
    const std::vector<trace::OperationTime> times = {
        {trace::Operation::kEmbed, 0, 10, 20},
        {trace::Operation::kAttention, 1, 0, 0},
        {trace::Operation::kFfn, 1, 500'000, 1'000'000},
        {trace::Operation::kUnembed, 0, 0, 7}};
    trace::append(log_, trace::Topic::kTime, trace::TimeRecord{2, 4}, tests::all(times));
    reader_.poll();
  }
  std::vector<std::string> of(const char* path, bool times = true, size_t step = 0) const {
    const scene::NodeRef ref = layout_.ref(*scene::find_node(path, layout_));
    return scene::besides(reader_, layout_, ref, step, times);
  }
  using Lines = std::vector<std::string>;

  trace::Log log_;
  trace::Reader reader_{log_};
  scene::Layout layout_{tests::small_model()};
};

// The builder's heads have entropy 0.5 and norm 1: e^0.5 equal positions have that entropy.
TEST_F(Besides, OfAHeadAreItsEntropyAndItsNorm) {
  EXPECT_EQ((Lines{"entropy of its attention 0.5 nats, as if it read 1.65 positions alike",
                   "|o_h| = 1, of blk.1.attn.head_out[2]"}),
            of("L1.H2"));
}

TEST(BesidesOfSinks, AHeadSaysWhatItsSinkTakes) {
  trace::Log log;
  tests::TraceBuilder builder(log, tests::small_model());
  builder.describe();
  trace::StructureRecord structure;
  structure.flags = trace::kStructureSinks;
  structure.trained_context = tests::small_model().context;
  structure.query_width = structure.kv_width = 32;
  builder.structure(structure);
  builder.start();
  builder.step(3);
  trace::Reader reader(log);
  reader.poll();
  const scene::Layout layout(tests::small_model());
  const scene::NodeRef head = layout.ref(*scene::find_node("L1.H2", layout));
  EXPECT_EQ("its learned sink takes 0.25 of the attention, and reads nothing",
            scene::besides(reader, layout, head, 0, true).at(1));
}

TEST_F(Besides, OfASlotAreTheNormsOfWhatItHolds) {
  const trace::Kv& kv = reader_.position(1).kv;
  char expected[96];
  std::snprintf(
      expected, sizeof expected, "|k| = %.4g, |v| = %.4g, of blk.2.attn.k[1], blk.2.attn.v[1]",
      static_cast<double>(kv.k_norm[2 * 2 + 1]), static_cast<double>(kv.v_norm[2 * 2 + 1]));
  EXPECT_EQ(Lines{expected}, of("L2.K1.1"));
  EXPECT_EQ(Lines{}, of("L2.K1.7")) << "not written yet";
  EXPECT_EQ(Lines{}, of("L2.K1.3")) << "nor at this step";
  EXPECT_EQ(1U, of("L2.K1.3", true, 1).size());
}

TEST_F(Besides, OfAPartOfAStepIsWhatItTookAndRead) {
  EXPECT_EQ(Lines{"took 1e-06 ms a position, read 0 MB: 0 GB/s"}, of("L1.A"));
  EXPECT_EQ(Lines{"took 0.5 ms a position, read 1 MB: 2 GB/s"}, of("L1.M"));
  EXPECT_EQ(Lines{}, of("L0.M")) << "nothing was measured";
  EXPECT_EQ(Lines{}, of("L1.M", false));
  EXPECT_EQ(Lines{}, of("L1.M", true, 9)) << "there is no such step";
}

}  // namespace
