// What every tap holds, against llama.cpp's intermediates of the same name.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
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
        theirs_(oracle_.folder) {}

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
    EXPECT_LT(tests::relative_rms(ours(tap, layer), theirs_.at(name)), 1e-5) << name;
  }

  const Oracle oracle_ = tests::own_oracle("llama-gqa");
  Runner runner_;
  std::vector<int32_t> ids_;
  tests::Passes passes_;
  const tests::Intermediates theirs_;
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
    const auto kq = theirs_.at(
        std::string("kq_soft_max-").append(std::to_string(l)));  // [keys, queries, heads]
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

// YaRN (Peng et al. 2023, arXiv:2309.00071) by its definition: a pair's angle at position 1 is its
// frequency. Those that turn 32 times within the original context keep theirs, those that turn less
// than once have it divided by the factor.
TEST(Rotation, OfYarn) {
  constexpr double kOriginal = 4096.0;
  const Oracle oracle = tests::own_oracle("llama-gqa");
  const auto keys = [&](bool yarn) {
    model::ModelFile file = model::open_gguf(oracle.model.string());
    if (yarn) {
      file.add("llama.rope.scaling.type", std::string("yarn"));
      file.add("llama.rope.scaling.factor", 4.0);
      file.add("llama.rope.scaling.original_context_length", static_cast<uint64_t>(kOriginal));
    }
    const auto network = model::make_model(file);
    const tests::Passes passes(*network, {7, 7});
    std::vector<std::complex<double>> pairs;
    for (const Capture& at : passes.positions) {
      const std::vector<float>& k = at.at(Tap::kK, 0).data;
      for (size_t i = 0; i < static_cast<size_t>(network->config().head_dim); i += 2) {
        pairs.emplace_back(double{k[i]}, double{k[i + 1]});
      }
    }
    return pairs;  // of the first head, at both positions
  };
  const auto plain = keys(false);
  const auto yarn = keys(true);
  const size_t n = plain.size() / 2;
  ASSERT_EQ(4U, n);
  for (size_t i = 0; i < n; ++i) {
    const double frequency = std::arg(plain[n + i] / plain[i]);
    const double scaled = std::arg(yarn[n + i] / yarn[i]);
    EXPECT_NEAR(1.0 + 0.1 * std::log(4.0), std::abs(yarn[i]) / std::abs(plain[i]), 1e-6);
    const double turns = kOriginal * frequency / (2.0 * std::numbers::pi);
    if (turns > 32.0) {
      EXPECT_NEAR(frequency, scaled, 1e-7) << i;
    } else if (turns < 1.0) {
      EXPECT_NEAR(frequency / 4.0, scaled, 1e-7) << i;
    } else {
      EXPECT_LT(scaled, frequency * 0.999) << i;
      EXPECT_GT(scaled, frequency / 3.999) << i;
    }
  }
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
