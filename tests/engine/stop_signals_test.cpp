#include "engine/stop_signals.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <thread>
#include <vector>

#include "model/format/atomic_file.h"
#include "tests/support/data.h"

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

TEST(StopSignals, DoNotCutShortWhatIsBeingWritten) {
  const StopSignals signals;
  int ends[2];
  ASSERT_EQ(0, ::pipe(ends));
  // The pipe is full: a write that is interrupted has written nothing yet.
  ASSERT_EQ(0, ::fcntl(ends[1], F_SETFL, O_NONBLOCK));
  const std::string text(1 << 18, 'x');  // more than a pipe holds
  const ssize_t before = ::write(ends[1], text.data(), text.size());
  ASSERT_GT(before, 0);
  ASSERT_EQ(0, ::fcntl(ends[1], F_SETFL, 0));
  const pthread_t writer = ::pthread_self();
  size_t taken = 0;
  std::thread reader([&] {
    // Begins to read when the writer has been waiting and was asked to stop.
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    ::pthread_kill(writer, SIGINT);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    std::vector<char> some(4096);
    for (ssize_t n = 0; (n = ::read(ends[0], some.data(), some.size())) > 0;)
      taken += static_cast<size_t>(n);
  });
  std::FILE* out = ::fdopen(ends[1], "w");
  EXPECT_EQ(text.size(), std::fwrite(text.data(), 1, text.size(), out));
  EXPECT_EQ(0, std::fclose(out));
  reader.join();
  ::close(ends[0]);
  EXPECT_EQ(static_cast<size_t>(before) + text.size(), taken);
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

TEST(StopSignalsDeathTest, WhatIsHalfWrittenIsNotLeftBehind) {
  const tests::TempFolder folder;
  const std::string path = folder.file("model.gguf");
  EXPECT_EXIT(
      {
        const StopSignals signals;
        model::AtomicFile file(path);
        file.write(std::vector<std::byte>(100));
        std::raise(SIGINT);
        if (!std::filesystem::exists(path + ".part")) std::exit(7);
        std::this_thread::sleep_for(std::chrono::milliseconds(1100));
        std::raise(SIGINT);
      },
      testing::KilledBySignal(SIGINT), "");
  EXPECT_TRUE(std::filesystem::is_empty(std::filesystem::path(path).parent_path()));
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
