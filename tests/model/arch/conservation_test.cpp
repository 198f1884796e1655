// What the taps of every architecture must add up to, read as the pass makes them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "model/arch/registry.h"
#include "model/format/gguf.h"
#include "model/kernels/matmul.h"
#include "tests/support/capture.h"
#include "tests/support/every_family.h"
#include "tests/support/oracle.h"

namespace {

using model::Tap;
using tests::Capture;

double sum(const Capture::Values& values) {
  double total = 0.0;
  for (const float v : values.data) total += double{v};
  return total;
}

class Conservation : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    REQUIRE_SHARED_DATA();
    const std::string path = tests::model_path(GetParam()).string();
    file_ = std::make_unique<model::ModelFile>(model::open_gguf(path));
    network_ = model::make_model(*file_);
    for (int32_t i = 0; i < 24; ++i) {
      ids_.push_back((i * 37 + 11) % static_cast<int32_t>(c().n_vocab));
    }
    passes_ = std::make_unique<tests::Passes>(*network_, ids_);
  }
  const model::Config& c() const { return network_->config(); }

  // Calls f(taps, layer) for every layer of every position.
  template <class F>
  void everywhere(F&& f) const {
    for (const Capture& position : passes_->positions) {
      for (int64_t l = 0; l < c().n_layer; ++l) f(position, l);
    }
  }

  // <b_e, df> / |df|^2 of an expert whose W_down adds a bias, else 0.
  double bias_share(const Capture& at, int64_t l, int64_t expert) const {
    const std::string name = "blk." + std::to_string(l) + ".ffn_down_exps.bias";
    const model::Tensor* biases = file_->find_tensor(name);
    if (biases == nullptr) return 0.0;
    const auto& df = at.at(Tap::kFfnOut, l).data;
    std::vector<float> b(df.size());
    dequantize_row(*biases, expert, b.data());
    double with_bias = 0.0;
    double square = 0.0;
    for (size_t i = 0; i < df.size(); ++i) {
      with_bias += double{b[i]} * double{df[i]};
      square += double{df[i]} * double{df[i]};
    }
    return with_bias / square;
  }

  std::unique_ptr<model::ModelFile> file_;
  std::unique_ptr<model::Model> network_;
  std::vector<int32_t> ids_;
  std::unique_ptr<tests::Passes> passes_;
};

TEST_P(Conservation, ResidualAndUpdatesAreTheNextResidual) {
  everywhere([&](const Capture& at, int64_t l) {
    const auto check = [&](Tap before, Tap update, Tap after) {
      const auto& x = at.at(before, l).data;
      const auto& dx = at.at(update, l).data;
      std::vector<float> expected(x.size());
      for (size_t i = 0; i < x.size(); ++i) expected[i] = x[i] + dx[i];
      EXPECT_LT(tests::relative_rms(at.at(after, l).data, expected), 1e-6);
    };
    check(Tap::kResidPre, Tap::kAttnOut, Tap::kResidMid);
    check(Tap::kResidMid, Tap::kFfnOut, Tap::kResidPost);
    if (l + 1 < c().n_layer) {
      EXPECT_TRUE(
          tests::same_bits(at.at(Tap::kResidPost, l).data, at.at(Tap::kResidPre, l + 1).data));
    }
  });
}

TEST_P(Conservation, HeadsAndTheBiasCarryTheAttentionUpdate) {
  everywhere([&](const Capture& at, int64_t l) {
    EXPECT_NEAR(1.0, sum(at.at(Tap::kHeadShare, l)) + sum(at.at(Tap::kAttnBiasShare, l)), 1e-4);
  });
}

TEST_P(Conservation, AttentionWeightsLeaveToSinksWhatTheirLogitsSay) {
  everywhere([&](const Capture& at, int64_t l) {
    const auto& weights = at.at(Tap::kWeights, l);
    const auto& scores = at.at(Tap::kScores, l);
    const model::Tensor* sinks =
        file_->find_tensor("blk." + std::to_string(l) + ".attn_sinks.weight");
    ASSERT_EQ(c().sinks, sinks != nullptr);
    std::vector<float> sink(static_cast<size_t>(c().n_head));
    if (c().sinks) dequantize_row(*sinks, 0, sink.data());
    for (int64_t h = 0; h < weights.rows; ++h) {
      double read = 0.0;
      double level = 0.0;
      for (int64_t j = 0; j < weights.cols; ++j) {
        read += double{weights.row(h)[j]};
        if (weights.row(h)[j] > 0.0F) level += std::exp(double{scores.row(h)[j]});
      }
      const double taken = c().sinks ? std::exp(double{sink[static_cast<size_t>(h)]}) : 0.0;
      EXPECT_NEAR(level / (level + taken), read, 1e-5);
      EXPECT_TRUE(!c().sinks || read < 1.0);
    }
  });
}

