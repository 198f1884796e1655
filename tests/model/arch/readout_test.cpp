// Where a logit comes from, in every architecture: it is the sum of what every part of the model
// put into the residual stream, and its direction is the slope of the logit itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "model/arch/registry.h"
#include "model/format/gguf.h"
#include "tests/support/capture.h"
#include "tests/support/every_family.h"
#include "tests/support/oracle.h"

namespace {

using model::Tap;
using tests::Capture;

class Readout : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    REQUIRE_SHARED_DATA();
    const std::string path = tests::model_path(GetParam()).string();
    file_ = std::make_unique<model::ModelFile>(model::open_gguf(path));
    network_ = model::make_model(*file_, 2);
    std::vector<int32_t> ids;
    for (int32_t i = 0; i < 12; ++i)
      ids.push_back((i * 37 + 11) % static_cast<int32_t>(c().n_vocab));
    passes_ = std::make_unique<tests::Passes>(*network_, ids);
  }
  const model::Config& c() const { return network_->config(); }
  const Capture& last() const { return passes_->positions.back(); }
  const std::vector<float>& stream() const {
    return last().at(Tap::kResidPost, c().n_layer - 1).data;
  }
  double along(const model::Model::Readout& readout, const std::vector<float>& x) const {
    double sum = 0.0;
    for (size_t i = 0; i < x.size(); ++i) sum += double{readout.direction[i]} * double{x[i]};
    return sum;
  }
  // As the model computed it, before it was capped.
  double logit(int32_t token) const {
    const double shown = double{passes_->logits[static_cast<size_t>(token)]};
    const double cap = double{c().final_soft_cap};
    return cap > 0.0 ? cap * std::atanh(shown / cap) : shown;
  }
  // Of the weights; the products of quantised ones round what they read.
  double tolerance() const { return std::string(GetParam()) == "llama-gqa-q8_0" ? 2e-2 : 2e-4; }
  std::vector<int32_t> tokens() const {
    const auto best = std::max_element(passes_->logits.begin(), passes_->logits.end());
    return {static_cast<int32_t>(best - passes_->logits.begin()), 7,
            static_cast<int32_t>(c().n_vocab - 1)};
  }
  std::vector<float> head_terms(int64_t l, const model::Model::Readout& readout) const {
    std::vector<float> terms(static_cast<size_t>(c().n_head));
    bias_ = network_->head_terms(l, last().at(Tap::kHeadOut, l).data.data(),
                                 readout.direction.data(), terms.data());
    return terms;
  }
  std::vector<float> neuron_terms(int64_t l, const model::Model::Readout& readout) const {
    std::vector<float> terms(static_cast<size_t>(c().neurons(l)));
    std::span<const float> experts;
    if (c().mixed(l)) experts = last().at(Tap::kExperts, l).data;
    bias_ = network_->neuron_terms(l, last().at(Tap::kAct, l).data.data(), experts,
                                   readout.direction.data(), terms.data());
    return terms;
  }
  // What a matrix's bias adds; 0 where the file has none.
  double bias_term(const std::string& name, const model::Model::Readout& readout) const {
    const model::Tensor* bias = file_->find_tensor(name);
    if (bias == nullptr) return 0.0;
    std::vector<float> values(static_cast<size_t>(bias->elements()));
    dequantize_row(*bias, 0, values.data());
    return along(readout, values);
  }

  std::unique_ptr<model::ModelFile> file_;
  std::unique_ptr<model::Model> network_;
  std::unique_ptr<tests::Passes> passes_;
  mutable double bias_ = 0.0;  // what the terms that were asked for last came with
};

double sum_of(const std::vector<float>& values) {
  double sum = 0.0;
  for (const float value : values) sum += double{value};
  return sum;
}

TEST_P(Readout, TheLastLayersStreamReadsAsTheLogitsThemselves) {
  std::vector<float> twice = stream();
  twice.insert(twice.end(), stream().begin(), stream().end());
  std::vector<float> logits(2 * passes_->logits.size());
  network_->unembed(twice.data(), 2, logits.data());
  const std::span<const float> both(logits);
  EXPECT_TRUE(tests::same_bits(passes_->logits, both.first(passes_->logits.size())));
  EXPECT_TRUE(tests::same_bits(passes_->logits, both.last(passes_->logits.size())));
}

TEST_P(Readout, ALogitIsLinearInTheStreamThatItIsReadFrom) {
  for (const int32_t token : tokens()) {
    const model::Model::Readout readout = network_->readout(stream().data(), token);
    EXPECT_NEAR(logit(token), along(readout, stream()) + readout.constant,
                tolerance() * (1.0 + std::abs(logit(token))))
        << "token " << token;
  }
}

