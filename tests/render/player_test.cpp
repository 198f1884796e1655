#include "render/player.h"

#include <gtest/gtest.h>

namespace {

using render::Player;

constexpr size_t kSteps = 10;

TEST(Player, PlaysAtItsPaceAndStopsAtTheEnd) {
  Player player;
  EXPECT_TRUE(player.playing());
  EXPECT_TRUE(player.advance(0.5, kSteps));
  EXPECT_DOUBLE_EQ(0.5, player.playhead());
  player.set_pace(4.0);
  player.advance(1.0, kSteps);
  EXPECT_DOUBLE_EQ(4.5, player.playhead());
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

TEST(Player, SteppingGoesThroughEveryStepOnceBothWays) {
  Player player;
  player.seek(2.1, kSteps);
  player.step(1, kSteps);
  EXPECT_FALSE(player.playing()) << "stepping pauses";
  const double first = player.playhead();
  for (int i = 1; i <= 3; ++i) {
    player.step(1, kSteps);
    EXPECT_NEAR(first + i, player.playhead(), 1e-9);
  }
  for (int i = 2; i >= 0; --i) {
    player.step(-1, kSteps);
    EXPECT_NEAR(first + i, player.playhead(), 1e-9);
  }
  for (int i = 0; i < 20; ++i) player.step(-1, kSteps);
  EXPECT_GE(player.playhead(), 0.0);
}

TEST(Player, FollowingHurriesAfterALiveModelButStaysLegible) {
  Player player;
  player.follow(1);
  double before = player.playhead();
  for (int i = 0; i < 600; ++i) {
    player.advance(1.0 / 60.0, 500);
    EXPECT_LE(player.playhead() - before, Player::kFastest / 60.0 + 1e-9);
    before = player.playhead();
  }
  EXPECT_GT(player.playhead(), 100.0) << "far more than ten steps in ten seconds";
  player.follow(500);
  EXPECT_GE(player.playhead(), 499.0) << "follow goes to the newest step";
}

}  // namespace
