// What is under the pixel: the pick target against a ray cast over the layout, element by element.
#include <algorithm>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "render/labels.h"
#include "render/scene/choreography.h"
#include "render/stage.h"
#include "tests/render/gpu_fixture.h"
#include "tests/support/trace_builder.h"

namespace render::test {
namespace {

constexpr uint32_t kWide = 640, kHigh = 360;  // of the pictures whose pixels are compared
constexpr float kAspect = static_cast<float>(kWide) / static_cast<float>(kHigh);

class Picks : public GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (IsSkipped()) return;
    tests::TraceBuilder builder(log_, tests::small_model());
    builder.describe();
    builder.start();
    builder.step(8);
    for (int i = 0; i < 3; ++i) builder.step();
    stage_ = std::make_unique<Stage>(device(), log_, Quality::kWindow);
    stage_->poll();
    target_ = std::make_unique<Offscreen>(device(), kWidth, kHeight);
  }
  void TearDown() override {
    target_.reset();
    stage_.reset();
    GpuTest::TearDown();
  }

  View view_at(double playhead, const scene::Pose& pose) const {
    View view;
    view.playhead = playhead;
    view.look.labels = false;
    view.camera.pose = pose;
    return view;
  }

  // Where the ray enters the box, in units of its direction; infinity where it misses. grow: the
  // box counts as that much larger or smaller.
  static float enters(glm::vec3 eye, glm::vec3 ray, const scene::Box& box, float grow) {
    const glm::vec3 half = box.half_size + grow;
    if (half.x <= 0 || half.y <= 0 || half.z <= 0) return std::numeric_limits<float>::infinity();
    const glm::vec3 a = (box.center - half - eye) / ray;
    const glm::vec3 b = (box.center + half - eye) / ray;
    const glm::vec3 in = glm::min(a, b);
    const glm::vec3 out = glm::max(a, b);
    const float first = std::max({in.x, in.y, in.z});
    const float last = std::min({out.x, out.y, out.z});
    return first <= last && last > 0 ? std::max(first, 0.0F)
                                     : std::numeric_limits<float>::infinity();
  }

  struct Solid {
    scene::Box box;
    uint32_t id;  // element + 1, or kBare
  };
  static constexpr uint32_t kBare = 0xFFFFFFFFU;  // a place of a plate without a cell

  // Everything that can be hit, cells before the plates that they lie on. Of a cell on a plate its
  // whole place counts: the gap belongs to the nearest.
  static std::vector<Solid> solids_at(const scene::Layout& layout, float now,
                                      const std::vector<glm::vec2>& lights) {
    std::vector<Solid> solids;
    for (uint32_t e = 0; e < layout.elements(); ++e) {
      const shaders::Node node = layout.node(e);
      if (node.column > now + 0.5F) continue;
      scene::Box box = layout.box_of(e, now);
      const shaders::Grid* grid = nullptr;
      for (const shaders::Grid& g : layout.grids()) {
        if (e - g.first_element < g.elements * g.plates) grid = &g;
      }
      const bool grows = (node.flags & shaders::kNodeGrows) != 0;
      const float rise =
          grows ? 0.5F * node.grow * std::min(std::max(lights[e].x, lights[e].y), 1.5F) : 0.0F;
      scene::Box risen = box;
      risen.center.y += rise;
      risen.half_size.y += rise;
      if (grid == nullptr || rise > 0.0F) solids.push_back({risen, e + 1});
      if (grid == nullptr) continue;
      box.half_size.x /= 1.0F - grid->gap.x;
      if (grid->past == 0) {
        box.half_size.y /= 1.0F - grid->gap.y;
      } else {
        // The plate ends where its first and its last cell end.
        const float last = std::min(static_cast<float>(grid->rows) - 1.0F, std::floor(now + 0.5F));
        const float whole = 1.0F - grid->gap.y;
        const float age = now - node.column;
        const float front = shaders::past_z(age - 0.5F * (node.column == last ? whole : 1.0F));
        const float back = shaders::past_z(age + 0.5F * (node.column == 0.0F ? whole : 1.0F));
        box.center.z = 0.5F * (front + back);
        box.half_size.z = 0.5F * (front - back);
      }
      solids.push_back({box, e + 1});
    }
    for (const shaders::Node& plate : layout.boxes()) {
      if ((plate.flags & shaders::kNodePlate) != 0 && layout.grids()[plate.grid].past == 0)
        solids.push_back({{plate.center, plate.half_size}, kBare});
    }
    return solids;
  }

