#include "engine/commands/tap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <sstream>

#include "engine/commands/logits.h"
#include "engine/commands/tap_list.h"
#include "model/error.h"
#include "model/format/gguf.h"
#include "tests/support/npy_file.h"
#include "tests/support/oracle.h"

namespace {

using namespace engine::commands;
using engine::LoadedModel;
using engine::ModelSource;

const tests::Oracle kOracle = tests::own_oracle("llama-gqa");

ModelSource model() {
  return {kOracle.model.string(), {}};
}

std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const fulgurite::Error& error) {
    EXPECT_EQ(fulgurite::ExitCode::kUsage, error.code());
    return error.what();
  }
  return "(accepted)";
}

class Arrays : public testing::Test {
 protected:
  tests::NpyFile tap_of(const TokenInput& input, const std::string& name, int64_t position = -1) {
    tap({model(), input, name, path(), position, 1});
    return tests::read_npy(path());
  }
  std::string path() const { return folder_.file("x.npy"); }

  const nlohmann::json text0_ = kOracle.cases()[0];
  const TokenInput ids_{text0_["ids"].get<std::vector<int64_t>>(), {}};
  const TokenInput text_{{}, text0_["text"]};
  const tests::TempFolder folder_;
};

// Behind the original context all positions are rotated by other factors.
TEST_F(Arrays, OnePositionIsThatOfAllThatWereGiven) {
  const model::ModelFile plain = model::open_gguf(kOracle.model.string());
  const int64_t pairs = model::read_config(plain).rope_dim / 2;
  model::GgufWriter writer;
  for (const auto& [key, value] : plain.metadata()) writer.add(key, value);
  writer.add("llama.rope.scaling.original_context_length", uint64_t{8});
  for (const model::Tensor& tensor : plain.tensors()) writer.add_tensor(tensor);
  for (const auto& [name, factor] : {std::pair{"rope_factors_short.weight", 1.0F},
                                     std::pair{"rope_factors_long.weight", 3.0F}}) {
    const std::vector<float> factors(static_cast<size_t>(pairs), factor);
    writer.add_tensor(name, 1, pairs, model::DType::kF32, factors.data());
  }
  const std::string path = folder_.file("long.gguf");
  writer.write(path);
  const auto k_of = [&](int64_t position) {
    tap({{path, {}}, ids_, "blk.0.attn.k", folder_.file("k.npy"), position, 1});
    return tests::read_npy(folder_.file("k.npy")).values;
  };
  const std::vector<float> all = k_of(-1);
  const std::vector<float> one = k_of(2);
  const auto begin = all.begin() + 2 * std::ssize(one);
  EXPECT_EQ(std::vector<float>(begin, begin + std::ssize(one)), one);
}

TEST_F(Arrays, LogitsOfEveryPositionAreLlamaCpps) {
  const std::vector<float> expected =
      tests::read_floats(kOracle.folder / text0_["logits"].get<std::string>());
  for (const TokenInput& input : {ids_, text_}) {
    logits({model(), input, path(), 1});
    const tests::NpyFile file = tests::read_npy(path());
    EXPECT_CONTAINS(file.header, "'<f4'", "(13, 512)");
    EXPECT_LT(tests::relative_rms(file.values, expected), 1e-5);
  }
}

TEST_F(Arrays, TapsOfEveryPositionAreLlamaCpps) {
  const tests::Intermediates theirs(kOracle.folder);
  const tests::NpyFile q = tap_of(ids_, "blk.0.attn.q");
  EXPECT_CONTAINS(q.header, "(13, 8, 8)");
  EXPECT_LT(tests::relative_rms(q.values, theirs.at("Qcur-0#3")), 1e-5) << "after RoPE";
  const tests::NpyFile norm = tap_of(ids_, "blk.0.attn.norm");
  EXPECT_CONTAINS(norm.header, "(13, 64)");
  EXPECT_LT(tests::relative_rms(norm.values, theirs.at("attn_norm-0")), 1e-5);
}

