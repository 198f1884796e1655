// Every light is a measured number, and lightning is conserved.
#include "render/scene/choreography.h"
#include "render/scene/node_meaning.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "tests/support/trace_builder.h"

namespace {

using scene::Clock;
using scene::Kind;
using scene::NodeRef;
using scene::Script;
using shaders::Bolt;
using shaders::Light;
using trace::Measure;

bool is_fork(const Bolt& b) {
  return (b.flags & shaders::kBoltFork) != 0;
}

class Choreography : public ::testing::Test {
 protected:
  Choreography()
      : builder_(log_, tests::small_model()), layout_(tests::small_model()), reader_(log_) {
    builder_.describe();
    builder_.start();
    builder_.step(6);
    for (int i = 0; i < 20; ++i) builder_.step();
    reader_.poll();
  }
  const trace::ModelRecord& m() const { return layout_.model(); }
  const trace::Position& last_of(size_t step) const {
    const trace::StepRecord& s = reader_.step(step);
    return reader_.position(s.last_position());
  }
  NodeRef ref(uint32_t node) const { return layout_.ref(node); }
  static bool is(const Bolt& b, uint32_t flag) { return (b.flags & flag) != 0; }
  // Calls f(step, script, position) for every step.
  template <class F>
  void every_step(F&& f) const {
    for (size_t s = 0; s < reader_.steps(); ++s) {
      SCOPED_TRACE(::testing::Message() << "step " << s);
      f(s, choreograph(reader_, layout_, s), last_of(s));
    }
  }

