#include "engine/inference.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "model/format/gguf.h"
#include "tests/support/conversation.h"

namespace {

using engine::Control;
using engine::Generate;
using engine::Inference;
using engine::Inspect;
using engine::Pause;

// The inference thread as the window sees it: commands in, a trace out.
class InferenceTest : public ::testing::Test {
 protected:
  explicit InferenceTest(const std::string& path = tests::gqa_model_path())
      : model_(engine::ModelSource{path, {}}), reader_(log_) {}

  void run(int64_t context = 0, const std::string& trace_path = {}) {
    inference_ = std::make_unique<Inference>(
        model_, log_, control_, engine::SessionOptions{context, trace::Level::kLive}, trace_path);
  }
  template <class Condition>
  bool eventually(Condition&& condition) {
    for (int i = 0; i < 12000; ++i) {  // a minute
      reader_.poll();
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  bool eventually_finished(uint64_t conversation) {
    return eventually([&] { return reader_.conversation() == conversation && reader_.finished(); });
  }

  engine::LoadedModel model_;
  trace::Log log_;
  Control control_;
  trace::Reader reader_;
  std::unique_ptr<Inference> inference_;
};

TEST_F(InferenceTest, GeneratesWhatASessionWould) {
  run();
  const engine::Sampling sampling{0.8F, 40, 0.95F, 3};
  ASSERT_TRUE(control_.post(Generate{"Once upon a time", 12, sampling}));
  ASSERT_TRUE(eventually_finished(1));
  tests::Conversation expected(tests::gqa_model_path());
  expected.run("Once upon a time", 12, sampling);
  ASSERT_EQ(expected.reader.positions(), reader_.positions());
  for (size_t p = 0; p < reader_.positions(); ++p) {
    EXPECT_EQ(expected.session.tokens()[p], reader_.position(p).token.record->id);
  }
  EXPECT_EQ(trace::NoteKind::kFinished, reader_.note_kind());
}

TEST_F(InferenceTest, AnswersWhileItGeneratesAndAfterwards) {
  run();
  control_.post(Generate{"Once upon a time", 40, tests::kGreedy});
  ASSERT_TRUE(eventually([&] { return reader_.steps() > 2; }));
  control_.post(Inspect{1, "blk.1.attn.weights", 2, 0, -1});
  ASSERT_TRUE(eventually([&] { return reader_.answer(1) != nullptr; }));
  EXPECT_EQ(3U, reader_.answer(1)->record->full_cols);
  ASSERT_TRUE(eventually_finished(1));
  control_.post(Inspect{2, "nonsense", 0, 0, -1});
  ASSERT_TRUE(eventually([&] { return reader_.answer(2) != nullptr; }));
  EXPECT_EQ(0U, reader_.answer(2)->record->rows);
  EXPECT_FALSE(reader_.answer(2)->formula.empty());
}

TEST_F(InferenceTest, AnswersTilesWhileItGeneratesWhilePausedAndAfterwards) {
  run();
  const auto tile = [&](uint64_t request, const char* name) {
    control_.post(engine::InspectTile{request, name, 1, 0, 0, 256, 256, 1, 1});
    return eventually([&] { return reader_.tile(request) != nullptr; });
  };
  control_.post(Generate{"Once upon a time", 200, tests::kGreedy});
  ASSERT_TRUE(eventually([&] { return reader_.steps() > 1; }));
  EXPECT_TRUE(tile(1, "blk.1.attn_q.weight"));
  EXPECT_TRUE(tile(2, "blk.0.ffn.act"));
  control_.post(Pause{true});
  EXPECT_TRUE(tile(3, "token_embd.weight"));
  control_.post(Pause{false});
  ASSERT_TRUE(eventually_finished(1));
  EXPECT_TRUE(tile(4, "blk.0.ffn_down.weight"));
  EXPECT_GT(reader_.tile(4)->record->rows, 0U);
}

TEST_F(InferenceTest, PauseHoldsItWhereItIs) {
  run();
  control_.post(Pause{true});
  control_.post(Generate{"Once upon a time", 5, tests::kGreedy});
  ASSERT_TRUE(eventually([&] { return reader_.conversation() == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  reader_.poll();
  EXPECT_EQ(0U, reader_.steps());
  control_.post(Inspect{1, "blk.0.attn_q.weight", 0, 0, -1});
  EXPECT_TRUE(eventually([&] { return reader_.answer(1) != nullptr; }))
      << "one may look while it is paused";
  control_.post(Pause{false});
  EXPECT_TRUE(eventually_finished(1));
}

TEST_F(InferenceTest, APromptThatDoesNotFitBecomesANote) {
  run(8);
  control_.post(Generate{std::string(400, 'x'), 5, tests::kGreedy});
  ASSERT_TRUE(eventually([&] { return !reader_.note().empty(); }));
  EXPECT_EQ(trace::NoteKind::kError, reader_.note_kind());
  EXPECT_CONTAINS(std::string(reader_.note()), "the prompt: ", "the context holds 8");
  control_.post(Generate{"Once", 2, tests::kGreedy});
  EXPECT_TRUE(eventually_finished(1)) << "and the next one is served";
  EXPECT_GT(reader_.positions(), 0U);
}

// A model whose last norm was damaged: the conversation ends, once, with the reason.
TEST(InferenceOfADamagedModel, EndsWithTheReason) {
  const std::string good = tests::read_file(tests::gqa_model_path());
  const model::ModelFile file = model::open_gguf(tests::gqa_model_path());
  const model::Tensor& norm = *file.find_tensor("output_norm.weight");
  const std::string_view gains(reinterpret_cast<const char*>(norm.data), norm.bytes());
  const std::string nan(gains.size(), '\xff');
  std::string bad = good;
  bad.replace(good.find(gains), gains.size(), nan);
  const tests::TempFolder folder;
  std::ofstream(folder.file("bad.gguf"), std::ios::binary) << bad;

  engine::LoadedModel damaged(engine::ModelSource{folder.file("bad.gguf"), {}});
  trace::Log log;
  Control control;
  trace::Reader reader(log);
  const Inference inference(damaged, log, control, {}, {});
  ASSERT_TRUE(control.post(Generate{"Once", 12, {}}));
  for (int i = 0; i < 2000 && !reader.finished(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    reader.poll();
  }
  EXPECT_TRUE(reader.finished());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  reader.poll();
  EXPECT_EQ(1U, reader.steps() + 1) << "no step was completed";
  EXPECT_EQ(trace::NoteKind::kModelFailed, reader.note_kind());
}

TEST_F(InferenceTest, ANewPromptStartsANewConversation) {
  run();
  control_.post(Generate{"Once upon a time", 0, tests::kGreedy});
  ASSERT_TRUE(eventually([&] { return reader_.steps() > 1; }));
  control_.post(Generate{"The dog", 3, tests::kGreedy});
  ASSERT_TRUE(eventually_finished(2));
  std::string text;
  for (size_t p = 0; p < reader_.positions(); ++p) text += reader_.position(p).token.text;
  EXPECT_CONTAINS(text, "The dog");
  EXPECT_EQ(std::string::npos, text.find("Once"));
}

// Of several batches.
struct Folder {
  tests::TempFolder folder;
};
class InferenceOfALongPrompt : private Folder, public InferenceTest {
 protected:
  static constexpr size_t kTokens = 2000;
  InferenceOfALongPrompt() : InferenceTest(tests::model_of_long_context(folder)) {}
  // Until the first batch has been run.
  bool begin() {
    run();
    Generate what{"", 1, tests::kGreedy};
    what.tokens.assign(kTokens, 5);
    control_.post(what);
    return eventually([&] { return reader_.positions() > 0; });
  }
};

TEST_F(InferenceOfALongPrompt, CanBeHeldAndAskedAndGoesOn) {
  ASSERT_TRUE(begin());
  control_.post(Pause{true});
  control_.post(Inspect{1, "blk.1.ffn.act", 3, 0, -1});
  control_.post(Inspect{2, "nonsense", 0, 0, -1});
  ASSERT_TRUE(eventually([&] { return reader_.answer(2) != nullptr; }));
  EXPECT_GT(reader_.answer(1)->record->rows, 0U);
  const size_t held = reader_.positions();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  reader_.poll();
  EXPECT_EQ(held, reader_.positions());
  EXPECT_LT(held, kTokens);
  EXPECT_EQ(0U, reader_.steps());
  control_.post(Pause{false});
  EXPECT_TRUE(eventually_finished(1));
  EXPECT_EQ(2U, reader_.steps());
}

TEST_F(InferenceOfALongPrompt, IsGivenUpForAnother) {
  ASSERT_TRUE(begin());
  control_.post(Generate{"The dog", 3, tests::kGreedy});
  ASSERT_TRUE(eventually_finished(2));
  EXPECT_EQ(4U, reader_.steps());
  std::string text;
  for (size_t p = 0; p < reader_.positions(); ++p) text += reader_.position(p).token.text;
  EXPECT_CONTAINS(text, "The dog");
  int conversations = 0;
  trace::Cursor all(log_);
  for (trace::Message message; all.next(message);) {
    if (message.topic == trace::Topic::kStart) ++conversations;
    if (message.topic == trace::Topic::kStep) {
      EXPECT_EQ(2, conversations) << "not the long one's";
    }
  }
}

TEST_F(InferenceOfALongPrompt, IsNotGivenUpForOneThatIsRefused) {
  ASSERT_TRUE(begin());
  Generate longer{"", 1, tests::kGreedy};
  longer.tokens.assign(5000, 5);
  control_.post(longer);
  control_.post(Generate{"The dog", 3, tests::kGreedy, true});
  ASSERT_TRUE(eventually([&] { return !reader_.note().empty(); }));
  EXPECT_TRUE(eventually_finished(1));
  EXPECT_EQ(2U, reader_.steps());
}

TEST_F(InferenceTest, EndsAtOnceWhateverItIsDoing) {
  for (const bool generating : {true, false}) {
    Control control;
    trace::Log log;
    auto inference =
        std::make_unique<Inference>(model_, log, control, engine::SessionOptions{}, "");
    if (generating) control.post(Generate{"Once", 0, tests::kGreedy});
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const auto before = std::chrono::steady_clock::now();
    inference.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
  }
}

TEST_F(InferenceTest, WritesTheTraceToAFileAsItGoes) {
  const tests::TempFolder folder;
  run(0, folder.file("t.mcap"));
  control_.post(Generate{"Once upon a time", 6, tests::kGreedy});
  ASSERT_TRUE(eventually_finished(1));
  inference_->finish();
  reader_.poll();
  trace::Log loaded;
  EXPECT_TRUE(trace::load_file(folder.file("t.mcap"), loaded).complete);
  trace::Reader replay(loaded);
  replay.poll();
  EXPECT_EQ(reader_.positions(), replay.positions());
  EXPECT_EQ(reader_.steps(), replay.steps());
  EXPECT_EQ(reader_.note(), replay.note());
}

TEST_F(InferenceTest, GoesOnWhenTheDiskIsFullAndSaysSoAtTheEnd) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "needs /dev/full";
  run(0, "/dev/full");
  control_.post(Generate{"Once upon a time", 3, tests::kGreedy});
  ASSERT_TRUE(eventually_finished(1));
  EXPECT_CONTAINS(std::string(reader_.trace_failure()), "/dev/full: the trace stopped");
  EXPECT_THROW(inference_->finish(), fulgurite::Error);
}

}  // namespace
