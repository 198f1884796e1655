// One click: a tensor of the past, exactly as the forward pass made it.
#include "engine/inspection.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/capture.h"
#include "tests/support/conversation.h"
#include "tests/support/oracle.h"

namespace {

using model::Tap;
using tests::Conversation;

engine::Inspection summarise(const std::vector<float>& values, int64_t rows, int64_t cols) {
  engine::Summary summary(rows, cols);
  for (int64_t row = 0; row < rows; ++row) summary.add_row(values.data() + row * cols);
  return std::move(summary).result();
}

class InspectionOf : public ::testing::TestWithParam<std::string> {
 protected:
  InspectionOf() : talk_(GetParam()) {
    talk_.run("Once upon a time", 12);
    passes_ = std::make_unique<tests::Passes>(*talk_.model.network, talk_.session.tokens());
  }
  const model::Config& c() const { return talk_.model.network->config(); }

  // An answer holds these values, or, when they are too many, means of them.
  static void expect_values(const trace::TensorAnswer& answer, const std::vector<float>& values,
                            int64_t rows, int64_t cols) {
    const engine::Inspection expected = summarise(values, rows, cols);
    EXPECT_EQ(static_cast<uint32_t>(rows), answer.record->full_rows);
    EXPECT_EQ(static_cast<uint32_t>(cols), answer.record->full_cols);
    EXPECT_EQ(static_cast<uint32_t>(expected.rows), answer.record->rows);
    EXPECT_EQ(static_cast<uint32_t>(expected.cols), answer.record->cols);
    EXPECT_TRUE(tests::same_bits(answer.values, expected.values)) << answer.name;
    EXPECT_EQ(expected.min, answer.record->min);
    EXPECT_EQ(expected.max, answer.record->max);
    EXPECT_EQ(expected.mean, answer.record->mean);
    EXPECT_EQ(expected.rms, answer.record->rms);
  }