TEST_F(Arrays, AttentionRowsAreFilledUpWithZeros) {
  const tests::NpyFile weights = tap_of(ids_, "blk.1.attn.weights");
  EXPECT_CONTAINS(weights.header, "(13, 8, 13)");
  ASSERT_EQ(13U * 8 * 13, weights.values.size());
  for (size_t p = 0; p < 13; ++p) {
    for (size_t h = 0; h < 8; ++h) {
      const float* row = weights.values.data() + (p * 8 + h) * 13;
      double sum = 0.0;
      for (size_t j = 0; j <= p; ++j) sum += double{row[j]};
      EXPECT_NEAR(1.0, sum, 1e-5);
      for (size_t j = p + 1; j < 13; ++j) EXPECT_EQ(0.0F, row[j]);
    }
  }
  const tests::NpyFile one = tap_of(ids_, "blk.1.attn.weights", 4);
  EXPECT_CONTAINS(one.header, "(8, 5)");
  for (size_t h = 0; h < 8; ++h) {
    for (size_t j = 0; j < 5; ++j) {
      EXPECT_EQ(weights.values[(4 * 8 + h) * 13 + j], one.values[h * 5 + j]);
    }
  }
}

TEST_F(Arrays, WhatTheInspectorCallsCachedIsWhatWasMade) {
  for (const auto& [cached, made] :
       {std::pair{"blk.1.kv.k", "blk.1.attn.k"}, std::pair{"blk.1.kv.v", "blk.1.attn.v"}}) {
    const tests::NpyFile lane = tap_of(ids_, cached);
    const tests::NpyFile tap = tap_of(ids_, made);
    EXPECT_EQ(tap.header, lane.header);
    EXPECT_EQ(tap.values, lane.values);
  }
}

// Every name that is listed can be written, and has the shape that was told.
TEST_F(Arrays, EveryListedTapCanBeWritten) {
  LoadedModel loaded(model());
  const std::vector<TapShape> taps = list_taps(loaded);
  EXPECT_GE(taps.size(), 2U * 15);
  for (const TapShape& listed : taps) {
    SCOPED_TRACE(listed.name);
    const tests::NpyFile file = tap_of({{1, 2, 3}, {}}, listed.name);
    const int64_t cols = listed.reaches ? 3 : listed.cols;
    EXPECT_EQ(static_cast<size_t>(3 * listed.rows * cols), file.values.size());
    EXPECT_FALSE(listed.formula.empty());
    EXPECT_TRUE(std::all_of(file.values.begin(), file.values.end(),
                            [](float v) { return std::isfinite(v); }));
  }
  std::ostringstream table;
  EXPECT_EQ(0, engine::commands::taps({model(), 1, false}, table));
  EXPECT_CONTAINS(table.str(), "blk.1.attn.weights", "(8, T)", "resid.post", "logits");
  std::ostringstream json;
  EXPECT_EQ(0, engine::commands::taps({model(), 1, true}, json));
  const auto list = nlohmann::json::parse(json.str());
  ASSERT_EQ(taps.size(), list.size());
  for (const auto& one : list) {
    if (one["name"] != "blk.0.attn.scores") continue;
    EXPECT_EQ(nlohmann::json::parse(R"([8, "T"])"), one["shape"]);
  }
}

TEST_F(Arrays, WhatIsNotThereIsNamed) {
  EXPECT_CONTAINS(refusal([&] { tap_of(ids_, "blk.1.attn.weight"); }), "'blk.1.attn.weight'",
                  "near are blk.1.attn.weights", "taps");
  EXPECT_CONTAINS(refusal([&] { tap_of(ids_, "blk.9.attn.weights"); }), "blk.9.attn.weights");
  EXPECT_CONTAINS(refusal([&] { tap_of(ids_, "router"); }), "router");
  EXPECT_CONTAINS(refusal([&] { tap_of(ids_, "norm", 13); }), "position 13", "13 tokens");
  EXPECT_CONTAINS(refusal([&] {
                    logits({model(), {{1, 512}, {}}, path(), 1});
                  }),
                  "token 512", "vocabulary of 512");
  EXPECT_CONTAINS(refusal([&] { logits({model(), {{-1}, {}}, path(), 1}); }), "token -1");
  const TokenInput many{std::vector<int64_t>(100000, 1), {}};
  EXPECT_CONTAINS(refusal([&] { logits({model(), many, path(), 1}); }), "100000 tokens", "context");
  EXPECT_FALSE(std::filesystem::exists(path()));
}

}  // namespace
