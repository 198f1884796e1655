// Steps that are shown as one climb look the same as one script as they do one by one.
#include "render/scene/climb.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/support/lights.h"
#include "tests/support/trace_builder.h"

namespace {

using scene::Climb;
using scene::Script;
using shaders::Light;

class Climbs : public ::testing::Test {
 protected:
  Climbs() : builder_(log_, tests::small_model()), layout_(tests::small_model()), reader_(log_) {
    builder_.describe();
    builder_.start();
    builder_.step(6);
    for (int i = 0; i < 22; ++i) builder_.step();
    reader_.poll();
  }
  Script script(uint64_t step, bool newest = true) const {
    return choreograph(reader_, layout_, step, {.newest = newest});
  }
  // Of the steps [first, last], in this order.
  Climb climb(const std::vector<uint64_t>& steps) const {
    const uint64_t newest = *std::max_element(steps.begin(), steps.end());
    Climb climb(layout_.elements());
    for (const uint64_t step : steps) climb.add(step, script(step, step == newest));
    return climb;
  }

  trace::Log log_;
  tests::TraceBuilder builder_;
  scene::Layout layout_;
  trace::Reader reader_;
};

TEST_F(Climbs, LightUpAsTheirStepsDo) {
  for (const double merge : {2.0, 2.5, 4.0, 64.0}) {
    std::vector<Climb> climbs;
    for (uint64_t first = 0; first < reader_.steps();) {
      const uint64_t last =
          scene::moment_of(static_cast<double>(first) + 0.5, merge, reader_.steps()).last;
      std::vector<uint64_t> steps(last + 1 - first);
      std::iota(steps.begin(), steps.end(), first);
      if (climbs.size() % 2 == 1) std::reverse(steps.begin(), steps.end());
      climbs.push_back(climb(steps));
      first = last + 1;
    }
    ASSERT_LT(climbs.size(), reader_.steps());
    for (double playhead = 0.3; playhead < 40.0; playhead += 0.3713) {
      const tests::Seen seen{
          .playhead = static_cast<float>(playhead),
          .shortest_life = 0.5F,
          .merge = static_cast<float>(merge),
          .newest = static_cast<float>(scene::moment_of(playhead, merge, reader_.steps()).last)};
      std::vector<glm::vec2> one_by_one(layout_.elements()), together(layout_.elements());
      for (uint64_t s = 0; s < reader_.steps(); ++s)
        tests::add_lights(script(s).lights, seen, one_by_one);
      for (const Climb& one : climbs) tests::add_lights(one.script().lights, seen, together);
      for (size_t i = 0; i < together.size(); ++i) {
        ASSERT_NEAR(one_by_one[i].x, together[i].x, 2e-5F)
            << "element " << i << " at " << playhead << ", merge " << merge;
        ASSERT_NEAR(one_by_one[i].y, together[i].y, 2e-5F)
            << "element " << i << " at " << playhead << ", merge " << merge;
      }
    }
  }
}

TEST_F(Climbs, HaveBoltsAndBarsOfTheirNewestStep) {
  Climb climb(layout_.elements());
  for (uint64_t step = 8; step < 16; ++step) {
    climb.add(step, script(step));
    const Script newest = script(step);
    ASSERT_EQ(newest.bolts.size(), climb.script().bolts.size());
    for (size_t i = 0; i < newest.bolts.size(); ++i)
      ASSERT_EQ(newest.bolts[i].seed, climb.script().bolts[i].seed);
    const auto stands = [](const Light& light) { return light.life < 0.0F; };
    EXPECT_EQ(std::count_if(newest.lights.begin(), newest.lights.end(), stands),
              std::count_if(climb.script().lights.begin(), climb.script().lights.end(), stands));
  }
  climb.add(3, script(3));
  EXPECT_EQ(script(15).bolts.size(), climb.script().bolts.size()) << "an older one changes nothing";
}

TEST_F(Climbs, HaveFewMoreLightsThanAStep) {
  std::vector<uint64_t> steps(16);
  std::iota(steps.begin(), steps.end(), 4);
  const size_t together = climb(steps).script().lights.size();
  size_t one_by_one = 0;
  for (const uint64_t step : steps) one_by_one += script(step).lights.size();
  EXPECT_LT(together, 3 * script(steps.back()).lights.size());
  EXPECT_GT(one_by_one, 4 * together);
}

TEST_F(Climbs, WriteForAnOlderStepWhatFadesAlone) {
  for (uint64_t s = 0; s < reader_.steps(); ++s) {
    std::vector<Light> all = script(s).lights;
    std::erase_if(all, [](const Light& light) { return light.life < 0.0F; });
    const Script older = script(s, false);
    EXPECT_TRUE(older.bolts.empty());
    ASSERT_EQ(all.size(), older.lights.size()) << "step " << s;
    for (size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(all[i].node, older.lights[i].node);
      EXPECT_EQ(all[i].value, older.lights[i].value);
      EXPECT_EQ(all[i].instant, older.lights[i].instant);
    }
  }
}

}  // namespace
