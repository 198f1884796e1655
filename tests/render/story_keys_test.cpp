// Space plays, arrows move, Ctrl with arrows steps; digits switch channels.
#include "render/commands/story_keys.h"

#include <GLFW/glfw3.h>
#include <gtest/gtest.h>

namespace {

using render::Look;
using render::Player;

constexpr size_t kSteps = 10;
constexpr uint32_t kLayers = 6;

class StoryKeys : public ::testing::Test {
 protected:
  bool press(int key, int mods = 0, bool repeat = false) {
    return render::commands::story_key(key, mods, repeat, player, look, kSteps, kLayers);
  }
  Player player;
  Look look;
};

TEST_F(StoryKeys, SpaceAndArrowsAreTheTimelines) {
  player.seek(4.2, kSteps);
  EXPECT_TRUE(press(GLFW_KEY_SPACE));
  EXPECT_FALSE(player.playing());
  EXPECT_TRUE(press(GLFW_KEY_RIGHT));
  EXPECT_NEAR(4.25, player.playhead(), 1e-9);
  press(GLFW_KEY_LEFT);
  EXPECT_NEAR(4.2, player.playhead(), 1e-9);
  press(GLFW_KEY_RIGHT, GLFW_MOD_CONTROL);
  EXPECT_NEAR(4.88, player.playhead(), 1e-9) << "a token: the crown is lit";
  press(GLFW_KEY_RIGHT, GLFW_MOD_CONTROL);
  EXPECT_NEAR(5.88, player.playhead(), 1e-9);
  press(GLFW_KEY_LEFT, GLFW_MOD_CONTROL);
  EXPECT_NEAR(4.88, player.playhead(), 1e-9);
  EXPECT_TRUE(press(GLFW_KEY_HOME));
  EXPECT_EQ(0.0, player.playhead());
  EXPECT_TRUE(press(GLFW_KEY_END));
  EXPECT_TRUE(player.following());
}

TEST_F(StoryKeys, UpAndDownStepByLayersAndPointsByOperations) {
  const scene::Clock clock(kLayers);
  const auto operation = [&] {
    return clock.operation_at(static_cast<float>(player.playhead() - 4.0));
  };
  player.seek(4.0, kSteps);
  press(GLFW_KEY_UP, GLFW_MOD_CONTROL);
  press(GLFW_KEY_UP, GLFW_MOD_CONTROL);
  EXPECT_EQ(3U, operation()) << "the FFN of layer 0";
  press(GLFW_KEY_PERIOD);
  EXPECT_EQ(4U, operation());
  press(GLFW_KEY_RIGHT, GLFW_MOD_CONTROL | GLFW_MOD_SHIFT);
  EXPECT_EQ(5U, operation());
  press(GLFW_KEY_COMMA, 0, true);
  press(GLFW_KEY_LEFT, GLFW_MOD_CONTROL | GLFW_MOD_SHIFT);
  EXPECT_EQ(3U, operation());
  press(GLFW_KEY_DOWN, GLFW_MOD_CONTROL);
  EXPECT_EQ(0U, operation());
  EXPECT_FALSE(press(GLFW_KEY_UP)) << "an arrow up alone is somebody else's";
}

TEST_F(StoryKeys, PlusAndMinusSetThePace) {
  press(GLFW_KEY_EQUAL);
  press(GLFW_KEY_KP_ADD);
  EXPECT_EQ(4.0, player.pace());
  press(GLFW_KEY_MINUS);
  EXPECT_EQ(2.0, player.pace());
  press(GLFW_KEY_0);
  EXPECT_EQ(1.0, player.pace());
}

TEST_F(StoryKeys, DigitsSwitchChannelsAndSetTheirGain) {
  for (uint32_t c = 0; c < shaders::kChannelCount; ++c) {
    const int key = GLFW_KEY_1 + static_cast<int>(c);
    EXPECT_TRUE(press(key));
    EXPECT_FALSE(look.channels.on[c]);
    EXPECT_TRUE(press(key, GLFW_MOD_SHIFT));
    EXPECT_TRUE(look.channels.on[c]) << "a gain is there to be seen";
    EXPECT_EQ(1.25F, look.channels.gain[c]);
    for (int i = 0; i < 20; ++i) press(key, GLFW_MOD_SHIFT, true);
    EXPECT_EQ(4.0F, look.channels.gain[c]);
    for (int i = 0; i < 40; ++i) press(key, GLFW_MOD_CONTROL | GLFW_MOD_SHIFT, true);
    EXPECT_EQ(0.0F, look.channels.gain[c]);
  }
  EXPECT_FALSE(press(GLFW_KEY_9));
}

TEST_F(StoryKeys, AHeldDigitDoesNotFlash) {
  press(GLFW_KEY_3);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(press(GLFW_KEY_3, 0, true));
  EXPECT_FALSE(look.channels.on[2]);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(press(GLFW_KEY_3, GLFW_MOD_CONTROL, true)) << "bookmarks";
  EXPECT_FALSE(look.channels.on[2]);
}

TEST_F(StoryKeys, LettersChooseHowItIsDrawn) {
  press(GLFW_KEY_B);
  EXPECT_TRUE(look.show_all);
  for (size_t i = 1; i <= scene::kPaletteCount; ++i) {
    press(GLFW_KEY_V);
    EXPECT_EQ(i % scene::kPaletteCount, static_cast<size_t>(look.palette));
  }
  press(GLFW_KEY_R);
  EXPECT_TRUE(look.lens);
  press(GLFW_KEY_R);
  EXPECT_FALSE(look.lens);
  press(GLFW_KEY_T);
  EXPECT_EQ(scene::Theme::kLight, look.theme);
  press(GLFW_KEY_M);
  EXPECT_TRUE(look.reduced_motion);
  EXPECT_FALSE(press(GLFW_KEY_B, 0, true)) << "not while it is held down";
  EXPECT_FALSE(press(GLFW_KEY_F));
}

}  // namespace
