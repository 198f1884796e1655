// Every node of a layer, and of all layers, can be come to without a pointer.
#include "render/scene/neighbour.h"

#include <gtest/gtest.h>

#include "render/scene/node_path.h"
#include "tests/support/trace_builder.h"

namespace {

class Neighbours : public ::testing::Test {
 protected:
  std::string from(const char* path, int layers, int along) const {
    const uint32_t element = *scene::find_node(path, layout_);
    return scene::node_path(layout_.ref(scene::neighbour(layout_, element, layers, along, 7)),
                            layout_);
  }
  scene::Layout layout_{tests::small_model()};  // 3 layers, 4 heads, 2 KV heads
};

TEST_F(Neighbours, AreAlongALayerAndAboveAndBelow) {
  EXPECT_EQ("L1.H2", from("L0.H2", 1, 0));
  EXPECT_EQ("L1.H3", from("L1.H2", 0, 1));
  EXPECT_EQ("L1.H1", from("L1.H2", 0, -1));
  EXPECT_EQ("L1.M", from("L0.M", 1, 0));
  EXPECT_EQ("L1.A", from("L0.M", 0, 1)) << "the stream goes on";
  EXPECT_EQ("L0.A", from("L0.M", 0, -1));
  EXPECT_EQ("L0.F3", from("L0.F0", 0, 1)) << "20 cells of 60 neurons";
  EXPECT_EQ("L2.K1.5", from("L1.K1.5", 1, 0));
  EXPECT_EQ("L1.K1.4", from("L1.K1.5", 0, -1));
  EXPECT_EQ("C1", from("C0", 0, 1));
  EXPECT_EQ("T6", from("T5", 0, 1));
}

TEST_F(Neighbours, EndWhereThereIsNone) {
  EXPECT_EQ("L2.H0", from("L2.H0", 1, 0));
  EXPECT_EQ("L0.H0", from("L0.H0", -1, -1));
  EXPECT_EQ("L1.H3", from("L1.H1", 0, 100));
  EXPECT_EQ("L0.A", from("L0.A", 0, -1));
  EXPECT_EQ("L2.M", from("L2.M", 0, 1));
  EXPECT_EQ("T0", from("T0", -1, -1));
  EXPECT_EQ("C0", from("C0", 3, -1));
  EXPECT_EQ("T6", from("T6", 0, 1)) << "there are seven positions";
  EXPECT_EQ("L1.K0.6", from("L1.K0.5", 0, 9));
}

TEST_F(Neighbours, OfEveryElementAreElements) {
  for (uint32_t e = 0; e < layout_.elements(); ++e)
    for (const auto& [layers, along] : {std::pair{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {9999, 9999}})
      EXPECT_LT(scene::neighbour(layout_, e, layers, along, 1000), layout_.elements());
}

}  // namespace
