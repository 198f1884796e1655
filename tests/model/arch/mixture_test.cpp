// Mixtures as files have them: stacked in one tensor or one tensor an expert, in blocks or not.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "model/arch/registry.h"
#include "model/dequantize.h"
#include "model/format/gguf.h"
#include "model/quantize.h"
#include "tests/support/capture.h"
#include "tests/support/data.h"
#include "tests/support/oracle.h"

namespace {

using model::DType;
using model::Tap;
using tests::Capture;

// One of our models, with experts of so many neurons that they are not widened to floats (65,536
// weights a tensor), stored as said.
class Stored {
 public:
  // type(e): of expert e's matrices.
  template <class Type>
  Stored(const std::string& name, bool stacked, const Type& type) {
    const model::ModelFile file = model::open_gguf(tests::synthetic_oracle(name).model.string());
    const std::string arch = file.get_string("general.architecture");
    const int64_t neurons = stacked ? 288 : 1056;
    model::GgufWriter writer;
    for (const auto& [key, value] : file.metadata()) {
      const bool width =
          key == arch + ".feed_forward_length" || key == arch + ".expert_feed_forward_length";
      writer.add(key, width ? model::MetaValue(static_cast<uint64_t>(neurons)) : value);
    }
    std::mt19937 random(7);
    for (const model::Tensor& t : file.tensors()) {
      const size_t at = t.name.find("_exps.weight");
      if (at == std::string::npos) {
        writer.add_tensor(t);
        continue;
      }
      const bool down = t.name.find("ffn_down") != std::string::npos;
      const int64_t cols = down ? neurons : t.ne[0];
      const int64_t rows = down ? t.ne[1] : neurons;
      std::normal_distribution<float> normal(0.0F, 1.0F / std::sqrt(static_cast<float>(cols)));
      const auto values =
          std::make_shared<std::vector<float>>(static_cast<size_t>(t.ne[2] * rows * cols));
      for (float& v : *values) v = normal(random);
      if (stacked) {
        writer.add_tensor(t.name, {cols, rows, t.ne[2], 1}, type(0),
                          [=](int64_t first, int64_t n, std::byte* out) {
                            for (int64_t r = first; r < first + n; ++r) {
                              model::quantize_row(type(0), values->data() + r * cols, cols, out);
                              out += model::dtype_row_bytes(type(0), cols);
                            }
                          });
        continue;
      }
      for (int64_t e = 0; e < t.ne[2]; ++e) {
        writer.add_tensor(t.name.substr(0, at) + "." + std::to_string(e) + ".weight", rows, cols,
                          type(e), values->data() + e * rows * cols);
      }
    }
    writer.write(folder_.file("mixture.gguf"));
    file_ = std::make_unique<model::ModelFile>(model::open_gguf(folder_.file("mixture.gguf")));
    network = model::make_model(*file_, 2);
    for (int32_t i = 0; i < 20; ++i) {
      ids.push_back((i * 37 + 11) % static_cast<int32_t>(network->config().n_vocab));
    }
  }

  std::unique_ptr<model::Model> network;
  std::vector<int32_t> ids;

