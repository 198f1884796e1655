// What every tap holds, against llama.cpp's intermediates of the same name.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/arch/registry.h"
#include "model/format/gguf.h"
#include "tests/support/capture.h"
#include "tests/support/oracle.h"

namespace {

using model::Tap;
using tests::Capture;
using tests::Oracle;

struct Runner {
  explicit Runner(const Oracle& oracle)
      : file(model::open_gguf(oracle.model.string())), network(model::make_model(file)) {}
  int64_t vocabulary() const { return network->config().n_vocab; }

  // (T, V)
  std::vector<float> logits(const std::vector<int32_t>& ids) const {
    model::KvCache cache(network->config(), static_cast<int64_t>(ids.size()));
    std::vector<float> all(ids.size() * static_cast<size_t>(vocabulary()));
    network->forward(ids, 0, cache, all.data(), static_cast<int64_t>(ids.size()), nullptr);
    return all;
  }

  model::ModelFile file;
  std::unique_ptr<model::Model> network;
};

class Intermediates : public ::testing::Test {
 protected:
  Intermediates()
      : runner_(oracle_),
        ids_(oracle_.cases()[0]["ids"]),
        passes_(*runner_.network, ids_),
        values_(tests::read_floats(oracle_.folder / "text0.acts.f32")),
        index_(tests::read_json(oracle_.folder / "text0.acts.json")["tensors"]) {}

  std::span<const float> theirs(const std::string& name) const {
    for (const auto& t : index_) {
      if (t["name"] != name) continue;
      return std::span(values_).subspan(t["offset"].get<size_t>() / sizeof(float), t["count"]);
    }
    ADD_FAILURE() << "no " << name;
    return {};
  }
  // The tap over all positions, (T, rows, cols).
  std::vector<float> ours(Tap tap, int64_t layer) const {
    std::vector<float> all;
    for (const Capture& p : passes_.positions) {
      const auto& data = p.at(tap, layer).data;
      all.insert(all.end(), data.begin(), data.end());
    }
    return all;
  }
  void expect_same(Tap tap, int64_t layer, const std::string& name) const {
    EXPECT_LT(tests::relative_rms(ours(tap, layer), theirs(name)), 1e-5) << name;
  }

  const Oracle oracle_ = tests::own_oracle("llama-gqa");
  Runner runner_;
  std::vector<int32_t> ids_;
  tests::Passes passes_;
  std::vector<float> values_;
  nlohmann::json index_;
};

TEST_F(Intermediates, EveryTapIsWhatLlamaCppNames) {
  expect_same(Tap::kEmbedding, 0, "embd");
  for (int64_t l = 0; l < runner_.network->config().n_layer; ++l) {
    std::string n = "-";
    n += std::to_string(l);
    expect_same(Tap::kAttnNorm, l, "attn_norm" + n);
    expect_same(Tap::kQ, l, "Qcur" + n + "#3");
    expect_same(Tap::kK, l, "Kcur" + n + "#3");
    expect_same(Tap::kV, l, "Vcur" + n);
    expect_same(Tap::kMix, l, "kqv_out" + n);
    expect_same(Tap::kAttnOut, l, "attn_out" + n);
    expect_same(Tap::kResidMid, l, "ffn_inp" + n);
    expect_same(Tap::kFfnNorm, l, "ffn_norm" + n);
    expect_same(Tap::kGate, l, "ffn_gate" + n);
    expect_same(Tap::kUp, l, "ffn_up" + n);
    expect_same(Tap::kAct, l, "ffn_swiglu" + n);
    expect_same(Tap::kFfnOut, l, "ffn_out" + n);
    expect_same(Tap::kResidPost, l, "l_out" + n);
  }
  expect_same(Tap::kNorm, 0, "result_norm");
  expect_same(Tap::kLogits, 0, "result_output");
}

TEST_F(Intermediates, AttentionWeightsAreTheirs) {
  const size_t n = ids_.size();
  for (int64_t l = 0; l < runner_.network->config().n_layer; ++l) {
    const auto kq =
        theirs(std::string("kq_soft_max-").append(std::to_string(l)));  // [keys, queries, heads]
    for (size_t p = 0; p < n; ++p) {
      const Capture::Values& a = passes_.positions[p].at(Tap::kWeights, l);
      ASSERT_EQ(static_cast<int64_t>(p) + 1, a.cols);
      for (int64_t h = 0; h < a.rows; ++h) {
        for (size_t j = 0; j <= p; ++j) {
          EXPECT_NEAR(kq[(static_cast<size_t>(h) * n + p) * n + j], a.row(h)[j], 2e-6)
              << "layer " << l << " head " << h << " " << p << " <- " << j;
        }
      }
    }
  }
}

TEST_F(Intermediates, TheHeadsAddUpToTheAttentionUpdate) {
  for (int64_t l = 0; l < runner_.network->config().n_layer; ++l) {
    const Capture::Values& heads = passes_.positions.back().at(Tap::kHeadOut, l);
    std::vector<float> sum(static_cast<size_t>(heads.cols));
    for (int64_t h = 0; h < heads.rows; ++h) {
      for (int64_t i = 0; i < heads.cols; ++i) sum[static_cast<size_t>(i)] += heads.row(h)[i];
    }
    EXPECT_LT(tests::relative_rms(sum, passes_.positions.back().at(Tap::kAttnOut, l).data), 1e-6);
  }
}

TEST_F(Intermediates, ASinkDoesNotChangeOneBitOfTheLogits) {
  EXPECT_TRUE(tests::same_bits(ours(Tap::kLogits, 0), runner_.logits(ids_)));
}

// Of so many positions that the threads share the neurons.
TEST(ChosenNeurons, AreTheMostActiveForAnyNumberOfThreads) {
  const Oracle oracle = tests::own_oracle("llama-gqa");
  const model::ModelFile file = model::open_gguf(oracle.model.string());
  for (const int threads : {1, 2, 3}) {
    const auto network = model::make_model(file, threads);
    std::vector<int32_t> ids;
    while (static_cast<int64_t>(ids.size()) * network->config().n_ff < 1 << 14) {
      ids.push_back(static_cast<int32_t>(3 + ids.size() % 50));
    }
    const auto n = static_cast<int64_t>(ids.size());
    model::KvCache cache(network->config(), n);
    Capture last;
    network->forward(ids, 0, cache, nullptr, 0, &last);
    for (int64_t l = 0; l < network->config().n_layer; ++l) {
      const std::vector<float>& act = last.at(Tap::kAct, l).data;
      std::vector<int32_t> order(act.size());
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
        return std::abs(act[static_cast<size_t>(a)]) > std::abs(act[static_cast<size_t>(b)]);
      });
      order.resize(model::kChosenNeurons);
      std::sort(order.begin(), order.end());
      const Capture::Values& top = last.at(Tap::kChosenShare, l);
      ASSERT_EQ(model::kChosenNeurons, top.rows);
      for (int64_t i = 0; i < top.rows; ++i) {
        EXPECT_EQ(order[static_cast<size_t>(i)], static_cast<int32_t>(top.row(i)[0])) << threads;
      }
    }
  }
}

}  // namespace
