// Plates: a box that shows a grid of elements. Every cell is picked where it lies, lights up where
// it lies, and from afar the plate is what its cells are together.
#include <algorithm>
#include <cmath>
#include <set>

#include "render/scene/layout.h"
#include "tests/render/gpu_fixture.h"
#include "tests/support/trace_builder.h"

namespace render::test {
namespace {

class Plates : public GpuTest {
 protected:
  struct Scene {
    std::vector<shaders::Node> nodes;
    std::vector<shaders::Grid> grids;
    uint32_t elements;
  };

  // One plate that faces the camera, `groups` groups of cols x rows cells side by side.
  static Scene plate(uint32_t cols, uint32_t rows, uint32_t groups, float half_width) {
    shaders::Grid grid{};
    grid.elements = cols * rows * groups;
    grid.plates = 1;
    grid.cols = cols * groups;
    grid.rows = rows;
    grid.group_cols = cols;
    grid.group_rows = rows;
    grid.group_elements = cols * rows;
    grid.gap = {0.14F, 0.14F};
    grid.group_gap = groups > 1 ? glm::vec2(0.2F, 0.0F) : glm::vec2(0.0F);
    for (uint32_t level = 1; level <= shaders::kBlockLevels; ++level)
      grid.blocks += shaders::blocks_at(grid.cols, level) * shaders::blocks_at(grid.rows, level);
    shaders::Node node = box({0, 0, 0}, 0, shaders::kChannelFfn, shaders::kNodePlate);
    node.half_size = {half_width, half_width * 0.5F, 0.01F};
    return {{node}, {grid}, grid.elements};
  }

  std::vector<uint8_t> picture(const Scene& scene, const std::vector<shaders::Light>& lights,
                               float playhead = 0, float merge = 1) {
    Renderer renderer(device());
    renderer.set_nodes(scene.nodes, scene.grids, scene.elements);
    renderer.put_step(0, lights, {});
    Offscreen target(device(), kWidth, kHeight);
    FrameInput input = input_at(playhead);
    input.frame.bloom = 0;
    input.frame.merge = merge;
    EXPECT_TRUE(renderer.draw(target, input));
    return target.read_back();
  }

