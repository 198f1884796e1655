#include "engine/recorder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "engine/trace/log.h"
#include "model/arch/registry.h"
#include "model/config.h"
#include "model/kernels/matmul.h"
#include "tests/support/conversation.h"
#include "tests/support/read_config.h"

namespace engine {
namespace {

// A mixture of eight experts of eight neurons, whose first layer has one FFN of eight.
std::string narrow_first_layer(const tests::TempFolder& folder) {
  tests::GgufBytes g = tests::as_family("deepseek");
  g.u32("deepseek.feed_forward_length", 8).u32("deepseek.expert_feed_forward_length", 8);
  g.u32("deepseek.expert_count", 8).u32("deepseek.expert_used_count", 2);
  g.u32("deepseek.leading_dense_block_count", 1).u32("deepseek.attention.head_count_kv", 2);
  std::erase_if(g.tensors, [](const auto& t) { return t.name.find(".ffn_") != t.name.npos; });
  g.tensor("output.weight", {16, 256});
  for (const std::string blk : {"blk.0.", "blk.1."}) g.tensor(blk + "ffn_norm.weight", {16});
  g.tensor("blk.0.ffn_gate.weight", {16, 8}).tensor("blk.0.ffn_up.weight", {16, 8});
  g.tensor("blk.0.ffn_down.weight", {8, 16}).tensor("blk.1.ffn_gate_inp.weight", {16, 8});
  g.tensor("blk.1.ffn_gate_exps.weight", {16, 8, 8}).tensor("blk.1.ffn_up_exps.weight", {16, 8, 8});
  g.tensor("blk.1.ffn_down_exps.weight", {8, 16, 8}).pack();
  float value = 0.0F;
  for (auto& t : g.tensors) {
    for (size_t i = 0; i < t.data.size(); i += sizeof value) {
      value = std::sin(value + 1.0F + static_cast<float>(i));
      std::memcpy(t.data.data() + i, &value, sizeof value);
    }
  }
  std::ofstream(folder.file("narrow.gguf"), std::ios::binary) << g.build();
  return folder.file("narrow.gguf");
}

TEST(Recorder, ListsEachNeuronOfALayerOnceThoughItHasFewerThanAreListedFirst) {
  const tests::TempFolder folder;
  tests::Conversation talk(narrow_first_layer(folder), trace::Level::kFull);
  talk.run("abc", 2);
  const size_t n = talk.reader.model()->record.neurons;
  ASSERT_EQ(64U, n);
  for (size_t p = 0; p < talk.reader.positions(); ++p) {
    const trace::Position& at = talk.reader.position(p);
    for (size_t l = 0; l < 2; ++l) {
      std::vector<int> seen(n);
      double sum = at.ffn.bias_share[l];
      for (const trace::NeuronShare& one : at.ffn.top.subspan(l * n, n)) {
        ++seen.at(one.neuron);
        sum += double{one.share};
        if (l == 0 && one.neuron >= 8) {
          EXPECT_EQ(0.0F, one.share) << "it has eight";
        }
      }
      EXPECT_EQ(std::vector<int>(n, 1), seen) << "layer " << l;
      EXPECT_NEAR(1.0, sum, 1e-4) << "layer " << l;
    }
  }
}

model::Config shape(int64_t layers, int64_t heads, int64_t kv_heads) {
  model::Config c;
  c.n_layer = layers;
  c.n_head = heads;
  c.n_head_kv = kv_heads;
  c.n_embd = 64;
  c.n_ff = 256;
  return c;
}

TEST(Recorder, TakesManyPositionsAtOnceAndFewWhereEachOfThemSeesMany) {
  trace::Log log;
  const model::Config c = shape(32, 32, 8);
  const Recorder live(c, log, trace::Level::kLive);
  int64_t before = model::kBatch;
  EXPECT_EQ(live.batch(0), before);
  EXPECT_EQ(live.batch(128), before);
  for (int64_t reach = 256; reach <= int64_t{1} << 24; reach *= 2) {
    const int64_t n = live.batch(reach);
    EXPECT_LE(n, before) << reach;
    EXPECT_GE(n, 1) << reach;
    // (layers x lanes) reads and (heads) scores and weights of each position it sees.
    if (n > 1) {
      EXPECT_LE(n * reach * (32 * 8 + 2 * 32) * 4, int64_t{60} << 20) << reach;
    }
    before = n;
  }
  EXPECT_EQ(before, 1);
}

TEST(Recorder, TakesFewerPositionsAtOnceAtFullDetail) {
  trace::Log log;
  const model::Config c = shape(32, 32, 8);
  const Recorder live(c, log, trace::Level::kLive);
  const Recorder full(c, log, trace::Level::kFull);
  for (const int64_t reach : {1, 100, 1000, 100000}) {
    const int64_t n = full.batch(reach);
    EXPECT_GE(n, 1);
    EXPECT_LE(n, live.batch(reach));
    // Two floats of every read of every head, and of every neuron.
    const int64_t listed = 32 * (32 * reach + c.neurons()) * int64_t{2 * sizeof(float)};
    if (n > 1) {
      EXPECT_LE(n * listed, int64_t{60} << 20) << reach;
    }
  }
  EXPECT_GT(full.batch(1), 1);
  EXPECT_EQ(full.batch(100000), 1);
}

// Shares that are gathered while W_down is read are those of whole blocks of 32 columns.
TEST(Recorder, ACellsShareIsThatOfItsOwnNeurons) {
  model::Config c = shape(16, 8, 8);
  c.n_embd = 1024;
  for (c.n_ff = 64; c.n_ff < 3000; c.n_ff += 4) {
    const Detail detail(c, trace::Level::kLive);
    for (int64_t n = 0; !detail.all_neurons && n < c.n_ff; ++n) {
      ASSERT_EQ(n / model::kCellWidth, n * detail.buckets / c.n_ff)
          << "neuron " << n << " of " << c.n_ff;
    }
  }
  c.n_ff = 2048;
  EXPECT_FALSE(Detail(c, trace::Level::kLive).all_neurons);
}

model::Config mixture(int64_t experts, int64_t neurons) {
  model::Config c = shape(1, 4, 4);
  c.n_expert = experts;
  c.n_expert_used = 2;
  c.n_ff = neurons;
  return c;
}

// OLMoE's and Mixtral's; of few neurons a cell would be smaller than what is gathered together.
TEST(Recorder, TheCellsOfAMixtureAreWholeBlocksOrEveryNeuronIsGathered) {
  for (const auto& [experts, neurons] : {std::pair{64, 1024}, std::pair{8, 14336}}) {
    const Detail detail(mixture(experts, neurons), trace::Level::kLive);
    EXPECT_FALSE(detail.all_neurons);
    EXPECT_EQ(0, experts * neurons / static_cast<int>(detail.buckets) % model::kCellWidth);
  }
  for (const auto& [experts, neurons] : {std::pair{8, 1024}, std::pair{64, 1000}}) {
    EXPECT_TRUE(Detail(mixture(experts, neurons), trace::Level::kLive).all_neurons);
  }
  EXPECT_TRUE(Detail(mixture(64, 1024), trace::Level::kFull).all_neurons);
}

TEST(Recorder, AMixturesCellHasTheSharesOfItsBlocksTogether) {
  const model::Config c = mixture(64, 1024);
  const auto blocks = static_cast<size_t>(c.neurons() / model::kCellWidth);
  trace::Log log;
  Recorder recorder(c, log, trace::Level::kLive);
  const model::KvCache cache(c, 1);
  recorder.begin(0, 1, cache);
  std::vector<float> act(static_cast<size_t>(c.neurons()));
  std::vector<float> shares(blocks);
  std::vector<float> top;
  for (size_t n = 0; n < 2048; ++n) act[3 * 1024 + n] = 0.01F * static_cast<float>(n % 50);
  for (size_t b = 96; b < 160; ++b) shares[b] = 0.001F * static_cast<float>(b);
  for (int n = 0; n < 16; ++n) top.insert(top.end(), {3072.0F + static_cast<float>(n), 0.002F});
  const std::vector<float> experts = {4.0F, 0.6F, 0.7F, 3.0F, 0.4F, 0.3F};
  recorder.on_tap(model::Tap::kExperts, 0, 0, experts.data(), 2, 3);
  recorder.on_tap(model::Tap::kAct, 0, 0, act.data(), 1, std::ssize(act));
  recorder.on_tap(model::Tap::kCellShare, 0, 0, shares.data(), 1, std::ssize(shares));
  recorder.on_tap(model::Tap::kChosenShare, 0, 0, top.data(), 16, 2);
  recorder.reduce(model::Operation::kFfn, 0);
  recorder.layers_done();
  recorder.end();
  trace::Cursor cursor(log);
  trace::Message message;
  while (cursor.next(message) && message.topic != trace::Topic::kFfn) {
  }
  trace::FfnRecord record;
  std::memcpy(&record, message.payload.data(), sizeof record);
  ASSERT_EQ(512, record.buckets);
  std::vector<float> of_bucket(2 * record.buckets + 2);
  ASSERT_LE(sizeof record + of_bucket.size() * sizeof(float), message.payload.size());
  std::memcpy(of_bucket.data(), message.payload.data() + sizeof record,
              of_bucket.size() * sizeof(float));
  double all = 0.0;
  for (size_t b = 0; b < record.buckets; ++b) {
    double share = 0.0;
    double energy = 0.0;
    for (size_t k = 4 * b; k < 4 * b + 4; ++k) share += double{shares[k]};
    for (size_t n = 128 * b; n < 128 * (b + 1); ++n) energy += double{act[n]} * double{act[n]};
    EXPECT_NEAR(std::sqrt(energy / 128.0), of_bucket[b], 1e-6) << b;
    EXPECT_NEAR(share, of_bucket[record.buckets + b], 1e-6) << b;
    all += share;
  }
  EXPECT_NEAR(all - 16 * 0.002, of_bucket[2 * record.buckets], 1e-4) << "the rest";
}

// At the crown there is room for the beginning of a text; that it is one has to be seen.
TEST(Recorder, ACandidatesTextThatIsTooLongEndsWithAnEllipsis) {
  trace::Log log;
  Recorder recorder(shape(1, 1, 1), log, trace::Level::kLive);
  const std::vector<std::string_view> texts = {
      "exactly twenty bytes", "one of many, many bytes",
      "\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9"};
  const std::vector<Choice> best(texts.size());
  recorder.logits(0, {best, 0.0}, {}, texts);
  trace::Cursor cursor(log);
  trace::Message message;
  while (cursor.next(message) && message.topic != trace::Topic::kLogits) {
  }
  ASSERT_EQ(sizeof(trace::LogitsRecord) + texts.size() * sizeof(trace::Candidate),
            message.payload.size());
  std::vector<std::string> found;
  for (size_t i = 0; i < texts.size(); ++i) {
    trace::Candidate c;
    std::memcpy(&c, &message.payload[sizeof(trace::LogitsRecord) + i * sizeof c], sizeof c);
    found.emplace_back(c.text.data(), c.text_bytes);
  }
  EXPECT_EQ("exactly twenty bytes", found[0]);
  EXPECT_EQ("one of many, many\u2026", found[1]);
  EXPECT_EQ("\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u2026", found[2])
      << "whole characters";
}

}  // namespace
}  // namespace engine
