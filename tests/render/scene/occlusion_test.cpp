// What stands before what, from known places. No driver.
#include "render/scene/occlusion.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/trace_builder.h"

namespace scene {
namespace {

// The built-in view: three storeys, a wing of heads to the left, a plate to the right.
class Occlusion : public ::testing::Test {
 protected:
  // Looks along -z at a point, from 20 units before it.
  float from_front(glm::vec3 point, float radius, const std::optional<Box>& own = {},
                   float now = 5.0F) const {
    return occluders_.seen({.eye = {point.x, point.y, point.z + 20.0F}, .now = now}, point, radius,
                           own);
  }
  Box plate(uint32_t layer) const {
    const shaders::Node first = layout_.node(layout_.cell(layer, 0));
    const shaders::Node last = layout_.node(layout_.cell(layer, layout_.model().buckets - 1));
    const glm::vec3 low = glm::min(first.center, last.center);
    const glm::vec3 high = glm::max(first.center, last.center);
    return {(low + high) * 0.5F, (high - low) * 0.5F + first.half_size};
  }
  Layout layout_{tests::small_model()};
  Occluders occluders_{layout_};
};

TEST_F(Occlusion, ABoardHidesWhatIsBehindItAndNothingBeforeIt) {
  const Box board = plate(1);
  const glm::vec3 away(0.0F, 0.0F, 0.5F);
  EXPECT_EQ(0.0F, from_front(board.center - away, 0.05F));
  EXPECT_EQ(1.0F, from_front(board.center + away, 0.05F));
  EXPECT_EQ(1.0F, from_front(board.center - away, 0.05F, Box{board.center - away, away}))
      << "it belongs to the board";
}

TEST_F(Occlusion, FadesOverItsEdgeInSmallSteps) {
  const Box board = plate(1);
  constexpr float kRadius = 0.1F;
  float before = 0.0F;
  for (int i = -20; i <= 20; ++i) {
    const float past = kRadius * 1.2F * static_cast<float>(i) / 20.0F;
    glm::vec3 point = board.center - glm::vec3(0.0F, 0.0F, 0.5F);
    point.x += board.half_size.x + past;
    // Looked at along -z, an edge of depth 0.03 seen from 20 units away is where it is.
    const float seen = from_front(point, kRadius);
    EXPECT_GE(seen, before) << past;
    EXPECT_LE(seen - before, 0.2F) << past;
    before = seen;
  }
  EXPECT_EQ(1.0F, before);
}

TEST_F(Occlusion, AHeadHidesNoMoreThanItself) {
  const shaders::Node head = layout_.node(layout_.head(1, 2));
  const glm::vec3 behind = head.center - glm::vec3(0.0F, 0.0F, 2.0F * head.half_size.z);
  EXPECT_EQ(0.0F, from_front(behind, 0.3F * head.half_size.x));
  const glm::vec3 beside = behind + glm::vec3(0.0F, 1.6F * head.half_size.y, 0.0F);
  EXPECT_EQ(1.0F, from_front(beside, 0.3F * head.half_size.x));
}

TEST_F(Occlusion, AShelfHidesAsFarAsItIsThere) {
  const shaders::Node slot = layout_.node(layout_.slot(1, 0, 0));
  const auto from_above = [&](float now, float age) {
    const glm::vec3 under(slot.center.x, slot.center.y - 0.2F, shaders::past_z(age));
    return occluders_.seen(
        {.eye = under + glm::vec3(0.0F, 0.6F, 0.0F), .down = {0.0F, 0.0F, 1.0F}, .now = now}, under,
        0.05F, {});
  };
  EXPECT_EQ(0.0F, from_above(9.0F, 5.0F)) << "five columns old, of ten";
  EXPECT_EQ(1.0F, from_above(2.0F, 5.0F)) << "there are only three";
  EXPECT_EQ(1.0F, from_above(-1.0F, 0.0F)) << "nothing has happened yet";
}

// The tree finds what looking at every box finds.
TEST_F(Occlusion, AgreesWithEveryBoxOneByOne) {
  trace::ModelRecord many = tests::small_model();
  many.layers = 20;
  many.heads = 24;
  const Layout layout(many);
  const Occluders occluders(layout);
  const Box all = layout.bounds(12);
  std::mt19937 random(3);
  std::uniform_real_distribution<float> unit(-1.0F, 1.0F);
  const auto place = [&](float reach) {
    return all.center + reach * all.half_size * glm::vec3(unit(random), unit(random), unit(random));
  };
  int hidden = 0;
  for (int i = 0; i < 2000; ++i) {
    const glm::vec3 eye = place(2.5F);
    const glm::vec3 point = place(1.0F);
    bool met = false;
    for (const shaders::Node& node : layout.boxes()) {
      const bool plate = (node.flags & shaders::kNodePlate) != 0;
      if ((node.flags & shaders::kNodeNotPicked) != 0 || (plate && node.grow > 0.0F)) continue;
      if (plate && layout.grids()[node.grid].past != 0) continue;
      if (!plate && node.grow > 0.0F) continue;
      // The part of the way that lies in the box, axis by axis.
      float begin = 0.0F;
      float end = 0.999F;
      for (int axis = 0; axis < 3; ++axis) {
        const float a =
            (node.center[axis] - node.half_size[axis] - eye[axis]) / (point[axis] - eye[axis]);
        const float b =
            (node.center[axis] + node.half_size[axis] - eye[axis]) / (point[axis] - eye[axis]);
        begin = std::max(begin, std::min(a, b));
        end = std::min(end, std::max(a, b));
      }
      met = met || begin < end;
    }
    const float seen = occluders.seen({.eye = eye, .now = -1.0F}, point, 0.0F, {});
    EXPECT_EQ(met ? 0.0F : 1.0F, seen) << i;
    hidden += met ? 1 : 0;
  }
  EXPECT_GT(hidden, 200);
  EXPECT_LT(hidden, 1900);
}

}  // namespace
}  // namespace scene
