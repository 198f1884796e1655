#include "render/scene/camera.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "render/scene/node_path.h"
#include "tests/support/trace_builder.h"

namespace {

using scene::Camera;
using scene::Pose;

constexpr float kPi = 3.14159265F;

scene::Layout layout() {
  return scene::Layout(tests::small_model());
}

glm::vec2 project(const Camera& camera, float aspect, glm::vec3 point) {
  const glm::vec4 clip = camera.clip_from_world(aspect) * glm::vec4(point, 1.0F);
  EXPECT_GT(clip.w, 0.0F);
  return glm::vec2(clip) / clip.w;
}

TEST(Camera, HomeShowsTheWholeBoxInEveryFrame) {
  for (const float aspect : {16.0F / 9.0F, 9.0F / 16.0F, 1.0F, 21.0F / 9.0F}) {
    for (const uint32_t columns : {1U, 16U, 64U}) {
      const scene::Box box = layout().bounds(columns);
      Camera camera;
      camera.pose = home_pose(box, aspect);
      float widest = 0.0F;
      for (int corner = 0; corner < 8; ++corner) {
        const glm::vec3 sign((corner & 1) ? 1 : -1, (corner & 2) ? 1 : -1, (corner & 4) ? 1 : -1);
        const glm::vec2 at = project(camera, aspect, box.center + box.half_size * sign);
        EXPECT_LE(std::abs(at.x), 1.0F) << aspect;
        EXPECT_LE(std::abs(at.y), 1.0F) << aspect;
        widest = std::max({widest, std::abs(at.x), std::abs(at.y)});
      }
      EXPECT_GT(widest, 0.75F) << "and fills the frame, " << aspect;
    }
  }
}

TEST(Camera, HomeShowsTheBarsBesideTheLegend) {
  for (const uint32_t layers : {1U, 2U, 6U, 32U}) {
    trace::ModelRecord model = tests::small_model();
    model.layers = layers;
    model.heads = 8;
    const scene::Layout few(model);
    const float aspect = 16.0F / 9.0F;
    const Camera camera{home_pose(few, 16, aspect)};
    const shaders::Node bar = few.node(few.candidate(0));
    const glm::vec2 left = project(camera, aspect, bar.center - bar.half_size);
    const glm::vec2 right = project(camera, aspect, {few.ffn_right(), few.storey_y(layers), 0.0F});
    EXPECT_GT(left.x, -0.36F) << layers;
    EXPECT_LT(right.x, 0.9F) << layers;
  }
}

TEST(Camera, NarrowPicturesShowTheTowerBesideOrBelowTheLegend) {
  const scene::Layout layout(tests::small_model());
  const scene::Box box = layout.bounds(16);
  for (const float aspect : {9.0F / 16.0F, 0.8F, 1.0F, 1.2F}) {
    // As measured in pictures: at 1.25 the legend has half of the width, and 0.575 of the height.
    const float shrunk = aspect / 1.25F;
    const glm::vec2 legend(2.0F * 0.62F * shrunk / aspect - 1.0F, 2.0F * 0.575F * shrunk - 1.0F);
    for (const char* name : {"home", "crown"}) {
      const Camera camera{*scene::named_pose(name, layout, 16, aspect)};
      const shaders::Node bar = layout.node(layout.candidate(0));
      const glm::vec3 left = bar.center - glm::vec3(bar.half_size.x, bar.half_size.y, 0.0F);
      const glm::vec2 foot = project(camera, aspect, left);
      const glm::vec2 top = project(camera, aspect, left + glm::vec3(0.0F, bar.grow, 0.0F));
      EXPECT_TRUE(top.y > legend.y || foot.x > legend.x - 1e-3F) << name << ' ' << aspect;
      EXPECT_LT(foot.y, 1.0F) << name << ' ' << aspect;
    }
    const Camera camera{home_pose(layout, 16, aspect)};
    EXPECT_LT(project(camera, aspect, box.center + box.half_size).x, 1.0F) << aspect;
    EXPECT_LT(project(camera, aspect, box.center - box.half_size).y, 1.0F) << aspect;
  }
}

TEST(Camera, SeenFromTheFrontTheCrownIsBesideTheLegend) {
  const scene::Layout layout(tests::small_model());
  const shaders::Node bar = layout.node(layout.candidate(0));
  for (const float aspect : {1.25F, 1.6F, 16.0F / 9.0F, 21.0F / 9.0F}) {
    const Camera camera{*scene::named_pose("front", layout, 16, aspect)};
    EXPECT_EQ(0.0F, camera.pose.yaw);
    const glm::vec2 left = project(camera, aspect, bar.center - bar.half_size);
    EXPECT_GT(left.x, 2.0F * 0.62F / aspect - 1.0F - 1e-3F) << aspect;
    const glm::vec2 right = project(camera, aspect, {layout.ffn_right(), 0.0F, 0.0F});
    EXPECT_LT(right.x, 0.9F) << aspect;
  }
}

TEST(Camera, SeenFromBehindThePlatesAreBesideOrBelowTheLegend) {
  for (const uint32_t layers : {2U, 6U, 24U}) {
    trace::ModelRecord model = tests::small_model();
    model.layers = layers;
    const scene::Layout layout(model);
    for (const float aspect : {1.25F, 1.6F, 16.0F / 9.0F, 21.0F / 9.0F}) {
      SCOPED_TRACE(std::to_string(layers) + " " + std::to_string(aspect));
      const Camera camera{*scene::named_pose("back", layout, 16, aspect)};
      const glm::vec2 legend(2.0F * 0.62F / aspect - 1.0F, 2.0F * 0.575F - 1.0F);
      for (uint32_t l = 0; l < layers; ++l) {
        const scene::Box plate = layout.ffn_plate(l);
        const glm::vec3 end = plate.center + glm::vec3(plate.half_size.x, 0.0F, 0.0F);
        const glm::vec2 top =
            project(camera, aspect, end + glm::vec3(0.0F, plate.half_size.y, 0.0F));
        EXPECT_TRUE(top.y > legend.y || project(camera, aspect, end).x > legend.x - 1e-3F) << l;
      }
      for (const float y : {0.0F, layout.crown_y()}) {
        const glm::vec3 end(layout.attention_left(), y, shaders::past_z(16.0F));
        EXPECT_LT(project(camera, aspect, end).x, 1.0F) << y;
      }
    }
  }
}

TEST(Camera, ModelsSideBySideStandBesideOrBelowTheLegend) {
  const trace::Model one{tests::small_model(), {}, "a", "llama", "F32"};
  for (const size_t models : {2U, 3U, 6U}) {
    const scene::Layout layout(std::vector<trace::Model>(models, one));
    const scene::Box box = layout.bounds(16);
    for (const float aspect : {0.8F, 1.25F, 16.0F / 9.0F, 21.0F / 9.0F}) {
      const Camera camera{home_pose(layout, 16, aspect)};
      const float words = std::min(aspect / 1.25F, 1.0F);  // as in the test of narrow pictures
      const glm::vec2 legend(2.0F * 0.62F * words / aspect - 1.0F, 2.0F * 0.575F * words - 1.0F);
      glm::vec2 low(1e9F);
      glm::vec2 high(-1e9F);
      for (int corner = 0; corner < 8; ++corner) {
        const glm::vec3 sign((corner & 1) != 0 ? 1 : -1, (corner & 2) != 0 ? 1 : -1,
                             (corner & 4) != 0 ? 1 : -1);
        const glm::vec2 at = project(camera, aspect, box.center + sign * box.half_size);
        low = glm::min(low, at);
        high = glm::max(high, at);
      }
      EXPECT_TRUE(low.x > legend.x || low.y > legend.y) << models << ' ' << aspect;
      EXPECT_LT(high.x, 1.0F) << models << ' ' << aspect;
      EXPECT_GT(low.x, -1.0F) << models << ' ' << aspect;
      EXPECT_LT(high.y, 1.0F) << models << ' ' << aspect;
      EXPECT_GT(low.y, -1.0F) << models << ' ' << aspect;
    }
  }
}

TEST(WordsScale, IsThatOfTheHeightUnlessTheFrameIsNarrow) {
  EXPECT_FLOAT_EQ(1.0F, scene::words_scale({1280.0F, 720.0F}));
  EXPECT_FLOAT_EQ(3.0F, scene::words_scale({5120.0F, 2160.0F}));
  EXPECT_FLOAT_EQ(1.2F, scene::words_scale({1080.0F, 1920.0F}));
}

TEST(Camera, ClipSpaceIsVulkans) {
  Camera camera;
  camera.pose = {{1.0F, 2.0F, 3.0F}, 0.0F, 0.0F, 10.0F};
  EXPECT_NEAR(0.0F, glm::length(project(camera, 1.5F, camera.pose.target)), 1e-5);
  EXPECT_LT(project(camera, 1.5F, camera.pose.target + glm::vec3(0, 1, 0)).y, 0.0F) << "y down";
  EXPECT_GT(project(camera, 1.5F, camera.pose.target + glm::vec3(1, 0, 0)).x, 0.0F);
  const glm::vec4 at = camera.clip_from_world(1.5F) * glm::vec4(camera.pose.target, 1.0F);
  EXPECT_TRUE(at.z > 0.0F && at.z < at.w) << "depth 0 .. 1";
  EXPECT_NEAR(13.0F, camera.eye().z, 1e-5) << "yaw 0 looks from the front";
}

TEST(Camera, ZoomKeepsThePointUnderTheCursor) {
  const float aspect = 1.6F;
  for (const glm::vec2 cursor : {glm::vec2(0.0F), {0.6F, -0.3F}, {-0.9F, 0.8F}}) {
    for (const float notches : {1.0F, -2.0F, 5.0F}) {
      Camera camera;
      camera.pose = {{1.0F, 2.0F, 0.0F}, -0.5F, 0.3F, 12.0F};
      // The point of the target's plane that the cursor is over.
      const glm::mat4 view = camera.view_from_world();
      const glm::vec3 right(view[0][0], view[1][0], view[2][0]),
          up(view[0][1], view[1][1], view[2][1]);
      const float half = std::tan(Camera::kFovY * 0.5F) * camera.pose.distance;
      const glm::vec3 point =
          camera.pose.target + right * (cursor.x * half * aspect) - up * (cursor.y * half);
      const glm::vec2 before = project(camera, aspect, point);
      ASSERT_LT(glm::length(before - cursor), 1e-4F);
      camera.zoom(notches, camera.under(cursor, aspect, camera.pose.distance));
      EXPECT_LT(glm::length(project(camera, aspect, point) - cursor), 1e-3F);
      EXPECT_EQ(notches > 0.0F, camera.pose.distance < 12.0F);
    }
  }
}

TEST(Camera, ZoomKeepsAnyPointWhereItIsSeen) {
  const float aspect = 1.5F;
  for (const float depth : {2.0F, 12.0F, 40.0F}) {
    Camera camera;
    camera.pose = {{1.0F, 2.0F, 0.0F}, -0.5F, 0.3F, 12.0F};
    const glm::vec2 cursor(0.4F, -0.6F);
    const glm::vec3 point = camera.under(cursor, aspect, depth);
    ASSERT_LT(glm::length(project(camera, aspect, point) - cursor), 1e-3F);
    const glm::vec3 ahead = camera.forward();
    camera.zoom(3.0F, point);
    EXPECT_LT(glm::length(project(camera, aspect, point) - cursor), 1e-3F) << depth;
    EXPECT_LT(glm::length(camera.forward() - ahead), 1e-5F) << "and does not turn";
    for (int i = 0; i < 40; ++i) camera.zoom(1.0F, point);
    EXPECT_LT(glm::length(camera.pose.target - point), 0.4F) << "it ends there";
  }
}

TEST(Camera, NobodyGetsLost) {
  const scene::Layout l = layout();
  const scene::Box box = l.bounds(l.columns());
  Camera camera;
  camera.pose = home_pose(box, 1.5F);
  for (int i = 0; i < 500; ++i) {
    camera.fly({0.7F, 0.5F, 3.0F});
    camera.orbit({13.0F, 7.0F}, 720.0F);
    camera.zoom(-1.0F, camera.under({0.7F, 0.7F}, 1.5F, camera.pose.distance));
    camera.keep_near(box);
    // What is looked at is never far outside of the scene, and the scene is never a speck.
    const glm::vec3 outside = glm::abs(camera.pose.target - box.center) - box.half_size;
    EXPECT_LT(std::max({outside.x, outside.y, outside.z}), 0.5F * glm::length(box.half_size));
    EXPECT_LT(camera.pose.distance, 10.0F * glm::length(box.half_size));
  }
  const Pose inside{{0.5F, 1.0F, -0.5F}, 0.3F, 0.2F, 3.0F};
  camera.pose = inside;
  camera.keep_near(box);
  EXPECT_EQ(inside.target, camera.pose.target) << "and within it nothing is held back";
  EXPECT_EQ(inside.distance, camera.pose.distance);
}

TEST(Camera, ZoomHasEnds) {
  Camera camera;
  for (int i = 0; i < 200; ++i)
    camera.zoom(3.0F, camera.under({0.0F, 0.0F}, 1.0F, camera.pose.distance));
  EXPECT_GT(camera.pose.distance, 0.0F);
  for (int i = 0; i < 400; ++i)
    camera.zoom(-3.0F, camera.under({0.0F, 0.0F}, 1.0F, camera.pose.distance));
  EXPECT_LT(camera.pose.distance, 20001.0F);
}

TEST(Camera, PanMovesThePointWithThePointer) {
  Camera camera;
  camera.pose = {{0.0F, 1.0F, 0.0F}, 0.4F, 0.2F, 9.0F};
  const glm::vec3 grabbed = camera.pose.target;
  camera.pan({120.0F, -60.0F}, 720.0F);
  const glm::vec2 at =
      project(camera, 16.0F / 9.0F, grabbed);  // normalised: 2 is the frame's height
  EXPECT_NEAR(120.0F / 360.0F / (16.0F / 9.0F), at.x, 1e-3);
  EXPECT_NEAR(-60.0F / 360.0F, at.y, 1e-3);
}

TEST(Camera, OrbitKeepsTheTargetAndNeverTurnsOver) {
  Camera camera;
  camera.pose = {{1.0F, 2.0F, 3.0F}, 0.0F, 0.0F, 5.0F};
  for (int i = 0; i < 100; ++i) {
    camera.orbit({37.0F, 55.0F}, 720.0F);
    EXPECT_LT(std::abs(camera.pose.pitch), kPi / 2);
    EXPECT_LE(std::abs(camera.pose.yaw), kPi + 1e-5F);
    EXPECT_NEAR(5.0F, glm::length(camera.eye() - glm::vec3(1.0F, 2.0F, 3.0F)), 1e-4);
  }
}

TEST(Pose, BlendTakesTheShortestArcAndLogDistance) {
  const Pose a{{0, 0, 0}, 3.0F, 0.0F, 2.0F}, b{{2, 0, 0}, -3.0F, 0.4F, 8.0F};
  const Pose half = blend(a, b, 0.5F);
  EXPECT_NEAR(kPi, std::abs(std::remainder(half.yaw, 2 * kPi)), 1e-4)
      << "over the back, not over the front";
  EXPECT_NEAR(4.0F, half.distance, 1e-4);
  EXPECT_NEAR(0.2F, half.pitch, 1e-6);
  // A third of the way from 2 to 8: the target goes as the distance does.
  EXPECT_NEAR(2.0F / 3.0F, half.target.x, 1e-6);
  EXPECT_NEAR(1.0F, blend(a, Pose{{2, 0, 0}, 3.0F, 0.0F, 2.0F}, 0.5F).target.x, 1e-6);
  EXPECT_FLOAT_EQ(a.yaw, blend(a, b, 0.0F).yaw);
  EXPECT_NEAR(0.0F, std::remainder(blend(a, b, 1.0F).yaw - b.yaw, 2 * kPi), 1e-5);
}

TEST(Move, EasesInAndOutAndEndsWhereItSaid) {
  const Pose a{{0, 0, 0}, 0.0F, 0.0F, 2.0F}, b{{1, 0, 0}, 1.0F, 0.0F, 2.0F};
  scene::Move move;
  EXPECT_FALSE(move.running());
  move.start(a, b, 1.0F);
  const float early = move.advance(0.1F).target.x;
  EXPECT_LT(early, 0.05F);
  EXPECT_NEAR(0.5F, move.advance(0.4F).target.x, 1e-4);
  EXPECT_TRUE(move.running());
  EXPECT_NEAR(1.0F, move.advance(9.0F).target.x, 1e-6);
  EXPECT_FALSE(move.running());
}

TEST(NamedPose, KnowsItsNamesAndNumbers) {
  const scene::Layout l = layout();
  for (const char* name : {"", "home", "front", "left", "right", "back", "top", "close", "crown",
                           "tape", "L0", "L2", "L1.H2", "L0.K1.5", "L2.F0", "L2.A", "C0", "T3"}) {
    EXPECT_TRUE(named_pose(name, l, 16, 1.5F)) << name;
  }
  EXPECT_EQ(0.0F, named_pose("front", l, 16, 1.5F)->yaw);
  const Pose p = *named_pose("90,-30,7.5", l, 16, 1.5F);
  EXPECT_NEAR(kPi / 2, p.yaw, 1e-6);
  EXPECT_NEAR(-kPi / 6, p.pitch, 1e-6);
  EXPECT_EQ(7.5F, p.distance);
  EXPECT_EQ(glm::vec3(1.0F, -2.0F, 3.5F), named_pose(" 10, 20 ,5,1,-2,3.5", l, 16, 1.5F)->target);
  EXPECT_LT(named_pose("0,89.99,5", l, 16, 1.5F)->pitch, kPi / 2);
  EXPECT_GT(named_pose("0,0,-5", l, 16, 1.5F)->distance, 0.0F);
}

TEST(NamedPose, CloseIsHalfWayUpOrAtTheLayerThatIsAskedFor) {
  const scene::Layout l = layout();
  EXPECT_EQ(named_pose("close", l, 16, 1.5F)->target,
            named_pose("close", l, 16, 1.5F, 0.0F, l.model().layers / 2)->target);
  const float y = named_pose("close", l, 16, 1.5F, 0.0F, 2)->target.y;
  EXPECT_GT(y, l.storey_y(2));
  EXPECT_LT(y, l.storey_y(3));
}

TEST(NamedPose, RefusesNonsense) {
  const scene::Layout l = layout();
  for (const char* name :
       {"sideways", "HOME", "L3", "L3.H0", "T64", "1e7,0,5", "@1", "1", "1,2", "1,2,3,4",
        "1,2,3,4,5,6,7", "1,,3", "1,2,3x", "1,2,three", "nan,0,5", "inf,0,5", "1;2;3", " "}) {
    EXPECT_FALSE(named_pose(name, l, 16, 1.5F)) << name;
  }
}

TEST(NamedPose, ANodeIsInTheMiddleOfTheFrame) {
  const scene::Layout l = layout();
  for (const char* name : {"L1.H2", "L2.F7", "L0.K1.5", "C3"}) {
    const uint32_t node = *scene::find_node(name, l);
    Camera camera{*named_pose(name, l, 16, 1.5F, 9.0F)};
    const shaders::Node box = l.node(node);
    glm::vec3 at = box.center;
    if (box.column >= 0.0F) at.z = shaders::past_z(9.0F - box.column);
    EXPECT_LT(glm::length(project(camera, 1.5F, at)), 1e-4F) << name;
  }
}

TEST(PoseText, IsReadAgainToTheBit) {
  uint32_t state = 7;
  const auto random = [&] {
    state = state * 1664525U + 1013904223U;
    return static_cast<float>(state >> 8) / 16777216.0F - 0.5F;
  };
  for (int i = 0; i < 1000; ++i) {
    const Pose pose{{40 * random(), 90 * random(), 10 * random()},
                    6 * random(),
                    2 * random(),
                    20 * (random() + 0.51F)};
    const auto again = scene::parse_pose(scene::pose_text(pose));
    ASSERT_TRUE(again) << scene::pose_text(pose);
    EXPECT_EQ(pose.target, again->target);
    EXPECT_EQ(pose.distance, again->distance);
    EXPECT_NEAR(pose.yaw, again->yaw, 1e-6F);
    EXPECT_NEAR(pose.pitch, again->pitch, 1e-6F);
  }
}

TEST(FocusPose, ComesCloserWithoutTurning) {
  const Pose now{{0, 0, 0}, 0.7F, 0.2F, 20.0F};
  const scene::Layout l = layout();
  const shaders::Node node = l.node(l.head(1, 2));
  const Pose p = focus_pose(now, node, node.center);
  EXPECT_EQ(node.center, p.target);
  EXPECT_EQ(now.yaw, p.yaw);
  EXPECT_EQ(now.pitch, p.pitch);
  EXPECT_LT(p.distance, now.distance);
  EXPECT_GT(p.distance, glm::length(node.half_size));
}

}  // namespace
