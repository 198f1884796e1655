// What a stage keeps on the GPU while a trace grows under it.
#include "render/steps_in_sight.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "render/stage.h"
#include "tests/render/gpu_fixture.h"
#include "tests/support/lights.h"
#include "tests/support/trace_builder.h"

namespace render::test {
namespace {

using Clock = std::chrono::steady_clock;

class Sight : public GpuTest {
 protected:
  // Scripts of a light that all steps share, as bright as the step is late, and one of their own.
  scene::Script script(uint64_t step, bool newest) {
    ++asked_[{step, newest}];
    const auto at = static_cast<float>(step);
    return {.lights = {{0, at / 64.0F, at + 0.25F, 1}, {1 + static_cast<uint32_t>(step), 1, at, 1}},
            .bolts = {}};
  }
  uint64_t asked() const {
    uint64_t all = 0;
    for (const auto& [step, times] : asked_) all += times;
    return all;
  }
  static constexpr uint32_t kElements = 200;
  std::map<std::pair<uint64_t, bool>, uint64_t> asked_;
};

TEST_F(Sight, EveryStepOfAGrowingClimbIsChoreographedAboutOnce) {
  Renderer renderer(device(), Quality::kWindow);
  renderer.set_nodes(std::vector<shaders::Node>(kElements, box({0, 0, 0}, 0.1f, 0)), {}, kElements);
  StepsInSight sight(renderer, [this](uint64_t s, bool newest) { return script(s, newest); });
  for (uint64_t steps = 1; steps <= 128; ++steps) {
    const auto now = static_cast<double>(steps);
    const uint64_t last = scene::moment_of(now, 32, steps).last;
    sight.show({.first = last > 64 ? last - 64 : 0,
                .last = last,
                .steps = steps,
                .merge = 32,
                .elements = kElements},
               Clock::time_point::max());
    EXPECT_TRUE(sight.complete());
    EXPECT_TRUE(renderer.has_step(last));
    EXPECT_FALSE(last > 0 && last % 32 != 0 && renderer.has_step(last - 1)) << "one a climb";
  }
  EXPECT_LE(asked(), 128 + 8);
}

TEST_F(Sight, WithoutTimeTheNewestComesFirst) {
  Renderer renderer(device(), Quality::kWindow);
  renderer.set_nodes(std::vector<shaders::Node>(kElements, box({0, 0, 0}, 0.1f, 0)), {}, kElements);
  StepsInSight sight(renderer, [this](uint64_t s, bool newest) { return script(s, newest); });
  const StepsInSight::Sight all{
      .first = 0, .last = 99, .steps = 100, .merge = 64, .elements = kElements};
  sight.show(all, Clock::time_point::min());
  EXPECT_FALSE(sight.complete());
  EXPECT_EQ(asked(), 2U) << "the newest of each climb";
  EXPECT_EQ((asked_[{99, true}]), 1U);
  sight.show(all, Clock::time_point::max());
  EXPECT_TRUE(sight.complete());
  EXPECT_EQ(asked(), 100U) << "the rest came, nothing twice";
  sight.show(all, Clock::time_point::max());
  EXPECT_EQ(asked(), 100U);
  sight.forget();
  sight.show(all, Clock::time_point::max());
  EXPECT_EQ(asked(), 200U);
}

TEST_F(Sight, AnotherMergeShowsTheSameSteps) {
  Renderer renderer(device(), Quality::kWindow);
  renderer.set_nodes(std::vector<shaders::Node>(kElements, box({0, 0, 0}, 0.1f, 0)), {}, kElements);
  Offscreen target(device(), 32, 32);
  StepsInSight sight(renderer, [this](uint64_t s, bool newest) { return script(s, newest); });
  constexpr uint64_t kSteps = 61;
  for (const double merge : {1.0, 2.0, 16.0, 64.0, 7.3, 1.0}) {
    for (const double playhead : {0.5, 17.25, 40.0, 61.0}) {
      const uint64_t last = scene::moment_of(playhead, merge, kSteps).last;
      FrameInput input = input_at(static_cast<float>(playhead), last);
      input.first_step = last - std::min<uint64_t>(last, static_cast<uint64_t>(2 * merge) + 1);
      input.frame.merge = static_cast<float>(merge);
      input.frame.newest = static_cast<float>(last);
      sight.show({.first = input.first_step,
                  .last = last,
                  .steps = kSteps,
                  .merge = merge,
                  .elements = kElements},
                 Clock::time_point::max());
      ASSERT_TRUE(renderer.draw(target, input));
      const std::vector<glm::vec2> got = renderer.read_lights();
      std::vector<glm::vec2> want(kElements);
      for (uint64_t s = 0; s < kSteps; ++s)
        tests::add_lights(script(s, true).lights,
                          {.playhead = static_cast<float>(playhead),
                           .merge = static_cast<float>(merge),
                           .newest = static_cast<float>(last)},
                          want);
      for (uint32_t i = 0; i < kElements; ++i)
        ASSERT_NEAR(got[i].x, want[i].x, 2e-5f) << i << " at " << playhead << ", merge " << merge;
    }
  }
}

// A stage that follows a trace to its end shows all steps of the climb under the playhead.
TEST_F(Sight, OfAStageThatFollowsAreAllStepsOfTheClimb) {
  trace::Log log;
  tests::TraceBuilder builder(log, tests::small_model());
  builder.describe();
  builder.start();
  Stage stage(device(), log, Quality::kFull);
  Offscreen target(device(), 64, 64);
  constexpr double kMerge = 8;
  builder.step(4);
  for (int s = 0; s < 20; ++s) {
    builder.step();
    stage.poll();
    ASSERT_TRUE(stage.ready());
    View view;
    view.playhead = static_cast<double>(stage.reader().steps()) - 0.4;
    view.pace = 0.01;
    view.merge = kMerge;
    view.look.labels = false;
    view.camera.pose = scene::home_pose(stage.layout().bounds(12), 1.0F);
    ASSERT_TRUE(stage.draw(target, view));
    const std::vector<glm::vec2> got = stage.renderer().read_lights();
    const shaders::Frame frame = stage.frame(view, {64, 64});
    std::vector<glm::vec2> want(stage.layout().elements());
    for (size_t i = 0; i < stage.reader().steps(); ++i)
      tests::add_lights(choreograph(stage.reader(), stage.layout(), i).lights,
                        {frame.playhead, frame.shortest_life, frame.merge, frame.newest}, want);
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i].x, want[i].x, 2e-5f) << i << " after step " << s;
      ASSERT_NEAR(got[i].y, want[i].y, 2e-5f) << i << " after step " << s;
    }
  }
}

}  // namespace
}  // namespace render::test