  trace::Log log_;
  std::unique_ptr<Stage> stage_;
  std::unique_ptr<Offscreen> target_;
};

// 1,000 pixels of ten views. The layout says where each element's box is, the lights that were read
// back how far it has risen. Pixels within a hair of an edge are left out: there both answers are
// right.
TEST_F(Picks, AThousandPixelsShowTheNodeThatARayMeetsFirst) {
  const scene::Layout& layout = stage_->layout();
  std::mt19937 random(11);
  std::uniform_real_distribution<float> unit(0.0F, 1.0F);
  const char* names[] = {"home",  "front", "left", "right", "top",
                         "close", "crown", "tape", "L1.H2", "L2.F20"};
  Offscreen target(device(), kWide, kHigh);
  size_t compared = 0;
  size_t hits = 0;
  size_t nothing = 0;
  std::set<scene::Kind> kinds;
  for (int round = 0; compared < 1000 && round < 200; ++round) {
    const char* name = names[static_cast<size_t>(round) % std::size(names)];
    const double playhead = 1.0 + 2.9 * double{unit(random)};
    View view = view_at(playhead,
                        *scene::named_pose(name, layout, 12, kAspect,
                                           scene::column_now(stage_->reader(), layout, playhead)));
    ASSERT_TRUE(stage_->draw(target, view));
    const std::vector<glm::vec2> lights = stage_->renderer().read_lights();
    shaders::Frame frame = stage_->frame(view, {kWide, kHigh});
    // Bolts lie in front of what they strike and have a test of their own: switched off.
    for (glm::vec4& channel : frame.channel_color) channel.w = 0.0F;
    const glm::mat4 world_from_clip = glm::inverse(frame.clip_from_world);
    const std::vector<Solid> solids = solids_at(layout, frame.now, lights);
    for (int i = 0; i < 80; ++i) {
      const glm::ivec2 pixel(static_cast<int>(unit(random) * kWide),
                             static_cast<int>(unit(random) * kHigh));
      const glm::vec2 ndc = (glm::vec2(pixel) + 0.5F) / glm::vec2(kWide, kHigh) * 2.0F - 1.0F;
      glm::vec4 far = world_from_clip * glm::vec4(ndc, 1.0F, 1.0F);
      const glm::vec3 ray = glm::normalize(glm::vec3(far) / far.w - frame.eye);
      // The nearest for boxes that are a little larger and a little smaller: if they agree, the
      // pixel is not at an edge.
      const auto first = [&](float sign) {
        uint32_t best = 0;
        float nearest = std::numeric_limits<float>::infinity();
        for (const Solid& solid : solids) {
          const float away = glm::length(solid.box.center - frame.eye);
          const float t = enters(frame.eye, ray, solid.box, sign * 1.5F * frame.pixel_size * away);
          if (t < nearest) nearest = t, best = solid.id;
        }
        return best;
      };
      const uint32_t larger = first(1.0F);
      if (larger != first(-1.0F) || larger == kBare) continue;
      const PickResult picked = stage_->renderer().pick_now(frame, pixel, {kWide, kHigh});
      if (larger == 0 && picked.node != 0) {
        // A few pixels off counts as well: what was picked is there, then.
        EXPECT_TRUE(std::any_of(
            solids.begin(), solids.end(),
            [&](const Solid& solid) {
              const float px = frame.pixel_size * glm::length(solid.box.center - frame.eye);
              return solid.id == picked.node &&
                     std::isfinite(enters(frame.eye, ray, solid.box, 8.0F * px));
            }))
            << name << " at " << playhead << ", pixel " << pixel.x << " " << pixel.y << ": "
            << layout.path(layout.ref(picked.node - 1)) << " over nothing";
        continue;
      }
      // Most of a picture is sky: it counts, but not for all.
      if (larger == 0 && ++nothing > 300) continue;
      ++compared;
      ASSERT_EQ(picked.node, larger)
          << name << " at " << playhead << ", pixel " << pixel.x << " " << pixel.y << ": "
          << (picked.node ? layout.path(layout.ref(picked.node - 1)) : "nothing") << " instead of "
          << (larger ? layout.path(layout.ref(larger - 1)) : "nothing");
      if (larger != 0) {
        ++hits;
        kinds.insert(layout.ref(larger - 1).kind);
      }
    }
  }
  EXPECT_GE(compared, 1000U);
  EXPECT_GE(hits, 700U);
  EXPECT_GE(kinds.size(), 6U) << "of most kinds";
}

