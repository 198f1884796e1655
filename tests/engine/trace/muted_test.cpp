// Parts that a conversation runs without: their names, and what a trace says of them.
#include "engine/trace/muted.h"

#include <gtest/gtest.h>

#include "engine/trace/reader.h"
#include "model/error.h"
#include "tests/support/trace_builder.h"

namespace {

using trace::find_part;
using trace::MutedKind;
using trace::MutedPart;

TEST(MutedPart, IsFoundByItsName) {
  EXPECT_EQ((MutedPart{MutedKind::kHead, 3, 1}), find_part("L3.H1"));
  EXPECT_EQ((MutedPart{MutedKind::kHeads, 0, 0}), find_part("L0.A"));
  EXPECT_EQ((MutedPart{MutedKind::kNeuron, 11, 2047}), find_part("L11.F2047"));
  EXPECT_EQ((MutedPart{MutedKind::kNeurons, 7, 0}), find_part("L7.M"));
  EXPECT_EQ((MutedPart{MutedKind::kExpert, 2, 59}), find_part("L2.E59"));
}

TEST(MutedPart, HasTheNameThatFindsIt) {
  for (const char* name :
       {"L3.H1", "L0.A", "L11.F2047", "L7.M", "L2.E59", "L4294967295.H4294967295"}) {
    ASSERT_TRUE(find_part(name)) << name;
    EXPECT_EQ(name, trace::name_of(*find_part(name)));
  }
  EXPECT_EQ("", trace::name_of({MutedKind{77}, 1, 1})) << "of a later version";
}

TEST(MutedPart, IsNothingElse) {
  for (const char* name :
       {"",        "L",      "L3",     "3.H1",  "l3.H1",          "L3.H",           "L3.H1x",
        "L3.H1.",  "L3.H-1", "L3.H+1", "L3.A1", "L3.M ",          " L3.M",          "L3.R",
        "L3.K0.5", "C0",     "T5",     "L.H1",  "L4294967296.H1", "L3.H4294967296", "L3.H 1",
        "L-3.A",   "L3.E",   "L3.e5"}) {
    EXPECT_FALSE(find_part(name)) << '"' << name << '"';
  }
}

class MutedInATrace : public ::testing::Test {
 protected:
  trace::Log log_;
  trace::Reader reader_{log_};
  tests::TraceBuilder builder_{log_, tests::small_model()};
};

TEST_F(MutedInATrace, WhatIsMutedIsOfOneConversation) {
  const std::vector<trace::MutedPart> parts = {{trace::MutedKind::kHead, 2, 3},
                                               {trace::MutedKind::kNeurons, 0, 0},
                                               {trace::MutedKind{77}, 1, 1}};
  builder_.describe();
  builder_.start();
  EXPECT_TRUE(reader_.muted().empty());
  builder_.muted(parts);
  builder_.step(3);
  builder_.go_on(2, 1);
  reader_.poll();
  EXPECT_EQ(parts, std::vector(reader_.muted().begin(), reader_.muted().end()))
      << "also where it goes on, and of kinds that a later version knows";
  builder_.start();
  reader_.poll();
  EXPECT_TRUE(reader_.muted().empty());
}

TEST_F(MutedInATrace, MutedPartsThatTheModelHasNotAreRefused) {
  for (const trace::MutedPart& part : {trace::MutedPart{trace::MutedKind::kHead, 3, 0},
                                       {trace::MutedKind::kHead, 0, 4},
                                       {trace::MutedKind::kNeuron, 0, 60},
                                       {trace::MutedKind::kExpert, 0, 0},
                                       {trace::MutedKind::kHeads, ~0U, 0}}) {
    trace::Log log;
    trace::Reader reader(log);
    tests::TraceBuilder builder(log, tests::small_model());
    builder.describe();
    builder.start();
    builder.muted({part});
    EXPECT_THROW(reader.poll(), fulgurite::Error);
  }
  builder_.describe();
  builder_.muted({});
  EXPECT_THROW(reader_.poll(), fulgurite::Error) << "of no conversation";
}

TEST_F(MutedInATrace, ExpertsAreThoseOfTheModelAndTheOneThatAlwaysWorks) {
  const auto taken = [](uint32_t expert) {
    trace::Log log;
    trace::Reader reader(log);
    tests::TraceBuilder builder(log, tests::small_model());
    builder.describe();
    builder.structure(tests::small_mixture());
    builder.start();
    builder.muted({{trace::MutedKind::kExpert, 1, expert}});
    reader.poll();
    return reader.muted().size() == 1;
  };
  EXPECT_TRUE(taken(0));
  EXPECT_TRUE(taken(3));
  EXPECT_THROW(taken(4), fulgurite::Error);
}

}  // namespace