  Conversation talk_;
  std::unique_ptr<tests::Passes> passes_;
};

TEST_P(InspectionOf, AnyTapOfAnyPastTokenIsWhatThePassMade) {
  const auto last = static_cast<uint32_t>(passes_->positions.size() - 1);
  for (const uint32_t position : {0U, 3U, last / 2, last}) {
    for (int t = 0; t < model::kTapCount; ++t) {
      const model::TapInfo& info = model::tap_info(static_cast<Tap>(t));
      for (int64_t l = 0; l < (info.per_layer ? c().n_layer : 1); ++l) {
        if (info.tap == Tap::kRouter || info.tap == Tap::kExperts) continue;  // it is dense
        const std::string name = model::tap_name(info.tap, l);
        const trace::TensorAnswer& answer = talk_.ask(name, position);
        const tests::Capture::Values& made = passes_->positions[position].at(info.tap, l);
        SCOPED_TRACE(name + " at " + std::to_string(position));
        EXPECT_EQ(name, answer.name);
        EXPECT_EQ(model::tap_formula({info.tap, l}, c()), answer.formula);
        EXPECT_EQ(position, answer.record->position);
        expect_values(answer, made.data, made.rows, made.cols);
      }
    }
  }
}

TEST_P(InspectionOf, ADenseModelHasNoRouter) {
  EXPECT_CONTAINS(std::string(talk_.ask("blk.0.router", 3).formula), "makes no such tensor");
}

TEST_P(InspectionOf, OneHeadIsOneRow) {
  const tests::Capture::Values& made = passes_->positions[7].at(Tap::kWeights, 1);
  const trace::TensorAnswer& answer = talk_.ask("blk.1.attn.weights", 7, 2, 1);
  expect_values(answer, {made.row(2), made.row(2) + made.cols}, 1, made.cols);
}

TEST_P(InspectionOf, ALaneOfTheCacheIsItsPositions) {
  for (const char kind : {'k', 'v'}) {
    for (int64_t lane = 0; lane < c().n_head_kv; ++lane) {
      std::vector<float> expected;
      for (int64_t j = 0; j <= 5; ++j) {
        std::vector<float> at(static_cast<size_t>(c().head_dim));
        kind == 'k' ? passes_->cache.load_k(1, j, lane, at.data())
                    : passes_->cache.load_v(1, j, lane, at.data());
        expected.insert(expected.end(), at.begin(), at.end());
      }
      const trace::TensorAnswer& answer =
          talk_.ask(std::string("blk.1.kv.") + kind, 5, static_cast<int32_t>(lane));
      expect_values(answer, expected, 6, c().head_dim);
      EXPECT_CONTAINS(std::string(answer.formula), "as cached");
    }
  }
}

TEST_P(InspectionOf, AStoredWeightIsGivenByRows) {
  for (const char* name : {"blk.1.attn_q.weight", "blk.0.ffn_down.weight", "token_embd.weight",
                           "output_norm.weight"}) {
    const model::Tensor& tensor = *talk_.model.file.find_tensor(name);
    const int64_t first = tensor.rows() / 2;
    const int64_t rows = std::min<int64_t>(tensor.rows() - first, 3);
    std::vector<float> expected(static_cast<size_t>(rows * tensor.cols()));
    for (int64_t i = 0; i < rows; ++i)
      dequantize_row(tensor, first + i, expected.data() + i * tensor.cols());
    const trace::TensorAnswer& answer =
        talk_.ask(name, 0, static_cast<int32_t>(first), static_cast<int32_t>(rows));
    expect_values(answer, expected, rows, tensor.cols());
    EXPECT_CONTAINS(std::string(answer.formula), "stored weight");
    EXPECT_EQ(static_cast<uint32_t>(tensor.rows() - first),
              talk_.ask(name, 0, static_cast<int32_t>(first)).record->full_rows)
        << "to the end";
  }
}

TEST_P(InspectionOf, WhatIsNotThereIsAnsweredWithAReason) {
  const auto heads = static_cast<int32_t>(c().n_head);
  const auto lanes = static_cast<int32_t>(c().n_head_kv);
  const auto n = static_cast<uint32_t>(talk_.reader.positions());
  const std::string beyond = "blk." + std::to_string(c().n_layer) + ".attn.weights";
  struct Wrong {
    std::string name;
    uint32_t position;
    int32_t first_row, rows;
    const char* why;
  };
  for (const Wrong& w : {Wrong{"nonsense", 0, 0, -1, "no tensor of this name"},
                         {"", 0, 0, -1, "no tensor of this name"},
                         {beyond, 0, 0, -1, "no tensor of this name"},
                         {"blk.-1.attn.weights", 0, 0, -1, "no tensor of this name"},
                         {"blk.0.logits", 0, 0, -1, "no tensor of this name"},
                         {"attn.weights", 0, 0, -1, "no tensor of this name"},
                         {"blk.0.attn.weights", n, 0, -1, "not been run"},
                         {"logits", 0xFFFFFFFFU, 0, -1, "not been run"},
                         {"blk.0.kv.k", n, 0, -1, "not been run"},
                         {"blk.0.attn.weights", 0, heads, 1, "no such rows"},
                         {"blk.0.attn.weights", 0, -1, 1, "no such rows"},
                         {"blk.0.attn.weights", 0, 0, heads + 1, "no such rows"},
                         {"blk.0.attn.weights", 0, 0, 0, "no such rows"},
                         {"blk.0.attn.weights", 0, 0x7FFFFFFF, 0x7FFFFFFF, "no such rows"},
                         {"blk.0.attn_q.weight", 0, 1 << 20, -1, "no such rows"},
                         {"blk.0.kv.v", 0, lanes, -1, "no such KV head"},
                         {"blk.0.kv.v", 0, -1, -1, "no such KV head"}}) {
    const trace::TensorAnswer& answer = talk_.ask(w.name, w.position, w.first_row, w.rows);
    EXPECT_EQ(0U, answer.record->rows) << w.name;
    EXPECT_TRUE(answer.values.empty()) << w.name;
    EXPECT_EQ(w.name, answer.name);
    EXPECT_CONTAINS(std::string(answer.formula), w.why);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, InspectionOf,
                         ::testing::Values(tests::builtin_model_path(), tests::gqa_model_path()),
                         [](const auto& one) { return one.index == 0 ? "BuiltIn" : "Gqa"; });

TEST(Inspection, BeforeAnythingWasRunThereAreOnlyWeights) {
  Conversation talk(tests::gqa_model_path());
  talk.session.start(std::vector<int32_t>{1, 403}, 1, tests::kGreedy);
  EXPECT_CONTAINS(std::string(talk.ask("embd", 0).formula), "not been run");
  EXPECT_EQ(64U, talk.ask("blk.0.attn_q.weight", 0).record->rows);
}

TEST(Inspection, StatisticsAreOfEveryValue) {
  const engine::Inspection s = summarise({3.0F, -1.0F, 2.0F, 0.0F, 0.0F, 2.0F}, 2, 3);
  EXPECT_EQ(2, s.rows);
  EXPECT_EQ(3, s.cols);
  EXPECT_EQ(-1.0F, s.min);
  EXPECT_EQ(3.0F, s.max);
  EXPECT_FLOAT_EQ(1.0F, s.mean);
  EXPECT_FLOAT_EQ(std::sqrt(3.0F), s.rms);
  EXPECT_EQ((std::vector<float>{3.0F, -1.0F, 2.0F, 0.0F, 0.0F, 2.0F}), s.values);
}

TEST(Inspection, ALongVectorKeepsEveryValue) {
  std::vector<float> values;
  for (int i = 0; i < 151936; ++i) values.push_back(static_cast<float>(i));
  const engine::Inspection s = summarise(values, 1, 151936);
  EXPECT_EQ(151936, s.cols) << "the logits of a large vocabulary";
  EXPECT_EQ(values, s.values);
}

TEST(Inspection, ALargeTensorIsGivenAsMeansOfBlocks) {
  const int64_t rows = 2 * engine::kMaxSide, cols = engine::kMaxSide + 1;
  std::vector<float> values;
  for (int64_t i = 0; i < rows * cols; ++i) values.push_back(static_cast<float>(i / cols));
  const engine::Inspection s = summarise(values, rows, cols);
  EXPECT_EQ(engine::kMaxSide, s.rows);
  EXPECT_EQ(engine::kMaxSide, s.cols);
  EXPECT_EQ(rows, s.full_rows);
  EXPECT_EQ(cols, s.full_cols);
  EXPECT_EQ(0.0F, s.min);
  EXPECT_EQ(static_cast<float>(rows - 1), s.max) << "of every value, not of the means";
  for (int64_t r = 0; r < s.rows; ++r) {
    EXPECT_FLOAT_EQ(static_cast<float>(2 * r) + 0.5F,
                    s.values[static_cast<size_t>(r * s.cols + 7)]);
  }
}

}  // namespace