// A letter is what everyone aims at: it means the bar above it, or the tile of the tape beside it.
TEST_F(Picks, WordsMeanWhatTheyName) {
  View view = view_at(3.95, *scene::named_pose("home", stage_->layout(), 12, kAspect, 10.0F));
  view.look.labels = true;
  Offscreen target(device(), 1280, 720);
  ASSERT_TRUE(stage_->draw(target, view));
  std::map<scene::Kind, std::set<uint32_t>> meant;
  for (float y = 0.0F; y < 720.0F; y += 3.0F) {
    for (float x = 0.0F; x < 1280.0F; x += 3.0F) {
      if (const uint32_t element = stage_->lettered_at({x, y})) {
        const scene::NodeRef ref = stage_->layout().ref(element - 1);
        meant[ref.kind].insert(element);
      }
    }
  }
  EXPECT_GT(meant[scene::Kind::kCandidate].size(), 3U);
  EXPECT_GT(meant[scene::Kind::kTape].size(), 0U);
  for (const auto& [kind, elements] : meant) {
    EXPECT_TRUE(kind == scene::Kind::kCandidate || kind == scene::Kind::kTape ||
                kind == scene::Kind::kRestCandidate);
  }
  EXPECT_EQ(0U, stage_->lettered_at({-5.0F, 300.0F}));
}

TEST_F(Picks, ABoltIsFoundAlongItsPathAndKnowsItsTerm) {
  Renderer renderer(device());
  renderer.set_nodes({}, {}, 0);
  std::vector<shaders::Bolt> bolts = {bolt({-2, 0.5f, 0}, {2, 0.5f, 0}, 0),
                                      bolt({-2, -1, 0}, {2, -1, 0}, 0)};
  for (shaders::Bolt& b : bolts) b.arc = 0;
  renderer.put_step(4, {}, {});
  renderer.put_step(5, {}, bolts);
  Offscreen target(device(), kWidth, kHeight);
  FrameInput input = input_at(0.3f);
  input.first_step = 4;
  input.last_step = 5;
  ASSERT_TRUE(renderer.draw(target, input));
  const float px = 1 / (input.frame.pixel_size * 10);
  const glm::uvec2 size(kWidth, kHeight);
  const auto at = [&](float x, float y) {
    return glm::ivec2(kWidth / 2 + static_cast<int>(x * px),
                      kHeight / 2 - static_cast<int>(y * px));
  };
  // The path is jagged, but its ends are exact.
  const PickResult upper = renderer.pick_now(input.frame, at(-1.95f, 0.5f), size);
  ASSERT_TRUE(upper.bolt);
  EXPECT_EQ(upper.node, 0u);
  EXPECT_EQ(*upper.bolt, (BoltRef{5, 0}));
  EXPECT_EQ(*renderer.pick_now(input.frame, at(1.95f, -1), size).bolt, (BoltRef{5, 1}));
  const PickResult nothing = renderer.pick_now(input.frame, at(0, 2.5f), size);
  EXPECT_FALSE(nothing.bolt);
  EXPECT_EQ(nothing.node, 0u);
  // Not before its instant, not when it is dark.
  for (const float playhead : {-0.1f, 3.0f}) {
    input.frame.playhead = playhead;
    EXPECT_FALSE(renderer.pick_now(input.frame, at(-1.95f, 0.5f), size).bolt) << playhead;
  }
}

TEST_F(Picks, TheStageKnowsTheBoltThatWasPicked) {
  const double playhead = 2.5;
  View view = view_at(playhead, *scene::named_pose("home", stage_->layout(), 12, kAspect));
  view.pace = 0.01;
  ASSERT_TRUE(stage_->draw(*target_, view));
  const shaders::Frame frame = stage_->frame(view, {kWidth, kHeight});
  size_t found = 0;
  for (int y = 2; y < static_cast<int>(kHeight); y += 3) {
    for (int x = 2; x < static_cast<int>(kWidth); x += 3) {
      const PickResult result = stage_->renderer().pick_now(frame, {x, y}, {kWidth, kHeight});
      if (!result.bolt) continue;
      ++found;
      const auto bolt = stage_->bolt(*result.bolt);
      ASSERT_TRUE(bolt);
      EXPECT_LE(static_cast<double>(bolt->instant), playhead) << "it has begun";
      EXPECT_EQ(bolt->flags & shaders::kBoltFork, 0u) << "of a fork, its bolt";
    }
  }
  EXPECT_GT(found, 20u);
  EXPECT_FALSE(stage_->bolt({99, 0}));
  EXPECT_FALSE(stage_->bolt({1, 4000000000u}));
}

}  // namespace
}  // namespace render::test
