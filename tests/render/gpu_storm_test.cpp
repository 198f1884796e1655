// Sizes that change with every frame leave nothing behind: as many objects live after the storm as
// before, and the validation layer has nothing to say (gpu_fixture.h).
#include <array>
#include <ostream>

#include "tests/render/gpu_fixture.h"

namespace gpu {
// For GoogleTest's messages.
void PrintTo(const LiveObjects& live, std::ostream* out) {
  *out << live.buffers << " buffers, " << live.images << " images, " << live.pipelines
       << " pipelines, " << live.semaphores << " semaphores, " << live.allocations
       << " allocations";
}
}  // namespace gpu

namespace render::test {
namespace {

using Storm = GpuTest;

gpu::LiveObjects settled(gpu::Device& device) {
  device.run_now([](VkCommandBuffer) {});  // what died waits for the submission that comes next
  device.wait_idle();
  return device.live();
}

void draw_at(gpu::Device& device, Renderer& renderer, uint32_t width, uint32_t height,
             bool refine) {
  Offscreen target(device, width, height);
  FrameInput input = input_at(0.6F);
  input.refine = refine;
  input.pick = glm::ivec2(width / 2, height / 2);
  ASSERT_TRUE(renderer.draw(target, input));
  renderer.take_pick();
}

TEST_F(Storm, ChangesOfSizeLeaveNothingBehind) {
  for (const Quality quality : {Quality::kWindow, Quality::kFull}) {
    Renderer renderer(device(), quality);
    renderer.put_step(0, {}, std::vector{bolt({-2, 0, 0}, {2, 0, 0}, 0.5F)});
    const auto calm = [&] {
      for (int i = 0; i < 6; ++i) draw_at(device(), renderer, kWidth, kHeight, false);
      return settled(device());
    };
    const gpu::LiveObjects before = calm();
    EXPECT_GT(before.images, 0U);
    EXPECT_GT(before.buffers, 0U);
    EXPECT_GT(before.pipelines, 0U);
    for (uint32_t i = 0; i < 40; ++i)
      draw_at(device(), renderer, 17 + 37 * i % 251, 16 + 53 * i % 127, i % 3 == 0);
    EXPECT_EQ(calm(), before);
  }
}

TEST_F(Storm, AFastGpuNeedsAsManyObjectsAsASlowOne) {
  Renderer renderer(device(), Quality::kWindow);
  Offscreen target(device(), kWidth, kHeight);
  const auto live_after = [&](bool wait) {
    for (int i = 0; i < 6; ++i) {
      EXPECT_TRUE(renderer.draw(target, input_at(0.6F)));
      if (wait) device().wait_idle();
    }
    return settled(device());
  };
  const gpu::LiveObjects fast = live_after(true);
  EXPECT_EQ(live_after(false), fast);
}

TEST_F(Storm, NothingOfARendererOutlivesIt) {
  const gpu::LiveObjects before = settled(device());
  for (int i = 0; i < 3; ++i) {
    Renderer renderer(device(), Quality::kWindow);
    draw_at(device(), renderer, kWidth, kHeight, i == 1);
  }
  gpu::LiveObjects after = settled(device());
  after.allocations = before.allocations;  // the last empty block of a kind is kept
  EXPECT_EQ(after, before);
}

}  // namespace
}  // namespace render::test
