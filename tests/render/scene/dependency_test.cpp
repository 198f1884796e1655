#include "render/scene/dependency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "render/scene/choreography.h"
#include "tests/support/trace_builder.h"

namespace {

using scene::dependency_of;
using scene::formula_of;
using scene::Kind;
using scene::Layout;
using scene::NodeRef;
using scene::Source;
using scene::sources_of;

class Dependencies : public ::testing::Test {
 protected:
  Dependencies() : reader_(log_), layout_(tests::small_model()) {
    tests::TraceBuilder builder(log_, tests::small_model());
    builder.describe();
    builder.start();
    builder.step(4);
    builder.step();
    builder.step();
    reader_.poll();
  }
  std::vector<Source> sources(const NodeRef& ref, size_t limit = 1000) const {
    return sources_of(reader_, layout_, ref, kStep, limit);
  }
  std::map<Kind, std::vector<NodeRef>> by_kind(const NodeRef& ref) const {
    std::map<Kind, std::vector<NodeRef>> out;
    for (const Source& source : sources(ref)) {
      const NodeRef found = layout_.ref(source.element);
      out[found.kind].push_back(found);
    }
    return out;
  }
  static constexpr size_t kStep = 2;  // position 5
  trace::Log log_;
  trace::Reader reader_;
  Layout layout_;
};

TEST_F(Dependencies, EveryKindOfElementHasOneRowWithAFormula) {
  std::set<Kind> kinds;
  for (const scene::Dependency& row : scene::dependencies()) {
    EXPECT_TRUE(kinds.insert(row.kind).second);
    EXPECT_FALSE(scene::formula_of(row.kind, layout_.structure()).empty());
    EXPECT_FALSE(row.inputs.empty());
    EXPECT_EQ(&row, dependency_of(row.kind));
  }
  for (uint32_t i = 0; i < layout_.elements(); ++i) {
    const NodeRef ref = layout_.ref(i);
    if (ref.kind != Kind::kScenery) {
      EXPECT_TRUE(kinds.contains(ref.kind)) << layout_.path(ref);
    }
  }
  EXPECT_EQ(nullptr, dependency_of(Kind::kScenery));
  EXPECT_EQ("", scene::formula_of(Kind::kScenery, layout_.structure()));
}

TEST(Formulas, FollowHowTheModelIsBuilt) {
  trace::StructureRecord llama;
  llama.flags = trace::kStructureGated | trace::kStructureSilu | trace::kStructureRotated;
  EXPECT_EQ("x_mid = x + sum_h W_O,h z_h", formula_of(Kind::kSpineAttention, llama));
  EXPECT_EQ("k_j = rope(W_k norm(x_j)), v_j = W_v norm(x_j)", formula_of(Kind::kSlot, llama));
  EXPECT_EQ("act = silu(W_gate norm(x_mid)) * W_up norm(x_mid)", formula_of(Kind::kCell, llama));
  llama.flags |= trace::kStructureRootScale;
  EXPECT_EQ("z_h = sum_j a_j v_j, a = softmax(q k_j / sqrt D), q = rope(W_q norm(x))",
            formula_of(Kind::kHead, llama));

  trace::StructureRecord gpt2;
  gpt2.flags = trace::kStructureGelu | trace::kStructurePositions | trace::kStructureBiases |
               trace::kStructureFfnBiases | trace::kStructureHeadBiases;
  EXPECT_EQ("x_mid = x + sum_h W_O,h z_h + b", formula_of(Kind::kSpineAttention, gpt2));
  EXPECT_EQ("k_j = W_k norm(x_j) + b, v_j = W_v norm(x_j) + b", formula_of(Kind::kSlot, gpt2));
  EXPECT_EQ("act = gelu(W_up norm(x_mid) + b)", formula_of(Kind::kCell, gpt2));
  EXPECT_EQ("x_0 = the embedding of the token + that of its position",
            formula_of(Kind::kTape, gpt2));

  trace::StructureRecord gptneox;
  gptneox.flags = trace::kStructureGelu | trace::kStructureParallel | trace::kStructureFfnBiases;
  EXPECT_EQ("act = gelu(W_up norm(x) + b)", formula_of(Kind::kCell, gptneox));

  trace::StructureRecord biased = llama;
  biased.flags |= trace::kStructureBiases;
  EXPECT_EQ("x_mid = x + sum_h W_O,h z_h + b", formula_of(Kind::kSpineAttention, biased));
  EXPECT_EQ("x_out = x_mid + sum_n act_n w_n", formula_of(Kind::kSpineFfn, biased));
  biased.flags |= trace::kStructureFfnBiases;
  EXPECT_EQ("x_out = x_mid + sum_n act_n w_n + b", formula_of(Kind::kSpineFfn, biased));
  EXPECT_EQ("act = silu(W_gate norm(x_mid) + b) * (W_up norm(x_mid) + b)",
            formula_of(Kind::kCell, biased));

  trace::StructureRecord phi2 = gptneox;
  phi2.flags |= trace::kStructureOutputBias;
  EXPECT_EQ("p = softmax((W_U norm(x_L) + b) / temperature)", formula_of(Kind::kCandidate, phi2));

  trace::StructureRecord gemma;
  gemma.flags = trace::kStructureGated | trace::kStructureGelu | trace::kStructureRotated |
                trace::kStructurePostNorms | trace::kStructureHeadNorms |
                trace::kStructureScoreCap | trace::kStructureLogitCap;
  EXPECT_EQ("x_out = x_mid + norm(sum_n act_n w_n)", formula_of(Kind::kSpineFfn, gemma));
  EXPECT_EQ("z_h = sum_j a_j v_j, a = softmax(cap(scale q k_j)), q = rope(norm(W_q norm(x)))",
            formula_of(Kind::kHead, gemma));
  EXPECT_EQ("p = softmax(cap(W_U norm(x_L)) / temperature)", formula_of(Kind::kCandidate, gemma));
  gemma.flags |= trace::kStructureScaledEmbedding;
  EXPECT_EQ("x_0 = scale * the embedding of the token", formula_of(Kind::kTape, gemma));

  trace::StructureRecord mixtral = llama;
  mixtral.experts = 8;
  EXPECT_EQ("x_out = x_mid + sum_e G_e FFN_e, each sum_n act_n w_n",
            formula_of(Kind::kSpineFfn, mixtral));
  EXPECT_EQ("p_e = softmax(W_router norm(x_mid))_e, G_e = p_e of the chosen",
            formula_of(Kind::kRouter, mixtral));
  mixtral.flags |= trace::kStructureRenormalised;
  EXPECT_EQ("p_e = softmax(W_router norm(x_mid))_e, G_e = p_e / sum of the chosen p",
            formula_of(Kind::kRouter, mixtral));
  trace::StructureRecord oss = mixtral;
  oss.flags = trace::kStructureSinks | trace::kStructureClampedSwiglu | trace::kStructureRotated |
              trace::kStructureRouterBias | trace::kStructureRootScale | trace::kStructureGated |
              trace::kStructureFfnBiases | trace::kStructureHeadBiases;
  EXPECT_EQ(
      "z_h = sum_j a_j v_j, a_j = exp(s_j) / (exp(sink_h) + sum_i exp(s_i)), s_j = q k_j / sqrt D, "
      "q = rope(W_q norm(x) + b)",
      formula_of(Kind::kHead, oss));
  EXPECT_EQ("p_e = softmax(W_router norm(x_mid) + b)_e, G_e = p_e of the chosen",
            formula_of(Kind::kRouter, oss));
  EXPECT_EQ(
      "act = g sigmoid(1.702 g) (u + 1), g = min(W_gate norm(x_mid) + b, 7), "
      "u = W_up norm(x_mid) + b within -7..7",
      formula_of(Kind::kCell, oss));
  EXPECT_EQ("act = g sigmoid(1.702 g) (u + 1), g = min(gate, 7), u = up within -7..7",
            scene::activation_formula(oss));
  trace::StructureRecord hunyuan = llama;
  hunyuan.flags |= trace::kStructureHeadNorms | trace::kStructureProjectionNorms;
  EXPECT_EQ("k_j = norm(rope(W_k norm(x_j))), v_j = W_v norm(x_j)",
            formula_of(Kind::kSlot, hunyuan));
  trace::StructureRecord mistral = llama;
  mistral.flags |= trace::kStructureTempered;
  EXPECT_EQ(
      "z_h = sum_j a_j v_j, a = softmax(q k_j / sqrt D), "
      "q = (1 + scale ln(1 + floor(position / original))) rope(W_q norm(x))",
      formula_of(Kind::kHead, mistral));
  EXPECT_EQ("G_e act_n <w_n, df> / |df|^2", scene::neuron_formula(mixtral));
  EXPECT_EQ("act_n <w_n, df> / |df|^2", scene::neuron_formula(llama));
  EXPECT_EQ(
      "k_j = c_j and a rotated part, c_j = norm(W_DKV norm(x_j)), for all heads; v_j = W_UV,h c_j",
      formula_of(Kind::kSlot, llama, true));
  trace::StructureRecord deepseek = llama;
  deepseek.flags &= ~uint32_t{trace::kStructureRootScale};  // D is not that of what it multiplies
  EXPECT_EQ(
      "z_h = sum_j a_j v_j = W_UV,h sum_j a_j c_j, a = softmax(scale q k_j), q = W_UK,h^T W_UQ,h n "
      "and a rotated part, n = norm(x) or what few values W_DQ makes of it",
      formula_of(Kind::kHead, deepseek, true));
  EXPECT_EQ("act = f(norm(x_mid))", formula_of(Kind::kCell, {})) << "where the trace is silent";
}

// Every source is of a kind that the row names.
TEST_F(Dependencies, SourcesAreWhatTheTableSays) {
  for (uint32_t i = 0; i < layout_.elements(); ++i) {
    const NodeRef ref = layout_.ref(i);
    const scene::Dependency* row = dependency_of(ref.kind);
    if (row == nullptr) continue;
    for (const Source& source : sources(ref)) {
      const NodeRef from = layout_.ref(source.element);
      const bool named = std::any_of(row->inputs.begin(), row->inputs.end(), [&](const auto& in) {
        return in.kind == from.kind || (ref.layer == 0 && from.kind == Kind::kTape);
      });
      EXPECT_TRUE(named) << layout_.path(ref) << " <- " << layout_.path(from);
      EXPECT_FALSE(from == ref) << "nothing is computed from itself";
      EXPECT_TRUE(source.weight >= 0.0F && source.weight <= 1.0F);
    }
  }
}

TEST_F(Dependencies, AHeadReadsItsKvHeadAndTheStreamBelow) {
  auto found = by_kind({Kind::kHead, 2, 3, 0});
  ASSERT_EQ(1U, found[Kind::kSpineFfn].size());
  EXPECT_EQ(1U, found[Kind::kSpineFfn][0].layer) << "what left the layer below";
  EXPECT_EQ(6U, found[Kind::kSlot].size()) << "positions 0 to 5";
  for (const NodeRef& slot : found[Kind::kSlot]) {
    EXPECT_EQ(2U, slot.layer);
    EXPECT_EQ(1U, slot.index) << "heads 2 and 3 share KV head 1";
  }
  EXPECT_EQ(1U, by_kind({Kind::kHead, 0, 0, 0})[Kind::kTape].size()) << "below layer 0: the tape";
}

TEST_F(Dependencies, UpdatesAddUpTheirTerms) {
  auto attention = by_kind({Kind::kSpineAttention, 1, 0, 0});
  EXPECT_EQ(4U, attention[Kind::kHead].size());
  auto ffn = by_kind({Kind::kSpineFfn, 1, 0, 0});
  EXPECT_EQ(20U, ffn[Kind::kCell].size());
  ASSERT_EQ(1U, ffn[Kind::kSpineAttention].size());
  EXPECT_EQ(1U, ffn[Kind::kSpineAttention][0].layer);
}

TEST_F(Dependencies, TheLoopClosesAtTheTape) {
  auto candidate = by_kind({Kind::kCandidate, 3, 0, 0});
  ASSERT_EQ(1U, candidate[Kind::kSpineFfn].size());
  EXPECT_EQ(2U, candidate[Kind::kSpineFfn][0].layer) << "the top";
  EXPECT_EQ(12U, by_kind({Kind::kRestCandidate, 3, 12, 0})[Kind::kCandidate].size());
  EXPECT_EQ(1U, by_kind({Kind::kSlot, 0, 1, 4})[Kind::kTape].size());
  EXPECT_EQ(4U, by_kind({Kind::kSlot, 0, 1, 4})[Kind::kTape][0].column);
  EXPECT_TRUE(sources({Kind::kTape, 0, 0, 1}).empty()) << "a prompt comes from outside";
}

TEST_F(Dependencies, TheStrongestComeFirstAndNoMoreThanAsked) {
  const std::vector<Source> all = sources({Kind::kSpineFfn, 0, 0, 0});
  const std::vector<Source> few = sources({Kind::kSpineFfn, 0, 0, 0}, 5);
  ASSERT_EQ(5U, few.size());
  for (size_t i = 0; i < few.size(); ++i) {
    EXPECT_EQ(all[i].element, few[i].element);
    if (i > 0) {
      EXPECT_LE(few[i].weight, few[i - 1].weight);
    }
  }
}

TEST_F(Dependencies, WithoutATraceOnlyTheStructureIsLeft) {
  trace::Log empty;
  const trace::Reader nothing(empty);
  for (uint32_t i = 0; i < layout_.elements(); ++i) {
    const NodeRef ref = layout_.ref(i);
    for (const Source& source : sources_of(nothing, layout_, ref, 7, 100)) {
      EXPECT_LT(source.element, layout_.elements());
    }
  }
}

// A parallel block's neurons are computed from what its attention is computed from.
TEST_F(Dependencies, AParallelBlockReadsOneStream) {
  trace::StructureRecord structure = trace::structure_of(tests::small_model());
  structure.flags = trace::kStructureParallel;
  const Layout parallel({trace::Model{tests::small_model(), structure, {}, {}, {}}});
  const std::vector<Source> found = sources_of(reader_, parallel, {Kind::kCell, 2, 3, 0}, 2, 10);
  ASSERT_EQ(1U, found.size());
  EXPECT_EQ((NodeRef{Kind::kSpineFfn, 1, Layout::kSpineParts - 1, 0}),
            NodeRef(parallel.ref(found[0].element)));
}

// Nothing lights up before what it was computed from: within a step, the last light of every
// source comes no later than the last of the element. Earlier parts of the spine carry the old
// residual; the top one is where the update enters.
TEST_F(Dependencies, TheAnimationFollowsTheOrderOfComputation) {
  const scene::Script script = scene::choreograph(reader_, layout_, kStep);
  std::map<uint32_t, float> instant;
  for (const shaders::Light& light : script.lights) {
    float& last = instant.try_emplace(light.node, -std::numeric_limits<float>::max()).first->second;
    last = std::max(last, light.instant);
  }
  size_t compared = 0;
  for (const auto& [element, when] : instant) {
    const NodeRef ref = layout_.ref(element);
    // A token's light marks its arrival; its candidate was lit in the step before.
    if (ref.kind == Kind::kTape) continue;
    // Only the top part of the spine holds the sum.
    if ((ref.kind == Kind::kSpineAttention || ref.kind == Kind::kSpineFfn) &&
        ref.index != Layout::kSpineParts - 1)
      continue;
    for (const Source& source : sources(ref)) {
      const auto it = instant.find(source.element);
      if (it == instant.end()) continue;
      EXPECT_LE(it->second, when) << layout_.path(layout_.ref(source.element)) << " -> "
                                  << layout_.path(ref);
      ++compared;
    }
  }
  EXPECT_GT(compared, 100U);
}

// What the router leaves out is not computed: no number stands for it, not even 0.
TEST(IdleExpert, HasNoNumber) {
  trace::Log log;
  tests::TraceBuilder builder(log, tests::small_model());
  builder.describe();
  builder.structure(tests::small_mixture());
  builder.start();
  builder.step();
  trace::Reader reader(log);
  reader.poll();
  const Layout layout({*reader.model()});
  trace::Position at = reader.position(0);
  const auto used = at.experts.used_in(0);
  const auto chosen = [&](uint32_t e) {
    return std::any_of(used.begin(), used.end(), [&](const auto& one) { return one.expert == e; });
  };
  std::vector<float> rms(at.ffn.rms.begin(), at.ffn.rms.end());
  at.ffn.rms = rms;
  int idle = 0;
  for (uint32_t c = 0; c < layout.model().buckets; ++c) {
    const NodeRef cell{Kind::kCell, 0, c, 0};
    const uint32_t expert = layout.expert_of(cell);
    EXPECT_FALSE(scene::idle_expert(at, layout, cell)) << "something of it was computed";
    rms[c] = 0.0F;
    EXPECT_EQ(!chosen(expert), scene::idle_expert(at, layout, cell).has_value());
    idle += chosen(expert) ? 0 : 1;
  }
  EXPECT_GT(idle, 2);
}

}  // namespace
