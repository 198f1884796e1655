// Every light is a measured number: what the GPU holds for a node is what the trace of a real
// model says of it, on the scale that the legend prints.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "engine/trace/file.h"
#include "render/scene/choreography.h"
#include "render/scene/node_meaning.h"
#include "render/stage.h"
#include "tests/render/gpu_fixture.h"
#include "tests/support/run_program.h"

namespace render::test {
namespace {

class Truth : public GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const char* program = std::getenv("FULGURITE_PROGRAM");
    ASSERT_NE(program, nullptr) << "set FULGURITE_PROGRAM to the program that writes the trace";
    const std::string path =
        std::filesystem::temp_directory_path() / ("truth-" + std::to_string(getpid()) + ".mcap");
    const auto outcome = tests::run_program(
        {program, "run", "-p", "ROMEO:", "-n", "6", "--seed", "1", "--trace", path});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(trace::load_file(path, log_).complete);
    std::filesystem::remove(path);
    stage_ = std::make_unique<Stage>(device(), log_, Quality::kWindow);
    stage_->poll();
    ASSERT_TRUE(stage_->ready());
    ASSERT_EQ(stage_->reader().steps(), 7U);
    target_ = std::make_unique<Offscreen>(device(), kWidth, kHeight);
  }
  void TearDown() override {
    target_.reset();
    stage_.reset();
    GpuTest::TearDown();
  }

  std::vector<glm::vec2> lights_at(float playhead) {
    View view;
    view.playhead = static_cast<double>(playhead);
    view.pace = 0.01;  // lives are not stretched
    view.look.labels = false;
    view.camera.pose = scene::home_pose(stage_->layout().bounds(12), 16.0F / 9.0F);
    EXPECT_TRUE(stage_->draw(*target_, view));
    return stage_->renderer().read_lights();
  }

  trace::Log log_;
  std::unique_ptr<Stage> stage_;
  std::unique_ptr<Offscreen> target_;
};

TEST_F(Truth, IntensitiesOnTheGpuAreTheNumbersOfTheTrace) {
  constexpr size_t kStep = 4;
  const trace::Reader& reader = stage_->reader();
  const scene::Layout& layout = stage_->layout();
  const scene::Script script = scene::choreograph(reader, layout, kStep);
  // At each instant at which something lights up: those nodes hold exactly their measure.
  std::map<float, std::vector<shaders::Light>> by_instant;
  for (const shaders::Light& light : script.lights) by_instant[light.instant].push_back(light);
  std::set<scene::Kind> kinds;
  size_t compared = 0;
  for (const auto& [instant, lights] : by_instant) {
    const std::vector<glm::vec2> held = lights_at(instant);
    ASSERT_EQ(held.size(), layout.elements());
    for (const shaders::Light& light : lights) {
      const scene::NodeRef ref = layout.ref(light.node);
      const scene::Meaning meaning = scene::explain(reader, layout, ref, kStep);
      if (!meaning.known) continue;  // the tape marks an event, it measures nothing
      const float held_light = light.value < 0.0F ? -held[light.node].y : held[light.node].x;
      EXPECT_NEAR(held_light, meaning.light, 1e-5F) << layout.path(ref);
      kinds.insert(ref.kind);
      ++compared;
    }
  }
  EXPECT_GT(compared, 500U);
  for (const scene::Kind kind :
       {scene::Kind::kSpineAttention, scene::Kind::kSpineFfn, scene::Kind::kHead,
        scene::Kind::kSlot, scene::Kind::kCell, scene::Kind::kCandidate}) {
    EXPECT_TRUE(kinds.contains(kind)) << "no light of kind " << static_cast<int>(kind);
  }
}

TEST_F(Truth, ANodeIsDarkBeforeItsInstantAndFadesMonotonically) {
  const scene::Layout& layout = stage_->layout();
  const scene::Script script = scene::choreograph(stage_->reader(), layout, 4);
  const uint32_t head = layout.head(layout.model().layers - 1, 0);
  const auto light = std::find_if(script.lights.begin(), script.lights.end(),
                                  [&](const shaders::Light& l) { return l.node == head; });
  ASSERT_NE(light, script.lights.end());
  const auto brightness = [&](float playhead) {
    const glm::vec2 held = lights_at(playhead)[head];
    return std::max(held.x, held.y);
  };
  EXPECT_EQ(brightness(light->instant - 0.002F), 0.0F);
  float before = brightness(light->instant);
  EXPECT_GT(before, 0.0F);
  for (int i = 1; i < 8; ++i) {
    const float now = brightness(light->instant + light->life * static_cast<float>(i) / 8.0F);
    EXPECT_LT(now, before);
    before = now;
  }
}

TEST_F(Truth, TheSamePlayheadGivesTheSamePictureWhicheverWayItWasReached) {
  const auto picture = [&](float playhead) {
    lights_at(playhead);
    return target_->read_back();
  };
  const std::vector<uint8_t> forwards = picture(3.4F);
  picture(6.5F);
  picture(0.2F);
  EXPECT_EQ(picture(3.4F), forwards);
}

TEST_F(Truth, TheBoltsOfANodeCanBeGoneThroughByTheirShare) {
  const scene::Layout& layout = stage_->layout();
  const uint32_t head = layout.head(2, 1);
  const std::vector<BoltRef> bolts = stage_->bolts_at(head, 4);
  ASSERT_GE(bolts.size(), 2U) << "it reads, and it adds";
  float before = 1e9F;
  bool reads = false, adds = false;
  for (const BoltRef& ref : bolts) {
    const auto bolt = stage_->bolt(ref);
    ASSERT_TRUE(bolt);
    EXPECT_TRUE(bolt->from_node == head || bolt->to_node == head);
    EXPECT_EQ(0U, bolt->flags & shaders::kBoltFork);
    EXPECT_LE(std::abs(bolt->share), before);
    before = std::abs(bolt->share);
    reads = reads || bolt->to_node == head;
    adds = adds || bolt->from_node == head;
  }
  EXPECT_TRUE(reads && adds);
  EXPECT_TRUE(stage_->bolts_at(head, 1000).empty());
}

}  // namespace
}  // namespace render::test
