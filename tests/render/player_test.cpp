#include "render/player.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "render/scene/eyes.h"

namespace {

using render::Player;
using render::Stride;

constexpr size_t kSteps = 10;
const scene::Clock kClock(6);

TEST(Player, PlaysAtItsPaceAndStopsAtTheEnd) {
  Player player;
  EXPECT_TRUE(player.playing());
  EXPECT_TRUE(player.advance(0.5, kSteps));
  EXPECT_DOUBLE_EQ(0.5, player.playhead());
  player.set_pace(2.0);
  player.advance(1.0, kSteps);
  EXPECT_DOUBLE_EQ(2.5, player.playhead());
  player.advance(100.0, kSteps);
  EXPECT_DOUBLE_EQ(10.0, player.playhead()) << "never past the last complete step";
  EXPECT_FALSE(player.advance(1.0, kSteps));
  EXPECT_TRUE(player.advance(1.0, kSteps + 1)) << "and on when there is more";
}

TEST(Player, NothingMovesWithoutStepsOrWhilePaused) {
  Player player;
  EXPECT_FALSE(player.advance(1.0, 0));
  player.toggle();
  EXPECT_FALSE(player.playing());
  EXPECT_FALSE(player.advance(1.0, kSteps));
  player.play(true);
  EXPECT_TRUE(player.advance(1.0, kSteps));
}

TEST(Player, ThePaceHasEnds) {
  Player player;
  player.set_pace(0.0);
  EXPECT_EQ(Player::kSlowest, player.pace());
  player.set_pace(1e9);
  EXPECT_EQ(Player::kFastest, player.pace());
}

TEST(Player, SeekingStaysInsideAndStopsFollowing) {
  Player player;
  player.follow(kSteps);
  EXPECT_TRUE(player.following());
  player.seek(3.5, kSteps);
  EXPECT_FALSE(player.following());
  EXPECT_DOUBLE_EQ(3.5, player.playhead());
  player.move(-9.0, kSteps);
  EXPECT_DOUBLE_EQ(0.0, player.playhead());
  player.move(99.0, kSteps);
  EXPECT_DOUBLE_EQ(10.0, player.playhead());
  player.home();
  EXPECT_DOUBLE_EQ(0.0, player.playhead());
}

TEST(Player, ThePaceDoublesAndHalvesFromASixteenthToEight) {
  Player player;
  EXPECT_EQ(1.0, player.pace());
  std::vector<double> up, down;
  for (int i = 0; i < 5; ++i) {
    player.faster();
    up.push_back(player.pace());
  }
  for (int i = 0; i < 9; ++i) {
    player.slower();
    down.push_back(player.pace());
  }
  EXPECT_EQ((std::vector<double>{2, 4, 8, 8, 8}), up);
  EXPECT_EQ((std::vector<double>{4, 2, 1, 0.5, 0.25, 0.125, 0.0625, 0.0625, 0.0625}), down);
  player.set_pace(3.0);
  player.faster();
  EXPECT_EQ(4.0, player.pace());
  player.set_pace(3.0);
  player.slower();
  EXPECT_EQ(2.0, player.pace());
}

TEST(Player, SteppingByTokensGoesThroughEveryStepOnceBothWays) {
  Player player;
  player.seek(2.1, kSteps);
  player.step(Stride::kToken, 1, kClock, kSteps);
  EXPECT_FALSE(player.playing()) << "stepping pauses";
  const double first = player.playhead();
  for (int i = 1; i <= 3; ++i) {
    player.step(Stride::kToken, 1, kClock, kSteps);
    EXPECT_NEAR(first + i, player.playhead(), 1e-9);
  }
  for (int i = 2; i >= 0; --i) {
    player.step(Stride::kToken, -1, kClock, kSteps);
    EXPECT_NEAR(first + i, player.playhead(), 1e-9);
  }
  for (int i = 0; i < 20; ++i) player.step(Stride::kToken, -1, kClock, kSteps);
  EXPECT_GE(player.playhead(), 0.0);
}

// Every stop of a whole conversation, forwards and then backwards.
void goes_through(Stride stride, size_t stops_a_step) {
  constexpr size_t kShort = 3;
  Player player;
  player.seek(0.0, kShort);
  std::vector<double> on;
  for (size_t i = 0; i < kShort * stops_a_step; ++i) {
    player.step(stride, 1, kClock, kShort);
    on.push_back(player.playhead());
  }
  EXPECT_EQ(on.size(), std::set<double>(on.begin(), on.end()).size()) << "each once";
  EXPECT_TRUE(std::is_sorted(on.begin(), on.end()));
  EXPECT_GT(on.front(), 0.0);
  EXPECT_GT(on.back(), 2.9);
  player.step(stride, 1, kClock, kShort);
  EXPECT_EQ(on.back(), player.playhead()) << "there is no more";
  for (size_t i = on.size() - 1; i-- > 0;) {
    player.step(stride, -1, kClock, kShort);
    EXPECT_EQ(on[i], player.playhead());
  }
  player.step(stride, -1, kClock, kShort);
  EXPECT_EQ(on.front(), player.playhead());
}

TEST(Player, SteppingByOperationsStopsInEveryOneOfThem) {
  goes_through(Stride::kOperation, 21);
  Player player;
  player.seek(1.0, kSteps);
  for (uint32_t i = 0; i < kClock.operations(); ++i) {
    player.step(Stride::kOperation, 1, kClock, kSteps);
    EXPECT_EQ(i, kClock.operation_at(static_cast<float>(player.playhead() - 1.0)));
  }
}

TEST(Player, SteppingByLayersStopsOnceInEveryLayer) {
  goes_through(Stride::kLayer, 8);
  Player player;
  player.seek(1.0, kSteps);
  player.step(Stride::kLayer, 1, kClock, kSteps);
  EXPECT_LT(player.playhead(), 1.0 + double{scene::Clock::kLayers}) << "embed";
  for (uint32_t l = 0; l < kClock.layers(); ++l) {
    player.step(Stride::kLayer, 1, kClock, kSteps);
    EXPECT_EQ(l, kClock.layer_at(static_cast<float>(player.playhead() - 1.0)));
  }
  player.seek(1.0 + double{kClock.in_layer(3, 0.5F)}, kSteps);
  player.step(Stride::kLayer, -1, kClock, kSteps);
  EXPECT_EQ(2U, kClock.layer_at(static_cast<float>(player.playhead() - 1.0)));
}

TEST(Player, SteppingWithoutStepsStaysAtTheStart) {
  for (const Stride stride : {Stride::kToken, Stride::kLayer, Stride::kOperation}) {
    for (const int by : {-1, 1}) {
      Player player;
      player.step(stride, by, kClock, 0);
      EXPECT_EQ(0.0, player.playhead());
    }
  }
}

// Plays for so long while the model writes; looks at every frame.
struct Played {
  double most_climbs = 0.0;  // in any second
  double most_merged = 1.0;
};
Played play(Player& player, double seconds, double tokens_a_second, bool reduced_motion) {
  constexpr double kFrame = 1.0 / 60.0;
  Played played;
  std::vector<double> begun;  // when a climb began
  double from = -1.0;
  for (double t = 0.0; t < seconds; t += kFrame) {
    const auto steps = static_cast<size_t>(1.0 + t * tokens_a_second);
    const double before = player.playhead();
    player.advance(kFrame, steps, reduced_motion);
    EXPECT_GE(player.playhead(), before);
    EXPECT_LE(player.playhead(), static_cast<double>(steps));
    const double merge = player.merge();
    EXPECT_EQ(merge, std::exp2(std::round(std::log2(merge))));
    const double group = std::floor(player.playhead() / merge) * merge;
    EXPECT_LE(group + merge, std::max(static_cast<double>(steps), group + 1.0))
        << "what is shown as one is all there";
    if (group != from && merge == player.merge()) {
      from = group;
      begun.push_back(t);
      const auto first = std::lower_bound(begun.begin(), begun.end(), t - 1.0);
      played.most_climbs = std::max(played.most_climbs, static_cast<double>(begun.end() - first));
    }
    played.most_merged = std::max(played.most_merged, merge);
  }
  return played;
}

TEST(Player, FollowingMergesStepsRatherThanRunningFasterThanTheEye) {
  for (const bool reduced_motion : {false, true}) {
    Player player;
    player.follow(1);
    const Played played = play(player, 20.0, 100.0, reduced_motion);
    EXPECT_LE(played.most_climbs, reduced_motion ? 2.0 : 3.0);
    EXPECT_GE(played.most_merged, 32.0);
    EXPECT_GT(player.playhead(), 2000.0 - 3.0 * played.most_merged) << "and it keeps up";
  }
}

TEST(Player, FollowingAModelThatIsSlowerThanTheEyeMergesNothing) {
  Player player;
  player.follow(1);
  EXPECT_EQ(1.0, play(player, 20.0, 1.0, false).most_merged);
  EXPECT_GT(player.playhead(), 18.0);
}

TEST(Player, AFastPaceMergesTooAndEndsWithTheLastStep) {
  Player player;
  player.set_pace(8.0);
  double merged = 1.0;
  for (int i = 0; i < 600; ++i) {
    player.advance(1.0 / 60.0, 43);
    merged = std::max(merged, player.merge());
  }
  EXPECT_EQ(4.0, merged);
  EXPECT_EQ(43.0, player.playhead());
}

TEST(Player, SeekingShowsStepsOneByOneAgain) {
  Player player;
  player.set_pace(8.0);
  for (int i = 0; i < 60; ++i) player.advance(1.0 / 60.0, 100);
  EXPECT_GT(player.merge(), 1.0);
  player.toggle();
  EXPECT_GT(player.merge(), 1.0) << "a pause changes nothing in the picture";
  EXPECT_EQ(8.0, player.effective_pace());
  player.move(0.1, 100);
  EXPECT_EQ(1.0, player.merge());
  EXPECT_EQ(1.0, player.effective_pace()) << "lights of one step, not of many";
}

TEST(Player, FollowGoesToTheNewestStep) {
  Player player;
  player.follow(500);
  EXPECT_GE(player.playhead(), 499.0);
}

TEST(Player, WhatBeginsOrGoesOnIsSeenFromThere) {
  using GoesOn = Player::GoesOn;
  const auto from = [](double playhead, double step, GoesOn why) {
    Player player;
    player.seek(playhead, 100);
    player.begin_at(step, why, kSteps);
    return player.playhead();
  };
  for (const GoesOn why : {GoesOn::kAsItWas, GoesOn::kAsAsked, GoesOn::kElsewhere})
    EXPECT_DOUBLE_EQ(0.0, from(5.0, 0.0, why)) << "a beginning";
  EXPECT_DOUBLE_EQ(4.0, from(9.0, 4.0, GoesOn::kAsAsked));
  EXPECT_DOUBLE_EQ(4.0, from(2.0, 4.0, GoesOn::kAsAsked)) << "what was asked for is seen at once";
  EXPECT_DOUBLE_EQ(2.0, from(2.0, 4.0, GoesOn::kAsItWas)) << "turn by turn";
  EXPECT_DOUBLE_EQ(92.0, from(92.0, 4.0, GoesOn::kAsItWas));
  EXPECT_DOUBLE_EQ(4.0, from(92.0, 4.0, GoesOn::kElsewhere)) << "beyond all that there is";
  EXPECT_DOUBLE_EQ(2.0, from(2.0, 4.0, GoesOn::kElsewhere))
      << "who comes late sees what was before";
}

TEST(Player, AStoryThatIsOverPlaysAgainFromItsStart) {
  Player player;
  EXPECT_FALSE(player.at_end(0)) << "nothing has happened";
  player.seek(3.0, 3);
  EXPECT_TRUE(player.at_end(3));
  EXPECT_FALSE(player.at_end(4)) << "more has come";
  player.play(false);
  player.again();
  EXPECT_EQ(0.0, player.playhead());
  EXPECT_TRUE(player.playing());
}

}  // namespace
