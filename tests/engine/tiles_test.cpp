// Parts of tensors at any level of detail: asked for by name, answered through the trace.
#include "engine/tiles.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>

#include "model/arch/matrices.h"
#include "tests/support/capture.h"
#include "tests/support/conversation.h"
#include "tests/support/gguf_bytes.h"

namespace {

using engine::InspectTile;
using tests::Conversation;

constexpr std::chrono::nanoseconds kLong{2'000'000'000};

const trace::TileAnswer& ask(Conversation& talk, InspectTile what) {
  what.request = ++talk.request;
  talk.session.ask_tile(what);
  while (talk.session.tiles_pending()) talk.session.read_tiles(kLong);
  talk.reader.poll();
  return *talk.reader.tile(what.request);
}

// Minimum, mean and maximum of every texel from the single values (rows, cols).
void expect_values(const trace::TileAnswer& tile, const std::vector<float>& values, int64_t rows,
                   int64_t cols) {
  const trace::TileRecord& t = *tile.record;
  EXPECT_EQ(1.0F, t.read);
  EXPECT_EQ(static_cast<uint32_t>(rows), t.full_rows);
  EXPECT_EQ(static_cast<uint32_t>(cols), t.full_cols);
  ASSERT_GT(t.rows, 0U) << tile.formula;
  for (uint32_t y = 0; y < t.rows; ++y) {
    for (uint32_t x = 0; x < t.cols; ++x) {
      float low = INFINITY;
      float high = -INFINITY;
      double sum = 0.0;
      double n = 0.0;
      for (int64_t r = 0; r < int64_t{1} << t.row_shift; ++r) {
        for (int64_t c = 0; c < int64_t{1} << t.col_shift; ++c) {
          const int64_t row = t.first_row + (int64_t{y} << t.row_shift) + r;
          const int64_t col = t.first_col + (int64_t{x} << t.col_shift) + c;
          if (row >= rows || col >= cols) continue;
          const float v = values[static_cast<size_t>(row * cols + col)];
          low = std::min(low, v);
          high = std::max(high, v);
          sum += double{v};
          n += 1.0;
        }
      }
      const size_t i = size_t{y} * t.cols + x;
      EXPECT_EQ(low, tile.min[i]);
      EXPECT_EQ(high, tile.max[i]);
      EXPECT_NEAR(sum / n, double{tile.mean[i]}, 1e-7 + 1e-6 * std::abs(sum / n));
    }
  }
}

std::vector<float> all_values(const model::Tensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  for (int64_t i = 0; i < tensor.rows(); ++i)
    dequantize_row(tensor, i, values.data() + i * tensor.cols());
  return values;
}

class TilesOf : public ::testing::TestWithParam<std::string> {
 protected:
  TilesOf() : talk_(GetParam()) { talk_.run("Once upon a time", 6); }
  Conversation talk_;
};

TEST_P(TilesOf, AStoredWeightIsReducedFromEveryOneOfItsValues) {
  for (const char* name : {"blk.1.attn_q.weight", "blk.0.ffn_down.weight", "token_embd.weight",
                           "output_norm.weight"}) {
    const model::Tensor& tensor = *talk_.model.file.find_tensor(name);
    const std::vector<float> values = all_values(tensor);
    const auto rows = static_cast<uint32_t>(tensor.rows());
    const auto cols = static_cast<uint32_t>(tensor.cols());
    SCOPED_TRACE(name);
    for (const int level : {0, 1, 3}) {
      const auto shift = static_cast<uint8_t>(level);
      const InspectTile part{
          0, name, 0, rows / 3, cols / 2, 64, 64, shift, static_cast<uint8_t>(shift / 2)};
      const trace::TileAnswer& tile = ask(talk_, part);
      EXPECT_EQ(shift == 0 ? 1U : 3U, tile.record->planes);
      expect_values(tile, values, tensor.rows(), tensor.cols());
      EXPECT_CONTAINS(std::string(tile.formula), "stored weight, ");
    }
    expect_values(ask(talk_, {0, name, 0, 0, 0, rows, cols, 5, 5}), values, tensor.rows(),
                  tensor.cols());
  }
}

TEST_P(TilesOf, OneCellIsTheWeightInTheFile) {
  const model::Tensor& tensor = *talk_.model.file.find_tensor("blk.0.ffn_up.weight");
  std::vector<float> row(static_cast<size_t>(tensor.cols()));
  dequantize_row(tensor, 17, row.data());
  const trace::TileAnswer& tile = ask(talk_, {0, "blk.0.ffn_up.weight", 0, 17, 20, 1, 1, 0, 0});
  ASSERT_EQ(1U, tile.mean.size());
  EXPECT_EQ(row[20], tile.mean[0]);
}

TEST_P(TilesOf, AnActivationIsWhatThePassMade) {
  tests::Passes passes(*talk_.model.network, talk_.session.tokens());
  const auto& act = passes.positions[4].at(model::Tap::kAct, 1);
  expect_values(ask(talk_, {0, "blk.1.ffn.act", 4, 0, 0, 1, 1U << 20, 0, 4}), act.data, act.rows,
                act.cols);
  const auto& weights = passes.positions[5].at(model::Tap::kWeights, 0);
  expect_values(ask(talk_, {0, "blk.0.attn.weights", 5, 1, 0, 2, 6, 0, 0}), weights.data,
                weights.rows, weights.cols);
}

TEST_P(TilesOf, KeysAndValuesAreWhatTheCacheHoldsUpToThePosition) {
  const model::Config& c = talk_.model.network->config();
  constexpr uint32_t kPosition = 7;
  const int64_t width = c.n_head_kv * c.head_dim;
  for (const bool keys : {true, false}) {
    const std::string name = keys ? "blk.1.kv.k" : "blk.1.kv.v";
    SCOPED_TRACE(name);
    // As each pass made them, one after the other.
    tests::Passes passes(*talk_.model.network, talk_.session.tokens());
    std::vector<float> values;
    for (uint32_t p = 0; p <= kPosition; ++p) {
      const auto& made = passes.positions[p].at(keys ? model::Tap::kK : model::Tap::kV, 1);
      values.insert(values.end(), made.data.begin(), made.data.end());
    }
    expect_values(ask(talk_, {0, name, kPosition, 0, 0, 256, 256, 0, 0}), values, kPosition + 1,
                  width);
    expect_values(
        ask(talk_, {0, name, kPosition, 2, static_cast<uint32_t>(c.head_dim) - 3, 4, 8, 1, 2}),
        values, kPosition + 1, width);
    EXPECT_EQ(0U, ask(talk_, {0, name, kPosition, kPosition + 1, 0, 9, 9, 0, 0}).record->rows)
        << "later positions are not there at that one";
  }
}

TEST_P(TilesOf, SeveralActivationsOfAPositionTakeOneRun) {
  tests::Passes passes(*talk_.model.network, talk_.session.tokens());
  for (const char* name : {"blk.0.attn.q", "blk.1.attn.z", "norm"})
    talk_.session.ask_tile(InspectTile{++talk_.request, name, 3, 0, 0, 256, 256, 0, 0});
  talk_.session.read_tiles(kLong);
  talk_.reader.poll();
  const auto& q = passes.positions[3].at(model::Tap::kQ, 0);
  const auto& norm = passes.positions[3].at(model::Tap::kNorm);
  expect_values(*talk_.reader.tile(talk_.request - 2), q.data, q.rows, q.cols);
  expect_values(*talk_.reader.tile(talk_.request), norm.data, norm.rows, norm.cols);
}

TEST_P(TilesOf, WhatIsNotThereIsAnsweredWithAReason) {
  const model::Tensor& q = *talk_.model.file.find_tensor("blk.0.attn_q.weight");
  const auto rows = static_cast<uint32_t>(q.rows());
  struct Wrong {
    InspectTile what;
    const char* why;
  };
  for (const Wrong& w :
       {Wrong{{0, "nonsense", 0, 0, 0, 1, 1, 0, 0}, "no tensor of this name"},
        {{0, "", 0, 0, 0, 1, 1, 0, 0}, "no tensor of this name"},
        {{0, "blk.0.attn.q", 999, 0, 0, 1, 1, 0, 0}, "not been run"},
        {{0, "blk.0.router", 0, 0, 0, 1, 1, 0, 0}, "makes no such tensor"},
        {{0, "blk.0.kv.k", 999, 0, 0, 1, 1, 0, 0}, "not been run"},
        {{0, "blk.0.kv.k", 2, 3, 0, 1, 1, 0, 0}, "no such rows"},
        {{0, "blk.99.kv.k", 2, 0, 0, 1, 1, 0, 0}, "no tensor of this name"},
        {{0, "blk.0.kv.x", 2, 0, 0, 1, 1, 0, 0}, "no tensor of this name"},
        {{0, "blk.0.attn_q.weight", 0, rows, 0, 1, 1, 0, 0}, "no such rows"},
        {{0, "blk.0.attn_q.weight", 0, 0, 0xFFFFFFFFU, 1, 1, 0, 0}, "no such rows"},
        {{0, "blk.0.attn_q.weight", 0, 0, 0, 0, 1, 0, 0}, "no such rows"},
        {{0, "blk.0.attn_q.weight", 0, 0, 0, 1, 1, 200, 0}, "at most 256 texels"},
        {{0, "token_embd.weight", 0, 0, 0, 0xFFFFFFFFU, 0xFFFFFFFFU, 0, 6}, ""}}) {
    const trace::TileAnswer& tile = ask(talk_, w.what);
    if (w.what.name == "token_embd.weight") {
      EXPECT_LE(tile.record->rows, engine::kMaxTileSide);
      continue;
    }
    EXPECT_EQ(0U, tile.record->rows) << w.why;
    EXPECT_TRUE(tile.mean.empty());
    EXPECT_EQ(w.what.name, tile.name);
    EXPECT_CONTAINS(std::string(tile.formula), w.why);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, TilesOf,
                         ::testing::Values(tests::builtin_model_path(), tests::gqa_model_path()),
                         [](const auto& one) { return one.index == 0 ? "BuiltIn" : "Gqa"; });

// A model whose vocabulary is too large to be read in one go.
class LargeMatrix : public ::testing::Test {
 protected:
  static constexpr int64_t kCols = 256;
  static constexpr int64_t kRows = 40000;

  LargeMatrix() {
    const std::string path = folder_.file("large.gguf");
    tests::GgufBytes g = tests::small_llama();
    std::ofstream(path, std::ios::binary) << g.build();
    talk_ = std::make_unique<Conversation>(path.c_str());
    talk_->run("a", 1);
    bytes_.resize(static_cast<size_t>(kCols * kRows) * 2);
    std::mt19937 random(3);
    for (size_t i = 0; i < bytes_.size(); i += 2) {
      const uint16_t half = model::f16_from_f32(static_cast<float>(random() % 2001) / 1000.0F - 1);
      std::memcpy(bytes_.data() + i, &half, 2);
    }
    tensor_ = {"big.weight", model::DType::kF16, {kCols, kRows, 1, 1}, bytes_.data()};
    EXPECT_TRUE(talk_->model.file.add(tensor_));
  }

  tests::TempFolder folder_;
  std::unique_ptr<Conversation> talk_;
  std::vector<std::byte> bytes_;
  model::Tensor tensor_;
};

TEST_F(LargeMatrix, ComesInBoundedPiecesAndIsTheSameInTheEnd) {
  const InspectTile whole{++talk_->request, "big.weight", 0, 0, 0, kRows, kCols, 8, 5};
  talk_->session.ask_tile(whole);
  int pieces = 0;
  for (; talk_->session.tiles_pending(); ++pieces) {
    talk_->session.read_tiles(std::chrono::microseconds(300));
  }
  EXPECT_GT(pieces, 5);
  talk_->reader.poll();
  expect_values(*talk_->reader.tile(whole.request), all_values(tensor_), kRows, kCols);
}

TEST_F(LargeMatrix, SaysHowFarItHasRead) {
  const InspectTile whole{++talk_->request, "big.weight", 0, 0, 0, kRows, kCols, 8, 5};
  talk_->session.ask_tile(whole);
  // A first look, then others after its patience has run out.
  talk_->session.read_tiles(std::chrono::microseconds(100));
  std::this_thread::sleep_for(engine::TileReader::kPatience);
  const trace::TileAnswer* part = nullptr;
  while (part == nullptr && talk_->session.tiles_pending()) {
    talk_->session.read_tiles(std::chrono::microseconds(200));
    talk_->reader.poll();
    part = talk_->reader.tile(whole.request);
  }
  ASSERT_NE(nullptr, part);
  ASSERT_TRUE(talk_->session.tiles_pending());
  EXPECT_LT(part->record->read, 1.0F);
  const auto known = static_cast<size_t>(
      std::count_if(part->mean.begin(), part->mean.end(), [](float v) { return !std::isnan(v); }));
  EXPECT_NEAR(static_cast<double>(known) / static_cast<double>(part->mean.size()),
              double{part->record->read}, 1e-3);
  while (talk_->session.tiles_pending()) talk_->session.read_tiles(kLong);
  talk_->reader.poll();
  EXPECT_EQ(1.0F, talk_->reader.tile(whole.request)->record->read);
}

TEST_F(LargeMatrix, ASmallTileDoesNotWaitForALargeOne) {
  talk_->session.ask_tile(InspectTile{1, "big.weight", 0, 0, 0, kRows, kCols, 8, 5});
  talk_->session.ask_tile(InspectTile{2, "output_norm.weight", 0, 0, 0, 1, 16, 0, 0});
  while (talk_->reader.tile(2) == nullptr) {
    ASSERT_TRUE(talk_->session.tiles_pending());
    talk_->session.read_tiles(std::chrono::microseconds(200));
    talk_->reader.poll();
  }
  EXPECT_TRUE(talk_->session.tiles_pending()) << "the large one is still being read";
}

// The whole of a matrix stays what it is where the file keeps it otherwise.
TEST(Matrices, AreFoundWhereTheFileKeepsThem) {
  tests::GgufBytes g;
  g.string("general.architecture", "phi3");
  g.tensor("token_embd.weight", {8, 10});
  g.tensor("blk.0.attn_qkv.weight", {8, 8 + 4 + 4}).tensor("blk.0.ffn_up.weight", {8, 24});
  g.tensor("blk.1.ffn_gate_exps.weight", {8, 6, 3});
  const tests::LoadedGguf loaded(g.build());
  model::Config c;
  c.n_head = 2;
  c.n_head_kv = 1;
  c.head_dim = 4;
  c.n_ff = 12;
  struct Part {
    const char* name;
    const char* whole;
    int64_t first, rows;
  };
  for (const Part& p : {Part{"blk.0.attn_q.weight", "blk.0.attn_qkv.weight", 0, 8},
                        {"blk.0.attn_k.weight", "blk.0.attn_qkv.weight", 8, 4},
                        {"blk.0.attn_v.weight", "blk.0.attn_qkv.weight", 12, 4},
                        {"blk.0.ffn_gate.weight", "blk.0.ffn_up.weight", 0, 12},
                        {"blk.0.ffn_up.weight", "blk.0.ffn_up.weight", 12, 12},
                        {"blk.1.ffn_gate.2.weight", "blk.1.ffn_gate_exps.weight", 12, 6},
                        {"output.weight", "token_embd.weight", 0, 10}}) {
    const auto found = model::find_matrix(loaded.file, c, p.name);
    ASSERT_TRUE(found) << p.name;
    const model::Tensor& whole = *loaded.file.find_tensor(p.whole);
    EXPECT_EQ(whole.row(p.first), found->tensor.data) << p.name;
    EXPECT_EQ(p.rows, found->tensor.rows()) << p.name;
    EXPECT_EQ(8, found->tensor.cols()) << p.name;
    EXPECT_CONTAINS(found->where, p.whole);
  }
  for (const char* none :
       {"", "blk.0.attn_x.weight", "blk.1.ffn_gate.3.weight", ".weight", "blk.1.ffn_gate.-1.weight",
        "blk.1.ffn_gate.2x.weight", "blk.2.attn_q.weight", "blk.0.ffn_gate.weight.weight"}) {
    EXPECT_FALSE(model::find_matrix(loaded.file, c, none)) << none;
  }
}

}  // namespace
