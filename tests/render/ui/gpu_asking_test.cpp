// What the panels ask of a model, by its control queue. A stage needs a device.
#include <variant>
#include <vector>

#include "engine/control.h"
#include "render/ui/ui.h"
#include "tests/render/gpu_fixture.h"
#include "tests/support/trace_builder.h"

namespace {

using engine::Command;
using engine::Generate;
using engine::Pause;

class Asking : public render::test::GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (IsSkipped()) return;
    builder_.describe();
    builder_.start();
    builder_.step();
    stage_ = std::make_unique<render::Stage>(device(), log_, render::Quality::kWindow);
    stage_->poll();
  }
  void TearDown() override {
    stage_.reset();
    GpuTest::TearDown();
  }
  std::vector<Command> posted() {
    std::vector<Command> all;
    for (Command command; control_.take(command);) all.push_back(command);
    return all;
  }

  trace::Log log_;
  tests::TraceBuilder builder_{log_, tests::small_model()};
  std::unique_ptr<render::Stage> stage_;
  render::View view_;
  render::Player player_;
  engine::Control control_;
};

TEST_F(Asking, AModelThatWritesIsHeldAndGoesOn) {
  ui::State state{*stage_, view_, player_, &control_};
  EXPECT_TRUE(ui::writes(state));
  ui::hold(state);
  EXPECT_TRUE(state.holds);
  auto asked = posted();
  ASSERT_EQ(1U, asked.size());
  EXPECT_TRUE(std::get<Pause>(asked[0]).paused);
  ui::hold(state);
  EXPECT_FALSE(state.holds);
  asked = posted();
  ASSERT_EQ(1U, asked.size());
  EXPECT_FALSE(std::get<Pause>(asked[0]).paused);
  EXPECT_EQ("the model goes on", state.message);
}

TEST_F(Asking, WhoeverIsAskedForAnotherTextIsNotHeld) {
  ui::State state{*stage_, view_, player_, &control_};
  ui::hold(state);
  builder_.note(trace::NoteKind::kFinished, "over");  // it was at its end already
  stage_->poll();
  posted();
  Generate what;
  what.prompt = "Once";
  EXPECT_TRUE(ui::ask_for(state, what));
  EXPECT_FALSE(state.holds);
  const auto asked = posted();
  ASSERT_EQ(2U, asked.size());
  EXPECT_FALSE(std::get<Pause>(asked[0]).paused);
  EXPECT_EQ("Once", std::get<Generate>(asked[1]).prompt);
}

TEST_F(Asking, WhereNothingIsWrittenASentenceSaysSo) {
  ui::State file{*stage_, view_, player_, nullptr};
  EXPECT_FALSE(ui::writes(file));
  ui::hold(file);
  EXPECT_EQ("only a running model can be stopped: open the trace with its model (-m)", file.message);
  builder_.note(trace::NoteKind::kFinished, "over");
  stage_->poll();
  ui::State over{*stage_, view_, player_, &control_};
  EXPECT_FALSE(ui::writes(over));
  ui::hold(over);
  EXPECT_EQ("the model has written all of it", over.message);
  EXPECT_TRUE(posted().empty());
  EXPECT_FALSE(over.holds);
}

// Of what can be posted and cannot, nothing is half done.
TEST_F(Asking, AnEngineThatIsBusyIsAskedAgain) {
  ui::State state{*stage_, view_, player_, &control_};
  while (control_.post(Pause{})) {
  }
  ui::hold(state);
  EXPECT_FALSE(state.holds);
  EXPECT_EQ("the engine is busy; try again", state.message);
  EXPECT_FALSE(ui::ask_for(state, {}));
  EXPECT_FALSE(state.asks_for);
  posted();
  ui::hold(state);
  EXPECT_TRUE(state.holds);
}

}  // namespace
