#include "engine/stop_signals.h"

#include <gtest/gtest.h>

namespace {

using engine::StopSignals;

TEST(StopSignals, AreARequestWhileOneLivesAndForgottenByTheNext) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const StopSignals signals;
    EXPECT_FALSE(StopSignals::asked());
    std::raise(signal);
    EXPECT_TRUE(StopSignals::asked());
  }
}

TEST(StopSignalsDeathTest, ASecondOneEndsTheProgram) {
  EXPECT_EXIT(
      {
        const StopSignals signals;
        std::raise(SIGINT);
        std::raise(SIGINT);
      },
      testing::KilledBySignal(SIGINT), "");
}

TEST(StopSignalsDeathTest, AfterwardsTheyDoWhatTheyDidBefore) {
  EXPECT_EXIT(
      {
        { const StopSignals signals; }
        std::raise(SIGTERM);
      },
      testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