// Where the stream moves across itself (for a layer norm: across its part without the mean) the
// norm's scale stands still, and the slope of the logit is what the direction says.
TEST_P(Readout, TheDirectionIsTheSlopeOfTheLogit) {
  if (tolerance() > 1e-3) return;  // a rounded input has no slope
  const std::vector<float>& x = stream();
  const auto n = static_cast<double>(x.size());
  const double mean = c().norm == model::NormKind::kLayer ? sum_of(x) / n : 0.0;
  std::vector<float> across(x.size());
  double overlap = 0.0;
  double size = 0.0;
  for (size_t i = 0; i < x.size(); ++i) {
    across[i] = std::sin(1.7F * static_cast<float>(i));
    overlap += double{across[i]} * (double{x[i]} - mean);
    size += (double{x[i]} - mean) * (double{x[i]} - mean);
  }
  for (size_t i = 0; i < x.size(); ++i)
    across[i] -= static_cast<float>(overlap / size * (double{x[i]} - mean));
  const auto step = static_cast<float>(1e-2 * std::sqrt(size / n));
  std::vector<float> moved;
  for (const float sign : {1.0F, -1.0F})
    for (size_t i = 0; i < x.size(); ++i) moved.push_back(x[i] + sign * step * across[i]);
  std::vector<float> logits(2 * passes_->logits.size());
  network_->unembed(moved.data(), 2, logits.data());
  const double cap = double{c().final_soft_cap};
  const auto before_cap = [&](float shown) {
    return cap > 0.0 ? cap * std::atanh(double{shown} / cap) : double{shown};
  };
  for (const int32_t token : tokens()) {
    const auto at = static_cast<size_t>(token);
    const double slope =
        (before_cap(logits[at]) - before_cap(logits[at + passes_->logits.size()])) /
        (2.0 * double{step});
    const model::Model::Readout readout = network_->readout(x.data(), token);
    const double expected = along(readout, across);
    EXPECT_NEAR(expected, slope, 5e-3 * (0.1 + std::abs(expected))) << "token " << token;
  }
}

TEST_P(Readout, HeadsNeuronsAndBiasesAddUpToTheLogit) {
  for (const int32_t token : tokens()) {
    const model::Model::Readout readout = network_->readout(stream().data(), token);
    double total = readout.constant + along(readout, last().at(Tap::kEmbedding).data);
    double size = std::abs(total);
    for (int64_t l = 0; l < c().n_layer; ++l) {
      const std::string blk = "blk." + std::to_string(l) + ".";
      double heads = sum_of(head_terms(l, readout));
      EXPECT_NEAR(bias_term(blk + "attn_output.bias", readout), bias_, 1e-5);
      heads += bias_;
      double neurons = sum_of(neuron_terms(l, readout));
      if (!c().mixed(l)) {
        EXPECT_NEAR(bias_term(blk + "ffn_down.bias", readout), bias_, 1e-5);
      }
      EXPECT_TRUE(bias_ == 0.0 || c().ffn_biased());
      neurons += bias_;
      const double da = along(readout, last().at(Tap::kAttnOut, l).data);
      const double df = along(readout, last().at(Tap::kFfnOut, l).data);
      EXPECT_NEAR(da, heads, 1e-4 * (1.0 + std::abs(da))) << "layer " << l;
      EXPECT_NEAR(df, neurons, 1e-4 * (1.0 + std::abs(df))) << "layer " << l;
      total += heads + neurons;
      size += std::abs(heads) + std::abs(neurons);
    }
    EXPECT_NEAR(logit(token), total, tolerance() * (1.0 + size)) << "token " << token;
  }
}

// By the weights of the file alone: a neuron's column of W_down.
TEST_P(Readout, ANeuronAddsItsColumnTimesItsActivation) {
  const int64_t l = c().n_layer - 1;
  const model::Tensor* down = file_->find_tensor("blk." + std::to_string(l) + ".ffn_down.weight");
  if (down == nullptr || c().post_norms) return;  // their sums are above
  const model::Model::Readout readout = network_->readout(stream().data(), tokens()[0]);
  const std::vector<float> terms = neuron_terms(l, readout);
  const std::vector<float>& act = last().at(Tap::kAct, l).data;
  std::vector<double> column(static_cast<size_t>(down->cols()));
  std::vector<float> row(column.size());
  for (int64_t i = 0; i < down->rows(); ++i) {
    dequantize_row(*down, i, row.data());
    for (size_t n = 0; n < row.size(); ++n)
      column[n] += double{row[n]} * double{readout.direction[static_cast<size_t>(i)]};
  }
  for (size_t n = 0; n < terms.size(); ++n)
    ASSERT_NEAR(column[n] * double{act[n]} * double{c().update_scale}, double{terms[n]}, 1e-5)
        << "neuron " << n;
}

INSTANTIATE_TEST_SUITE_P(Models, Readout,
                         ::testing::Values("llama-gqa", "llama-gqa-q8_0", "llama3-style", "gpt2",
                                           "gptneox", "gemma", "gemma2", "gemma3", "phi2", "phi3",
                                           "qwen2", "qwen3", "mixtral", "qwen2moe", "qwen3moe",
                                           "olmoe"),
                         tests::TestName());

INSTANTIATE_TEST_SUITE_P(Own, Readout, ::testing::ValuesIn(tests::kOwnFamilies), tests::TestName());

}  // namespace
