// Which bolts a picture keeps when it cannot draw all: the strongest, each for all of its life.
#include "render/scene/bolt_rank.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace {

using shaders::Bolt;

Bolt bolt(float instant, float share, float value = 1.0F, uint32_t flags = 0) {
  Bolt b{};
  b.instant = instant;
  b.share = share;
  b.value = value;
  b.life = 0.25F;
  b.flags = flags;
  return b;
}

// The rule of shaders/bolts_choose.comp.
bool drawn(const Bolt& b, float budget, float life) {
  return b.crowd * life < budget;
}

std::vector<Bolt> sky(size_t bolts, float step) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> unit(0.0F, 1.0F);
  std::vector<Bolt> all;
  for (size_t i = 0; i < bolts; ++i)
    all.push_back(bolt(step + 0.99F * unit(random), unit(random) - 0.5F, unit(random)));
  return all;
}

TEST(BoltRank, WeightIsWidthTimesBrightness) {
  EXPECT_FLOAT_EQ(scene::weight(bolt(0, 1.0F, 0.8F)), 0.8F);
  EXPECT_FLOAT_EQ(scene::weight(bolt(0, 0.25F, 0.8F)), 0.4F);
  EXPECT_FLOAT_EQ(scene::weight(bolt(0, -0.25F, 0.8F)), 0.4F) << "against the sum as towards it";
  EXPECT_FLOAT_EQ(scene::weight(bolt(0, 0.0F)), 0.12F) << "as thin as one is drawn";
  EXPECT_LT(scene::weight(bolt(0, 0.5F, 1.0F, shaders::kBoltFork)), scene::weight(bolt(0, 0.5F)));
}

TEST(BoltRank, TheStrongestOfASliceStandInNobodysShadow) {
  std::vector<Bolt> bolts = {bolt(3.01F, 0.1F), bolt(3.02F, 0.9F), bolt(3.03F, 0.4F),
                             bolt(3.6F, 0.01F)};
  scene::rank(bolts, 3.0F, 0.5F);
  EXPECT_EQ(bolts[1].crowd, 0.0F);
  EXPECT_EQ(bolts[2].crowd, 2.0F) << "one stronger in half a step";
  EXPECT_EQ(bolts[0].crowd, 4.0F);
  EXPECT_EQ(bolts[3].crowd, 0.0F) << "nothing else leaves then";
}

TEST(BoltRank, OfEqualsTheFirstIsKeptAndAForkGoesBeforeItsParent) {
  std::vector<Bolt> bolts = {bolt(0, 0.5F), bolt(0, 0.5F, 1.0F, shaders::kBoltFork), bolt(0, 0.5F)};
  scene::rank(bolts, 0.0F, 1.0F);
  EXPECT_EQ(bolts[0].crowd, 0.0F);
  EXPECT_EQ(bolts[2].crowd, 1.0F);
  EXPECT_EQ(bolts[1].crowd, 2.0F);
}

TEST(BoltRank, IsTheSameEveryTimeAndWhateverElseIsInTheStep) {
  std::vector<Bolt> once = sky(5000, 12.0F);
  std::vector<Bolt> again = once;
  scene::rank(once, 12.0F, 1.0F / 64);
  scene::rank(again, 12.0F, 1.0F / 64);
  for (size_t i = 0; i < once.size(); ++i) ASSERT_EQ(once[i].crowd, again[i].crowd);
}

TEST(BoltRank, KeepsAboutAsManyInFlightAsTheBudgetAllows) {
  std::vector<Bolt> bolts = sky(40'000, 0.0F);
  scene::rank(bolts, 0.0F, 1.0F / 64);
  for (const float budget : {500.0F, 2000.0F}) {
    for (const float life : {0.25F, 0.4F}) {
      for (const float playhead : {0.45F, 0.6F, 0.9F}) {
        const auto n = std::count_if(bolts.begin(), bolts.end(), [&](const Bolt& b) {
          return drawn(b, budget, life) && b.instant <= playhead && playhead < b.instant + life;
        });
        EXPECT_NEAR(static_cast<float>(n), budget, 0.1F * budget) << life << " at " << playhead;
      }
    }
  }
}

TEST(BoltRank, ALargerBudgetOnlyAdds) {
  std::vector<Bolt> bolts = sky(5000, 0.0F);
  scene::rank(bolts, 0.0F, 1.0F / 64);
  for (const Bolt& b : bolts) {
    EXPECT_LE(drawn(b, 200.0F, 0.25F), drawn(b, 400.0F, 0.25F));
    EXPECT_TRUE(drawn(b, 65536.0F, 0.25F)) << "nothing is left out where all have room";
  }
}

TEST(BoltRank, EverythingDrawnIsStrongerThanWhatIsLeftOutBesideIt) {
  std::vector<Bolt> bolts = sky(2000, 0.0F);
  scene::rank(bolts, 0.0F, 1.0F);
  float weakest = 1e9F;
  float strongest = 0.0F;
  for (const Bolt& b : bolts) {
    if (drawn(b, 100.0F, 0.25F)) {
      weakest = std::min(weakest, scene::weight(b));
    } else {
      strongest = std::max(strongest, scene::weight(b));
    }
  }
  EXPECT_GE(weakest, strongest);
}

TEST(BoltRank, WhatIsNoNumberDoesNoHarmToTheOthers) {
  std::vector<Bolt> bolts = sky(500, 0.0F);
  for (size_t i = 0; i < bolts.size(); i += 7) bolts[i].share = NAN;
  scene::rank(bolts, 0.0F, 1.0F);
  std::vector<float> crowds;
  for (const Bolt& b : bolts) crowds.push_back(b.crowd);
  std::sort(crowds.begin(), crowds.end());
  for (size_t i = 0; i < crowds.size(); ++i) ASSERT_EQ(crowds[i], static_cast<float>(i));
}

TEST(BoltRank, NothingHasNoRank) {
  scene::rank({}, 0.0F, 1.0F);
}

}  // namespace
