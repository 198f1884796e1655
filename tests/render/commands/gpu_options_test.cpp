// What view, record and shot wait for. A stage needs a device.
#include "render/commands/options.h"

#include <chrono>
#include <string>
#include <thread>

#include "model/error.h"
#include "tests/render/gpu_fixture.h"
#include "tests/support/data.h"
#include "tests/support/trace_builder.h"

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;
using render::Stage;
using render::commands::SceneOptions;

class Waiting : public render::test::GpuTest {
 protected:
  SceneOptions followed() {
    SceneOptions options;
    options.log = &log_;
    options.followed = "unix:socket";
    options.enough = [this] { enough_ = true; };
    return options;
  }

  trace::Log log_;
  tests::TraceBuilder builder_{log_, tests::small_model()};
  bool enough_ = false;
};

// Conversations that were held before come first, and come in pieces.
TEST_F(Waiting, TheLastConversationOfAStreamIsShown) {
  Stage stage(device(), log_, render::Quality::kFull);
  std::thread writes([&] {
    const auto pause = [] { std::this_thread::sleep_for(std::chrono::milliseconds(30)); };
    builder_.describe();
    pause();
    for (const int steps : {5, 2}) {
      builder_.start();
      for (int i = 0; i < steps; ++i) {
        builder_.step();
        pause();
      }
      builder_.note(trace::NoteKind::kFinished, "over");
      pause();
    }
  });
  render::commands::run_to_end(followed(), stage);
  writes.join();
  EXPECT_EQ(2U, stage.reader().steps());
  EXPECT_TRUE(enough_) << "no more of it has to come";
}

TEST_F(Waiting, WhatKeepsAStreamFromBeingShownIsSaid) {
  Stage stage(device(), log_, render::Quality::kFull);
  builder_.note(trace::NoteKind::kFailed, "unix:socket is not MCAP");
  try {
    render::commands::run_to_end(followed(), stage);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(ExitCode::kBadModel, error.code());
    EXPECT_EQ("unix:socket is not MCAP", std::string(error.what()));
  }
}

TEST_F(Waiting, NobodyNeedsToWaitForWhatDoesNotCome) {
  Stage stage(device(), log_, render::Quality::kFull);
  int looks = 0;
  EXPECT_FALSE(render::commands::begin(followed(), stage, [&] { return ++looks < 5; }));
  EXPECT_EQ(5, looks);
  SceneOptions options = followed();
  EXPECT_THROW(render::commands::require_readable(options), Error);
}

}  // namespace