TEST_P(Conservation, AHeadsEnergyIsItsTermBehindTheGain) {
  everywhere([&](const Capture& at, int64_t l) {
    const auto& out = at.at(Tap::kHeadOut, l);
    const auto& energy = at.at(Tap::kHeadEnergy, l);
    const std::string norm = "blk." + std::to_string(l) + ".post_attention_norm.weight";
    std::vector<float> gain(static_cast<size_t>(c().n_embd), 1.0F);
    if (c().post_norms) dequantize_row(*file_->find_tensor(norm), 0, gain.data());
    for (int64_t h = 0; h < c().n_head; ++h) {
      double expected = 0.0;
      for (int64_t i = 0; i < c().n_embd; ++i) {
        const double o = double{out.row(h)[i]} * double{gain[static_cast<size_t>(i)]};
        expected += o * o;
      }
      EXPECT_NEAR(1.0, double{energy.data[static_cast<size_t>(h)]} / expected, 1e-4);
    }
  });
}

TEST_P(Conservation, NeuronsAndTheBiasCarryTheFfnUpdate) {
  everywhere([&](const Capture& at, int64_t l) {
    EXPECT_NEAR(1.0, sum(at.at(Tap::kNeuronShare, l)) + sum(at.at(Tap::kFfnBiasShare, l)), 1e-4);
  });
}

TEST_P(Conservation, CellsAndTheMostActiveNeuronsHaveTheirNeuronsShares) {
  if (c().n_expert > 0 && !model::has_whole_cells(c())) return;
  // Of weights in blocks all neurons' shares are made with factors of 16 bits (row_back.h).
  const auto& tensors = file_->tensors();
  const double within =
      std::any_of(tensors.begin(), tensors.end(),
                  [](const model::Tensor& t) { return model::rounds_input(t.dtype); })
          ? 8e-6
          : 1e-6;
  everywhere([&](const Capture& at, int64_t l) {
    const auto& neurons = at.at(Tap::kNeuronShare, l).data;
    const auto& cells = at.at(Tap::kCellShare, l).data;
    std::vector<double> expected(cells.size());
    for (size_t n = 0; n < neurons.size(); ++n) expected[n / 32] += double{neurons[n]};
    for (size_t i = 0; i < cells.size(); ++i) EXPECT_NEAR(expected[i], cells[i], 1e-5);
    const auto& top = at.at(Tap::kChosenShare, l);
    EXPECT_EQ(16, top.rows);
    for (int64_t i = 0; i < top.rows; ++i) {
      EXPECT_NEAR(neurons[static_cast<size_t>(top.row(i)[0])], top.row(i)[1], within);
    }
  });
}

