#include "render/scene/node_path.h"

#include <gtest/gtest.h>

#include "tests/support/trace_builder.h"

namespace {

using scene::find_node;
using scene::Kind;
using scene::Layout;
using scene::NodeRef;

// 3 layers, 4 heads over 2 KV heads, 60 neurons in 20 cells, context 64.
TEST(NodePath, NamesFindTheirNode) {
  const Layout layout(tests::small_model());
  const auto found = [&](std::string_view path) {
    const auto node = find_node(path, layout);
    return node ? NodeRef(layout.ref(*node)) : NodeRef{};
  };
  EXPECT_EQ((NodeRef{Kind::kHead, 2, 1, 0}), found("L2.H1"));
  EXPECT_EQ((NodeRef{Kind::kCell, 0, 6, 0}), found("L0.F20")) << "three neurons a cell";
  EXPECT_EQ((NodeRef{Kind::kSlot, 1, 0, 5}), found("L1.K0.5"));
  EXPECT_EQ(Kind::kSpineAttention, found("L1.A").kind);
  EXPECT_EQ(Kind::kSpineFfn, found("L1.M").kind);
  EXPECT_EQ((NodeRef{Kind::kCandidate, 3, 0, 0}), found("C0"));
  EXPECT_EQ((NodeRef{Kind::kTape, 0, 0, 63}), found("T63"));
  EXPECT_EQ(2U, *find_storey("L2", layout));
}

TEST(NodePath, EveryNodeIsFoundByItsName) {
  const Layout layout(tests::small_model());
  size_t named = 0;
  for (uint32_t i = 0; i < layout.elements(); ++i) {
    const NodeRef ref = layout.ref(i);
    const std::string path = node_path(ref, layout);
    if (path.empty()) continue;
    ++named;
    const auto node = find_node(path, layout);
    ASSERT_TRUE(node) << path;
    const NodeRef again = layout.ref(*node);
    EXPECT_TRUE(again.kind == ref.kind && again.layer == ref.layer) << path;
    // The parts of the spine have one name a sub-layer.
    if (ref.kind != Kind::kSpineAttention && ref.kind != Kind::kSpineFfn) {
      EXPECT_EQ(ref, again) << path;
    }
  }
  EXPECT_EQ(layout.elements() - 1, named) << "all but the bar of the rest";
}

// Of layer 0, which is dense, and of the others.
TEST(NodePath, ExpertsAndNeuronsOfAMixtureAreFound) {
  trace::Model mix{tests::small_model(), tests::small_mixture(), "mix", "qwen2moe", "F32"};
  mix.structure.dense_layers = 1;
  mix.structure.dense_neurons = 30;
  const Layout layout({mix});
  EXPECT_EQ(layout.cell_of(1, 0), find_node("L1.E0", layout));
  EXPECT_EQ(layout.cell_of(1, 32), find_node("L1.E2", layout));
  EXPECT_EQ(layout.cell_of(1, 48), find_node("L1.E3", layout)) << "the one that always works";
  EXPECT_FALSE(find_node("L1.E4", layout));
  EXPECT_FALSE(find_node("L0.E0", layout));
  EXPECT_FALSE(find_node("L1.E0", Layout(tests::small_model())));
  for (const uint32_t l : {0U, 1U}) {
    for (uint32_t b = 0; b < mix.record.buckets; ++b) {
      const std::string name = node_path(layout.ref(layout.cell(l, b)), layout);
      EXPECT_EQ(layout.cell(l, b), find_node(name, layout)) << name;
    }
  }
}

TEST(NodePath, RefusesWhatIsNotThere) {
  const Layout layout(tests::small_model());
  for (const char* path : {"",
                           "L",
                           "L3.H0",
                           "L0.H4",
                           "L0.F60",
                           "L0.K2.0",
                           "L0.K0.64",
                           "L0.K0",
                           "C12",
                           "C",
                           "T64",
                           "L0.X1",
                           "l0.h1",
                           "L0H1",
                           "L0.H1x",
                           "L0.H1.",
                           "L0.H1.2",
                           "L-1.H0",
                           "L0.H-1",
                           "L 0.H1",
                           "L99999999999.H0",
                           "L0.H4294967297",
                           "L0..H1",
                           ".L0",
                           "L0.A1",
                           "H1",
                           "L0.H\xFF",
                           "L0.K0.5.5.5.5.5.5.5.5"}) {
    EXPECT_FALSE(find_node(path, layout)) << path;
  }
  for (const char* path : {"L3", "L", "L0.", "L0.H1", "0", "L-1", "L18446744073709551616"}) {
    EXPECT_FALSE(find_storey(path, layout)) << path;
  }
}

}  // namespace
