#include "engine/session.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/trace/file.h"
#include "engine/trace/machine_memory.h"
#include "model/error.h"
#include "tests/support/conversation.h"
#include "tests/support/oracle.h"

namespace {

using engine::Generate;
using engine::Sampling;
using tests::Conversation;
using trace::Level;

constexpr Sampling kWarm{0.9F, 40, 0.95F, 5};

class SessionOf : public ::testing::TestWithParam<std::string> {};

TEST_P(SessionOf, TheSameSeedGivesTheSameTokens) {
  Conversation talk(GetParam());
  talk.run("The king", 40, kWarm);
  const std::vector<int32_t> first = talk.session.tokens();
  talk.run("The king", 40, kWarm);
  EXPECT_EQ(first, talk.session.tokens()) << "in the same session";
  Conversation other(GetParam());
  other.run("The king", 40, kWarm);
  EXPECT_EQ(first, other.session.tokens()) << "in another one";
  Sampling seeded = kWarm;
  seeded.seed = 6;
  talk.run("The king", 40, seeded);
  EXPECT_NE(first, talk.session.tokens());
}

TEST_P(SessionOf, HowMuchIsWrittenDownDoesNotChangeOneBit) {
  Conversation off(GetParam(), Level::kOff), live(GetParam(), Level::kLive),
      full(GetParam(), Level::kFull);
  for (Conversation* talk : {&off, &live, &full})
    talk->session.start(Generate{"The king", 30, kWarm});
  int steps = 0;
  for (; !off.session.finished(); ++steps) {
    const std::string text = off.session.step();
    EXPECT_EQ(text, live.session.step());
    EXPECT_EQ(text, full.session.step());
    ASSERT_TRUE(tests::same_bits(off.session.logits(), live.session.logits())) << "step " << steps;
    ASSERT_TRUE(tests::same_bits(off.session.logits(), full.session.logits())) << "step " << steps;
  }
  EXPECT_GT(steps, 5);
  EXPECT_EQ(off.session.tokens(), live.session.tokens());
  EXPECT_EQ(off.session.tokens(), full.session.tokens());

  off.reader.poll();
  EXPECT_EQ(static_cast<size_t>(steps), off.reader.steps()) << "tokens are written at every level";
  EXPECT_EQ(nullptr, off.reader.position(0).attention.record);
}

TEST_P(SessionOf, LookingDoesNotChangeWhatFollows) {
  Conversation quiet(GetParam()), looked_at(GetParam());
  quiet.run("The king", 20, kWarm);
  looked_at.session.start(Generate{"The king", 20, kWarm});
  for (uint64_t request = 1; !looked_at.session.finished(); ++request) {
    looked_at.session.step();
    const auto last = static_cast<uint32_t>(looked_at.session.tokens().size() - 1);
    for (const uint32_t position : {0U, last / 2, last}) {
      for (const char* name :
           {"blk.0.attn.weights", "blk.1.ffn.act", "blk.1.kv.v", "logits", "nothing"}) {
        looked_at.session.inspect({request, name, position, 0, -1});
      }
    }
  }
  EXPECT_EQ(quiet.session.tokens(), looked_at.session.tokens());
  EXPECT_TRUE(tests::same_bits(quiet.session.logits(), looked_at.session.logits()));
}

TEST_P(SessionOf, APromptThatGrewByOneTokenRunsThatTokenOnly) {
  Conversation talk(GetParam());
  talk.run("The king", 6, kWarm);
  std::vector<int32_t> ids(talk.session.tokens());
  const std::vector<int32_t> before = ids;
  const size_t steps = talk.reader.steps();
  const auto* detail = talk.reader.position(3).attention.record;
  ids.push_back(ids[2]);
  talk.session.start(ids, 5, kWarm, true);
  talk.session.step();
  talk.reader.poll();
  EXPECT_EQ(1U, talk.reader.conversation());
  EXPECT_EQ(1U, talk.reader.continuation());
  EXPECT_EQ(steps, talk.reader.kept_steps());
  ASSERT_EQ(steps + 1, talk.reader.steps());
  EXPECT_EQ(1U, talk.reader.step(steps).count);
  EXPECT_EQ(before.size(), talk.reader.step(steps).first_position);
  EXPECT_EQ(detail, talk.reader.position(3).attention.record) << "what was is still there";
  EXPECT_EQ(trace::TokenKind::kPrompt,
            talk.reader.position(static_cast<uint32_t>(before.size())).token.record->kind);
  while (!talk.session.finished()) talk.session.step();

  Conversation anew(GetParam());
  anew.session.start(ids, 5, kWarm);
  while (!anew.session.finished()) anew.session.step();
  EXPECT_EQ(anew.session.tokens(), talk.session.tokens());
  EXPECT_TRUE(tests::same_bits(anew.session.logits(), talk.session.logits()));
}

TEST_P(SessionOf, WhereSomethingElseIsMutedTheConversationBeginsAnew) {
  Conversation talk(GetParam());
  talk.run("The king", 6, kWarm);
  const std::vector<int32_t> before = talk.session.tokens();
  Generate what{"The king is", 6, kWarm};
  what.go_on = true;
  what.muted = {{trace::MutedKind::kHeads, 0, 0}};
  talk.session.start(what);
  talk.session.step();
  talk.reader.poll();
  EXPECT_EQ(2U, talk.reader.conversation()) << "what was run before was run with all heads";
  EXPECT_EQ(1U, talk.reader.muted().size());
  what.prompt = "The king is not";
  talk.session.start(what);
  talk.session.step();
  talk.reader.poll();
  EXPECT_EQ(2U, talk.reader.conversation()) << "the same is muted";
  what.muted.clear();
  what.prompt = "The king";
  talk.session.start(what);
  while (!talk.session.finished()) talk.session.step();
  talk.reader.poll();
  EXPECT_EQ(3U, talk.reader.conversation());
  EXPECT_TRUE(talk.reader.muted().empty());
  EXPECT_EQ(before, talk.session.tokens()) << "all of them speak again";
}

TEST_P(SessionOf, PartsThatTheModelHasNotAreRefusedAndWhatWasThereStays) {
  Conversation talk(GetParam());
  talk.run("The king", 3, kWarm);
  const std::vector<int32_t> before = talk.session.tokens();
  const auto& c = talk.model.network->config();
  for (const trace::MutedPart& part :
       {trace::MutedPart{trace::MutedKind::kHead, static_cast<uint32_t>(c.n_layer), 0},
        {trace::MutedKind::kHead, 0, static_cast<uint32_t>(c.n_head)},
        {trace::MutedKind::kNeuron, 0, static_cast<uint32_t>(c.n_ff)},
        {trace::MutedKind::kNeurons, ~0U, 0}}) {
    Generate what{"The queen", 3, kWarm};
    what.muted = {part};
    EXPECT_THROW(talk.session.start(what), fulgurite::Error);
  }
  talk.reader.poll();
  EXPECT_EQ(1U, talk.reader.conversation());
  EXPECT_EQ(before, talk.session.tokens());
}

TEST_P(SessionOf, GoingOnElsewhereForgetsWhatCameBehind) {
  Conversation talk(GetParam());
  talk.run("The king", 12, kWarm);
  const std::vector<int32_t> old = talk.session.tokens();
  const size_t prompt = talk.reader.step(0).count;
  std::vector<int32_t> ids(old.begin(), old.begin() + static_cast<std::ptrdiff_t>(prompt) + 4);
  for (int i = 0; i < 3; ++i)
    ids.push_back(ids[static_cast<size_t>(i)] == old[prompt + 4] ? 5 : ids[static_cast<size_t>(i)]);
  talk.session.start(ids, 4, kWarm, true);
  while (!talk.session.finished()) talk.session.step();
  talk.reader.poll();
  EXPECT_GE(talk.reader.kept_steps(), 5U);
  EXPECT_EQ(talk.session.tokens().size(), talk.reader.positions());
  for (size_t s = 0; s + 1 < talk.reader.steps(); ++s) {
    EXPECT_EQ(talk.reader.step(s).first_position + talk.reader.step(s).count,
              talk.reader.step(s + 1).first_position);
  }
  Conversation anew(GetParam());
  anew.session.start(ids, 4, kWarm);
  while (!anew.session.finished()) anew.session.step();
  EXPECT_EQ(anew.session.tokens(), talk.session.tokens());
}

TEST_P(SessionOf, AnotherPromptOrTheSameOneBeginsAnew) {
  Conversation talk(GetParam());
  talk.run("The king", 6, kWarm);
  for (const char* prompt : {"The king", "The queen", "T"}) {
    Generate what{prompt, 4, kWarm};
    what.go_on = true;
    talk.session.start(what);
    while (!talk.session.finished()) talk.session.step();
    talk.reader.poll();
    EXPECT_EQ(0U, talk.reader.continuation()) << prompt;
  }
  EXPECT_EQ(4U, talk.reader.conversation());
}

INSTANTIATE_TEST_SUITE_P(Models, SessionOf,
                         ::testing::Values(tests::builtin_model_path(), tests::gqa_model_path()),
                         [](const auto& one) { return one.index == 0 ? "BuiltIn" : "Gqa"; });

TEST(Session, DescribesTheModelAndTheConversation) {
  Conversation talk(tests::gqa_model_path());
  talk.run("Once upon", 4, kWarm);
  const trace::Model& m = *talk.reader.model();
  EXPECT_EQ("llama", m.architecture);
  EXPECT_EQ("F32", m.quantisation);
  EXPECT_EQ(3U, m.record.layers);
  EXPECT_EQ(64U, m.record.width);
  EXPECT_EQ(8U, m.record.heads);
  EXPECT_EQ(2U, m.record.kv_heads);
  EXPECT_EQ(176U, m.record.neurons);
  EXPECT_EQ(512U, m.record.vocabulary);
  EXPECT_EQ(198080U, m.record.parameters);
  EXPECT_EQ(5U, talk.reader.start(0)->seed);
  EXPECT_EQ(0.9F, talk.reader.start(0)->temperature);
  EXPECT_EQ(Level::kLive, talk.reader.start(0)->level);
}

TEST(Session, ThePromptIsOneStepAndEveryTokenAnother) {
  Conversation talk(tests::gqa_model_path());
  talk.run("Once upon a time", 4);
  const trace::Reader& r = talk.reader;
  const auto prompt = static_cast<uint32_t>(r.positions() - 4);
  ASSERT_EQ(5U, r.steps());
  EXPECT_EQ(prompt, r.step(0).count);
  for (uint32_t s = 1; s < 5; ++s) {
    EXPECT_EQ(prompt + s - 1, r.step(s).first_position);
    EXPECT_EQ(1U, r.step(s).count);
  }
  std::string text;
  for (size_t p = 0; p < r.positions(); ++p) {
    const trace::Token& token = r.position(p).token;
    EXPECT_EQ(p < prompt ? trace::TokenKind::kPrompt : trace::TokenKind::kGenerated,
              token.record->kind);
    EXPECT_EQ(talk.session.tokens()[p], token.record->id);
    text += token.text;
  }
  EXPECT_CONTAINS(text, "Once upon a time");
  EXPECT_TRUE(r.finished());
  EXPECT_EQ(trace::NoteKind::kFinished, r.note_kind());
  EXPECT_EQ("all tokens were generated", r.note());
}

// A file that takes a long prompt in at its end would need memory for all of its detail, and lose
// what the log's limit drops.
TEST(Session, ALongPromptCanBeTakenInBatchByBatch) {
  constexpr uint64_t kLimit = uint64_t{12} << 20;
  const tests::TempFolder folder;
  Conversation talk(tests::model_of_long_context(folder), trace::Level::kLive, kLimit);
  std::vector<int32_t> ids;
  for (int i = 0; i < 2000; ++i) ids.push_back(3 + i * 7 % 200);
  talk.session.start(ids, 1, tests::kGreedy);
  size_t batches = 0;
  {
    trace::FileWriter file(talk.log, folder.file("t.mcap"));
    while (!talk.session.finished()) {
      talk.session.step([&] {
        ++batches;
        file.drain();
        return true;
      });
      file.drain();
    }
    file.finish();
  }
  EXPECT_GT(batches, 2U);
  trace::Log loaded;
  ASSERT_TRUE(trace::load_file(folder.file("t.mcap"), loaded).complete);
  trace::Reader reader(loaded);
  reader.poll();
  ASSERT_EQ(2001U, reader.positions());
  for (uint32_t p = 0; p < 2001; ++p) {
    ASSERT_NE(nullptr, reader.position(p).attention.record) << p;
  }
  EXPECT_GT(std::filesystem::file_size(folder.file("t.mcap")), 2 * kLimit);
}

TEST(Session, WhatIsNewestStaysHoweverLittleTheLogMayKeep) {
  const tests::TempFolder folder;
  for (const Level level : {Level::kLive, Level::kFull}) {
    Conversation talk(tests::model_of_long_context(folder), level, 1);
    std::vector<int32_t> ids(1500, 5);
    talk.session.start(ids, 1, tests::kGreedy);
    while (!talk.session.finished())
      talk.session.step([&] {
        talk.reader.poll();
        return true;
      });
    talk.reader.poll();
    const trace::Position& last = talk.reader.position(1500);
    ASSERT_NE(nullptr, last.attention.record);
    const size_t bytes = last.attention.heads.size_bytes() + last.attention.reads.size_bytes() +
                         last.kv.read.size_bytes() + last.ffn.rms.size_bytes() +
                         last.ffn.bucket_share.size_bytes() + last.ffn.top.size_bytes();
    const engine::Recorder recorder(talk.model.network->config(), talk.log, level);
    const auto said = static_cast<size_t>(recorder.bytes_of(1501));
    EXPECT_GT(said, bytes);
    EXPECT_LT(said, bytes + bytes / 10 + 2000);
  }
}

TEST(Session, IsStoppedBetweenTheBatchesOfAPrompt) {
  const tests::TempFolder folder;
  Conversation talk(tests::model_of_long_context(folder));
  talk.session.start(std::vector<int32_t>(2000, 5), 1, tests::kGreedy);
  int batches = 0;
  EXPECT_EQ("", talk.session.step([&] { return ++batches < 2; }));
  EXPECT_EQ(2, batches);
  EXPECT_TRUE(talk.session.finished());
  talk.reader.poll();
  EXPECT_EQ(0U, talk.reader.steps());
  EXPECT_TRUE(talk.reader.finished());
  talk.run("The king", 3);
  EXPECT_EQ(4U, talk.reader.steps()) << "and can begin anew";
}

TEST(Session, IsStoppedOnce) {
  Conversation talk(tests::builtin_model_path());
  talk.session.start(Generate{"ROMEO:", 20, kWarm});
  talk.session.step();
  talk.session.stop();
  EXPECT_TRUE(talk.session.finished());
  talk.session.stop();
  talk.reader.poll();
  EXPECT_TRUE(talk.reader.finished());
  EXPECT_EQ("it was stopped", talk.reader.note());
  trace::Cursor cursor(talk.log);
  size_t notes = 0;
  for (trace::Message message; cursor.next(message);)
    notes += message.topic == trace::Topic::kNote ? 1 : 0;
  EXPECT_EQ(1U, notes);
}

TEST(Session, TimeGoesOnWithTheConversation) {
  Conversation talk(tests::builtin_model_path());
  talk.run("ROMEO:", 6, kWarm);
  Generate more{"ROMEO:", 6, kWarm};
  more.go_on = true;
  talk.session.start(more);
  while (!talk.session.finished()) talk.session.step();
  talk.reader.poll();
  ASSERT_GT(talk.reader.positions(), 6U);
  for (size_t p = 1; p < talk.reader.positions(); ++p)
    EXPECT_LE(talk.reader.position(p - 1).token.record->wall_ns,
              talk.reader.position(p).token.record->wall_ns);
}

TEST(Session, AContextThatDoesNotFitIntoMemoryIsRefusedWithItsSize) {
  if (trace::machine_memory() >= uint64_t{384} << 30) GTEST_SKIP() << "it fits";
  const tests::TempFolder folder;
  engine::LoadedModel model(
      engine::ModelSource{tests::model_of_long_context(folder, 1U << 30), {}});
  trace::Log log;
  try {
    const engine::Session session(model, log, {int64_t{1} << 30, Level::kOff});
    FAIL();
  } catch (const fulgurite::Error& error) {
    EXPECT_EQ(fulgurite::ExitCode::kUsage, error.code());
    EXPECT_CONTAINS(std::string(error.what()), "keys and values of 1073741824 positions take 412.",
                    "GB of memory", "needs less: -c");
  }
  EXPECT_EQ(4096, engine::Session(model, log, {0, Level::kOff}).context());
}

TEST(Session, EndsWhereTheContextEnds) {
  engine::LoadedModel model(engine::ModelSource{tests::gqa_model_path(), {}});
  trace::Log log;
  engine::Session session(model, log, {16, Level::kOff});
  EXPECT_EQ(16, session.context());
  session.start(std::vector<int32_t>(10, 403), 0, tests::kGreedy);
  while (!session.finished()) session.step();
  EXPECT_LE(session.tokens().size(), 16U);
  EXPECT_EQ("", session.step()) << "over";
  EXPECT_THROW(session.start(std::vector<int32_t>(17, 403), 0, tests::kGreedy), fulgurite::Error);
  session.start(std::vector<int32_t>(16, 403), 5, tests::kGreedy);
  session.step();
  EXPECT_TRUE(session.finished()) << "a prompt may fill the context";
}

// Two bytes a value beside weights of which products are rounded anyway, else four; or as asked.
TEST(Session, KeepsKeysAndValuesAsTheModelIsRead) {
  REQUIRE_SHARED_DATA();
  const auto bytes_of_a_slot = [](const std::string& file, engine::SessionOptions options) {
    engine::LoadedModel model(
        engine::ModelSource{tests::shared_data("models/real/" + file).string(), {}});
    trace::Log log;
    engine::Session session(model, log, options);
    trace::Reader reader(log);
    session.start(std::vector<int32_t>(3, 20), 1, tests::kGreedy);
    session.step();
    reader.poll();
    const model::Config& c = model.network->config();
    const auto values = static_cast<uint64_t>(3 * 2 * c.n_layer * c.n_head_kv * c.head_dim);
    const uint64_t held = reader.position(2).kv.record->bytes_held;
    EXPECT_EQ(0U, held % values);
    return held / values;
  };
  EXPECT_EQ(4U, bytes_of_a_slot("shakespeare-llama-f32.gguf", {}));
  EXPECT_EQ(4U, bytes_of_a_slot("shakespeare-llama-f16.gguf", {}));
  for (const char* file : {"shakespeare-llama-q8_0.gguf", "shakespeare-llama-q4_k_m.gguf"}) {
    EXPECT_EQ(2U, bytes_of_a_slot(file, {})) << file;
    EXPECT_EQ(4U, bytes_of_a_slot(file, {.cache = model::CacheType::kF32})) << file;
  }
  EXPECT_EQ(2U, bytes_of_a_slot("shakespeare-llama-f32.gguf", {.cache = model::CacheType::kF16}));
}

TEST(Session, RefusesAContextThatTheModelHasNot) {
  engine::LoadedModel model(engine::ModelSource{tests::gqa_model_path(), {}});
  trace::Log log;
  for (const int64_t context : {int64_t{-1}, model.network->config().n_ctx + 1}) {
    try {
      engine::Session session(model, log, {context, Level::kOff});
      ADD_FAILURE() << context;
    } catch (const fulgurite::Error& error) {
      EXPECT_EQ(fulgurite::ExitCode::kUsage, error.code());
      EXPECT_CONTAINS(error.what(), "-c", std::to_string(context));
    }
  }
}

// Its bytes are a name then, which a reader must not take for text.
TEST(ATokenOfATrace, SaysWhetherItIsOneThatSteers) {
  REQUIRE_SHARED_DATA();
  Conversation talk(tests::shared_data("models/real/stories260K-f32.gguf").string());
  talk.run("Once upon a time", 4);
  ASSERT_TRUE(talk.model.tokenizer->adds_bos());
  for (size_t p = 0; p < talk.reader.positions(); ++p) {
    const trace::Token& token = talk.reader.position(p).token;
    EXPECT_EQ(p == 0, (token.record->flags & trace::kTokenControl) != 0) << p << token.text;
  }
}

}  // namespace