// Of a batch they are made in another way than of one position.
TEST_P(Conservation, SharesOfAnFfnAreTheSameInABatch) {
  model::KvCache cache(c(), std::ssize(ids_));
  Capture last;
  network_->forward(ids_, 0, cache, nullptr, 0, &last);
  const Capture& alone = passes_->positions.back();
  for (int64_t l = 0; l < c().n_layer; ++l) {
    EXPECT_TRUE(tests::same_bits(last.at(Tap::kAct, l).data, alone.at(Tap::kAct, l).data));
    for (const Tap tap : {Tap::kNeuronShare, Tap::kCellShare, Tap::kChosenShare, Tap::kExperts}) {
      ASSERT_EQ(last.has(tap, l), alone.has(tap, l));
      if (!last.has(tap, l)) continue;
      const auto& batch = last.at(tap, l).data;
      const auto& one = alone.at(tap, l).data;
      ASSERT_EQ(batch.size(), one.size());
      for (size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(batch[i], one[i], 1e-5) << l;
    }
  }
}

TEST_P(Conservation, ExpertsCarryTheUpdateOfAMixture) {
  everywhere([&](const Capture& at, int64_t l) {
    ASSERT_EQ(c().mixed(l), at.has(Tap::kExperts, l));
    if (!c().mixed(l)) return;
    if (c().router == model::RouterKind::kSoftmax) {
      EXPECT_NEAR(1.0, sum(at.at(Tap::kRouter, l)), 1e-5);
    }
    const auto& experts = at.at(Tap::kExperts, l);
    const auto& neurons = at.at(Tap::kNeuronShare, l).data;
    ASSERT_EQ(c().n_expert_used + (c().n_ff_shared > 0 ? 1 : 0), experts.rows);
    double total = 0.0;
    double of_biases = 0.0;
    for (int64_t e = 0; e < experts.rows; ++e) {
      const auto which = static_cast<int64_t>(experts.row(e)[0]);
      const int64_t width = c().neurons_of(which);
      double of_its_neurons = 0.0;
      for (int64_t n = 0; n < width; ++n) {
        of_its_neurons += double{neurons[static_cast<size_t>(which * c().n_ff + n)]};
      }
      const double of_its_bias = double{experts.row(e)[1]} * bias_share(at, l, which);
      EXPECT_NEAR(of_its_neurons + of_its_bias, experts.row(e)[2], 1e-4);
      of_biases += of_its_bias;
      total += double{experts.row(e)[2]};
    }
    EXPECT_NEAR(1.0, total, 1e-4);
    EXPECT_NEAR(of_biases, at.at(Tap::kFfnBiasShare, l).data[0], 1e-5);
  });
}

// A head whose columns of W_O cancel each other but for a thousandth.
TEST(ConservationOfWeakHeads, TheirEnergyIsThatOfTheirTerm) {
  const tests::Oracle oracle = tests::own_oracle("llama-gqa");
  const model::ModelFile plain = model::open_gguf(oracle.model.string());
  std::vector<std::vector<float>> changed;
  model::GgufWriter writer;
  for (const auto& [key, value] : plain.metadata()) writer.add(key, value);
  for (const model::Tensor& tensor : plain.tensors()) {
    const bool wo = tensor.name.ends_with("attn_output.weight");
    if (!wo && !tensor.name.ends_with("attn_v.weight")) {
      writer.add_tensor(tensor);
      continue;
    }
    const int64_t cols = tensor.cols();
    std::vector<float>& values = changed.emplace_back(static_cast<size_t>(tensor.rows() * cols));
    for (int64_t r = 0; r < tensor.rows(); ++r) {
      float* row = values.data() + r * cols;
      dequantize_row(tensor, r, row);
      for (int64_t c = 1; wo && c < cols; c += 2) row[c] = row[c - 1] + 1e-3F * row[c];
      if (!wo && r % 2 == 1) std::transform(row - cols, row, row, std::negate<>());  // v of pairs
    }
    writer.add_tensor(tensor.name, tensor.rows(), cols, model::DType::kF32, values.data());
  }
  const tests::TempFolder folder;
  writer.write(folder.file("weak.gguf"));
  const model::ModelFile file = model::open_gguf(folder.file("weak.gguf"));
  const auto network = model::make_model(file);
  const tests::Passes passes(*network, {1, 7, 3, 9, 20, 41});
  for (const Capture& at : passes.positions) {
    for (int64_t l = 0; l < network->config().n_layer; ++l) {
      const auto& out = at.at(Tap::kHeadOut, l);
      for (int64_t h = 0; h < network->config().n_head; ++h) {
        const float* o = out.row(h);
        double expected = 0.0;
        for (int64_t i = 0; i < network->config().n_embd; ++i)
          expected += double{o[i]} * double{o[i]};
        const double energy = double{at.at(Tap::kHeadEnergy, l).data[static_cast<size_t>(h)]};
        EXPECT_NEAR(1.0, energy / expected, 1e-3) << l << ' ' << h;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, Conservation,
    ::testing::Values("synth/llama-gqa", "synth/llama-gqa-f16", "synth/llama-gqa-q8_0",
                      "synth/llama3-style", "synth/mixtral", "synth/qwen2", "synth/qwen2moe",
                      "synth/qwen3", "synth/qwen3moe", "synth/olmoe", "synth/gemma", "synth/gemma2",
                      "synth/gemma3", "synth/phi2", "synth/phi3", "synth/gpt2", "synth/gptneox",
                      "real/shakespeare-llama-q4_k_m", "real/shakespeare-gpt2-q6_k"),
    tests::TestName());

INSTANTIATE_TEST_SUITE_P(Own, Conservation, ::testing::ValuesIn(tests::kOwnFamilies),
                         tests::TestName());

}  // namespace
