// What a conversation runs without, as nodes and in words.
#include "render/scene/muted.h"

#include <gtest/gtest.h>

#include "engine/trace/muted.h"
#include "render/scene/node_path.h"
#include "tests/support/trace_builder.h"

namespace {

using trace::MutedKind;
using trace::MutedPart;
using Parts = std::vector<MutedPart>;

class MutedNodes : public ::testing::Test {
 protected:
  scene::NodeRef ref(const char* path) const {
    return layout_.ref(scene::find_node(path, layout_).value());
  }
  static Parts parts(std::initializer_list<const char*> names) {
    Parts all;
    for (const char* name : names) all.push_back(trace::find_part(name).value());
    return all;
  }
  bool is_muted(const char* path, const Parts& muted) const {
    return scene::is_muted(layout_, ref(path), muted);
  }
  Parts toggled(const char* path, const Parts& muted) const {
    return scene::toggled(layout_, ref(path), muted);
  }

  scene::Layout layout_{tests::small_model()};
};

TEST_F(MutedNodes, AHeadAndTheResidualStreamHaveTheNamesOfTheirParts) {
  for (const char* name : {"L2.H3", "L0.A", "L1.M"})
    EXPECT_EQ(parts({name}), scene::parts_of(layout_, ref(name)));
}

TEST_F(MutedNodes, ACellIsItsNeurons) {  // 60 neurons in 20 cells
  EXPECT_EQ(parts({"L1.F21", "L1.F22", "L1.F23"}), scene::parts_of(layout_, ref("L1.F22")));
}

TEST_F(MutedNodes, WhatComputesNothingCannotBeMuted) {
  for (const char* name : {"C0", "T5", "L1.K0.3"})
    EXPECT_TRUE(scene::parts_of(layout_, ref(name)).empty()) << name;
}

TEST_F(MutedNodes, ALayerMutesItsHeadsAndNeurons) {
  EXPECT_TRUE(is_muted("L1.H2", parts({"L1.A"})));
  EXPECT_TRUE(is_muted("L1.F5", parts({"L0.A", "L1.M"})));
  EXPECT_FALSE(is_muted("L1.F5", parts({"L1.A", "L2.M"})));
  EXPECT_FALSE(is_muted("L1.F22", parts({"L1.F21", "L1.F22"}))) << "one of three still speaks";
  EXPECT_FALSE(is_muted("C0", parts({"L1.A"})));
}

TEST_F(MutedNodes, ACellIsMutedWhenEachOfItsNeuronsIs) {
  EXPECT_TRUE(is_muted("L1.F22", parts({"L1.F23", "L1.F21", "L1.F22", "L1.F22"})));
  EXPECT_FALSE(is_muted("L1.F22", parts({"L1.F21", "L1.F21", "L1.F21", "L0.F22"})));
}

TEST_F(MutedNodes, TogglingTwiceChangesNothing) {
  const Parts before = parts({"L0.H1"});
  for (const char* name : {"L2.H3", "L1.A", "L1.M", "L1.F22"}) {
    const Parts muted = toggled(name, before);
    EXPECT_TRUE(is_muted(name, muted)) << name;
    EXPECT_TRUE(is_muted("L0.H1", muted));
    EXPECT_EQ(before, toggled(name, muted)) << name;
  }
}

TEST_F(MutedNodes, ALayerTakesThePlaceOfItsParts) {
  EXPECT_EQ(parts({"L1.H2", "L0.A"}), toggled("L0.A", parts({"L0.H1", "L1.H2", "L0.H3"})));
  EXPECT_EQ(Parts{}, toggled("L0.H1", parts({"L0.A"}))) << "and goes with them";
}

TEST_F(MutedNodes, EveryPartHasANode) {
  const auto at = [&](const char* name) { return scene::find_node(name, layout_).value(); };
  EXPECT_EQ(
      (std::vector{at("L2.H3"), at("L2.H0"), at("L2.H1"), at("L2.H2"), at("L1.F21"), at("L2.M")}),
      scene::muted_elements(layout_,
                            parts({"L2.H3", "L2.A", "L1.F21", "L1.F22", "L1.F23", "L2.M"})));
  EXPECT_TRUE(scene::muted_elements(layout_, Parts{{MutedKind{77}, 0, 0}}).empty());
}

TEST_F(MutedNodes, AreListedInWords) {
  EXPECT_EQ("", scene::list_of(layout_, {}));
  EXPECT_EQ("layer 2 head 3, layer 0 attention, layer 1 FFN",
            scene::list_of(layout_, parts({"L2.H3", "L0.A", "L1.M"})));
  const Parts many = parts({"L1.F0", "L1.F1", "L1.F2", "L1.F3", "L1.F4", "L1.F5"});
  EXPECT_EQ("layer 1 neuron 0, layer 1 neuron 1, layer 1 neuron 2 and 3 more",
            scene::list_of(layout_, many));
  EXPECT_EQ("layer 1 neuron 0, layer 1 neuron 1, layer 1 neuron 2, layer 1 neuron 3",
            scene::list_of(layout_, std::span(many).first(4)));
}

// Experts of 16, 16, 16 and 12 neurons, in cells of three or fewer.
class MutedExperts : public ::testing::Test {
 protected:
  scene::NodeRef cell(uint32_t neuron) const { return layout_.ref(layout_.cell_of(1, neuron)); }

