// The token clock: every operation of a step has its instant, and steps that come too fast are
// shown as one.
#include "render/scene/clock.h"

#include <gtest/gtest.h>

#include "render/scene/eyes.h"
#include "shaders/shared.h"

namespace {

using scene::Clock;
using scene::Moment;
using scene::Operation;
using scene::Phase;

TEST(TokenClock, GoesThroughEmbedThreeOperationsALayerCrownAndFall) {
  const Clock clock(2);
  const Operation expected[] = {{Phase::kEmbed, 0}, {Phase::kRead, 0},  {Phase::kWrite, 0},
                                {Phase::kFfn, 0},   {Phase::kRead, 1},  {Phase::kWrite, 1},
                                {Phase::kFfn, 1},   {Phase::kCrown, 2}, {Phase::kFall, 2}};
  ASSERT_EQ(std::size(expected), clock.operations());
  for (uint32_t i = 0; i < clock.operations(); ++i) EXPECT_EQ(expected[i], clock.operation(i)) << i;
}

TEST(TokenClock, OperationsFollowEachOtherAndAreFoundAgain) {
  for (const uint32_t layers : {1U, 6U, 126U}) {
    const Clock clock(layers);
    EXPECT_EQ(0.0F, clock.begin(0));
    for (uint32_t i = 0; i < clock.operations(); ++i) {
      EXPECT_LT(clock.begin(i), clock.stop(i));
      EXPECT_LT(clock.stop(i), clock.begin(i + 1));
      EXPECT_EQ(i, clock.operation_at(clock.begin(i))) << "of " << layers;
      EXPECT_EQ(i, clock.operation_at(clock.stop(i)));
    }
    EXPECT_EQ(1.0F, clock.begin(clock.operations()));
    EXPECT_EQ(clock.operations() - 1, clock.operation_at(1.0F));
  }
}

TEST(Moments, AreTheStepUnderThePlayheadWhenNothingIsMerged) {
  for (const double merge : {0.0, 1.0}) {
    const Moment m = scene::moment_of(3.25, merge, 10);
    EXPECT_EQ(3U, m.first);
    EXPECT_EQ(3U, m.last);
    EXPECT_FLOAT_EQ(0.25F, m.share);
  }
  const Moment end = scene::moment_of(10.0, 1.0, 10);
  EXPECT_EQ(9U, end.last) << "the end belongs to the last step";
  EXPECT_EQ(1.0F, end.share);
  EXPECT_EQ(0U, scene::moment_of(0.0, 4.0, 0).last);
}

TEST(Moments, BarsStandUntilTheNextOnesRise) {
  const auto crown = [](double playhead, double merge) {
    return scene::crown_of(scene::moment_of(playhead, merge, 10));
  };
  EXPECT_FALSE(crown(0.5, 1.0)) << "none yet";
  EXPECT_EQ(0U, crown(0.85, 1.0));
  EXPECT_EQ(0U, crown(1.5, 1.0)) << "while the next token climbs";
  EXPECT_EQ(1U, crown(1.85, 1.0));
  EXPECT_EQ(9U, crown(10.0, 1.0));
  EXPECT_EQ(3U, crown(5.0, 4.0)) << "of the climb before";
}

// What stands at the crown is of the step whose words and numbers are shown, of no other.
TEST(Moments, OneStepOfAClimbStands) {
  for (const uint64_t steps : {1U, 7U, 10U, 43U, 400U}) {
    for (const double merge : {1.0, 1.7, 2.0, 2.5, 4.0, 10.0 / 3.0, 64.0}) {
      for (double playhead = 0.1; playhead < static_cast<double>(steps); playhead += 0.5) {
        const Moment m = scene::moment_of(playhead, merge, steps);
        for (uint64_t s = m.first; s <= m.last; ++s) {
          EXPECT_EQ(s == m.last,
                    shaders::stands(static_cast<float>(s) + 0.7F, static_cast<float>(merge),
                                    static_cast<float>(m.last)))
              << "step " << s << " of " << steps << ", merge " << merge;
        }
      }
    }
  }
}

// Each step is in exactly one climb, which is shown at the same time in the shader.
TEST(Moments, AgreeWithWhatTheShaderShows) {
  for (const uint64_t steps : {1U, 7U, 10U, 43U, 400U}) {
    for (const double merge : {1.0, 1.7, 2.0, 2.5, 4.0, 10.0 / 3.0, 64.0}) {
      if (merge > static_cast<double>(steps)) continue;
      for (uint64_t s = 0; s < steps; ++s) {
        const auto when = static_cast<double>(
            shaders::shown_instant(static_cast<float>(s) + 0.5F, static_cast<float>(merge)));
        if (when >= static_cast<double>(steps)) continue;  // a group that is not whole
        const Moment m = scene::moment_of(when, merge, steps);
        EXPECT_LE(m.first, s) << "merge " << merge;
        EXPECT_GE(m.last, s) << "merge " << merge;
        EXPECT_NEAR(0.5F, m.share, 1e-3F);
      }
    }
  }
}

TEST(Eyes, FollowTwoClimbsASecond) {
  EXPECT_EQ(1.0, scene::merge_for(10, 10, false));
  EXPECT_EQ(1.0, scene::merge_for(20, 10, false));
  EXPECT_EQ(5.0, scene::merge_for(100, 10, false));
  EXPECT_EQ(10.0, scene::merge_for(100, 10, true));
  EXPECT_EQ(300.0, scene::merge_for(300, 0.2, false)) << "one climb is the least";
  for (double pace = 0.1; pace < 400.0; pace *= 1.3) {
    const double merge = scene::merge_for_pace(pace, false);
    EXPECT_LE(pace / merge, scene::kClimbs + 1e-9);
    EXPECT_TRUE(merge == 1.0 || pace / merge > scene::kClimbs / 2.0) << "no more than needed";
  }
  EXPECT_EQ(64.0, scene::merge_for_pace(100.0, false));
}

}  // namespace
