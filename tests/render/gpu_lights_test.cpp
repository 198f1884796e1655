// The light of every node on the GPU is the formula of shaders/shared.h, evaluated here on the CPU.
#include <algorithm>
#include <random>
#include <vector>

#include "tests/render/gpu_fixture.h"
#include "tests/support/lights.h"

namespace render::test {
namespace {

using Lights = GpuTest;

std::vector<glm::vec2> expected(const std::vector<std::vector<shaders::Light>>& steps, size_t nodes,
                                uint64_t first, uint64_t last, float playhead, float shortest_life,
                                float merge = 1, float newest = 0) {
  std::vector<glm::vec2> lights(nodes, glm::vec2(0));
  for (uint64_t step = first; step <= last && step < steps.size(); ++step)
    tests::add_lights(steps[step], {playhead, shortest_life, merge, newest}, lights);
  return lights;
}

TEST_F(Lights, AreTheTracesNumbers) {
  constexpr size_t kNodes = 1000, kSteps = 5;
  Renderer renderer(device(), Quality::kWindow);
  renderer.set_nodes(std::vector<shaders::Node>(kNodes, box({0, 0, 0}, 0.1f, 0)), {}, kNodes);
  std::mt19937 random(3);
  std::uniform_real_distribution<float> unit(0, 1);
  std::vector<std::vector<shaders::Light>> steps(kSteps);
  for (size_t s = 0; s < kSteps; ++s) {
    for (size_t i = 0; i < 700 + 300 * s; ++i) {
      steps[s].push_back({.node = static_cast<uint32_t>(random() % kNodes),
                          .value = 3 * unit(random) - 1.5f,
                          .instant = static_cast<float>(s) + unit(random),
                          .life = (i % 5 == 0 ? -1.0f : 1.0f) * (0.2f + 2 * unit(random))});
    }
    renderer.put_step(s, steps[s], {});
  }
  Offscreen target(device(), 32, 32);
  for (const float playhead : {0.0f, 0.5f, 2.75f, 4.999f, 9.0f}) {
    for (const auto& [shortest_life, merge] :
         {std::pair{0.0f, 1.0f}, {1.5f, 1.0f}, {0.0f, 2.0f}, {1.5f, 2.5f}}) {
      FrameInput input = input_at(playhead, kSteps - 1);
      input.first_step = 1;
      input.frame.shortest_life = shortest_life;
      input.frame.merge = merge;
      input.frame.newest = kSteps - 1;
      ASSERT_TRUE(renderer.draw(target, input));
      const auto got = renderer.read_lights();
      const auto want =
          expected(steps, kNodes, 1, kSteps - 1, playhead, shortest_life, merge, kSteps - 1);
      ASSERT_EQ(got.size(), want.size());
      const float rounding = merge == 1 ? 2e-6f : 2e-5f;
      for (size_t i = 0; i < kNodes; ++i) {
        ASSERT_NEAR(got[i].x, want[i].x, rounding) << "node " << i << " at " << playhead;
        ASSERT_NEAR(got[i].y, want[i].y, rounding) << "node " << i << " at " << playhead;
      }
    }
  }
}

TEST_F(Lights, AreExactAtTheirInstantAndGoneAfterTheirLife) {
  Renderer renderer(device());
  renderer.set_nodes(std::vector<shaders::Node>(3, box({0, 0, 0}, 0.1f, 0)), {}, 3);
  renderer.put_step(4, std::vector<shaders::Light>{{0, 0.625f, 4.5f, 1}, {1, -0.75f, 4.5f, 1}}, {});
  Offscreen target(device(), 32, 32);
  const auto at = [&](float playhead) {
    FrameInput input = input_at(playhead, 4);
    input.first_step = 4;
    EXPECT_TRUE(renderer.draw(target, input));
    return renderer.read_lights();
  };
  EXPECT_EQ(at(4.5f), (std::vector<glm::vec2>{{0.625f, 0}, {0, 0.75f}, {0, 0}}));
  EXPECT_EQ(at(4.4375f), std::vector<glm::vec2>(3, glm::vec2(0)));
  EXPECT_EQ(at(5.5f), std::vector<glm::vec2>(3, glm::vec2(0)));
  EXPECT_EQ(at(5.0f)[0].x, 0.625f * 0.25f);
}

TEST_F(Lights, OfReplacedAndDroppedStepsAreForgotten) {
  Renderer renderer(device());
  renderer.set_nodes(std::vector<shaders::Node>(2, box({0, 0, 0}, 0.1f, 0)), {}, 2);
  Offscreen target(device(), 32, 32);
  const auto now = [&] {
    EXPECT_TRUE(renderer.draw(target, input_at(0)));
    return renderer.read_lights()[1].x;
  };
  renderer.put_step(0, std::vector<shaders::Light>{{1, 0.5f, 0, 1}}, {});
  EXPECT_EQ(now(), 0.5f);
  renderer.put_step(0, std::vector<shaders::Light>{{1, 0.25f, 0, 1}}, {});
  EXPECT_EQ(now(), 0.25f);
  EXPECT_TRUE(renderer.has_step(0));
  renderer.drop_steps();
  EXPECT_FALSE(renderer.has_step(0));
  EXPECT_EQ(now(), 0.0f);
}

TEST_F(Lights, StorageGrowsAndThenForgetsTheFarthestStep) {
  Renderer renderer(device(), Quality::kWindow);
  renderer.set_nodes(std::vector<shaders::Node>(1, box({0, 0, 0}, 0.1f, 0)), {}, 1);
  Offscreen target(device(), 32, 32);
  constexpr uint64_t kSteps = 12;
  const std::vector<shaders::Light> many(500'000, {0, 0.1f, 0, 100});  // 8 MB of 64
  for (uint64_t step = 0; step < kSteps; ++step) {
    std::vector<shaders::Light> lights = many;
    lights.back().value = 0.5f + static_cast<float>(step) / 64;
    renderer.put_step(step, lights, {});
    FrameInput input = input_at(0, step);
    input.first_step = step;
    ASSERT_TRUE(renderer.draw(target, input));
    ASSERT_EQ(renderer.read_lights()[0].x, 0.5f + static_cast<float>(step) / 64);
  }
  EXPECT_FALSE(renderer.has_step(0));
  EXPECT_TRUE(renderer.has_step(kSteps - 1));
  EXPECT_TRUE(renderer.has_step(kSteps - 4));
  FrameInput input = input_at(0, kSteps - 2);  // an older one that is still there is still whole
  input.first_step = kSteps - 2;
  ASSERT_TRUE(renderer.draw(target, input));
  EXPECT_EQ(renderer.read_lights()[0].x, 0.5f + static_cast<float>(kSteps - 2) / 64);
}

}  // namespace
}  // namespace render::test
