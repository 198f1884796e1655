// The commands that draw, on traces made for the purpose.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "model/error.h"
#include "render/commands/record.h"
#include "tests/render/gpu_fixture.h"
#include "tests/support/trace_builder.h"

namespace {

namespace fs = std::filesystem;

class Shot : public render::test::GpuTest {
 protected:
  Shot() : builder_(log_, tests::small_model()) {
    builder_.describe();
    options_.scene.log = &log_;
    options_.scene.width = 160;
    options_.scene.height = 90;
    options_.output =
        (fs::temp_directory_path() / ("fulgurite-shot-" + std::to_string(::getpid()) + ".png"))
            .string();
  }
  ~Shot() override { fs::remove(options_.output); }

  trace::Log log_;
  tests::TraceBuilder builder_;
  render::commands::ShotOptions options_;
};

// In the window a prompt that does not fit is refused, and what was there before stays.
TEST_F(Shot, ATraceOfWhichALaterPromptWasRefusedIsDrawn) {
  builder_.start();
  builder_.step(3);
  builder_.step();
  builder_.note(trace::NoteKind::kFinished, "done");
  builder_.note(trace::NoteKind::kError, "the prompt does not fit");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(0, shot(options_));
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("the prompt does not fit"),
            std::string::npos);
  EXPECT_TRUE(fs::exists(options_.output));
}

TEST_F(Shot, ATraceThatHoldsNothingButARefusalIsNotDrawn) {
  builder_.start();
  builder_.note(trace::NoteKind::kError, "the prompt does not fit");
  EXPECT_THROW(shot(options_), fulgurite::Error);
  EXPECT_FALSE(fs::exists(options_.output));
}

}  // namespace
