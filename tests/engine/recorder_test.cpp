#include "engine/recorder.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "engine/trace/log.h"
#include "model/arch/registry.h"
#include "model/config.h"
#include "model/kernels/matmul.h"

namespace engine {
namespace {

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
      EXPECT_LE(n * reach * (32 * 8 + 2 * 32) * 4, int64_t{64} << 20) << reach;
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
    // Every read of every head, and every neuron.
    const int64_t listed = 32 * 32 * reach * int64_t{sizeof(trace::KvRead)} +
                           32 * c.neurons() * int64_t{sizeof(trace::NeuronShare)};
    if (n > 1) {
      EXPECT_LE(n * listed, int64_t{64} << 20) << reach;
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
