#include "engine/stop_signals.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace {

using engine::StopSignals;

TEST(StopSignals, AreARequestWhileOneLivesAndForgottenByTheNext) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const StopSignals signals;
    EXPECT_FALSE(StopSignals::asked());
    std::raise(signal);
    EXPECT_TRUE(StopSignals::asked());
  }
}

// timeout(1) signals its child and then its group, of which the child is one.
TEST(StopSignals, TwoAtOnceAreOneWish) {
  const StopSignals signals;
  std::raise(SIGINT);
  std::raise(SIGINT);
  std::raise(SIGTERM);
  EXPECT_TRUE(StopSignals::asked());
}

TEST(StopSignalsDeathTest, ASecondOneLaterEndsTheProgram) {
  EXPECT_EXIT(
      {
        const StopSignals signals;
        std::raise(SIGINT);
        std::this_thread::sleep_for(std::chrono::milliseconds(1100));
        std::raise(SIGINT);
      },
      testing::KilledBySignal(SIGINT), "");
}

TEST(StopSignals, AHangupThatNohupIgnoresStaysIgnored) {
  const auto before = std::signal(SIGHUP, SIG_IGN);
  {
    const StopSignals signals;
    std::raise(SIGHUP);
    EXPECT_FALSE(StopSignals::asked());
  }
  std::signal(SIGHUP, before);
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