  scene::Layout layout_{std::vector<trace::Model>{
      {tests::small_model(), tests::small_mixture(), "mix", "qwen2moe", "F32"}}};
};

TEST_F(MutedExperts, TakeTheirNeuronsWithThem) {
  const MutedPart second{MutedKind::kExpert, 1, 1};
  const Parts muted = {second};
  for (uint32_t n = 0; n < 60; ++n) {
    const bool whole = n >= 18 && n < 30;  // a cell of 15 to 17 and one of 30 to 32 are others' too
    EXPECT_EQ(whole, scene::is_muted(layout_, cell(n), muted)) << "neuron " << n;
  }
  EXPECT_TRUE(scene::is_muted(layout_, second, Parts{{MutedKind::kNeurons, 1, 0}}));
  EXPECT_FALSE(scene::is_muted(layout_, second, Parts{{MutedKind::kNeurons, 2, 0}}));
  EXPECT_EQ("layer 1 expert 1", scene::list_of(layout_, muted));
  EXPECT_EQ(
      "layer 1 shared expert, layer 1 expert 1 neuron 4",
      scene::list_of(layout_, Parts{{MutedKind::kExpert, 1, 3}, {MutedKind::kNeuron, 1, 20}}));
  const std::vector<uint32_t> elements = scene::muted_elements(layout_, muted);
  ASSERT_EQ(1U, elements.size());
  EXPECT_EQ(1U, layout_.expert_of(layout_.ref(elements[0])));
}

TEST_F(MutedExperts, TakeThePlaceOfTheirNeuronsAndGoWithThem) {
  const MutedPart second{MutedKind::kExpert, 1, 1};
  const Parts before = {{MutedKind::kNeuron, 1, 3},
                        {MutedKind::kNeuron, 1, 20},
                        {MutedKind::kExpert, 1, 0},
                        {MutedKind::kHead, 1, 1}};
  const Parts after = scene::toggled(layout_, second, before);
  EXPECT_EQ((Parts{before[0], before[2], before[3], second}), after);
  EXPECT_EQ((Parts{before[0], before[2], before[3]}), scene::toggled(layout_, second, after));
  EXPECT_EQ((Parts{before[0], before[2], before[3]}), scene::toggled(layout_, cell(20), after))
      << "one of its cells speaks again, and so does all of it";
  EXPECT_EQ((Parts{before[3], MutedPart{MutedKind::kNeurons, 1, 0}}),
            scene::toggled(layout_, MutedPart{MutedKind::kNeurons, 1, 0}, after));
}

}  // namespace