  trace::Log log_;
  tests::TraceBuilder builder_;
  scene::Layout layout_;
  trace::Reader reader_;
};

TEST_F(Choreography, IsAPureFunctionOfTheTrace) {
  trace::Reader other(log_);
  other.poll();
  const scene::Layout same(tests::small_model());
  every_step([&](size_t s, const Script& a, const trace::Position&) {
    const Script b = choreograph(other, same, s);
    ASSERT_EQ(a.lights.size(), b.lights.size());
    ASSERT_EQ(a.bolts.size(), b.bolts.size());
    EXPECT_GT(a.lights.size(), 50U);
    EXPECT_GT(a.bolts.size(), 50U);
    EXPECT_EQ(0, std::memcmp(a.lights.data(), b.lights.data(), a.lights.size() * sizeof(Light)));
    EXPECT_EQ(0, std::memcmp(a.bolts.data(), b.bolts.data(), a.bolts.size() * sizeof(Bolt)));
  });
}

TEST_F(Choreography, EveryLightIsWhatTheInspectorExplains) {
  every_step([&](size_t s, const Script& script, const trace::Position&) {
    for (const Light& light : script.lights) {
      const NodeRef& node = ref(light.node);
      if (node.kind == Kind::kTape) {
        EXPECT_EQ(1.0F, light.value) << "a token is there or not";
        continue;
      }
      const scene::Meaning meaning = explain(reader_, layout_, node, s);
      ASSERT_TRUE(meaning.known) << layout_.path(node);
      EXPECT_FALSE(meaning.formula.empty());
      if (meaning.light == light.value) continue;
      // In the wave of a prompt a slot also shows what its own column reads from it.
      ASSERT_EQ(Kind::kSlot, node.kind) << layout_.path(node);
      const trace::StepRecord& record = reader_.step(s);
      ASSERT_LT(node.column, record.last_position());
      const trace::Position& own = reader_.position(node.column);
      const float read =
          own.kv
              .read[(node.layer * m().kv_heads + node.index) * own.kv.record->slots + node.column];
      EXPECT_EQ(scene::brightness(read, own.scale.of(node.layer, Measure::kKvRead)), light.value);
    }
  });
}

TEST_F(Choreography, WhatIsExplainedIsARawNumberOfTheTrace) {
  const size_t s = 4;
  const trace::Position& at = last_of(s);
  const auto raw = [&](NodeRef node) { return explain(reader_, layout_, node, s).value; };
  for (uint32_t l = 0; l < m().layers; ++l) {
    EXPECT_EQ(at.residual.update[l * 2], raw({Kind::kSpineAttention, l, 0, 0}));
    EXPECT_EQ(at.residual.update[l * 2 + 1], raw({Kind::kSpineFfn, l, 0, 0}));
    for (uint32_t h = 0; h < m().heads; ++h)
      EXPECT_EQ(at.attention.head(l, h).share, raw({Kind::kHead, l, h, 0}));
    for (uint32_t b = 0; b < m().buckets; ++b)
      EXPECT_EQ(at.ffn.rms[l * m().buckets + b], raw({Kind::kCell, l, b, 0}));
    EXPECT_EQ(at.kv.read[(l * m().kv_heads + 1) * at.kv.record->slots + 3],
              raw({Kind::kSlot, l, 1, 3}));
  }
  EXPECT_EQ(at.logits.candidates[2].probability, raw({Kind::kCandidate, 3, 2, 0}));
  EXPECT_FALSE(explain(reader_, layout_, {Kind::kSlot, 0, 0, 60}, s).known)
      << "a column that is not there yet";
  EXPECT_FALSE(explain(reader_, layout_, {Kind::kHead, 0, 0, 0}, reader_.steps()).known)
      << "a step of the future";
}

TEST_F(Choreography, EveryBoltIsATermOfTheTrace) {
  every_step([&](size_t s, const Script& script, const trace::Position& at) {
    for (const Bolt& b : script.bolts) {
      if (is(b, shaders::kBoltRest)) continue;
      const NodeRef &from = ref(b.from_node), &to = ref(b.to_node);
      EXPECT_EQ(b.share < 0.0F, is(b, shaders::kBoltNegative));
      EXPECT_GE(b.value, 0.0F);
      if (from.kind == Kind::kHead) {
        EXPECT_EQ(Kind::kSpineAttention, to.kind);
        EXPECT_EQ(at.attention.head(from.layer, from.index).share, b.share);
      } else if (from.kind == Kind::kSlot && to.kind == Kind::kHead) {
        EXPECT_EQ(to.index * m().kv_heads / m().heads, from.index)
            << "from the lane of its KV head";
        bool found = false;
        for (const trace::KvRead& read : at.attention.reads_of(to.layer, to.index)) {
          found = found || (read.position == from.column && read.share == b.share);
        }
        EXPECT_TRUE(found) << layout_.path(from);
      } else if (from.kind == Kind::kSlot) {
        EXPECT_EQ(Kind::kSlot, to.kind);
        EXPECT_EQ(0U, s) << "only in the wave of a prompt";
      } else if (from.kind == Kind::kCell) {
        bool found = false;
        for (const trace::NeuronShare& n :
             at.ffn.top.subspan(from.layer * at.ffn.record->top, at.ffn.record->top)) {
          found =
              found || (n.neuron * m().buckets / m().neurons == from.index && n.share == b.share);
        }
        EXPECT_TRUE(found) << layout_.path(from);
      } else if (to.kind == Kind::kCell) {
        EXPECT_TRUE(is(b, shaders::kBoltRead));
        const float energy = scene::activation_energy(at.ffn, layout_, to.layer);
        bool found = false;
        for (const trace::NeuronShare& n :
             at.ffn.top.subspan(to.layer * at.ffn.record->top, at.ffn.record->top)) {
          found = found || (n.neuron * m().buckets / m().neurons == to.index &&
                            n.activation * n.activation / energy == b.share);
        }
        EXPECT_TRUE(found) << layout_.path(to);
      } else if (to.kind == Kind::kCandidate) {
        EXPECT_EQ(at.logits.candidates[to.index].probability, b.share);
      } else if (to.kind == Kind::kTape) {
        EXPECT_EQ(at.logits.record->sampled, at.logits.candidates[from.index].id)
            << "the chosen one falls";
      } else {
        EXPECT_EQ(Kind::kTape, from.kind) << "the token climbs into the spine";
      }
    }
  });
}

// What is drawn and the rest bolt are the whole; where there is no rest bolt, what is missing
// is too little to see.
TEST_F(Choreography, DrawnSharesAndTheRestAddUpToOne) {
  int rests = 0;
  every_step([&](size_t, const Script& script, const trace::Position& at) {
    struct Sum {
      double sum = 0.0;
      bool rest = false;
    };
    std::map<uint32_t, Sum> heads, neurons, activations, crown;
    std::map<std::pair<uint32_t, uint32_t>, Sum> reads;
    for (const Bolt& b : script.bolts) {
      if (is(b, shaders::kBoltFork)) continue;
      const NodeRef &from = ref(b.from_node), &to = ref(b.to_node);
      Sum* sum = nullptr;
      if (to.kind == Kind::kSpineAttention && from.kind == Kind::kHead) sum = &heads[to.layer];
      if (to.kind == Kind::kSpineFfn && from.kind == Kind::kCell) sum = &neurons[to.layer];
      if (to.kind == Kind::kCell) sum = &activations[to.layer];
      if (to.kind == Kind::kHead) sum = &reads[{to.layer, to.index}];
      if (to.kind == Kind::kCandidate || to.kind == Kind::kRestCandidate) sum = &crown[0];
      if (sum == nullptr) continue;
      sum->sum += double{b.share};
      sum->rest = sum->rest || is(b, shaders::kBoltRest);
    }
    const auto check = [&](const Sum& s, double bias, double unseen) {
      EXPECT_NEAR(1.0, s.sum + bias, s.rest ? 1e-4 : unseen + 1e-4);
      rests += s.rest;
    };
    ASSERT_EQ(m().layers, heads.size());
    ASSERT_EQ(m().layers, neurons.size());
    ASSERT_EQ(m().layers * m().heads, reads.size());
    for (const auto& [l, s] : heads) check(s, double{at.attention.bias_share[l]}, 0.01);
    for (const auto& [l, s] : neurons) check(s, double{at.ffn.bias_share[l]}, 0.01);
    ASSERT_EQ(m().layers, activations.size());
    for (const auto& [l, s] : activations) check(s, 0.0, 0.01);
    for (const auto& [head, s] : reads) check(s, 0.0, 0.05);
    ASSERT_EQ(1U, crown.size());
    check(crown[0], 0.0, 0.01);
  });
  EXPECT_GT(rests, 100);
}

TEST_F(Choreography, ShowAllDrawsEveryReadAndNeuronThatIsListed) {
  for (size_t s = 0; s < reader_.steps(); ++s) {
    const trace::Position& at = last_of(s);
    size_t reads = 0, into = 0, from = 0, listed = 0;
    for (const Bolt& b : choreograph(reader_, layout_, s, {true}).bolts) {
      if (is(b, shaders::kBoltFork) || is(b, shaders::kBoltRest)) continue;
      reads += ref(b.to_node).kind == Kind::kHead;
      into += ref(b.to_node).kind == Kind::kCell;
      from += ref(b.from_node).kind == Kind::kCell;
    }
    for (const trace::HeadShare& head : at.attention.heads) listed += head.reads;
    EXPECT_EQ(listed, reads);
    EXPECT_EQ(size_t{m().layers} * at.ffn.record->top, into);
    EXPECT_EQ(size_t{m().layers} * at.ffn.record->top, from);
    EXPECT_GT(reads + into + from, 0U);
  }
}

// A trace of one position in which head 1 of layer 0 looks at the first position with `weight`.
class Drain : public ::testing::TestWithParam<std::pair<uint32_t, float>> {};

TEST_P(Drain, IsAFirstPositionThatSwallowsMostOfAHead) {
  const auto [position, weight] = GetParam();
  trace::Log log;
  trace::ModelRecord m = tests::small_model();
  m.layers = 1;
  m.heads = m.kv_heads = 2;
  tests::TraceBuilder builder(log, m);
  builder.describe();
  builder.start();
  for (uint32_t p = 0; p <= position; ++p) {
    trace::append(log, trace::Topic::kToken,
                  trace::TokenRecord{p, 0, 0, trace::TokenKind::kPrompt, 0, 0, 0});
  }
  const float bias = 0.0F;
  const std::vector<trace::HeadShare> heads = {{0.5F, 1, 1, 0.0F, 0.0F, 1},
                                               {0.5F, 1, 1, 1.0F - weight, 0.9F, 1}};
  const std::vector<trace::KvRead> reads = {{position, 1.0F, 1.0F}, {0, weight, 0.01F}};
  trace::append(log, trace::Topic::kAttention, trace::AttentionRecord{position, 1, 2, 1},
                std::span(&bias, 1), tests::all(heads), tests::all(reads));
  const std::vector<float> p99(trace::kMeasureCount, 1.0F);
  trace::append(log, trace::Topic::kScale, trace::ScaleRecord{position, 1}, tests::all(p99));
  trace::append(log, trace::Topic::kStep, trace::StepRecord{0, 0, position + 1, 0});
  trace::Reader reader(log);
  reader.poll();
  const scene::Layout layout(m);
  const bool expected = weight > 0.5F && position >= scene::kDrainFrom;
  int drains = 0;
  for (const Bolt& b : choreograph(reader, layout, 0).bolts) {
    if ((b.flags & shaders::kBoltDrain) == 0) continue;
    ++drains;
    EXPECT_EQ(shaders::kChannelDrain, b.channel);
    EXPECT_EQ(layout.head(0, 1), b.to_node);
    EXPECT_EQ(layout.slot(0, 1, 0), b.from_node);
    EXPECT_EQ(0.01F, b.share) << "its share stays its share";
    EXPECT_LT(b.arc, 0.15F) << "it lies low over the shelf";
    EXPECT_GT(b.value, 0.0F);
  }
  EXPECT_EQ(expected ? 1 : 0, drains);
}
INSTANTIATE_TEST_SUITE_P(Choreography, Drain,
                         ::testing::Values(std::pair{9U, 0.9F}, std::pair{9U, 0.51F},
                                           std::pair{9U, 0.5F}, std::pair{3U, 0.8F},
                                           std::pair{2U, 0.8F}, std::pair{0U, 1.0F}));

// A mixture: the router lights the experts that it chose, and these are what adds up.
TEST(Mixture, ExpertsAreTermsOfTheUpdateAndTheRoutersProbabilitiesOfOne) {
  trace::Log log;
  trace::ModelRecord model = tests::small_model();
  model.buckets = 15;  // no cell holds neurons of two experts
  tests::TraceBuilder builder(log, model);
  builder.describe();
  builder.structure(tests::small_mixture());
  builder.start();
  for (int i = 0; i < 8; ++i) builder.step();
  trace::Reader reader(log);
  reader.poll();
  const scene::Layout layout({*reader.model()});
  for (size_t s = 0; s < reader.steps(); ++s) {
    const trace::Position& at = reader.position(reader.step(s).first_position);
    std::map<uint32_t, double> chosen, worked, neurons;
    int from_router = 0, from_experts = 0;
    for (const Bolt& b : choreograph(reader, layout, s).bolts) {
      if (is_fork(b)) continue;
      const NodeRef from = layout.ref(b.from_node), to = layout.ref(b.to_node);
      const bool rest = (b.flags & shaders::kBoltRest) != 0;
      if (from.kind == Kind::kRouter) {
        chosen[from.layer] += double{b.share};
        from_router += !rest;
      } else if (from.kind == Kind::kCell && to.kind == Kind::kSpineFfn) {
        worked[to.layer] += double{b.share};
        from_experts += !rest;
        if (rest) continue;
        bool found = false;
        for (const trace::ExpertShare& e : at.experts.used_in(to.layer))
          found |= e.share == b.share && e.expert == layout.expert_of(from);
        EXPECT_TRUE(found);
      }
    }
    int lit = 0;
    for (const Light& light : choreograph(reader, layout, s).lights) {
      if (layout.ref(light.node).kind != Kind::kRouter) continue;
      const scene::Meaning meaning = explain(reader, layout, layout.ref(light.node), s);
      EXPECT_TRUE(meaning.known);
      EXPECT_EQ(meaning.light, light.value);
      ++lit;
    }
    EXPECT_EQ(3, lit);
    EXPECT_EQ(3 * 2, from_router) << "two experts a layer were chosen";
    EXPECT_EQ(3 * 3, from_experts) << "they and the one that always works";
    ASSERT_EQ(3U, chosen.size());
    ASSERT_EQ(3U, worked.size());
    for (const auto& [l, sum] : chosen) EXPECT_NEAR(1.0, sum, 0.006);
    for (const auto& [l, sum] : worked) EXPECT_NEAR(1.0, sum, 0.006);
  }
  EXPECT_GT(choreograph(reader, layout, 3, {true}).bolts.size(),
            choreograph(reader, layout, 3).bolts.size())
      << "all: the neurons as well";
}

// Where every neuron is listed, those that the stream goes into are not those that add most.
TEST_F(Choreography, OfAFullListTheMostActiveNeuronsAreReadInto) {
  trace::ModelRecord small = tests::small_model();
  small.neurons = 40;
  trace::Log log;
  tests::TraceBuilder builder(log, small);
  builder.describe();
  builder.start();
  std::vector<float> rms(small.layers * small.buckets), none(small.layers);
  std::vector<float> share(rms.size(), 1.0F / static_cast<float>(small.buckets));
  std::vector<trace::NeuronShare> all;
  for (uint32_t l = 0; l < small.layers; ++l) {
    for (uint32_t n = 0; n < small.neurons; ++n)
      all.push_back({n, static_cast<float>(n), 1.0F / 40.0F});
    for (uint32_t b = 0; b < small.buckets; ++b) {
      const auto first = static_cast<float>(2 * b);  // two neurons a cell
      rms[l * small.buckets + b] =
          std::sqrt((first * first + (first + 1.0F) * (first + 1.0F)) / 2.0F);
    }
  }
  builder.token("t");
  trace::append(log, trace::Topic::kFfn,
                trace::FfnRecord{0, small.layers, small.buckets, small.neurons}, tests::all(rms),
                tests::all(share), tests::all(none), tests::all(none), tests::all(all));
  const std::vector<float> p99(small.layers * trace::kMeasureCount, 1.0F);
  trace::append(log, trace::Topic::kScale, trace::ScaleRecord{0, small.layers}, tests::all(p99));
  trace::append(log, trace::Topic::kStep, trace::StepRecord{0, 0, 1, 0});
  trace::Reader reader(log);
  reader.poll();
  const scene::Layout layout(small);
  int read_into = 0;
  for (const Bolt& b : choreograph(reader, layout, 0).bolts) {
    if (!is(b, shaders::kBoltRead) || is(b, shaders::kBoltRest)) continue;
    ++read_into;
    EXPECT_GE(layout.ref(b.to_node).index, 12U) << "neuron 24 and above";
  }
  EXPECT_EQ(3 * 16, read_into);
}

TEST_F(Choreography, AParallelBlocksNeuronsReadWhatItsHeadsRead) {
  trace::StructureRecord structure = trace::structure_of(m());
  structure.flags = trace::kStructureParallel;
  const scene::Layout parallel({trace::Model{m(), structure, {}, {}, {}}});
  const Script one = choreograph(reader_, layout_, 5), other = choreograph(reader_, parallel, 5);
  ASSERT_EQ(one.bolts.size(), other.bolts.size());
  int moved = 0;
  for (size_t i = 0; i < one.bolts.size(); ++i) {
    if (!is(one.bolts[i], shaders::kBoltRead)) continue;
    ++moved;
    EXPECT_LT(other.bolts[i].instant, one.bolts[i].instant);
    EXPECT_LT(other.bolts[i].from.y, one.bolts[i].from.y);
    EXPECT_EQ(Kind::kSpineAttention, ref(other.bolts[i].from_node).kind);
  }
  EXPECT_GT(moved, 10);
}

// One token more, and only that token moves: no light and no bolt of the others.
TEST_F(Choreography, AGeneratedStepMovesOneColumnOnly) {
  for (size_t s = 1; s < reader_.steps(); ++s) {
    const uint32_t column = reader_.step(s).first_position;
    for (const Light& light : choreograph(reader_, layout_, s).lights) {
      if (ref(light.node).kind != Kind::kTape) continue;
      EXPECT_EQ(column, ref(light.node).column);
    }
    for (const Bolt& b : choreograph(reader_, layout_, s).bolts) {
      EXPECT_FALSE(ref(b.from_node).kind == Kind::kSlot && ref(b.to_node).kind == Kind::kSlot);
    }
  }
}

TEST_F(Choreography, APromptIsAWaveFromTheOldestColumnToTheNewest) {
  const Script script = choreograph(reader_, layout_, 0);
  std::map<uint32_t, float> first_light;  // of layer 1, by column
  for (const Light& light : script.lights) {
    const NodeRef& node = ref(light.node);
    if (node.kind != Kind::kSlot || node.layer != 1) continue;
    const auto [at, fresh] = first_light.try_emplace(node.column, light.instant);
    at->second = std::min(at->second, light.instant);
  }
  ASSERT_EQ(6U, first_light.size());
  for (uint32_t c = 0; c + 1 < 6; ++c) EXPECT_LT(first_light[c], first_light[c + 1]);
}

// Its own slot, which a column nearly always reads, is lit; no bolt goes from it to itself.
TEST_F(Choreography, AColumnOfAPromptShowsItsLargestReadOfAnEarlierOne) {
  std::map<std::pair<uint32_t, uint32_t>, const Bolt*> drawn;  // by layer and reader
  const Script script = choreograph(reader_, layout_, 0);
  for (const Bolt& b : script.bolts) {
    if (ref(b.from_node).kind == Kind::kSlot && ref(b.to_node).kind == Kind::kSlot)
      drawn[{ref(b.to_node).layer, ref(b.to_node).column}] = &b;
  }
  for (uint32_t l = 0; l < m().layers; ++l) {
    for (uint32_t p = 1; p < 5; ++p) {
      const trace::Attention& attention = reader_.position(p).attention;
      float most = 0.0F;
      uint32_t from = 0;
      for (uint32_t h = 0; h < m().heads; ++h) {
        for (const trace::KvRead& read : attention.reads_of(l, h)) {
          const float share = read.share * attention.head(l, h).share;
          if (read.position == p || std::abs(share) <= std::abs(most)) continue;
          most = share;
          from = read.position;
        }
      }
      const Bolt* bolt = drawn[{l, p}];
      ASSERT_EQ(std::abs(most) >= scene::kSmallestBolt, bolt != nullptr);
      if (bolt == nullptr) continue;
      EXPECT_EQ(most, bolt->share) << "layer " << l << ", position " << p;
      EXPECT_EQ(from, ref(bolt->from_node).column);
    }
  }
}

// A long prompt's wave stays within what a device can draw at once.
TEST(ColumnsApart, LeaveNoMoreReadsThanABudget) {
  EXPECT_EQ(1U, scene::columns_apart(6, 3));
  EXPECT_EQ(1U, scene::columns_apart(2048, 32));
  for (const uint64_t columns : {2049U, 8192U, 131072U}) {
    for (const uint32_t layers : {32U, 126U}) {
      const uint32_t apart = scene::columns_apart(columns, layers);
      EXPECT_GT(apart, 1U);
      EXPECT_LE(columns / apart * layers, scene::kMostBolts);
    }
  }
}

TEST_F(Choreography, ForksAreCopiesOfTheirParent) {
  int forks = 0;
  every_step([&](size_t, const Script& script, const trace::Position&) {
    for (size_t i = 0; i < script.bolts.size(); ++i) {
      Bolt b = script.bolts[i];
      if (!is(b, shaders::kBoltFork)) continue;
      ++forks;
      size_t parent = i;
      while (is(script.bolts[parent], shaders::kBoltFork)) --parent;
      b.flags = script.bolts[parent].flags;
      b.to_column = script.bolts[parent].to_column;
      EXPECT_GT(b.crowd, script.bolts[parent].crowd) << "a fork goes before its parent";
      b.crowd = script.bolts[parent].crowd;
      EXPECT_EQ(0, std::memcmp(&b, &script.bolts[parent], sizeof b));
    }
  });
  EXPECT_GT(forks, 10);
}

TEST_F(Choreography, EveryInstantLiesInItsStepAndLayersFollowEachOther) {
  every_step([&](size_t s, const Script& script, const trace::Position&) {
    std::map<uint32_t, std::pair<float, float>> span;  // of a layer's bolts
    const auto inside = [&](float instant, float life) {
      EXPECT_GE(instant, static_cast<float>(s));
      EXPECT_LT(instant, static_cast<float>(s + 1));
      EXPECT_GT(life, 0.0F);
    };
    for (const Light& light : script.lights) inside(light.instant, std::abs(light.life));
    for (const Bolt& b : script.bolts) {
      inside(b.instant, b.life);
      const NodeRef& to = ref(b.to_node);
      if (ref(b.from_node).kind == Kind::kTape ||
          (to.kind != Kind::kHead && to.kind != Kind::kSpineAttention &&
           to.kind != Kind::kSpineFfn)) {
        continue;
      }
      const auto [at, fresh] = span.try_emplace(to.layer, b.instant, b.instant);
      at->second.first = std::min(at->second.first, b.instant);
      at->second.second = std::max(at->second.second, b.instant);
    }
    ASSERT_EQ(m().layers, span.size());
    for (uint32_t l = 0; l + 1 < m().layers; ++l) EXPECT_LT(span[l].second, span[l + 1].first);
    EXPECT_GE(span[0].first, static_cast<float>(s) + Clock::kLayers);
    EXPECT_LT(span[m().layers - 1].second, static_cast<float>(s) + Clock::kCrown);
  });
}

TEST_F(Choreography, DetailThatWasDroppedLeavesNoLight) {
  trace::Log log;
  tests::TraceBuilder bare(log, tests::small_model());
  bare.describe();
  bare.start();
  bare.token("x");
  trace::append(log, trace::Topic::kStep, trace::StepRecord{0, 0, 1, 0});
  trace::Reader reader(log);
  reader.poll();
  const Script script = choreograph(reader, layout_, 0);
  EXPECT_EQ(1U, script.lights.size()) << "the token on the tape";
  for (const Bolt& b : script.bolts) {
    EXPECT_EQ(Kind::kTape, ref(b.from_node).kind) << "and its way into the spine";
  }
  EXPECT_FALSE(explain(reader, layout_, {Kind::kHead, 0, 0, 0}, 0).known);
}

TEST_F(Choreography, TheFrontGlidesToTheNextColumnWhileTheTokenFalls) {
  EXPECT_EQ(5.0F, column_now(reader_, layout_, 0.0)) << "the prompt's last";
  EXPECT_EQ(5.0F, column_now(reader_, layout_, double{Clock::kFall} - 0.01));
  EXPECT_EQ(6.0F, column_now(reader_, layout_, 1.0));
  EXPECT_EQ(25.0F, column_now(reader_, layout_, 21.0));
  EXPECT_EQ(25.0F, column_now(reader_, layout_, 99.0));
  float before = 0.0F;
  for (double t = 0.0; t < 21.0; t += 0.01) {
    const float now = column_now(reader_, layout_, t);
    EXPECT_GE(now, before);
    EXPECT_LT(now - before, t == 0.0 ? 6.0F : 0.2F) << "smoothly, at " << t;
    before = now;
  }
}

TEST_F(Choreography, WithoutGlidingTheFrontIsThereAtOnce) {
  for (double t = 0.0; t < 21.0; t += 0.01) {
    const float now = column_now(reader_, layout_, t, 1.0, false);
    EXPECT_EQ(std::floor(now), now);
  }
  EXPECT_EQ(5.0F, column_now(reader_, layout_, 0.99, 1.0, false));
  EXPECT_EQ(6.0F, column_now(reader_, layout_, 1.0, 1.0, false));
}

TEST_F(Choreography, WhereStepsAreShownAsOneTheFrontGoesOnByAllOfThem) {
  EXPECT_EQ(8.0F, column_now(reader_, layout_, 0.0, 4.0)) << "steps 0 to 3: columns to 8";
  EXPECT_EQ(12.0F, column_now(reader_, layout_, 4.0, 4.0));
  EXPECT_EQ(12.0F, column_now(reader_, layout_, 4.0 + 4.0 * (double{Clock::kFall} - 0.01), 4.0));
  EXPECT_GT(column_now(reader_, layout_, 4.0 + 4.0 * 0.95, 4.0), 12.5F);
}

TEST(Brightness, IsOddMonotonicAndOneAtTheScale) {
  for (const float scale : {1e-4F, 0.3F, 1.0F, 50.0F}) {
    EXPECT_FLOAT_EQ(1.0F, scene::brightness(scale, scale));
    EXPECT_EQ(0.0F, scene::brightness(0.0F, scale));
    float before = 0.0F;
    for (float x = 0.01F; x < 100.0F; x *= 1.3F) {
      const float value = scene::brightness(x * scale, scale);
      EXPECT_GT(value, before);
      EXPECT_EQ(-value, scene::brightness(-x * scale, scale));
      before = value;
    }
  }
  EXPECT_EQ(0.0F, scene::brightness(1.0F, 0.0F)) << "no scale, no light";
}

TEST(StepClock, CutsAStepIntoItsLayers) {
  for (const uint32_t layers : {1U, 6U, 126U}) {
    const Clock clock(layers);
    EXPECT_FLOAT_EQ(Clock::kLayers, clock.in_layer(0, 0.0F));
    EXPECT_NEAR(Clock::kCrown, clock.in_layer(layers, 0.0F), 1e-5);
    for (uint32_t l = 0; l < layers; ++l) EXPECT_EQ(l, clock.layer_at(clock.in_layer(l, 0.5F)));
    EXPECT_EQ(0U, clock.layer_at(0.0F));
    EXPECT_EQ(layers, clock.layer_at(0.95F));
  }
}

}  // namespace
