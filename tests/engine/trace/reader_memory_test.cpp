// What a reader holds of a log that lets its oldest chunks go.
#include <gtest/gtest.h>

#include "engine/trace/reader.h"
#include "model/error.h"
#include "tests/support/trace_builder.h"

namespace {

using tests::small_model;
using tests::TraceBuilder;
using trace::Log;
using trace::Reader;

// What a position had before lies in an older chunk, and goes with it; what it has now stays.
TEST(ReaderMemory, DetailThatCameAgainOutlivesTheOlderChunk) {
  Log log(2 * Log::kChunkBytes);
  TraceBuilder builder(log, small_model());
  Reader reader(log);
  builder.describe();
  builder.start();
  builder.step(5);
  reader.poll();
  for (int i = 0; i < 200; ++i) {
    builder.go_on(4, 1);
    builder.step();
    builder.step();
    reader.poll();
    ASSERT_EQ(6U, reader.positions());
    ASSERT_NE(nullptr, reader.position(5).ffn.record) << i;
    EXPECT_EQ(5U, reader.position(5).ffn.record->position);
  }
  EXPECT_EQ(nullptr, reader.position(0).ffn.record) << "old chunks were let go of";
}

TEST(ReaderMemory, PointersStayGoodUntilTheNextPollThenOldDetailGoes) {
  Log log(2 * Log::kChunkBytes);
  trace::ModelRecord m = small_model();
  m.context = 4096;
  TraceBuilder builder(log, m);
  Reader reader(log);
  builder.describe();
  builder.start();
  builder.step(4);
  builder.answer(1, 0, {42.0F});
  reader.poll();
  const trace::Position before = reader.position(2);
  const trace::TensorAnswer answer = *reader.answer(1);
  const std::vector<float> rms(before.residual.rms.begin(), before.residual.rms.end());
  const std::vector<trace::NeuronShare> top(before.ffn.top.begin(), before.ffn.top.end());
  for (int i = 0; i < 400; ++i) builder.step();
  ASSERT_GT(log.dropped_chunks(), 2U);

  EXPECT_TRUE(std::equal(rms.begin(), rms.end(), before.residual.rms.begin()));
  EXPECT_TRUE(std::equal(
      top.begin(), top.end(), before.ffn.top.begin(),
      [](const auto& a, const auto& b) { return a.neuron == b.neuron && a.share == b.share; }));
  EXPECT_EQ(42.0F, answer.values[0]);
  EXPECT_EQ("t2", before.token.text);

  EXPECT_FALSE(reader.dropped());
  reader.poll();
  EXPECT_TRUE(reader.dropped());
  EXPECT_EQ(nullptr, reader.position(2).residual.record);
  EXPECT_EQ(nullptr, reader.position(2).ffn.record);
  EXPECT_EQ(nullptr, reader.answer(1));
  EXPECT_EQ("t2", reader.position(2).token.text) << "tokens are never dropped";
  EXPECT_EQ(404U, reader.positions());
  EXPECT_EQ(401U, reader.steps());
  EXPECT_NE(nullptr, reader.position(403).ffn.record) << "the newest is there";
}

}  // namespace
