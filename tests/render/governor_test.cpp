// The number of pixels follows the time that frames take: down at once, up with patience, no
// swinging.
#include "render/governor.h"

#include <gtest/gtest.h>

#include <vector>

namespace render {
namespace {

// A device on which a frame costs `fixed_ms` and `pixels_ms` for all of the target's pixels.
struct Device {
  double fixed_ms;
  double pixels_ms;
  double frame(float scale) const {
    return fixed_ms + pixels_ms * static_cast<double>(scale) * static_cast<double>(scale);
  }
};

int changes(Governor& governor, const Device& device, int frames) {
  int changed = 0;
  for (int i = 0; i < frames; ++i) {
    const float before = governor.scale();
    governor.add(device.frame(before));
    if (governor.scale() != before) ++changed;
  }
  return changed;
}

TEST(Governor, KeepsEveryPixelWhileFramesAreShort) {
  Governor governor(13.0);
  EXPECT_EQ(changes(governor, {2.0, 9.0}, 1000), 0);
  EXPECT_EQ(governor.scale(), 1.0F);
}

TEST(Governor, FindsAScaleThatFitsWithinHalfASecond) {
  Governor governor(16.0);
  const Device device{2.0, 30.0};
  changes(governor, device, 30);
  EXPECT_LT(governor.scale(), 1.0F);
  EXPECT_GE(governor.scale(), 0.5F);
  EXPECT_LE(device.frame(governor.scale()), 16.0);
}

TEST(Governor, GivesPixelsBackWhenThereIsRoom) {
  Governor governor(16.0);
  changes(governor, {2.0, 60.0}, 60);
  ASSERT_EQ(governor.scale(), 0.5F);
  changes(governor, {2.0, 5.0}, 600);
  EXPECT_EQ(governor.scale(), 1.0F);
}

TEST(Governor, DoesNotSwingWhereNoScaleFitsWell) {
  // Too slow at one scale, with room to spare at the next smaller one by its own count.
  Governor governor(16.0);
  const Device device{0.0, 18.0};
  EXPECT_LT(changes(governor, device, 2000), 12);
}

TEST(Governor, StaysAtTheSmallestWhateverTheLoad) {
  Governor governor(16.0);
  changes(governor, {500.0, 500.0}, 200);
  EXPECT_EQ(governor.scale(), 0.5F);
}

TEST(Governor, OneLongFrameChangesNothing) {
  Governor governor(16.0);
  changes(governor, {2.0, 8.0}, 50);
  governor.add(30.0);
  EXPECT_EQ(changes(governor, {2.0, 8.0}, 50), 0);
  EXPECT_EQ(governor.scale(), 1.0F);
}

TEST(Governor, TakesNoNotesOfFramesThatWereNotTimed) {
  Governor governor(16.0);
  for (int i = 0; i < 100; ++i) governor.add(0.0);
  EXPECT_EQ(governor.scale(), 1.0F);
}

}  // namespace
}  // namespace render