  static int at(const std::vector<uint8_t>& rgba, uint32_t x, uint32_t y) {
    return rgba[(size_t{y} * kWidth + x) * 4 + 2];
  }
};

TEST_F(Plates, EveryCellIsPickedWhereItLies) {
  for (const uint32_t groups : {1U, 3U}) {
    const Scene scene = plate(4, 5, groups, 4);
    Renderer renderer(device(), Quality::kWindow);
    renderer.set_nodes(scene.nodes, scene.grids, scene.elements);
    Offscreen target(device(), kWidth, kHeight);
    const FrameInput input = input_at(0);
    ASSERT_TRUE(renderer.draw(target, input));
    std::set<uint32_t> found;
    const shaders::Grid& grid = scene.grids[0];
    for (uint32_t e = 0; e < scene.elements; ++e) {
      const auto x = static_cast<float>(column_at(grid, e));
      const auto y = static_cast<float>(row_at(grid, e));
      const auto inside = [&](float place, uint32_t per_group, uint32_t all, float gap) {
        const float group = std::floor(place / static_cast<float>(per_group));
        const float part = (place + 0.5F) / static_cast<float>(per_group) - group;
        const float share = group + 0.5F * gap + part * (1.0F - gap);
        return share * static_cast<float>(per_group) / static_cast<float>(all);
      };
      const glm::vec4 clip =
          input.frame.clip_from_world *
          glm::vec4(8.0F * inside(x, grid.group_cols, grid.cols, grid.group_gap.x) - 4.0F,
                    2.0F - 4.0F * inside(y, grid.group_rows, grid.rows, grid.group_gap.y), 0.01F,
                    1.0F);
      const glm::vec2 pixel = (glm::vec2(clip) / clip.w * 0.5F + 0.5F) * glm::vec2(kWidth, kHeight);
      const uint32_t picked =
          renderer.pick_now(input.frame, glm::ivec2(pixel), {kWidth, kHeight}).node;
      EXPECT_EQ(picked, e + 1) << "cell " << x << ", " << y << " of " << groups;
      found.insert(picked);
    }
    EXPECT_EQ(found.size(), scene.elements);
  }
}

TEST_F(Plates, ALitCellGlowsAndItsNeighboursDoNot) {
  const Scene scene = plate(4, 4, 1, 3);
  const auto dark = picture(scene, {});
  const auto lit = picture(scene, {{5, 1, 0, 1}});  // column 1, row 1
  const uint32_t px = 1 + static_cast<uint32_t>(3 / 4.0F / (frame_at(0).pixel_size * 10));
  const uint32_t x = kWidth / 2 - px, y = kHeight / 2 - px / 2;
  EXPECT_GT(at(lit, x, y), at(dark, x, y) + 60);
  EXPECT_EQ(at(lit, x + 2 * px, y), at(dark, x + 2 * px, y));
  EXPECT_EQ(at(lit, x, y + px), at(dark, x, y + px));
}

// Cells far smaller than a pixel.
TEST_F(Plates, FromAfarCellsShowTheirMeanWithoutNoise) {
  const Scene scene = plate(1000, 500, 1, 1);
  std::vector<shaders::Light> every, half, one;
  for (uint32_t e = 0; e < scene.elements; ++e) {
    every.push_back({e, 0.8F, 0, 1});
    if ((e / 1000 + e) % 2 == 0) half.push_back({e, 0.8F, 0, 1});
  }
  one.push_back({250 * 1000 + 500, 1.5F, 0, 1});
  const auto level = [&](const std::vector<shaders::Light>& lights, int& spread) {
    const auto rgba = picture(scene, lights);
    int low = 255, high = 0, sum = 0;
    for (uint32_t y = kHeight / 2 - 3; y < kHeight / 2 + 3; ++y) {
      for (uint32_t x = kWidth / 2 - 6; x < kWidth / 2 + 6; ++x) {
        low = std::min(low, at(rgba, x, y));
        high = std::max(high, at(rgba, x, y));
        sum += at(rgba, x, y);
      }
    }
    spread = high - low;
    return sum / 72;
  };
  int spread = 0;
  const int dark = level({}, spread);
  EXPECT_LE(spread, 2);
  const int full = level(every, spread);
  EXPECT_LE(spread, 2) << "equal cells make an even surface";
  const int checkered = level(half, spread);
  EXPECT_LE(spread, 2) << "and so do cells that alternate";
  EXPECT_GT(full, checkered + 5);
  EXPECT_GT(checkered, dark + 5);
  level(one, spread);
  EXPECT_GT(spread, 4) << "a single lit one among half a million is seen";
}

TEST_F(Plates, FromAfarCellsShowWhenStepsAreShownAsOne) {
  const Scene scene = plate(1000, 500, 1, 1);
  std::vector<shaders::Light> every;
  for (uint32_t e = 0; e < scene.elements; ++e) every.push_back({e, 0.8F, 0.25F, 1});
  const auto alone = picture(scene, every, 0.25F);
  const auto merged = picture(scene, every, 0.5F, 2);  // twice as long for two steps
  EXPECT_GT(at(alone, kWidth / 2, kHeight / 2),
            at(picture(scene, {}), kWidth / 2, kHeight / 2) + 5);
  EXPECT_NEAR(at(merged, kWidth / 2, kHeight / 2), at(alone, kWidth / 2, kHeight / 2), 1);
}

// A slot that is read stands out of its shelf, and is picked there.
TEST_F(Plates, LitSlotsRise) {
  const scene::Layout layout(tests::small_model());
  Renderer renderer(device(), Quality::kWindow);
  renderer.set_nodes(layout.boxes(), layout.grids(), layout.elements());
  const uint32_t slot = layout.slot(2, 1, 10);
  renderer.put_step(0, std::vector<shaders::Light>{{slot, 1, 0, 1}}, {});
  Offscreen target(device(), kWidth, kHeight);
  FrameInput input = input_at(0);
  const shaders::Node cell = layout.node(slot);
  input.frame.now = 12;
  const glm::vec3 top(cell.center.x, cell.center.y + cell.half_size.y + 0.8F * cell.grow,
                      shaders::past_z(2) + 0.9F * cell.half_size.z);
  input.frame.eye = top + glm::vec3(0, 0.2F, 4);
  glm::mat4 clip_from_view =
      glm::perspectiveRH_ZO(0.7F, static_cast<float>(kWidth) / kHeight, 0.1F, 100.0F);
  clip_from_view[1][1] *= -1;
  input.frame.clip_from_world = clip_from_view * glm::lookAt(input.frame.eye, top, {0, 1, 0});
  ASSERT_TRUE(renderer.draw(target, input));
  const glm::ivec2 middle(kWidth / 2, kHeight / 2);
  EXPECT_EQ(renderer.pick_now(input.frame, middle, {kWidth, kHeight}).node, slot + 1);
  input.frame.playhead = 3;
  ASSERT_TRUE(renderer.draw(target, input));
  EXPECT_NE(renderer.pick_now(input.frame, middle, {kWidth, kHeight}).node, slot + 1);
}

}  // namespace
}  // namespace render::test
