// How much is drawn follows the time that frames take: down at once, up with patience, no swinging.
#include "render/governor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <vector>

namespace render {
namespace {

// A device on which a frame costs `fixed_ms`, `pixels_ms` for all of the target's pixels and
// `bolt_us` a bolt.
struct Device {
  double fixed_ms;
  double pixels_ms;
  double bolt_us = 0.0;
  uint32_t bolts = 0;
  double frame(const Governor::Step& step) const {
    const double drawn = std::min(static_cast<double>(bolts), double{step.bolts});
    return fixed_ms + pixels_ms * double{step.scale} * double{step.scale} + 1e-3 * bolt_us * drawn;
  }
};

int changes(Governor& governor, const Device& device, int frames) {
  int changed = 0;
  for (int i = 0; i < frames; ++i) {
    const Governor::Step* before = &governor.now();
    governor.add(device.frame(*before), device.bolts);
    if (&governor.now() != before) ++changed;
  }
  return changed;
}

TEST(Governor, GivesUpMoreWithEveryStep) {
  const Governor::Step* before = nullptr;
  for (const Governor::Step& step : Governor::kSteps) {
    if (before != nullptr) {
      EXPECT_LE(step.scale, before->scale);
      EXPECT_LE(step.bolts, before->bolts);
      EXPECT_LE(step.bloom, before->bloom);
    }
    before = &step;
  }
  EXPECT_EQ(Governor::kSteps[0].scale, 1.0F);
}

TEST(Governor, KeepsEveryPixelWhileFramesAreShort) {
  Governor governor(13.0);
  EXPECT_EQ(changes(governor, {2.0, 9.0}, 1000), 0);
  EXPECT_EQ(governor.now().scale, 1.0F);
}

TEST(Governor, FindsAScaleThatFitsWithinHalfASecond) {
  Governor governor(16.0);
  const Device device{2.0, 30.0};
  changes(governor, device, 30);
  EXPECT_LT(governor.now().scale, 1.0F);
  EXPECT_GE(governor.now().scale, 0.5F);
  EXPECT_LE(device.frame(governor.now()), 16.0);
}

TEST(Governor, LeavesBoltsOutWherePixelsAreNotEnough) {
  Governor governor(26.0);
  const Device device{4.0, 40.0, 4.0, 35'000};
  changes(governor, device, 60);
  EXPECT_LT(governor.now().bolts, 4096.0F);
  EXPECT_LE(device.frame(governor.now()), 26.0);
}

TEST(Governor, TakesLevelsOfBloomAfterThePixels) {
  Governor governor(16.0);
  changes(governor, {2.0, 55.0}, 60);
  EXPECT_EQ(governor.now().scale, 0.5F) << "this fits";
  EXPECT_EQ(governor.now().bloom, Governor::kSteps[0].bloom);
  changes(governor, {2.0, 80.0}, 60);
  EXPECT_LT(governor.now().bloom, Governor::kSteps[0].bloom);
}

TEST(Governor, GivesEverythingBackWhenThereIsRoom) {
  Governor governor(16.0);
  changes(governor, {2.0, 60.0, 2.0, 20'000}, 60);
  ASSERT_EQ(governor.now().scale, 0.5F);
  changes(governor, {2.0, 5.0, 0.1, 20'000}, 4000);
  EXPECT_EQ(&governor.now(), Governor::kSteps);
}

TEST(Governor, DoesNotSwingWhereNoScaleFitsWell) {
  // Too slow at one scale, with room to spare at the next smaller one by its own count.
  Governor governor(16.0);
  EXPECT_LT(changes(governor, {0.0, 18.0}, 2000), 12);
  EXPECT_LT(changes(governor, {0.0, 18.0, 1.0, 9'000}, 2000), 12);
}

// Five bad moments in a day's session must not cost detail for the rest of it.
TEST(Governor, ForgetsWhatWasTooMuchLongAgo) {
  const Device fast{2.0, 4.0}, slow{2.0, 40.0};
  const auto frames_to_recover = [&](Governor& governor) {
    changes(governor, slow, 20);
    int frames = 0;
    for (; governor.now().scale < 1.0F && frames < 100000; ++frames)
      governor.add(fast.frame(governor.now()), 0);
    return frames;
  };
  Governor governor(12.0);
  const int first = frames_to_recover(governor);
  int later = first;
  for (int i = 0; i < 4; ++i) later = frames_to_recover(governor);
  EXPECT_GT(later, 2 * first) << "again and again: it waits longer";
  changes(governor, fast, 20000);
  EXPECT_LT(2 * frames_to_recover(governor), later);
}

TEST(Governor, StaysAtTheLastStepWhateverTheLoad) {
  Governor governor(16.0);
  changes(governor, {500.0, 500.0, 10.0, 50'000}, 200);
  EXPECT_EQ(&governor.now(), std::end(Governor::kSteps) - 1);
}

TEST(Governor, OneLongFrameChangesNothing) {
  Governor governor(16.0);
  changes(governor, {2.0, 8.0}, 50);
  governor.add(30.0, 0);
  EXPECT_EQ(changes(governor, {2.0, 8.0}, 50), 0);
  EXPECT_EQ(governor.now().scale, 1.0F);
}

TEST(Governor, TakesNoNotesOfFramesThatWereNotTimed) {
  Governor governor(16.0);
  for (int i = 0; i < 100; ++i) governor.add(0.0, 0);
  EXPECT_EQ(governor.now().scale, 1.0F);
}

}  // namespace
}  // namespace render
