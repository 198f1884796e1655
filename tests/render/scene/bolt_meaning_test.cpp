#include "render/scene/bolt_meaning.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/trace_builder.h"

namespace {

using scene::BoltMeaning;
using scene::Kind;
using scene::Layout;

class BoltMeanings : public ::testing::Test {
 protected:
  BoltMeanings() : reader_(log_), layout_(tests::small_model()) {
    tests::TraceBuilder builder(log_, tests::small_model());
    builder.describe();
    builder.start();
    builder.step(8);
    builder.step();
    builder.step();
    reader_.poll();
  }
  trace::Log log_;
  trace::Reader reader_;
  Layout layout_;
};

// Every bolt of every step has a name, a formula and the share that sets its width; and the second
// number of a term is the one that the trace holds beside that share.
TEST_F(BoltMeanings, EveryBoltNamesItsTerm) {
  std::map<std::string, size_t> measures;
  size_t reads = 0;
  size_t neurons = 0;
  for (size_t step = 0; step < reader_.steps(); ++step) {
    const trace::StepRecord& record = reader_.step(step);
    const trace::Position& at = reader_.position(record.last_position());
    for (const shaders::Bolt& bolt : scene::choreograph(reader_, layout_, step).bolts) {
      if ((bolt.flags & shaders::kBoltFork) != 0) continue;  // decoration of another
      const BoltMeaning meaning = explain_bolt(reader_, layout_, step, bolt);
      EXPECT_FALSE(meaning.name.empty());
      EXPECT_FALSE(meaning.formula.empty());
      EXPECT_EQ(bolt.share, meaning.share);
      EXPECT_EQ(bolt.value, meaning.light);
      ++measures[meaning.measure];
      const scene::NodeRef from = layout_.ref(bolt.from_node);
      const scene::NodeRef to = layout_.ref(bolt.to_node);
      if (meaning.second == "attention weight a_j") {
        ++reads;
        bool held = false;
        for (const trace::KvRead& read : at.attention.reads_of(to.layer, to.index)) {
          held = held || (read.position == from.column && read.share == meaning.share &&
                          read.weight == meaning.second_value);
        }
        EXPECT_TRUE(held) << meaning.name;
      }
      if (meaning.second == "activation act_n") {
        ++neurons;
        bool held = false;
        for (uint32_t i = 0; i < at.ffn.record->top; ++i) {
          const trace::NeuronShare& n = at.ffn.top[to.layer * at.ffn.record->top + i];
          held = held || (n.activation == meaning.second_value &&
                          (to.kind == Kind::kCell || n.share == meaning.share));
        }
        EXPECT_TRUE(held) << meaning.name;
      }
    }
  }
  EXPECT_GT(reads, 20U);
  EXPECT_GT(neurons, 20U);
  for (const char* measure :
       {"share of the head's output", "share of the attention update", "share of the FFN update",
        "share of the activations' energy", "probability", "probability of what was drawn"}) {
    EXPECT_GT(measures[measure], 0U) << measure;
  }
  EXPECT_EQ(0U, measures["share"] - reader_.steps()) << "only the entry of each token is no term";
}

TEST_F(BoltMeanings, AReadSaysWhichPositionAndHead) {
  const scene::Script script = scene::choreograph(reader_, layout_, 2);
  for (const shaders::Bolt& bolt : script.bolts) {
    const scene::NodeRef from = layout_.ref(bolt.from_node);
    const scene::NodeRef to = layout_.ref(bolt.to_node);
    if (from.kind != Kind::kSlot || to.kind != Kind::kHead ||
        (bolt.flags & (shaders::kBoltRest | shaders::kBoltDrain)) != 0)
      continue;
    const std::string p = std::to_string(from.column);
    EXPECT_EQ("KV read, position " + p + " \"t" + p + "\" -> layer " + std::to_string(to.layer) +
                  " head " + std::to_string(to.index),
              explain_bolt(reader_, layout_, 2, bolt).name);
  }
}

// What always works has a gate in some models, and is taken whole in others.
TEST(ExpertMeanings, WhatAlwaysWorksHasAGateWhereThereIsOne) {
  const auto seconds = [](uint32_t flags) {
    trace::Log log;
    trace::Reader reader(log);
    trace::StructureRecord structure = tests::small_mixture();
    structure.flags |= flags;
    tests::TraceBuilder builder(log, tests::small_model());
    builder.describe();
    builder.structure(structure);
    builder.start();
    builder.step(4);
    reader.poll();
    const Layout layout({*reader.model()});
    std::map<std::string, size_t> second;
    for (const shaders::Bolt& bolt : scene::choreograph(reader, layout, 0).bolts)
      ++second[explain_bolt(reader, layout, 0, bolt).second];
    return second;
  };
  const auto gated = seconds(0);
  EXPECT_LT(0U, gated.count("its gate G_e"));
  EXPECT_EQ(0U, gated.count("its weight G_e: it is taken whole"));
  const auto whole = seconds(trace::kStructureSharedWhole);
  EXPECT_EQ(0U, whole.count("its gate G_e"));
  EXPECT_LT(0U, whole.count("its weight G_e: it is taken whole"));
}

TEST_F(BoltMeanings, TakesAnyBolt) {
  shaders::Bolt bolt{};
  bolt.from_node = 4000000000U;
  EXPECT_EQ("", explain_bolt(reader_, layout_, 0, bolt).name);
  bolt.from_node = 0;
  bolt.to_node = 1;
  EXPECT_NE("", explain_bolt(reader_, layout_, 99, bolt).name);
}

}  // namespace
