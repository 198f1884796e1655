#include "render/scene/placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace {

using scene::gap_between;
using scene::Placement;
using scene::Rect;

constexpr float kFade = 6.0F;
const glm::vec2 kScreen(1280.0F, 720.0F);

Rect at(float x, float y, float width = 60.0F, float height = 14.0F) {
  return {{x, y}, {x + width, y + height}};
}

TEST(GapBetween, MeasuresAlongTheAxisThatPartsThem) {
  EXPECT_EQ(10.0F, gap_between(at(0, 0), at(70, 0)));
  EXPECT_EQ(6.0F, gap_between(at(0, 0), at(0, 20)));
  EXPECT_LT(gap_between(at(0, 0), at(30, 5)), 0.0F);
  EXPECT_EQ(gap_between(at(0, 0), at(200, 50)), gap_between(at(200, 50), at(0, 0)));
}

TEST(Placement, TheFirstWins) {
  Placement placement(kScreen, kFade);
  EXPECT_EQ(1.0F, placement.place(at(100, 100), 1.0F));
  EXPECT_EQ(0.0F, placement.place(at(130, 105), 1.0F)) << "on top of it";
  EXPECT_EQ(1.0F, placement.place(at(100 + 60 + kFade, 100), 1.0F)) << "beside it";
  EXPECT_EQ(0.5F, placement.place(at(400, 100), 0.5F)) << "no more than it wishes";
}

TEST(Placement, NothingLiesOnAPanelOrOverTheRim) {
  Placement placement(kScreen, kFade);
  placement.cover({{0, 0}, {300, 200}});
  EXPECT_EQ(0.0F, placement.place(at(100, 100), 1.0F));
  EXPECT_EQ(1.0F, placement.place(at(310, 100), 1.0F));
  EXPECT_EQ(0.0F, placement.place(at(1260, 400), 1.0F));
  EXPECT_EQ(0.0F, placement.place(at(-1000, 400), 1.0F));
  EXPECT_EQ(0.0F, placement.place(at(100, 1e9F), 1.0F));
  EXPECT_EQ(0.0F, placement.place(at(NAN, 300), 1.0F));
}

// The grid finds what looking at all of them finds.
TEST(Placement, VisibleOnesNeverOverlap) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> unit(0.0F, 1.0F);
  for (int round = 0; round < 50; ++round) {
    Placement placement(kScreen, kFade);
    std::vector<std::pair<Rect, float>> placed;
    for (int i = 0; i < 200; ++i) {
      const Rect rect = at(unit(random) * 1300.0F - 20.0F, unit(random) * 740.0F - 20.0F,
                           20.0F + 300.0F * unit(random), 10.0F + 30.0F * unit(random));
      placed.emplace_back(rect, placement.place(rect, 1.0F));
    }
    for (size_t i = 0; i < placed.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (gap_between(placed[i].first, placed[j].first) > 0.0F) continue;
        ASSERT_LE(std::min(placed[i].second, placed[j].second), 0.5F);
      }
    }
  }
}

// Labels that drift past each other: from one small step to the next no visibility jumps.
TEST(Placement, ChangesSmoothlyAsThingsMove) {
  std::mt19937 random(9);
  std::uniform_real_distribution<float> unit(-1.0F, 1.0F);
  struct Mover {
    glm::vec2 at, speed, size;
  };
  std::vector<Mover> movers;
  for (int i = 0; i < 60; ++i) {
    movers.push_back({{640.0F + 500.0F * unit(random), 360.0F + 300.0F * unit(random)},
                      {unit(random), unit(random)},
                      {60.0F + 30.0F * unit(random), 14.0F}});
  }
  std::vector<float> before;
  float largest = 0.0F;
  int faded = 0;
  constexpr float kStep = 0.05F;  // pixels
  for (int step = 0; step < 4000; ++step) {
    Placement placement(kScreen, kFade);
    std::vector<float> now;
    for (Mover& m : movers) {
      m.at += m.speed * kStep;
      now.push_back(placement.place({m.at, m.at + m.size}, 1.0F));
      faded += now.back() > 0.1F && now.back() < 0.9F ? 1 : 0;
    }
    for (size_t i = 0; i < before.size(); ++i)
      largest = std::max(largest, std::abs(now[i] - before[i]));
    before = now;
  }
  EXPECT_GT(faded, 100) << "some have come near each other";
  EXPECT_LT(largest, 0.25F) << "a twentieth of a pixel, over a chain of labels";
}

}  // namespace
