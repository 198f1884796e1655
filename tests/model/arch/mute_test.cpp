// A pass without some of a model's parts, in every architecture.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "model/arch/registry.h"
#include "model/format/gguf.h"
#include "tests/support/capture.h"
#include "tests/support/every_family.h"
#include "tests/support/oracle.h"

namespace {

using model::Mute;
using model::Part;
using model::Tap;
using tests::Capture;

class Muted : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    REQUIRE_SHARED_DATA();
    const std::string path = tests::model_path(GetParam()).string();
    file_ = std::make_unique<model::ModelFile>(model::open_gguf(path));
    network_ = model::make_model(*file_, 2);
    for (int32_t i = 0; i < 20; ++i)
      ids_.push_back((i * 37 + 11) % static_cast<int32_t>(c().n_vocab));
  }
  const model::Config& c() const { return network_->config(); }
  tests::Passes run(std::span<const Mute> muted) {
    return {*network_, ids_, model::CacheType::kF32, muted};
  }
  std::vector<Mute> everything() const {
    std::vector<Mute> all;
    for (int64_t l = 0; l < c().n_layer; ++l) {
      all.push_back({Part::kHeads, l, 0, c().n_head});
      all.push_back({Part::kNeurons, l, 0, c().neurons(l)});
    }
    return all;
  }

  std::unique_ptr<model::ModelFile> file_;
  std::unique_ptr<model::Model> network_;
  std::vector<int32_t> ids_;
};

TEST_P(Muted, AHeadGivesNothingAndTheOthersShareTheWhole) {
  const int64_t l = c().n_layer / 2;
  const int64_t h = c().n_head - 1;
  const tests::Passes whole = run({});
  const Mute head[] = {{Part::kHeads, l, h, h + 1}};
  const tests::Passes without = run(head);
  for (size_t p = 0; p < ids_.size(); ++p) {
    const Capture& a = whole.positions[p];
    const Capture& b = without.positions[p];
    EXPECT_EQ(a.at(Tap::kWeights, l).data, b.at(Tap::kWeights, l).data) << "it still looks";
    const auto out = std::span(b.at(Tap::kHeadOut, l).row(h), static_cast<size_t>(c().n_embd));
    EXPECT_TRUE(std::all_of(out.begin(), out.end(), [](float v) { return v == 0.0F; }));
    const std::vector<float>& shares = b.at(Tap::kHeadShare, l).data;
    EXPECT_EQ(0.0F, shares[static_cast<size_t>(h)]);
    double sum = double{b.at(Tap::kAttnBiasShare, l).data[0]};
    for (const float share : shares) sum += double{share};
    EXPECT_NEAR(1.0, sum, 1e-4);
    for (int64_t other = 0; other < h; ++other) {
      EXPECT_TRUE(tests::same_bits({a.at(Tap::kHeadOut, l).row(other), out.size()},
                                   {b.at(Tap::kHeadOut, l).row(other), out.size()}));
    }
    for (int64_t below = 0; below < l; ++below)
      EXPECT_EQ(a.at(Tap::kResidPost, below).data, b.at(Tap::kResidPost, below).data);
  }
  EXPECT_NE(whole.logits, without.logits);
}

TEST_P(Muted, ANeuronGivesNothing) {
  const int64_t l = c().n_layer - 1;
  const tests::Passes whole = run({});
  // The strongest of the last position: in a mixture its expert works.
  const std::vector<float>& act = whole.positions.back().at(Tap::kAct, l).data;
  const auto strongest =
      std::max_element(act.begin(), act.end(),
                       [](float a, float b) { return std::abs(a) < std::abs(b); }) -
      act.begin();
  const Mute neuron[] = {{Part::kNeurons, l, strongest, strongest + 1}};
  const tests::Passes without = run(neuron);
  const Capture& b = without.positions.back();
  EXPECT_NE(0.0F, act[static_cast<size_t>(strongest)]);
  EXPECT_EQ(0.0F, b.at(Tap::kAct, l).data[static_cast<size_t>(strongest)]);
  EXPECT_EQ(0.0F, b.at(Tap::kNeuronShare, l).data[static_cast<size_t>(strongest)]);
  EXPECT_EQ(whole.positions.back().at(Tap::kUp, l).data, b.at(Tap::kUp, l).data);
  EXPECT_NE(whole.logits, without.logits);
}

// Whatever is left of the update is the bias, the same at every position; of a mixture those of
// the experts at work.
TEST_P(Muted, WithoutAllHeadsAndNeuronsOnlyBiasesAreAdded) {
  const tests::Passes nothing = run(everything());
  for (int64_t l = 0; l < c().n_layer; ++l) {
    for (const Tap update : {Tap::kAttnOut, Tap::kFfnOut}) {
      const bool of_experts = update == Tap::kFfnOut && c().mixed(l);
      if (of_experts && c().ffn_biased()) {
        for (const Capture& at : nothing.positions)
          EXPECT_NEAR(1.0, double{at.at(Tap::kFfnBiasShare, l).data[0]}, 1e-5);
        continue;
      }
      const std::vector<float>& first = nothing.positions.front().at(update, l).data;
      for (const Capture& at : nothing.positions) EXPECT_EQ(first, at.at(update, l).data);
      if (c().all_biased) continue;
      EXPECT_TRUE(std::all_of(first.begin(), first.end(), [](float v) { return v == 0.0F; }));
    }
  }
  for (const float logit : nothing.logits) EXPECT_TRUE(std::isfinite(logit));
}

TEST_P(Muted, BatchesTapsAndThreadsChangeNoBit) {
  const std::vector<Mute> some = {{Part::kHeads, 0, 1, 2},
                                  {Part::kNeurons, 1, 3, 40},
                                  {Part::kHeads, c().n_layer - 1, 0, c().n_head}};
  const tests::Passes one_by_one = run(some);
  for (const int threads : {1, 2, 4}) {
    const auto network = model::make_model(*file_, threads);
    model::KvCache cache(c(), std::ssize(ids_));
    std::vector<float> logits(static_cast<size_t>(c().n_vocab));
    network->forward(ids_, 0, cache, logits.data(), 1, nullptr, some);
    EXPECT_TRUE(tests::same_bits(one_by_one.logits, logits)) << threads << " threads";
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Muted,
                         ::testing::Values("llama-gqa", "llama-gqa-q8_0", "llama3-style", "gpt2",
                                           "gptneox", "gemma2", "gemma3", "phi2", "phi3", "qwen2",
                                           "qwen3", "mixtral", "qwen2moe", "olmoe"),
                         tests::TestName());

INSTANTIATE_TEST_SUITE_P(Own, Muted, ::testing::ValuesIn(tests::kOwnFamilies), tests::TestName());

}  // namespace
