#include "engine/replay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/trace/file.h"
#include "model/error.h"
#include "tests/support/conversation_of.h"
#include "tests/support/oracle.h"

namespace {

using engine::Generate;
using engine::Recording;
using engine::Sampling;
using tests::Conversation;
using trace::Topic;

constexpr Sampling kWarm{0.9F, 40, 0.95F, 11};

// What is measured of every position, without clocks and the words at the end.
std::vector<std::string> measured(trace::Log& log) {
  const std::set<Topic> others{Topic::kModel, Topic::kStructure, Topic::kToken,
                               Topic::kTime,  Topic::kNote,      Topic::kTensor};
  std::vector<std::string> found;
  trace::Cursor cursor(log);
  for (trace::Message message; cursor.next(message);) {
    if (others.contains(message.topic)) continue;
    const auto* bytes = reinterpret_cast<const char*>(message.payload.data());
    found.emplace_back(bytes, message.payload.size());
  }
  return found;
}

void run_again(Conversation& talk, const engine::Replay& replay) {
  talk.session.start(replay);
  while (!talk.session.finished()) talk.session.step();
  talk.reader.poll();
}

class ReplayOf : public tests::ConversationOf {
 protected:
  // As a file has it.
  Recording recording(Conversation& talk) {
    const std::string path = folder_.file("talk.mcap");
    trace::FileWriter writer(talk.log, path);
    writer.finish();
    return engine::read_recording(path);
  }
  tests::TempFolder folder_;
};

TEST_P(ReplayOf, GivesEveryMeasuredNumberAgain) {
  talk_->run("The king", 9, kWarm);
  Conversation again(path());
  const Recording recorded = recording(*talk_);
  require_runnable(recorded, again.model, "talk.mcap");
  run_again(again, recorded.replay);
  EXPECT_EQ(talk_->session.tokens(), again.session.tokens());
  EXPECT_TRUE(tests::same_bits(talk_->session.logits(), again.session.logits()));
  Conversation once(path());
  once.run("The king", 9, kWarm);
  EXPECT_EQ(measured(once.log), measured(again.log));
  EXPECT_EQ(std::to_string(again.reader.positions()) + " tokens of the trace were run again",
            again.reader.note());
}

TEST_P(ReplayOf, HoldsWhatTheTraceLeavesOut) {
  talk_->run("The king", 6, kWarm);
  Conversation again(path());
  run_again(again, recording(*talk_).replay);
  for (const char* name : {"blk.0.attn.z", "blk.1.resid.mid", "logits"}) {
    for (const uint32_t position : {0U, 4U}) {
      const trace::TensorAnswer& was = talk_->ask(name, position);
      const trace::TensorAnswer& is = again.ask(name, position);
      EXPECT_FALSE(was.values.empty());
      EXPECT_TRUE(std::ranges::equal(was.values, is.values)) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ReplayOf, ::testing::Values("llama-gqa", "gpt2", "olmoe"),
                         tests::test_name);

class Replay : public ::testing::Test {
 protected:
  Recording recording(Conversation& talk) {
    trace::FileWriter writer(talk.log, path_);
    writer.finish();
    return engine::read_recording(path_);
  }
  tests::TempFolder folder_;
  std::string path_ = folder_.file("talk.mcap");
  std::string model_ = tests::gqa_model_path();
};

// Each with its own settings, as when somebody changed them in between.
TEST_F(Replay, TakesOneTurnAfterTheOther) {
  Conversation talk(model_);
  talk.run("The king", 6, kWarm);
  Generate more{"", 5, {1.3F, 0, 1.0F, 5, 0.05F, 1.2F}};
  more.tokens = talk.session.tokens();
  for (const int32_t id : {17, 30, 21}) more.tokens.push_back(id);
  more.go_on = true;
  talk.session.start(more);
  while (!talk.session.finished()) talk.session.step();
  talk.reader.poll();
  const Recording recorded = recording(talk);

  Conversation again(model_);
  run_again(again, recorded.replay);
  EXPECT_EQ(talk.session.tokens(), again.session.tokens());
  EXPECT_EQ(std::string::npos, again.reader.note().find("others")) << "drawn as they were";
  ASSERT_EQ(talk.reader.steps(), again.reader.steps());
  for (size_t i = 0; i < talk.reader.steps(); ++i) {
    EXPECT_EQ(talk.reader.step(i).first_position, again.reader.step(i).first_position);
    EXPECT_EQ(talk.reader.start(i)->seed, again.reader.start(i)->seed) << i;
    EXPECT_EQ(talk.reader.penalties(i) == nullptr, again.reader.penalties(i) == nullptr) << i;
  }
  for (size_t p = 0; p < talk.reader.positions(); ++p) {
    EXPECT_EQ(talk.reader.position(p).token.record->kind,
              again.reader.position(p).token.record->kind);
  }
  const Generate question = question_of(recorded.replay, *again.model.tokenizer);
  EXPECT_EQ(more.tokens, question.tokens);
  EXPECT_EQ(5U, question.n);
  EXPECT_EQ(more.sampling, question.sampling);
}

TEST_F(Replay, RunsWithoutWhatWasMuted) {
  Conversation talk(model_);
  Generate what{"The king", 5, kWarm};
  what.muted = {{trace::MutedKind::kHeads, 0, 0}, {trace::MutedKind::kNeuron, 1, 3}};
  talk.session.start(what);
  while (!talk.session.finished()) talk.session.step();
  Conversation again(model_);
  run_again(again, recording(talk).replay);
  EXPECT_EQ(2U, again.reader.muted().size());
  EXPECT_TRUE(tests::same_bits(talk.session.logits(), again.session.logits()));
}

// The same words with something muted: what it would have said at each is counted, not said.
TEST_F(Replay, KeepsToTheTokensWhateverIsDrawn) {
  Conversation talk(model_);
  talk.run("The king", 12, kWarm);
  engine::Replay replay = recording(talk).replay;
  replay.muted = {{trace::MutedKind::kHeads, 0, 0}, {trace::MutedKind::kNeurons, 1, 0}};
  Conversation again(model_);
  run_again(again, replay);
  EXPECT_EQ(talk.session.tokens(), again.session.tokens());
  EXPECT_NE(std::string::npos, again.reader.note().find("others")) << again.reader.note();
  for (size_t i = 0; i + 1 < again.reader.steps(); ++i) {
    const uint32_t last = again.reader.step(i).first_position + again.reader.step(i).count - 1;
    EXPECT_EQ(again.reader.position(last + 1).token.record->id,
              again.reader.position(last).logits.record->sampled)
        << "what is lit at the crown is what follows";
  }
}

TEST_F(Replay, GoesOnWhereItEnded) {
  Conversation talk(model_);
  talk.run("The king", 6, kWarm);
  Conversation again(model_);
  run_again(again, recording(talk).replay);
  std::vector<int32_t> ids = talk.session.tokens();
  ids.push_back(9);
  const size_t before = again.reader.steps();
  talk.session.start(ids, 5, kWarm, true);
  again.session.start(ids, 5, kWarm, true);
  while (!talk.session.finished()) talk.session.step();
  while (!again.session.finished()) again.session.step();
  again.reader.poll();
  EXPECT_EQ(talk.session.tokens(), again.session.tokens());
  EXPECT_EQ(before, again.reader.kept_steps()) << "nothing is run twice";
}

// Somebody asks for the same again, with something muted.
TEST_F(Replay, ItsQuestionCanBeAskedAgain) {
  Conversation talk(model_);
  talk.run("The king", 6, kWarm);
  Conversation again(model_);
  const Generate question = question_of(recording(talk).replay, *again.model.tokenizer);
  EXPECT_EQ("The king", question.prompt);
  EXPECT_EQ(6U, question.n);
  again.session.start(question);
  while (!again.session.finished()) again.session.step();
  EXPECT_EQ(talk.session.tokens(), again.session.tokens());
}

TEST_F(Replay, OfAnotherModelIsRefused) {
  Conversation talk(model_);
  talk.run("The king", 2);
  const engine::LoadedModel other(engine::ModelSource{tests::builtin_model_path(), {}});
  const Recording recorded = recording(talk);
  EXPECT_THROW(require_runnable(recorded, other, path_), fulgurite::Error);
  require_runnable(recorded, talk.model, path_);
}

// As a file may have it that somebody has tampered with.
TEST_F(Replay, NamingWhatTheModelHasNotIsRefused) {
  Conversation talk(model_);
  talk.run("The king", 3);
  const Recording sound = recording(talk);
  const auto refused = [&](const auto& change) {
    Recording recorded = sound;
    change(recorded);
    EXPECT_THROW(require_runnable(recorded, talk.model, path_), fulgurite::Error);
  };
  const auto& config = talk.model.network->config();
  refused([](Recording& r) { r.replay.steps.front().tokens.front() = -5; });
  refused(
      [&](Recording& r) { r.replay.steps.back().tokens = {static_cast<int32_t>(config.n_vocab)}; });
  refused([&](Recording& r) { r.positions = config.n_ctx + 1; });
  refused([](Recording& r) { r.replay.muted = {{trace::MutedKind{77}, 0, 3}}; });
  refused([](Recording& r) { r.replay.muted = {{trace::MutedKind::kHead, 0, 1000}}; });
}

TEST_F(Replay, HasAsMuchContextAsItWasRecordedWithWhereTheModelKnowsSoMuch) {
  Conversation talk(model_);
  talk.run("The king", 3);
  Recording recorded = recording(talk);
  EXPECT_EQ(talk.session.context(), context_of(recorded, talk.model));
  recorded.context = 0;
  EXPECT_EQ(recorded.positions, context_of(recorded, talk.model)) << "what is there has to fit";
  recorded.context = 1U << 30;
  EXPECT_EQ(talk.model.network->config().n_ctx, context_of(recorded, talk.model));
}

TEST_F(Replay, KnowsWhetherReadingsWereRecorded) {
  Conversation talk(model_);
  talk.run("The king", 3);
  EXPECT_FALSE(recording(talk).lens);
  Conversation read(model_);
  read.run("The king", 3);
  read.session.read_lens({1, 5});
  path_ = folder_.file("read.mcap");
  EXPECT_TRUE(recording(read).lens) << "also where it is not every step's";
}

TEST_F(Replay, WhatTheModelHasNoPlaceForIsRefused) {
  Conversation talk(model_);
  talk.run("The king", 3);
  engine::Replay replay = recording(talk).replay;
  engine::Replay unknown = replay;
  for (const int32_t id : {-1, static_cast<int32_t>(talk.model.network->config().n_vocab)}) {
    unknown.steps.back().tokens = {id};
    EXPECT_THROW(talk.session.start(unknown), fulgurite::Error) << id;
  }
  while (static_cast<int64_t>(replay.steps.size()) <= talk.session.context())
    replay.steps.push_back({{1}, {}});
  EXPECT_THROW(talk.session.start(replay), fulgurite::Error);
}

TEST_F(Replay, ATraceWithoutAStepOrWithWildSettingsIsRefused) {
  Conversation silent(model_);
  EXPECT_THROW(recording(silent), fulgurite::Error);
  for (const Sampling& wild : {Sampling{NAN}, Sampling{-1.0F}, Sampling{0.5F, 0, 7.0F},
                               Sampling{0.5F, 0, 1.0F, 1, 0.0F, -2.0F}}) {
    Conversation talk(model_);
    const int32_t piece = 3;
    trace::append(talk.log, Topic::kStart,
                  trace::StartRecord{wild.seed, wild.temperature, wild.top_p, wild.top_k});
    trace::append(talk.log, Topic::kPenalties,
                  trace::PenaltiesRecord{wild.min_p, wild.repeat_penalty});
    trace::append(talk.log, Topic::kToken,
                  trace::TokenRecord{0, 0, piece, trace::TokenKind::kPrompt});
    trace::append(talk.log, Topic::kStep, trace::StepRecord{0, 0, 1, 0});
    EXPECT_THROW(recording(talk), fulgurite::Error);
  }
}

}  // namespace