 private:
  tests::TempFolder folder_;
  std::unique_ptr<model::ModelFile> file_;
};

// What a batch gives for its last position, and what that gives alone.
void expect_same_in_a_batch(const Stored& model) {
  const tests::Passes alone(*model.network, model.ids);
  const model::Config& c = model.network->config();
  model::KvCache cache(c, std::ssize(model.ids));
  std::vector<float> logits(static_cast<size_t>(c.n_vocab));
  Capture last;
  model.network->forward(model.ids, 0, cache, logits.data(), 1, &last);
  EXPECT_TRUE(tests::same_bits(logits, alone.logits));
  for (int64_t l = 0; l < c.n_layer; ++l) {
    const Capture& one = alone.positions.back();
    EXPECT_TRUE(tests::same_bits(last.at(Tap::kAct, l).data, one.at(Tap::kAct, l).data));
    EXPECT_TRUE(tests::same_bits(last.at(Tap::kFfnOut, l).data, one.at(Tap::kFfnOut, l).data));
    const auto& neurons = one.at(Tap::kNeuronShare, l).data;
    const auto& cells = one.at(Tap::kCellShare, l).data;
    const auto& top = one.at(Tap::kChosenShare, l);
    for (size_t b = 0; b < cells.size(); ++b) {
      double sum = 0.0;
      for (size_t n = 32 * b; n < 32 * (b + 1); ++n) sum += double{neurons[n]};
      EXPECT_NEAR(sum, cells[b], 2e-5);
      EXPECT_NEAR(cells[b], last.at(Tap::kCellShare, l).data[b], 2e-5);
    }
    for (int64_t k = 0; k < top.rows; ++k) {
      EXPECT_EQ(top.row(k)[0], last.at(Tap::kChosenShare, l).row(k)[0]);
      EXPECT_NEAR(top.row(k)[1], last.at(Tap::kChosenShare, l).row(k)[1], 2e-5);
      EXPECT_NEAR(top.row(k)[1], neurons[static_cast<size_t>(top.row(k)[0])], 2e-5);
    }
  }
}

TEST(StoredMixture, StackedExpertsOfEveryTypeAreTheSameInABatch) {
  REQUIRE_SHARED_DATA();
  for (const char* name : {"mixtral", "olmoe", "qwen2moe", "qwen3moe"}) {
    for (const DType type : {DType::kF32, DType::kF16, DType::kQ8_0, DType::kQ4_0}) {
      SCOPED_TRACE(name + model::dtype_name(type));
      expect_same_in_a_batch(Stored(name, true, [=](int64_t) { return type; }));
    }
  }
}

TEST(StoredMixture, ExpertsOfDifferentTypesAreReadEachInItsOwn) {
  REQUIRE_SHARED_DATA();
  constexpr std::array types = {DType::kF32, DType::kQ8_0, DType::kQ4_0};
  expect_same_in_a_batch(
      Stored("mixtral", false, [=](int64_t e) { return types[static_cast<size_t>(e % 3)]; }));
}

// By the definition (DeepSeek-V3, arXiv:2412.19437, section 2.1.2; of softmax as in the published
// DeepSeek-V2), from what the taps say.
struct RoutedCase {
  const char* name;
  bool softmax;  // instead of the file's sigmoids
};
class Routed : public ::testing::TestWithParam<RoutedCase> {};

// The file with another router, which one byte says.
std::string with_softmax(const std::string& path, const std::string& arch, const std::string& to) {
  std::string bytes = tests::read_file(path);
  const std::string key = arch + ".expert_gating_func";
  const size_t value = bytes.find(key) + key.size() + sizeof(uint32_t);
  EXPECT_EQ(2, bytes.at(value));
  bytes[value] = 1;
  std::ofstream(to, std::ios::binary) << bytes;
  return to;
}

TEST_P(Routed, TheBestOfTheBestGroupsWorkEachByItsPartOfTheirSum) {
  const tests::Oracle oracle = tests::own_oracle(GetParam().name);
  const tests::TempFolder folder;
  const model::ModelFile file =
      model::open_gguf(GetParam().softmax ? with_softmax(oracle.model.string(), GetParam().name,
                                                         folder.file("softmax.gguf"))
                                          : oracle.model.string());
  const auto network = model::make_model(file, 2);
  const model::Config& c = network->config();
  const std::vector<int32_t> ids = oracle.cases()[0]["ids"];
  const tests::Passes passes(*network, ids);
  const auto in_group = static_cast<size_t>(c.n_expert / c.expert_groups);
  size_t other_than_most_probable = 0;
  for (const Capture& at : passes.positions) {
    for (int64_t l = c.dense_layers; l < c.n_layer; ++l) {
      const std::vector<float>& of_all = at.at(Tap::kRouter, l).data;
      std::vector<double> probability(of_all.begin(), of_all.end());
      std::vector<float> bias(probability.size());
      dequantize_row(
          file.require_tensor("blk." + std::to_string(l) + ".exp_probs_b.bias", 1, c.n_expert), 0,
          bias.data());
      std::vector<double> value(probability);
      for (size_t e = 0; e < value.size(); ++e) value[e] += double{bias[e]};
      // Groups by the sum of their two best, or by their best.
      std::vector<std::pair<double, size_t>> groups;
      for (size_t g = 0; g < static_cast<size_t>(c.expert_groups); ++g) {
        std::vector<double> own(value.begin() + static_cast<int64_t>(g * in_group),
                                value.begin() + static_cast<int64_t>((g + 1) * in_group));
        std::sort(own.rbegin(), own.rend());
        groups.emplace_back(GetParam().softmax ? own[0] : own[0] + own[1], g);
      }
      std::sort(groups.rbegin(), groups.rend());
      std::vector<std::pair<double, size_t>> candidates;
      for (size_t k = 0; k < static_cast<size_t>(c.expert_groups_used); ++k) {
        for (size_t e = groups[k].second * in_group; e < (groups[k].second + 1) * in_group; ++e)
          candidates.emplace_back(value[e], e);
      }
      std::sort(candidates.rbegin(), candidates.rend());
      candidates.resize(static_cast<size_t>(c.n_expert_used));
      double sum = 0.0;
      for (const auto& [_, e] : candidates) sum += probability[e];
      const Capture::Values& worked = at.at(Tap::kExperts, l);
      for (size_t k = 0; k < candidates.size(); ++k) {
        const float* row = worked.row(static_cast<int64_t>(k));
        const size_t e = candidates[k].second;
        EXPECT_EQ(e, static_cast<size_t>(row[0]));
        EXPECT_NEAR(double{c.expert_scale} * probability[e] / sum, double{row[1]}, 1e-5);
        const auto above = std::count_if(probability.begin(), probability.end(),
                                         [&](double p) { return p > probability[e]; });
        other_than_most_probable += above >= c.n_expert_used ? 1 : 0;
      }
      EXPECT_EQ(1.0F, worked.row(c.n_expert_used)[1]) << "what always works is taken whole";
    }
  }
  EXPECT_LT(0U, other_than_most_probable) << "or the bias was not tried";
}

INSTANTIATE_TEST_SUITE_P(Models, Routed,
                         ::testing::Values(RoutedCase{"glm4moe", false},
                                           RoutedCase{"bailingmoe2", false},
                                           RoutedCase{"bailingmoe2", true}),
                         [](const auto& one) {
                           return std::string(one.param.name) +
                                  (one.param.softmax ? "_softmax" : "");
                         });

// An expert is read once for all positions of a batch that it works on; of few for each.
TEST(StoredMixture, APassReadsTheExpertsThatWork) {
  REQUIRE_SHARED_DATA();
  const Stored model("olmoe", true, [](int64_t) { return DType::kQ4_0; });
  const model::Config& c = model.network->config();
  struct Sink final : model::TapSink {
    bool wants(Tap tap) const noexcept override { return tap == Tap::kExperts; }
    void on_tap(Tap, int64_t layer, int64_t, const float* rows, int64_t n, int64_t cols) override {
      for (int64_t k = 0; k < n; ++k) at_work[layer].push_back(static_cast<int>(rows[k * cols]));
    }
    void on_operation(model::Operation which, int64_t layer, int64_t read) override {
      if (which == model::Operation::kFfn) bytes[layer] = read;
    }
    std::map<int64_t, std::vector<int>> at_work;
    std::map<int64_t, int64_t> bytes;
  };
  const auto of_expert =
      static_cast<int64_t>(3 * model::dtype_row_bytes(DType::kQ4_0, 288 * c.n_embd));
  const int64_t router = c.n_expert * c.n_embd * int64_t{sizeof(float)};
  for (const size_t n : {size_t{1}, size_t{3}, model.ids.size()}) {
    model::KvCache cache(c, std::ssize(model.ids));
    Sink sink;
    model.network->forward(std::span(model.ids).first(n), 0, cache, nullptr, 0, &sink);
    for (int64_t l = 0; l < c.n_layer; ++l) {
      const std::vector<int>& all = sink.at_work[l];
      const int64_t reads =
          n < 4 ? std::ssize(all) : std::ssize(std::set<int>(all.begin(), all.end()));
      EXPECT_EQ(router + reads * of_expert, sink.bytes[l]) << n;
    }
  }
}

}  // namespace
