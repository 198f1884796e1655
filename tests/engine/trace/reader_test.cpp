#include "engine/trace/reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "model/error.h"
#include "tests/support/data.h"
#include "tests/support/trace_builder.h"

namespace {

using tests::small_model;
using tests::TraceBuilder;
using trace::Log;
using trace::Reader;
using trace::Topic;

class ReaderTest : public ::testing::Test {
 protected:
  // The message of the Error that polling causes.
  std::string refusal() {
    try {
      reader_.poll();
    } catch (const fulgurite::Error& error) {
      EXPECT_EQ(fulgurite::ExitCode::kBadModel, error.code());
      return error.what();
    }
    return "(accepted)";
  }
  Log log_;
  TraceBuilder builder_{log_, small_model()};
  Reader reader_{log_};
};

TEST_F(ReaderTest, AnswersAboutEveryPosition) {
  EXPECT_FALSE(reader_.poll());
  EXPECT_EQ(nullptr, reader_.model());
  builder_.describe("a name");
  builder_.start();
  builder_.step(5);
  builder_.step();
  EXPECT_TRUE(reader_.poll());
  EXPECT_EQ("a name", reader_.model()->name);
  EXPECT_EQ("llama", reader_.model()->architecture);
  EXPECT_EQ("F32", reader_.model()->quantisation);
  EXPECT_EQ(0.8F, reader_.start(0)->temperature);
  ASSERT_EQ(6U, reader_.positions());
  ASSERT_EQ(2U, reader_.steps());
  EXPECT_EQ(5U, reader_.step(0).count);
  EXPECT_EQ(5U, reader_.step(1).first_position);
  for (uint32_t p = 0; p < 6; ++p) {
    const trace::Position& at = reader_.position(p);
    EXPECT_EQ(std::string("t").append(std::to_string(p)), at.token.text);
    EXPECT_EQ(p, at.token.record->position);
    EXPECT_EQ(3U * 3, at.residual.rms.size());
    EXPECT_EQ(3U * 2, at.residual.update.size());
    EXPECT_EQ(3U * 4, at.attention.heads.size());
    EXPECT_EQ(std::min(p + 1, 6U), at.attention.reads_of(2, 3).size());
    EXPECT_EQ(3U * 2 * (p + 1), at.kv.read.size());
    EXPECT_EQ(3U * 20, at.ffn.bucket_share.size());
    EXPECT_EQ(3U * 16, at.ffn.top.size());
    EXPECT_EQ(3U * trace::kMeasureCount, at.scale.p99.size());
    EXPECT_EQ(1U, at.time.operations.size());
    EXPECT_EQ(p >= 4, at.logits.record != nullptr) << "only the last of a step speaks";
  }
  EXPECT_FALSE(reader_.poll());
}

TEST_F(ReaderTest, ANewConversationBeginsAnew) {
  builder_.describe();
  builder_.start();
  builder_.step(3);
  builder_.answer(1, 0, {1.0F});
  builder_.note(trace::NoteKind::kFinished, "over");
  reader_.poll();
  EXPECT_EQ(1U, reader_.conversation());
  EXPECT_TRUE(reader_.finished());
  EXPECT_EQ("over", reader_.note());
  builder_.start();
  reader_.poll();
  EXPECT_EQ(2U, reader_.conversation());
  EXPECT_EQ(0U, reader_.positions());
  EXPECT_EQ(0U, reader_.steps());
  EXPECT_EQ(nullptr, reader_.answer(1));
  EXPECT_EQ("", reader_.note());
  EXPECT_FALSE(reader_.finished());
}

TEST_F(ReaderTest, AConversationThatGoesOnKeepsWhatWas) {
  builder_.describe();
  builder_.start();
  builder_.step(5);
  builder_.step();
  builder_.step();
  reader_.poll();
  const auto* detail = reader_.position(5).ffn.record;
  builder_.go_on(6, 2);
  builder_.penalties({0.1F, 1.5F, 0.0F, 0.0F, 64, 0});
  builder_.step(2);
  builder_.step();
  EXPECT_TRUE(reader_.poll());
  EXPECT_EQ(1U, reader_.conversation());
  EXPECT_EQ(1U, reader_.continuation());
  EXPECT_EQ(2U, reader_.kept_steps());
  EXPECT_EQ(9U, reader_.positions());
  ASSERT_EQ(4U, reader_.steps());
  EXPECT_EQ(6U, reader_.step(2).first_position);
  EXPECT_EQ(2U, reader_.step(2).count);
  EXPECT_EQ(detail, reader_.position(5).ffn.record);
  EXPECT_EQ(1U, reader_.start(1)->seed) << "steps that stay were made as they were";
  EXPECT_EQ(2U, reader_.start(2)->seed);
  EXPECT_EQ(2U, reader_.start(3)->seed);
  EXPECT_EQ(nullptr, reader_.penalties(1));
  ASSERT_NE(nullptr, reader_.penalties(2));
  EXPECT_EQ(1.5F, reader_.penalties(3)->repeat);
}

TEST_F(ReaderTest, AConversationThatGoesOnWithinAStepCutsIt) {
  builder_.describe();
  builder_.start();
  builder_.step(5);
  builder_.step();
  builder_.go_on(3, 1);
  builder_.step();
  reader_.poll();
  ASSERT_EQ(2U, reader_.steps());
  EXPECT_EQ(3U, reader_.step(0).count);
  EXPECT_EQ(3U, reader_.step(1).first_position);
  EXPECT_EQ(4U, reader_.positions());
}

TEST_F(ReaderTest, GoingOnWhereTheConversationHasNotBeenIsRefused) {
  for (const auto& [positions, steps] : {std::pair{0U, 0U},
                                         {0U, 1U},
                                         {7U, 2U},
                                         {6U, 1U},
                                         {6U, 3U},
                                         {5U, 2U},
                                         {~0U, 2U},
                                         {3U, ~0U}}) {
    Log log;
    Reader reader(log);
    TraceBuilder builder(log, small_model());
    builder.describe();
    builder.start();
    builder.step(5);
    builder.step();
    builder.go_on(positions, steps);
    EXPECT_THROW(reader.poll(), fulgurite::Error) << positions << ", " << steps;
  }
  builder_.describe();
  builder_.go_on(1, 1);
  EXPECT_CONTAINS(refusal(), "goes on where it has not been");
}

TEST_F(ReaderTest, AnAnswerIsFoundByItsRequest) {
  builder_.describe();
  builder_.start();
  builder_.step();
  builder_.answer(11, 0, {1.0F, 2.0F, 3.0F});
  EXPECT_EQ(nullptr, reader_.answer(11)) << "not yet";
  reader_.poll();
  ASSERT_NE(nullptr, reader_.answer(11));
  EXPECT_EQ(3U, reader_.answer(11)->values.size());
  EXPECT_EQ(3.0F, reader_.answer(11)->values[2]);
  EXPECT_EQ("embd", reader_.answer(11)->name);
  EXPECT_EQ("x", reader_.answer(11)->formula);
  EXPECT_EQ(nullptr, reader_.answer(12));
}

TEST_F(ReaderTest, AnOldTraceIsOfADenseModelWithoutWindows) {
  builder_.describe();
  EXPECT_TRUE(reader_.poll());
  EXPECT_FALSE(reader_.described()) << "a structure may follow";
  builder_.start();
  reader_.poll();
  EXPECT_TRUE(reader_.described());
  const trace::StructureRecord& s = reader_.model()->structure;
  EXPECT_EQ(0U, s.flags);
  EXPECT_EQ(0U, s.experts);
  EXPECT_EQ(0U, s.window);
  EXPECT_EQ(64U, s.trained_context);
  EXPECT_EQ(4U * 8, s.query_width);
  EXPECT_EQ(2U * 2 * 8, s.kv_width);
}

TEST_F(ReaderTest, AMixturesPositionsHaveTheirExperts) {
  builder_.describe();
  builder_.structure(tests::small_mixture());
  builder_.start();
  builder_.step(2);
  reader_.poll();
  EXPECT_EQ(16U, reader_.model()->structure.expert_neurons);
  const trace::Experts& experts = reader_.position(1).experts;
  ASSERT_NE(nullptr, experts.record);
  EXPECT_EQ(3U * 3, experts.probability.size());
  ASSERT_EQ(3U, experts.used_in(2).size());
  EXPECT_EQ(0U, experts.used_in(2)[0].expert) << "(position + layer) of three";
  EXPECT_EQ(3U, experts.used_in(2)[2].expert) << "the one that always works";
  double sum = 0.0;
  for (const trace::ExpertShare& e : experts.used_in(2)) sum += double{e.share};
  EXPECT_NEAR(1.0, sum, 1e-5);
}

TEST(ReaderHostile, AStructureThatMakesNoSenseIsRefused) {
  using Change = void (*)(trace::StructureRecord&);
  const std::vector<Change> changes = {
      [](trace::StructureRecord& s) { s.experts = 4; },  // 4 x 16 + 12 are not 60
      [](trace::StructureRecord& s) { s.experts = 0xFFFFFFFFU; },
      [](trace::StructureRecord& s) { s.experts_used = 4; },
      [](trace::StructureRecord& s) { s.experts_used = 0; },
      [](trace::StructureRecord& s) { s.expert_neurons = 0; },
      [](trace::StructureRecord& s) {
        s.shared_neurons +=
            s.experts * s.expert_neurons;  // the sum is right, but experts are empty
        s.expert_neurons = 0;
      },
      [](trace::StructureRecord& s) { s.experts = 0; },
      [](trace::StructureRecord& s) { s.window_period = 0; },
      [](trace::StructureRecord& s) { s.dense_layers = 3; },
      [](trace::StructureRecord& s) { s.dense_layers = 1; },
      [](trace::StructureRecord& s) { s.query_width = 0; },
      [](trace::StructureRecord& s) { s.query_width = 1; },  // of several heads
      [](trace::StructureRecord& s) { s.kv_width = 0xFFFFFFFFU; },
      [](trace::StructureRecord& s) { s.trained_context = 63; }};
  for (size_t i = 0; i < changes.size(); ++i) {
    Log log;
    Reader reader(log);
    TraceBuilder builder(log, small_model());
    trace::StructureRecord s = tests::small_mixture();
    changes[i](s);
    builder.describe();
    builder.structure(s);
    EXPECT_THROW(reader.poll(), fulgurite::Error) << i;
  }
}

// Detail was checked against the structure that was known then.
TEST(ReaderHostile, AStructureBehindATokenIsRefused) {
  Log log;
  Reader reader(log);
  TraceBuilder builder(log, small_model());
  builder.describe();
  builder.step();
  builder.structure(tests::small_mixture());
  EXPECT_THROW(reader.poll(), fulgurite::Error);
}

TEST_F(ReaderTest, ExpertsThatDoNotFitTheStructureAreRefused) {
  for (const trace::ExpertsRecord record :
       {trace::ExpertsRecord{0, 3, 4, 1}, {0, 2, 3, 1}, {0, 3, 3, 4}, {0, 3, 3, 3}}) {
    Log log;
    Reader reader(log);
    TraceBuilder builder(log, small_model());
    builder.describe();
    builder.structure(tests::small_mixture());
    builder.start();
    builder.token("x");
    const std::vector<float> router(12);
    const std::vector<trace::ExpertShare> used(12, {4, 1.0F, 1.0F});  // there is none of number 4
    trace::append(log, Topic::kExperts, record, tests::all(router), tests::all(used));
    EXPECT_THROW(reader.poll(), fulgurite::Error);
  }
}

TEST_F(ReaderTest, ATileIsFoundByItsRequestAndALaterAnswerReplacesIt) {
  builder_.describe();
  builder_.start();
  builder_.tile(7, 1);
  reader_.poll();
  ASSERT_NE(nullptr, reader_.tile(7));
  EXPECT_EQ(2U, reader_.tile(7)->max.size());
  builder_.tile(7, 2);
  reader_.poll();
  ASSERT_EQ(4U, reader_.tile(7)->max.size());
  EXPECT_EQ(-1.0F, reader_.tile(7)->min[3]);
  EXPECT_EQ(0.5F, reader_.tile(7)->mean[3]);
  EXPECT_EQ(2.0F, reader_.tile(7)->max[3]);
  EXPECT_EQ("blk.0.test", reader_.tile(7)->name);
  EXPECT_EQ(nullptr, reader_.tile(8));
  builder_.start();
  reader_.poll();
  EXPECT_EQ(nullptr, reader_.tile(7));
}

TEST_F(ReaderTest, TilesOfAConversationThatGoesOnAreGone) {
  builder_.describe();
  builder_.start();
  builder_.step(3);
  builder_.tile(900);
  reader_.poll();
  ASSERT_NE(nullptr, reader_.tile(900));
  trace::append(log_, Topic::kContinue, trace::ContinueRecord{{}, 3, 1});
  reader_.poll();
  EXPECT_EQ(nullptr, reader_.tile(900)) << "nothing points into what may be dropped";
}

TEST_F(ReaderTest, ATileWithOddPlanesOrShiftsIsRefused) {
  for (const bool planes : {true, false}) {
    Log log;
    Reader reader(log);
    TraceBuilder(log, small_model()).describe();
    trace::TileRecord t;
    t.planes = planes ? 2 : 1;
    t.row_shift = planes ? 0 : 32;
    trace::append(log, Topic::kTile, t);
    EXPECT_THROW(reader.poll(), fulgurite::Error);
  }
}

TEST(Reader, SaysThatDetailWasDroppedBeforeItCame) {
  Log log(2 * Log::kChunkBytes);
  trace::ModelRecord m = small_model();
  m.context = 4096;
  TraceBuilder builder(log, m);
  builder.describe();
  builder.start();
  for (int i = 0; i < 400; ++i) builder.step();
  ASSERT_GT(log.dropped_chunks(), 0U);
  Reader late(log);
  late.poll();
  EXPECT_TRUE(late.dropped());
  EXPECT_EQ(nullptr, late.position(0).residual.record);
}

TEST(Reader, EveryRefusedPromptShowsItsOwnReason) {
  Log log;
  TraceBuilder builder(log, small_model());
  Reader reader(log);
  builder.describe();
  builder.note(trace::NoteKind::kError, "431 tokens are too many");
  builder.note(trace::NoteKind::kInfo, "something else");
  reader.poll();
  EXPECT_EQ("431 tokens are too many", reader.note()) << "an error is not overwritten by a remark";
  builder.note(trace::NoteKind::kError, "430 tokens are too many");
  reader.poll();
  EXPECT_EQ("430 tokens are too many", reader.note());
}

TEST(Reader, AFullDiskIsRememberedWhateverIsAskedNext) {
  Log log;
  TraceBuilder builder(log, small_model());
  Reader reader(log);
  builder.describe();
  builder.start();
  reader.poll();
  EXPECT_EQ("", reader.trace_failure());
  builder.note(trace::NoteKind::kTraceFailed, "the disk is full");
  builder.note(trace::NoteKind::kError, "429 tokens are too many");
  builder.start();
  reader.poll();
  EXPECT_EQ("the disk is full", reader.trace_failure());
  EXPECT_FALSE(reader.failed()) << "the conversation goes on";
}

// One payload of every topic, as the builder writes it.
std::vector<std::pair<Topic, std::vector<std::byte>>> sample() {
  Log log;
  TraceBuilder builder(log, small_model());
  builder.describe();
  builder.structure(tests::small_mixture());
  builder.start();
  builder.step(2);
  builder.answer(1, 0, {1.0F, 2.0F});
  builder.tile(2);
  builder.lens(1);
  builder.attribution(1);
  builder.expert_terms(1, {{0, 1, 0.5F}, {2, 3, 1.5F}});
  builder.note(trace::NoteKind::kInfo, "hello");
  trace::Cursor cursor(log);
  std::vector<std::pair<Topic, std::vector<std::byte>>> messages;
  for (trace::Message m; cursor.next(m);)
    messages.emplace_back(m.topic, std::vector(m.payload.begin(), m.payload.end()));
  return messages;
}

void put(Log& log, Topic topic, std::span<const std::byte> payload) {
  std::byte* at = log.reserve(topic, payload.size());
  if (!payload.empty()) std::memcpy(at, payload.data(), payload.size());
  log.commit();
}

TEST(ReaderHostile, AMessageCutAnywhereIsRefused) {
  const auto messages = sample();
  for (size_t which = 0; which < messages.size(); ++which) {
    const size_t full = messages[which].second.size();
    for (size_t cut = 0; cut < full; cut += 1 + cut / 40) {
      Log log;
      Reader reader(log);
      for (size_t i = 0; i < which; ++i) put(log, messages[i].first, messages[i].second);
      put(log, messages[which].first, std::span(messages[which].second).first(cut));
      EXPECT_THROW(reader.poll(), fulgurite::Error)
          << topic_name(messages[which].first) << " cut to " << cut;
    }
  }
}

TEST_F(ReaderTest, DetailBeforeTheModelIsRefused) {
  builder_.start();
  EXPECT_CONTAINS(refusal(), "does not begin with the model's description");
}

TEST_F(ReaderTest, ASecondModelIsRefused) {
  builder_.describe();
  builder_.describe();
  EXPECT_CONTAINS(refusal(), "second model");
}

TEST_F(ReaderTest, DetailOfAPositionWithoutATokenIsRefused) {
  builder_.describe();
  builder_.start();
  builder_.detail(0, false);
  EXPECT_CONTAINS(refusal(), "has no token");
}

TEST(ReaderHostile, PenaltiesOfNoConversationAreRefused) {
  Log log;
  TraceBuilder builder(log, tests::small_model());
  builder.describe();
  builder.penalties({});
  Reader reader(log);
  EXPECT_THROW(reader.poll(), fulgurite::Error);
}

TEST_F(ReaderTest, AStepThatIsNotTheNextOneIsRefused) {
  builder_.describe();
  builder_.start();
  builder_.step(2);
  trace::append(log_, Topic::kStep, trace::StepRecord{1, 2, 0, 0});
  EXPECT_CONTAINS(refusal(), "steps are not in order");
}

TEST_F(ReaderTest, MoreTokensThanTheContextHoldsAreRefused) {
  builder_.describe();
  builder_.start();
  builder_.step(small_model().context);
  EXPECT_TRUE(reader_.poll());
  builder_.token("one more");
  EXPECT_CONTAINS(refusal(), "more tokens than the context holds");
}

TEST_F(ReaderTest, DetailOfAnotherModelIsRefused) {
  builder_.describe();
  builder_.start();
  builder_.token("x");
  trace::ModelRecord other = small_model();
  other.layers = 2;
  TraceBuilder(log_, other).detail(0, false);
  EXPECT_CONTAINS(refusal(), "does not fit the model's description");
}

TEST_F(ReaderTest, ANeuronOrAPositionOutOfRangeIsRefused) {
  for (const bool neuron : {true, false}) {
    Log log;
    Reader reader(log);
    TraceBuilder builder(log, small_model());
    builder.describe();
    builder.start();
    builder.token("x");
    const std::vector<float> zero(3 * 20);
    const std::span<const float> plates(zero), storeys(zero.data(), 3);
    if (neuron) {
      const std::vector<trace::NeuronShare> top(3, {60, 1.0F, 1.0F});
      trace::append(log, Topic::kFfn, trace::FfnRecord{0, 3, 20, 1}, plates, plates, storeys,
                    storeys, tests::all(top));
    } else {
      const std::vector<trace::HeadShare> heads(12, {1.0F, 1.0F, 0.0F, 0.0F, 0.0F, 1});
      const std::vector<trace::KvRead> reads(12, {1, 1.0F, 1.0F});
      trace::append(log, Topic::kAttention, trace::AttentionRecord{0, 3, 4, 1}, storeys,
                    tests::all(heads), tests::all(reads));
    }
    EXPECT_THROW(reader.poll(), fulgurite::Error);
  }
}

// All of a picture's words are laid out every frame.
TEST_F(ReaderTest, NamesAndTokensAreReadAsFarAsTheyAreShown) {
  builder_.describe(std::string(1 << 20, 'n'));
  builder_.start();
  const std::string text(1 << 20, 't');
  trace::TokenRecord token;
  token.text_bytes = static_cast<uint32_t>(text.size());
  trace::append(log_, Topic::kToken, token, tests::chars(text));
  reader_.poll();
  EXPECT_EQ(std::string(4096, 'n'), reader_.model()->name);
  EXPECT_EQ(std::string(4096, 't'), reader_.position(0).token.text);
}

TEST_F(ReaderTest, ANewerSchemaAsksForANewerProgram) {
  trace::ModelRecord m = small_model();
  m.schema_version = trace::kSchemaVersion + 1;
  TraceBuilder(log_, m).describe();
  EXPECT_CONTAINS(refusal(), "newer version", "update fulgurite");
}

TEST_F(ReaderTest, ADescriptionThatMakesNoSenseIsRefused) {
  const auto with = [](auto change) {
    trace::ModelRecord m = small_model();
    change(m);
    return m;
  };
  for (const trace::ModelRecord& m :
       {with([](auto& r) { r.layers = 0; }), with([](auto& r) { r.kv_heads = 0; }),
        with([](auto& r) { r.kv_heads = 3; }), with([](auto& r) { r.buckets = 61; }),
        with([](auto& r) { r.layers = 1U << 31; }),
        with([](auto& r) { r.layers = 4096, r.heads = r.kv_heads = 65536; }),
        with([](auto& r) { r.context = 0; })}) {
    Log log;
    Reader reader(log);
    TraceBuilder(log, m).describe();
    EXPECT_THROW(reader.poll(), fulgurite::Error);
  }
}

// Also run under ThreadSanitizer.
TEST(ReaderThreads, ReadersFollowALiveWriter) {
  Log log(4 * Log::kChunkBytes);
  trace::ModelRecord m = small_model();
  m.context = 4096;
  constexpr uint32_t kSteps = 600;
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int r = 0; r < 3; ++r) {
    threads.emplace_back([&] {
      Reader reader(log);
      for (bool last = false;;) {
        last = done.load(std::memory_order_acquire);
        reader.poll();
        for (size_t p = reader.positions() - std::min<size_t>(reader.positions(), 5);
             p < reader.positions(); ++p) {
          const trace::Position& at = reader.position(p);
          if (at.kv.record == nullptr) continue;
          double sum = 0.0;
          for (size_t j = 0; j <= p; ++j) sum += double{at.kv.read[j]};
          EXPECT_NEAR(1.0, sum, 1e-4);
        }
        if (last) break;
        std::this_thread::yield();
      }
      EXPECT_EQ(kSteps + 4, reader.positions());
      EXPECT_EQ(kSteps + 1, reader.steps());
    });
  }
  TraceBuilder builder(log, m);
  builder.describe();
  builder.start();
  builder.step(4);
  for (uint32_t i = 0; i < kSteps; ++i) builder.step();
  done.store(true, std::memory_order_release);
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(log.dropped_chunks(), 0U);
}

}  // namespace
