// What was asked about the next token of a position, as a reader of the trace finds it.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/trace/reader.h"
#include "model/error.h"
#include "tests/support/trace_builder.h"

namespace {

using tests::small_model;
using tests::TraceBuilder;
using trace::Log;
using trace::Reader;
using trace::Topic;

// Of two positions.
void begin(TraceBuilder& builder, const trace::StructureRecord* structure = nullptr) {
  builder.describe();
  if (structure != nullptr) builder.structure(*structure);
  builder.start();
  builder.step(2);
}

TEST(ReaderAnswers, StandWithTheirPosition) {
  Log log;
  Reader reader(log);
  TraceBuilder builder(log, small_model());
  begin(builder);
  builder.lens(1);
  builder.attribution(1, 2);
  builder.attribution(1, 3, 2);
  reader.poll();
  EXPECT_EQ(nullptr, reader.position(0).lens.record);
  const trace::Lens& lens = reader.position(1).lens;
  ASSERT_EQ(4U, lens.rows.size());
  EXPECT_EQ(2U, lens.rows[2].rank);
  EXPECT_EQ('C', lens.top_of(2)[1].text[0]);
  const trace::Attribution& a = reader.position(1).attribution;
  ASSERT_NE(nullptr, a.record);
  EXPECT_EQ(3, a.record->token) << "the newest";
  EXPECT_EQ(2, a.record->against);
  EXPECT_EQ(21.0F, a.head[2 * 4 + 1]);
  EXPECT_EQ(-2.0F, a.ffn[2]);
  EXPECT_EQ(-0.5F, a.neurons[0].term);
}

TEST(ReaderAnswers, MustFitTheModel) {
  const auto refused = [](const auto& write) {
    Log log;
    Reader reader(log);
    TraceBuilder builder(log, small_model());
    builder.describe();
    builder.start();
    builder.token("x");
    write(log);
    EXPECT_THROW(reader.poll(), fulgurite::Error);
  };
  const std::vector<trace::LensRow> rows(5);
  const std::vector<float> terms(20);
  for (const trace::LensRecord record : {trace::LensRecord{0, 2, 1, 0},
                                         {0, 4, 1, 0},
                                         {1, 3, 1, 0},
                                         {0, 0xFFFFFFFF, 1, 0},
                                         {0, 3, 0xFFFFFFFF, 0}}) {
    refused([&](Log& log) {
      const std::vector<trace::Candidate> top(record.layers < 9 ? record.layers + 1 : 4);
      const auto some = std::span<const trace::LensRow>(rows).first(
          std::min<size_t>(rows.size(), size_t{record.layers} + 1));
      trace::append(log, Topic::kLens, record, some, tests::all(top));
    });
  }
  refused([&](Log& log) {  // a text longer than its room
    std::vector<trace::Candidate> top(4);
    top[3].text_bytes = 21;
    trace::append(log, Topic::kLens, trace::LensRecord{0, 3, 1, 0},
                  std::span<const trace::LensRow>(rows).first(4), tests::all(top));
  });
  const std::span<const float> all_terms(terms);
  for (const auto& [record, neuron] :
       {std::pair{trace::AttributionRecord{0, 3, 4, 1}, trace::NeuronTerm{3, 0, 1.0F}},
        {trace::AttributionRecord{0, 3, 4, 1}, trace::NeuronTerm{0, 60, 1.0F}},
        {trace::AttributionRecord{0, 3, 3, 1}, trace::NeuronTerm{0, 0, 1.0F}},
        {trace::AttributionRecord{0, 2, 4, 1}, trace::NeuronTerm{0, 0, 1.0F}},
        {trace::AttributionRecord{1, 3, 4, 1}, trace::NeuronTerm{0, 0, 1.0F}},
        {trace::AttributionRecord{0, 3, 4, 0xFFFFFFFF}, trace::NeuronTerm{0, 0, 1.0F}}}) {
    refused([&, record = record, neuron = neuron](Log& log) {
      trace::append(log, Topic::kAttribution, record,
                    all_terms.first(std::min<size_t>(size_t{record.layers} * record.heads, 12)),
                    all_terms.first(record.layers), all_terms.first(record.layers),
                    all_terms.first(record.layers), std::span(&neuron, 1));
    });
  }
}

TEST(ReaderAnswers, TermsOfExpertsBelongToTheAttributionOfTheSameTokens) {
  Log log;
  Reader reader(log);
  TraceBuilder builder(log, small_model());
  const trace::StructureRecord mixture = tests::small_mixture();
  begin(builder, &mixture);
  const auto terms = [&](int32_t token, int32_t against, uint32_t layer, uint32_t expert) {
    builder.expert_terms(1, {{layer, expert, 0.5F}}, token, against);
    reader.poll();
    return reader.position(1).attribution.experts.size();
  };
  EXPECT_EQ(0U, terms(2, -1, 0, 1)) << "of no attribution";
  builder.attribution(1, 2);
  EXPECT_EQ(0U, terms(3, -1, 0, 1));
  EXPECT_EQ(0U, terms(2, 7, 0, 1));
  EXPECT_EQ(1U, terms(2, -1, 2, 3)) << "the expert that always works counts last";
  EXPECT_EQ(0.5F, reader.position(1).attribution.experts[0].term);
  builder.attribution(1, 3);
  reader.poll();
  EXPECT_TRUE(reader.position(1).attribution.experts.empty());
  EXPECT_THROW(terms(3, -1, 3, 0), fulgurite::Error) << "a layer that is not there";
}

TEST(ReaderAnswers, ExpertsThatAreNotThereAreRefused) {
  using Terms = std::vector<trace::ExpertTerm>;
  const auto refused = [](const trace::StructureRecord& structure, const Terms& terms) {
    Log log;
    Reader reader(log);
    TraceBuilder builder(log, small_model());
    begin(builder, &structure);
    builder.expert_terms(1, terms);
    EXPECT_THROW(reader.poll(), fulgurite::Error);
  };
  const trace::StructureRecord mixture = tests::small_mixture();
  refused(mixture, {{0, 4, 0.5F}});
  refused(mixture, {{3, 0, 0.5F}});
  refused(mixture, Terms(10));                // more than can have worked
  trace::StructureRecord unshared = mixture;  // 3 experts of 20 neurons
  unshared.expert_neurons = 20;
  unshared.shared_neurons = 0;
  refused(unshared, {{0, 3, 0.5F}});
  trace::StructureRecord dense_first = mixture;
  dense_first.dense_layers = 1;
  dense_first.dense_neurons = 30;
  refused(dense_first, {{0, 0, 0.5F}});
  refused(trace::structure_of(small_model()), {{0, 0, 0.5F}});
}

// When the oldest detail makes room, a newer answer about the same position stays.
TEST(ReaderAnswers, OutliveOlderOnesOfTheirPosition) {
  Log log(4 * Log::kChunkBytes);
  Reader reader(log);
  TraceBuilder builder(log, small_model());
  const trace::StructureRecord mixture = tests::small_mixture();
  begin(builder, &mixture);
  builder.lens(1);
  builder.attribution(1, 2);
  builder.expert_terms(1, {{0, 1, 0.5F}});
  reader.poll();
  const std::vector<float> large(20'000);  // three a chunk
  const auto fill = [&](int answers) {
    for (int i = 0; i < answers; ++i) builder.answer(1000 + static_cast<uint64_t>(i), 0, large);
    reader.poll();
  };
  fill(6);
  builder.lens(1);
  builder.attribution(1, 3);
  builder.expert_terms(1, {{0, 2, 0.5F}}, 3);
  fill(9);
  EXPECT_TRUE(reader.dropped());
  EXPECT_EQ(nullptr, reader.position(1).ffn.record);
  ASSERT_NE(nullptr, reader.position(1).lens.record);
  ASSERT_NE(nullptr, reader.position(1).attribution.record);
  EXPECT_EQ(3, reader.position(1).attribution.record->token);
  ASSERT_EQ(1U, reader.position(1).attribution.experts.size());
  EXPECT_EQ(2U, reader.position(1).attribution.experts[0].expert);
  fill(60);
  EXPECT_EQ(nullptr, reader.position(1).lens.record);
  EXPECT_EQ(nullptr, reader.position(1).attribution.record);
}

}  // namespace
