// What a model would say if it ended earlier is what a model that does end there says.
#include "engine/analysis/logit_lens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/capture.h"
#include "tests/support/conversation_of.h"
#include "tests/support/oracle.h"
#include "tests/support/rewrite_gguf.h"

namespace {

using tests::Conversation;

// A copy of a dense model that ends behind `layers` layers.
void write_cut(const std::string& from, const std::string& to, int64_t layers) {
  const std::string arch = model::read_config(model::open_gguf(from)).arch;
  tests::Rewrite cut;
  cut.metadata[arch + ".block_count"] = static_cast<uint64_t>(layers);
  cut.tensor = [&](const model::Tensor& t, const std::vector<float>& /*values*/) {
    return !t.name.starts_with("blk.") || std::stoll(t.name.substr(4)) < layers;
  };
  tests::rewrite_gguf(from, to, cut);
}

class LensOf : public tests::ConversationOf {
 protected:
  trace::Lens lens(uint32_t position, int32_t token) {
    talk_->session.read_lens({position, token, 1.0F});
    talk_->reader.poll();
    return talk_->reader.position(position).lens;
  }
  int64_t layers() const { return talk_->model.network->config().n_layer; }
};

TEST_P(LensOf, ARowSaysWhatAModelOfSoManyLayersSays) {
  const auto last = static_cast<uint32_t>(talk_->reader.positions() - 1);
  const int32_t token = talk_->session.tokens().back();
  const trace::Lens lens = this->lens(last, token);
  ASSERT_NE(nullptr, lens.record);
  ASSERT_EQ(static_cast<size_t>(layers()) + 1, lens.rows.size());
  const tests::TempFolder folder;
  for (int64_t l = 1; l <= layers(); ++l) {
    const std::string path = folder.file("cut.gguf");
    write_cut(LensOf::path(), path, l);
    const model::ModelFile file = model::open_gguf(path);
    const auto network = model::make_model(file);
    const std::vector<float> logits = tests::Passes(*network, talk_->session.tokens()).logits;
    const engine::Softmax softmax = engine::softmax_of(logits, 1.0F);
    const auto probability = [&](int32_t id) {
      return std::exp(double{logits[static_cast<size_t>(id)]} - double{softmax.max}) / softmax.sum;
    };
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    const trace::LensRow& row = lens.rows[static_cast<size_t>(l)];
    const auto top = lens.top_of(static_cast<size_t>(l));
    EXPECT_NEAR(probability(token), double{row.probability}, 1e-6) << l << " layers";
    EXPECT_EQ(
        std::count_if(logits.begin(), logits.end(),
                      [&](float other) { return other > logits[static_cast<size_t>(token)]; }),
        static_cast<int64_t>(row.rank));
    EXPECT_EQ(best, top[0].id);
    for (const trace::Candidate& c : top) {
      EXPECT_NEAR(probability(c.id), double{c.probability}, 1e-6);
      EXPECT_EQ(logits[static_cast<size_t>(c.id)], c.logit);
    }
  }
}

TEST_P(LensOf, TheLastRowIsTheModelsAnswerAndTheFirstKnowsOnlyTheToken) {
  const trace::Position& at = talk_->reader.position(talk_->reader.positions() - 1);
  const trace::Lens lens = this->lens(at.token.record->position, at.logits.record->sampled);
  const auto top = lens.top_of(lens.rows.size() - 1);
  ASSERT_EQ(5U, top.size());
  for (size_t i = 0; i < top.size(); ++i) {
    EXPECT_EQ(at.logits.candidates[i].id, top[i].id);
    EXPECT_EQ(at.logits.candidates[i].logit, top[i].logit);
    EXPECT_EQ(at.logits.candidates[i].probability, top[i].probability);
    EXPECT_EQ(
        std::string_view(at.logits.candidates[i].text.data(), at.logits.candidates[i].text_bytes),
        std::string_view(top[i].text.data(), top[i].text_bytes));
  }
  EXPECT_EQ(0U, lens.rows.back().rank) << "it was greedy";
  EXPECT_EQ(at.logits.record->sampled_probability, lens.rows.back().probability);
  for (const trace::LensRow& row : lens.rows)
    EXPECT_TRUE(row.probability >= 0.0F && row.probability <= 1.0F);
}

INSTANTIATE_TEST_SUITE_P(Models, LensOf,
                         ::testing::Values("llama-gqa", "gpt2", "gptneox", "gemma2", "phi2",
                                           "qwen3"),
                         tests::test_name);

TEST(LogitLens, WhatCannotBeAskedIsNotAnswered) {
  Conversation talk(tests::gqa_model_path());
  talk.run("Once", 2);
  const auto n = static_cast<uint32_t>(talk.reader.positions());
  for (const engine::ReadLens& what :
       {engine::ReadLens{n, 1}, {0xFFFFFFFFU, 1}, {0, -1}, {0, 1 << 30}}) {
    talk.session.read_lens(what);
    talk.reader.poll();
    EXPECT_EQ(nullptr, talk.reader.position(0).lens.record);
  }
}

// Asking changes nothing: the conversation goes on as if nobody had looked.
TEST(LogitLens, OfEveryStepChangesNoToken) {
  Conversation plain(tests::gqa_model_path());
  plain.run("Once upon a time", 8);
  engine::LoadedModel model(engine::ModelSource{tests::gqa_model_path(), {}});
  trace::Log log;
  engine::SessionOptions options;
  options.lens = true;
  engine::Session session(model, log, options);
  trace::Reader reader(log);
  engine::Sampling sampling = tests::kGreedy;
  sampling.temperature = 0.7F;
  sampling.top_k = 1;
  session.start(engine::Generate{"Once upon a time", 8, sampling});
  while (!session.finished()) session.step();
  reader.poll();
  EXPECT_EQ(plain.session.tokens(), session.tokens());
  for (size_t s = 0; s < reader.steps(); ++s) {
    const uint32_t last = reader.step(s).first_position + reader.step(s).count - 1;
    const trace::Position& at = reader.position(last);
    ASSERT_NE(nullptr, at.lens.record);
    EXPECT_EQ(at.logits.record->sampled, at.lens.record->token);
    EXPECT_EQ(at.logits.record->sampled_probability, at.lens.rows.back().probability)
        << "at the sampler's temperature";
  }
}

}  // namespace
