// Models side by side: each one's lights, bolts and names are those of a layout of it alone, moved.
#include "render/scene/subject.h"

#include <gtest/gtest.h>

#include <memory>

#include "render/scene/dependency.h"
#include "tests/support/trace_builder.h"

namespace {

using scene::Layout;
using scene::Script;
using scene::Subject;

class Subjects : public ::testing::Test {
 protected:
  Subjects() {
    trace::ModelRecord first = tests::small_model();
    trace::ModelRecord second = tests::small_model();
    second.layers = 7;
    second.heads = 6;
    second.kv_heads = 3;
    second.context = 40;
    std::vector<trace::Model> models;
    for (const auto& [record, seed] : {std::pair(first, 1U), std::pair(second, 5U)}) {
      logs_.push_back(std::make_unique<trace::Log>());
      tests::TraceBuilder builder(*logs_.back(), record, seed);
      builder.describe("model " + std::to_string(seed));
      builder.start();
      builder.step(4);
      for (int i = 0; i < 3; ++i) builder.step();
      readers_.push_back(std::make_unique<trace::Reader>(*logs_.back()));
      readers_.back()->poll();
      models.push_back(*readers_.back()->model());
    }
    options_.all_move = true;
    both_ = std::make_unique<Layout>(models, options_);
    scene::LayoutOptions alone = options_;
    alone.models = 2;
    own_ = std::make_unique<Layout>(std::vector{models[1]}, alone);
    second_ = {readers_[1].get(), own_.get(), both_->first_element(1), both_->spine_x(1)};
  }
  scene::LayoutOptions options_;
  std::vector<std::unique_ptr<trace::Log>> logs_;
  std::vector<std::unique_ptr<trace::Reader>> readers_;
  std::unique_ptr<Layout> both_;
  std::unique_ptr<Layout> own_;
  Subject second_;
};

TEST_F(Subjects, StandAsTheyDoAloneOnlyElsewhere) {
  ASSERT_EQ(both_->elements(), second_.first_element + own_->elements());
  EXPECT_GT(second_.x, both_->ffn_right());
  for (uint32_t e = 0; e < own_->elements(); ++e) {
    const shaders::Node alone = own_->node(e);
    const shaders::Node here = both_->node(second_.first_element + e);
    EXPECT_NEAR(alone.center.x + second_.x, here.center.x, 1e-4F) << e;
    EXPECT_EQ(alone.center.y, here.center.y) << e;
    EXPECT_EQ(alone.half_size, here.half_size) << e;
    EXPECT_EQ(alone.column, here.column) << e;
    scene::NodeRef ref = own_->ref(e);
    ref.subject = 1;
    EXPECT_EQ(ref, both_->ref(second_.first_element + e)) << e;
    EXPECT_EQ(e, second_.own(second_.first_element + e));
  }
}

TEST_F(Subjects, LightTheirOwnElementsWithTheirOwnNumbers) {
  Script script = scene::choreograph(*readers_[0], *both_, 2);
  const size_t lights = script.lights.size();
  const size_t bolts = script.bolts.size();
  const Script alone = scene::choreograph(*readers_[1], *own_, 2);
  scene::add_script(second_, 2, {}, script);
  ASSERT_EQ(lights + alone.lights.size(), script.lights.size());
  ASSERT_EQ(bolts + alone.bolts.size(), script.bolts.size());
  for (size_t i = 0; i < lights; ++i) EXPECT_LT(script.lights[i].node, second_.first_element);
  for (size_t i = 0; i < alone.lights.size(); ++i) {
    const shaders::Light& light = script.lights[lights + i];
    EXPECT_EQ(alone.lights[i].node + second_.first_element, light.node);
    EXPECT_EQ(alone.lights[i].value, light.value);
    EXPECT_EQ(alone.lights[i].instant, light.instant) << "on the same clock";
  }
  for (size_t i = 0; i < alone.bolts.size(); ++i) {
    const shaders::Bolt& bolt = script.bolts[bolts + i];
    EXPECT_NEAR(alone.bolts[i].to.x + second_.x, bolt.to.x, 1e-4F);
    EXPECT_EQ(alone.bolts[i].share, bolt.share);
    const shaders::Bolt back = second_.own(bolt);
    EXPECT_EQ(alone.bolts[i].from_node, back.from_node);
    EXPECT_EQ(alone.bolts[i].to_node, back.to_node);
    EXPECT_NEAR(alone.bolts[i].from.x, back.from.x, 1e-4F);
  }
}

TEST_F(Subjects, AddNothingWhenTheirTraceIsOver) {
  Script script;
  scene::add_script(second_, 4, {}, script);
  EXPECT_TRUE(script.lights.empty() && script.bolts.empty());
}

TEST_F(Subjects, MoveThroughThePastWhereTheyHaveATrace) {
  const uint32_t slot = second_.first_element + own_->slot(2, 0, 1);
  EXPECT_EQ(5.0F, both_->now_of(slot, 5.0F));
  scene::LayoutOptions at_rest;
  const Layout resting({both_->subject(0), both_->subject(1)}, at_rest);
  EXPECT_EQ(39.0F, resting.now_of(slot, 5.0F)) << "all of its context is there";
  const auto resting_plates = [](const Layout& layout) {
    int n = 0;
    for (const shaders::Node& box : layout.boxes())
      n += (box.flags & shaders::kNodeAtRest) != 0 ? 1 : 0;
    return n;
  };
  EXPECT_EQ(0, resting_plates(*both_));
  EXPECT_GT(resting_plates(resting), 0);
}

}  // namespace
