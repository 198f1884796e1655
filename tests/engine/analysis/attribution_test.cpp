// Who made a token's logit: everything that is listed adds up to it.
#include "engine/analysis/attribution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/interventions.h"
#include "tests/support/capture.h"
#include "tests/support/conversation_of.h"
#include "tests/support/oracle.h"

namespace {

using tests::Conversation;

class AttributionOf : public tests::ConversationOf {
 protected:
  uint32_t last() const { return static_cast<uint32_t>(talk_->reader.positions() - 1); }
  trace::Attribution ask(uint32_t position, int32_t token, int32_t against = -1) {
    talk_->session.attribute({position, token, against});
    talk_->reader.poll();
    return talk_->reader.position(position).attribution;
  }
  static double sum(const trace::Attribution& a) {
    const trace::AttributionRecord& r = *a.record;
    double all = double{r.constant} + double{r.embedding} + double{r.rest};
    for (const auto part : {a.head, a.attention_bias, a.ffn, a.ffn_bias})
      for (const float term : part) all += double{term};
    return all;
  }
};

TEST_P(AttributionOf, AllTermsTogetherAreTheLogitThatWasDrawnFrom) {
  for (uint32_t i = 0; i < 3; ++i) {
    const trace::Candidate& c = talk_->reader.position(last()).logits.candidates[i];
    const trace::Attribution a = ask(last(), c.id);
    ASSERT_NE(nullptr, a.record);
    EXPECT_NEAR(double{a.record->logit}, sum(a), 1e-4);
    const float cap = talk_->model.network->config().final_soft_cap;
    const float shown = cap > 0.0F ? cap * std::tanh(a.record->logit / cap) : a.record->logit;
    EXPECT_NEAR(double{c.logit}, double{shown}, 1e-4);
    const double tolerance = GetParam() == "llama-gqa-q8_0" ? 2e-2 : 1e-4;
    EXPECT_NEAR(0.0, double{a.record->rest}, tolerance * (1.0 + std::abs(double{c.logit})));
  }
}

TEST_P(AttributionOf, ADifferenceIsThatOfBothTermByTerm) {
  const trace::Logits& logits = talk_->reader.position(last()).logits;
  const int32_t one = logits.candidates[0].id;
  const int32_t other = logits.candidates[1].id;
  const trace::Attribution a = ask(last(), one);
  const trace::Attribution b = ask(last(), other);
  const trace::Attribution d = ask(last(), one, other);
  EXPECT_EQ(other, d.record->against);
  EXPECT_NEAR(double{a.record->logit} - double{b.record->logit}, double{d.record->logit}, 1e-5);
  for (size_t i = 0; i < d.head.size(); ++i)
    EXPECT_NEAR(double{a.head[i]} - double{b.head[i]}, double{d.head[i]}, 1e-5);
  for (size_t l = 0; l < d.ffn.size(); ++l)
    EXPECT_NEAR(double{a.ffn[l]} - double{b.ffn[l]}, double{d.ffn[l]}, 1e-5);
}

// The strongest of all: no neuron that is not listed adds more, and with those of a small model all
// listed they are the updates of the FFN.
TEST_P(AttributionOf, TheStrongestNeuronsOfAllLayersAreListed) {
  const int32_t token = talk_->reader.position(last()).logits.candidates[0].id;
  model::KvCache cache(talk_->model.network->config(), talk_->session.context());
  const std::vector<int32_t>& tokens = talk_->session.tokens();
  talk_->model.network->forward(tokens, 0, cache, nullptr, 0, nullptr);
  const engine::Past past{cache, tokens, tokens.size()};
  const auto position = static_cast<uint32_t>(tokens.size() - 1);
  const engine::Attribution all =
      engine::attribute_logit(talk_->model, past, position, token, -1, 1 << 20);
  const engine::Attribution few =
      engine::attribute_logit(talk_->model, past, position, token, -1, 10);
  ASSERT_EQ(10U, few.neurons.size());
  ASSERT_LT(10U, all.neurons.size());
  std::vector<double> of_layer(all.ffn.size());
  for (size_t i = 0; i < all.neurons.size(); ++i) {
    const trace::NeuronTerm& n = all.neurons[i];
    of_layer[n.layer] += double{n.term};
    if (i == 0) continue;
    EXPECT_LE(std::abs(n.term), std::abs(all.neurons[i - 1].term));
  }
  for (size_t i = 0; i < few.neurons.size(); ++i) {
    EXPECT_EQ(all.neurons[i].neuron, few.neurons[i].neuron);
    EXPECT_EQ(all.neurons[i].term, few.neurons[i].term);
  }
  for (size_t l = 0; l < of_layer.size(); ++l)
    EXPECT_NEAR(double{all.ffn[l]}, of_layer[l], 1e-4 * (1.0 + std::abs(double{all.ffn[l]})));
}

TEST_P(AttributionOf, TheExpertsThatWorkedAreTheirLayersFfn) {
  const trace::Attribution a = ask(last(), 5);
  const trace::StructureRecord& s = talk_->reader.model()->structure;
  const uint32_t each = s.experts == 0 ? 0 : s.experts_used + (s.shared_neurons > 0 ? 1 : 0);
  ASSERT_EQ(a.ffn.size() * each, a.experts.size());
  std::vector<double> of_layer(a.ffn.size());
  for (const trace::ExpertTerm& e : a.experts) of_layer[e.layer] += double{e.term};
  for (size_t l = 0; each > 0 && l < of_layer.size(); ++l)
    EXPECT_NEAR(double{a.ffn[l]}, of_layer[l], 1e-5 * (1.0 + std::abs(double{a.ffn[l]})));
}

// Behind the last layer nothing comes but the norm, whose scale is held: what an expert added is
// what the stream lacks without it.
class AttributionOfMixture : public AttributionOf {};
TEST_P(AttributionOfMixture, AnExpertOfTheLastLayerAddedWhatIsMissingWithoutIt) {
  model::Model& network = *talk_->model.network;
  const model::Config& c = network.config();
  const std::vector<int32_t>& tokens = talk_->session.tokens();
  const int64_t n = std::ssize(tokens);
  const auto stream = [&](const std::vector<trace::MutedPart>& without) {
    model::KvCache cache(c, n);
    tests::Capture taps;
    network.forward(tokens, 0, cache, nullptr, 0, &taps, engine::mutes_of(without, c));
    return taps.at(model::Tap::kResidPost, c.n_layer - 1).data;
  };
  model::KvCache cache(c, n);
  network.forward(tokens, 0, cache, nullptr, 0, nullptr);
  const engine::Past past{cache, tokens, tokens.size()};
  const engine::Attribution a =
      engine::attribute_logit(talk_->model, past, static_cast<uint32_t>(n - 1), 5, -1, 1);
  const std::vector<float> whole = stream({});
  const std::vector<float> direction = network.readout(whole.data(), 5).direction;
  size_t looked_at = 0;
  for (const trace::ExpertTerm& e : a.experts) {
    if (e.layer + 1 != c.n_layer) continue;
    const std::vector<float> rest = stream({{trace::MutedKind::kExpert, e.layer, e.expert}});
    double missing = 0.0;
    for (size_t i = 0; i < whole.size(); ++i)
      missing += double{direction[i]} * (double{whole[i]} - double{rest[i]});
    EXPECT_NEAR(missing, double{e.term}, 1e-5 * (1.0 + std::abs(missing))) << e.expert;
    ++looked_at;
  }
  EXPECT_EQ(static_cast<size_t>(c.experts_at_work()), looked_at);
}

TEST_P(AttributionOf, AMutedHeadAddsNothing) {
  engine::Generate what{"Once upon a time", 3, tests::kGreedy};
  what.muted = {{trace::MutedKind::kHead, 1, 0},
                {trace::MutedKind::kHeads, 0, 0},
                {trace::MutedKind::kNeurons, 0, 0}};
  talk_->session.start(what);
  while (!talk_->session.finished()) talk_->session.step();
  talk_->reader.poll();
  const trace::Attribution a = ask(last(), 5);
  const auto heads = a.record->heads;
  EXPECT_EQ(0.0F, a.head[heads]);
  EXPECT_NE(0.0F, a.head[heads + 1]);
  for (const trace::NeuronTerm& n : a.neurons) EXPECT_NE(0U, n.layer);
  EXPECT_EQ(0.0F, a.ffn[0]) << "only the biases are left";
  for (uint32_t h = 0; h < heads; ++h) EXPECT_EQ(0.0F, a.head[h]);
  const model::Config& c = talk_->model.network->config();
  EXPECT_EQ(c.attention_biased(), a.attention_bias[0] != 0.0F);
  EXPECT_EQ(c.ffn_biased(), a.ffn_bias[0] != 0.0F);
  EXPECT_NEAR(double{a.record->logit}, sum(a), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Models, AttributionOf,
                         ::testing::Values("llama-gqa", "llama-gqa-q8_0", "gpt2", "gemma2", "phi2",
                                           "qwen2moe"),
                         tests::test_name);

INSTANTIATE_TEST_SUITE_P(Models, AttributionOfMixture,
                         ::testing::Values("qwen2moe", "mixtral", "olmoe"), tests::test_name);

TEST(Attribution, WhatCannotBeAskedIsNotAnswered) {
  Conversation talk(tests::gqa_model_path());
  talk.run("Once", 2);
  const auto n = static_cast<uint32_t>(talk.reader.positions());
  for (const engine::Attribute& what : {engine::Attribute{n, 1, -1},
                                        {0xFFFFFFFFU, 1, -1},
                                        {0, -1, -1},
                                        {0, 1 << 30, -1},
                                        {0, 1, 1 << 30}}) {
    talk.session.attribute(what);
    talk.reader.poll();
    EXPECT_EQ(nullptr, talk.reader.position(0).attribution.record);
  }
}

}  // namespace
