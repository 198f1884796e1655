// What the trace says of a mixture's routers and experts.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>

#include "engine/detail.h"
#include "tests/support/conversation.h"

namespace {

using tests::Conversation;

class Mixtures : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!tests::shared_data_required() && !std::filesystem::exists(path())) {
      GTEST_SKIP() << "no shared data";
    }
  }
  static std::string path() {
    return tests::shared_data(std::string("models/synth/") + GetParam()).string();
  }
};

TEST_P(Mixtures, RoutersChooseTheMostProbableAndSharesAddUpToOne) {
  Conversation talk(path());
  talk.run("a b", 4);
  const trace::Model& model = *talk.reader.model();
  const trace::StructureRecord& s = model.structure;
  ASSERT_GT(s.experts, 0U);
  EXPECT_EQ(model.record.neurons, s.experts * s.expert_neurons + s.shared_neurons);
  for (size_t p = 0; p < talk.reader.positions(); ++p) {
    const trace::Experts& experts = talk.reader.position(p).experts;
    ASSERT_NE(nullptr, experts.record);
    for (size_t l = 0; l < model.record.layers; ++l) {
      const auto router = experts.probability.subspan(l * s.experts, s.experts);
      double sum = 0.0;
      for (const float probability : router) sum += double{probability};
      EXPECT_NEAR(1.0, sum, 1e-5);
      double share = 0.0;
      float least = 2.0F;
      uint32_t chosen = 0;
      for (const trace::ExpertShare& e : experts.used_in(l)) {
        share += double{e.share};
        if (e.expert == s.experts) continue;
        ++chosen;
        EXPECT_LE(router[e.expert], least) << "the most probable first";
        least = router[e.expert];
      }
      EXPECT_EQ(s.experts_used, chosen);
      EXPECT_NEAR(1.0, share, 1e-4);
      uint32_t above = 0;
      for (const float probability : router) above += probability > least ? 1 : 0;
      EXPECT_LT(above, s.experts_used) << "nobody more probable was passed over";
    }
  }
}

TEST_P(Mixtures, MeasuresOfNeuronsAreOfThoseThatRan) {
  Conversation talk(path());
  talk.run("a b", 4);
  const trace::StructureRecord s = talk.reader.model()->structure;
  const auto used = talk.reader.position(2).experts.used_in(1);
  const std::vector<trace::ExpertShare> experts(used.begin(), used.end());
  const trace::TensorAnswer& act = talk.ask("blk.1.ffn.act", 2);
  ASSERT_EQ(1U, act.record->full_rows);
  ASSERT_EQ(act.record->full_cols, act.values.size()) << "all of them are given";
  double squares = 0.0;
  size_t neurons = 0;
  float largest = -1e30F;
  for (const trace::ExpertShare& e : experts) {
    const size_t width = e.expert == s.experts ? s.shared_neurons : s.expert_neurons;
    for (const float v : act.values.subspan(e.expert * s.expert_neurons, width)) {
      squares += double{v} * double{v};
      largest = std::max(largest, v);
    }
    neurons += width;
  }
  ASSERT_LT(neurons, act.values.size());
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(neurons)), act.record->rms, 1e-6);
  EXPECT_EQ(largest, act.record->max);
}

TEST_P(Mixtures, NoCellHoldsNeuronsOfTwoExperts) {
  Conversation talk(path());
  talk.run("a", 1);
  const trace::ModelRecord& m = talk.reader.model()->record;
  const trace::StructureRecord& s = talk.reader.model()->structure;
  for (uint32_t e = 1; e <= s.experts; ++e) {
    const uint64_t first = uint64_t{e} * s.expert_neurons;
    if (first >= m.neurons) continue;
    EXPECT_NE(first * m.buckets / m.neurons, (first - 1) * m.buckets / m.neurons) << e;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, Mixtures,
                         ::testing::Values("mixtral.gguf", "qwen2moe.gguf", "qwen3moe.gguf",
                                           "olmoe.gguf"));

// Published shapes: experts, neurons of one, shared neurons.
TEST(BucketsOfMixtures, AreWholeCellsOfEveryExpert) {
  for (const auto& [experts, of_expert, shared] : {std::array<int64_t, 3>{8, 14336, 0},
                                                   {60, 1408, 5632},
                                                   {64, 2560, 20480},
                                                   {128, 1536, 0},
                                                   {8, 1408, 0},
                                                   {4, 96, 32},
                                                   {64, 1024, 0},
                                                   {256, 2048, 2048},
                                                   {128, 768, 0},
                                                   {3, 7, 5},
                                                   {4096, 3, 0}}) {
    const int64_t neurons = experts * of_expert + shared;
    const int64_t buckets = engine::buckets_of_mixture(neurons, of_expert, shared);
    ASSERT_EQ(0, neurons % buckets);
    const int64_t cell = neurons / buckets;
    EXPECT_EQ(0, of_expert % cell) << experts << " x " << of_expert;
    EXPECT_EQ(0, shared % cell);
    EXPECT_TRUE(buckets <= engine::Detail::kBuckets || cell == std::gcd(of_expert, shared));
    // Whose shares are gathered in the pass over the weights.
    EXPECT_TRUE(cell == 1 || cell % 32 == 0 || std::gcd(of_expert, shared) % 32 != 0) << cell;
  }
}

}  // namespace
