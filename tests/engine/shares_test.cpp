// Lightning is conserved: the shares in the trace, read as any viewer reads them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <set>

#include "model/kernels/ops.h"
#include "tests/support/capture.h"
#include "tests/support/conversation.h"
#include "tests/support/every_family.h"
#include "tests/support/oracle.h"
#include "tests/support/wide_llama.h"

namespace {

using model::Tap;
using tests::Conversation;
using trace::Level;

constexpr const char* kPrompt = "Once upon a time, there was a little girl";
constexpr uint32_t kGenerate = 30;  // the reach passes the 16 reads that a live trace keeps
constexpr double kConserved = 1e-4;

struct Case {
  std::string path;
  Level level;
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.path; }
};

class Shares : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (GetParam().path.starts_with(tests::shared_data().string())) REQUIRE_SHARED_DATA();
    std::string path = GetParam().path;
    for (const tests::WideLlama& wide : tests::wide_llamas()) {
      if (path == wide.name()) path = tests::wide_llama(folder_, wide);
    }
    talk_ptr_ = std::make_unique<Conversation>(path, GetParam().level);
    engine::Sampling sampling;
    sampling.seed = 7;
    talk_ptr_->run(kPrompt, kGenerate, sampling);
  }
  ~Shares() override {
    std::printf("  largest error of a sum: %.2e\n", worst_);
    RecordProperty("largest_error", std::to_string(worst_));
  }
  void expect_one(double sum) {
    worst_ = std::max(worst_, std::abs(sum - 1.0));
    EXPECT_NEAR(1.0, sum, kConserved);
  }
  // Calls f(position, layer) for every storey of every token.
  template <class F>
  void everywhere(F&& f) {
    ASSERT_GE(talk_ptr_->reader.positions(), size_t{12});
    for (size_t p = 0; p < talk_ptr_->reader.positions(); ++p) {
      for (uint32_t l = 0; l < m().layers; ++l) {
        SCOPED_TRACE(::testing::Message() << "position " << p << " layer " << l);
        f(talk_ptr_->reader.position(p), l);
      }
    }
  }
  const trace::ModelRecord& m() const { return talk_ptr_->reader.model()->record; }
  bool rounds() const {
    const std::string type(talk_ptr_->model.quantisation);
    return type.find('Q') != std::string::npos || type.find("MX") != std::string::npos;
  }
  bool full() const { return GetParam().level == Level::kFull; }

  tests::TempFolder folder_;
  std::unique_ptr<Conversation> talk_ptr_;
  double worst_ = 0.0;
};

TEST_P(Shares, HeadsAndBiasCarryTheWholeAttentionUpdate) {
  everywhere([&](const trace::Position& at, uint32_t l) {
    ASSERT_NE(nullptr, at.attention.record);
    double sum = double{at.attention.bias_share[l]};
    for (uint32_t h = 0; h < m().heads; ++h) sum += double{at.attention.head(l, h).share};
    expect_one(sum);
  });
}

TEST_P(Shares, ReadsAndRestCarryTheWholeHead) {
  everywhere([&](const trace::Position& at, uint32_t l) {
    const uint32_t reach = at.token.record->position + 1;
    for (uint32_t h = 0; h < m().heads; ++h) {
      const trace::HeadShare& head = at.attention.head(l, h);
      ASSERT_EQ(full() ? reach : std::min(reach, 16U), head.reads);
      double share = double{head.rest_share};
      double weight = double{head.rest_weight};
      std::set<uint32_t> positions;
      float before = INFINITY;
      for (const trace::KvRead& read : at.attention.reads_of(l, h)) {
        share += double{read.share};
        weight += double{read.weight};
        positions.insert(read.position);
        if (positions.size() > 16) continue;
        EXPECT_LE(std::abs(read.share), before) << "strongest first";
        before = std::abs(read.share);
      }
      expect_one(share);
      expect_one(weight);
      EXPECT_EQ(head.reads, positions.size()) << "each slot once";
      // Of a full list only what rounding z to 8 bits added is left.
      if (full()) {
        EXPECT_NEAR(0.0F, head.rest_share, rounds() ? 5e-2 : 1e-6);
        EXPECT_EQ(at.attention.sink(l, h), head.rest_weight);
      }
    }
  });
}

TEST_P(Shares, WhatSlotsAreReadAddsUpInEveryLane) {
  everywhere([&](const trace::Position& at, uint32_t l) {
    const uint32_t slots = at.kv.record->slots;
    ASSERT_EQ(at.token.record->position + 1, slots);
    for (uint32_t k = 0; k < m().kv_heads; ++k) {
      double sum = 0.0;
      for (uint32_t j = 0; j < slots; ++j)
        sum += double{at.kv.read[(l * m().kv_heads + k) * slots + j]};
      const uint32_t heads = m().heads / m().kv_heads;
      for (uint32_t h = k * heads; h < (k + 1) * heads; ++h)
        sum += double{at.attention.sink(l, h)} / heads;
      expect_one(sum);
    }
  });
}

TEST_P(Shares, NeuronsRestAndBiasCarryTheWholeFfnUpdate) {
  everywhere([&](const trace::Position& at, uint32_t l) {
    ASSERT_NE(nullptr, at.ffn.record);
    const uint32_t top = at.ffn.record->top;
    ASSERT_EQ(full() ? m().neurons : std::min(m().neurons, 16U), top);
    size_t seen = 0;
    double sum = double{at.ffn.rest_share[l]} + double{at.ffn.bias_share[l]};
    float before = INFINITY;
    for (const trace::NeuronShare& n : at.ffn.top.subspan(l * top, top)) {
      sum += double{n.share};
      if (++seen > 16) continue;
      EXPECT_LE(std::abs(n.share), before) << "strongest first";
      before = std::abs(n.share);
    }
    expect_one(sum);
  });
}

TEST_P(Shares, BucketsAndBiasCarryTheWholeFfnUpdate) {
  everywhere([&](const trace::Position& at, uint32_t l) {
    double sum = double{at.ffn.bias_share[l]};
    for (const float share : at.ffn.bucket_share.subspan(l * m().buckets, m().buckets)) {
      sum += double{share};
    }
    expect_one(sum);
  });
}

TEST_P(Shares, CandidatesAndRestAreTheWholeCrown) {
  for (size_t s = 0; s < talk_ptr_->reader.steps(); ++s) {
    const trace::StepRecord& step = talk_ptr_->reader.step(s);
    const trace::Logits& crown = talk_ptr_->reader.position(step.last_position()).logits;
    ASSERT_NE(nullptr, crown.record);
    double sum = double{crown.record->rest_probability};
    for (const trace::Candidate& c : crown.candidates) sum += double{c.probability};
    expect_one(sum);
    if (s + 1 < talk_ptr_->reader.steps()) {
      const uint32_t next = talk_ptr_->reader.step(s + 1).first_position;
      EXPECT_EQ(talk_ptr_->reader.position(next).token.record->id, crown.record->sampled);
    }
  }
}

TEST_P(Shares, ResidualSaysHowLargeTheStreamIsAndItsUpdatesBesideWhatTheirBlockReads) {
  const size_t last = talk_ptr_->reader.positions() - 1;
  const model::Config& c = talk_ptr_->model.network->config();
  const tests::Passes passes(*talk_ptr_->model.network, talk_ptr_->session.tokens(),
                             rounds() ? model::CacheType::kF16 : model::CacheType::kF32);
  const trace::Residual& residual = talk_ptr_->reader.position(last).residual;
  for (int64_t l = 0; l < c.n_layer; ++l) {
    const auto size = [&](Tap tap) {
      const tests::Capture::Values& v = passes.positions[last].at(tap, l);
      return std::sqrt(model::dot(v.data.data(), v.data.data(), v.cols));
    };
    const auto at3 = [&](size_t i) { return double{residual.rms[static_cast<size_t>(l) * 3 + i]}; };
    const auto update = [&](size_t i) {
      return double{residual.update[static_cast<size_t>(l) * 2 + i]};
    };
    const double root = std::sqrt(static_cast<double>(c.n_embd));
    const double pre = size(Tap::kResidPre), mid = size(Tap::kResidMid);
    EXPECT_NEAR(1.0, at3(0) * root / pre, 1e-5);
    EXPECT_NEAR(1.0, at3(1) * root / mid, 1e-5);
    EXPECT_NEAR(1.0, at3(2) * root / size(Tap::kResidPost), 1e-5);
    EXPECT_NEAR(1.0, update(0) / (size(Tap::kAttnOut) / pre), 1e-5);
    EXPECT_NEAR(1.0, update(1) / (size(Tap::kFfnOut) / (c.parallel ? pre : mid)), 1e-5);
  }
}

// Full detail lists every neuron.
class FullShares : public Shares {};

TEST_P(FullShares, BucketsAreTheirNeurons) {
  everywhere([&](const trace::Position& at, uint32_t l) {
    std::vector<double> share(m().buckets), energy(m().buckets), count(m().buckets);
    for (const trace::NeuronShare& n : at.ffn.top.subspan(l * m().neurons, m().neurons)) {
      const auto b = static_cast<size_t>(uint64_t{n.neuron} * m().buckets / m().neurons);
      share[b] += double{n.share};
      energy[b] += double{n.activation} * double{n.activation};
      count[b] += 1.0;
    }
    for (uint32_t b = 0; b < m().buckets; ++b) {
      EXPECT_NEAR(share[b], at.ffn.bucket_share[l * m().buckets + b], 1e-6);
      EXPECT_NEAR(std::sqrt(energy[b] / count[b]), at.ffn.rms[l * m().buckets + b], 1e-6);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Models, FullShares,
                         ::testing::Values(Case{tests::builtin_model_path(), Level::kFull},
                                           Case{tests::gqa_model_path(), Level::kFull}),
                         [](const auto& one) { return one.index == 0 ? "BuiltIn" : "Gqa"; });

std::vector<Case> every_model() {
  std::vector<Case> list;
  for (const Level level : {Level::kLive, Level::kFull}) {
    list.push_back({tests::builtin_model_path(), level});
    list.push_back({tests::gqa_model_path(), level});
    for (const tests::WideLlama& wide : tests::wide_llamas()) list.push_back({wide.name(), level});
    for (const std::string& name : tests::every_family()) {
      list.push_back({tests::model_path(name).string(), level});
    }
  }
  return list;
}

INSTANTIATE_TEST_SUITE_P(Models, Shares, ::testing::ValuesIn(every_model()), [](const auto& one) {
  std::string name = std::filesystem::path(one.param.path).stem().string() +
                     (one.param.level == Level::kFull ? "_full" : "_live");
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

// The same numbers straight from the weights, in double precision, of one position.
struct Place {
  const char* model;  // below the shared data's models; "" and "gqa": those of the repository
  bool in_prompt;     // which is read as a batch; else the last, by itself
  friend std::ostream& operator<<(std::ostream& out, const Place& p) { return out << p.model; }
};

class BruteForce : public ::testing::TestWithParam<Place> {
 protected:
  void SetUp() override {
    const std::string model = GetParam().model;
    std::string path = model.empty() ? tests::builtin_model_path() : tests::gqa_model_path();
    if (!model.empty() && model != "gqa") {
      REQUIRE_SHARED_DATA();
      path = tests::shared_data("models/" + model + ".gguf").string();
    }
    talk_ptr_ = std::make_unique<Conversation>(path, Level::kFull);
    talk_ptr_->run(kPrompt, 12);
    passes_ =
        std::make_unique<tests::Passes>(*talk_ptr_->model.network, talk_ptr_->session.tokens());
    position_ = GetParam().in_prompt ? 7 : talk_ptr_->reader.positions() - 1;
  }
  const model::Config& c() const { return talk_ptr_->model.network->config(); }
  const tests::Capture::Values& tap(Tap tap, int64_t l) const {
    return passes_->positions[position_].at(tap, l);
  }
  const trace::Position& at() const { return talk_ptr_->reader.position(position_); }

  const model::Tensor* tensor(int64_t l, const char* name) const {
    return talk_ptr_->model.file.find_tensor("blk." + std::to_string(l) + "." + name);
  }
  // A vector (C) of a layer; where it has none, of the same value everywhere.
  std::vector<double> vector(int64_t l, const char* name, double without) const {
    std::vector<float> values(static_cast<size_t>(c().n_embd), static_cast<float>(without));
    if (const model::Tensor* t = tensor(l, name)) dequantize_row(*t, 0, values.data());
    return {values.begin(), values.end()};
  }
  static void scale(std::vector<double>& y, const std::vector<double>& gain) {
    for (size_t i = 0; i < y.size(); ++i) y[i] *= gain[i];
  }
  // W (rows, cols) of a layer as doubles.
  std::vector<std::vector<double>> weight(int64_t l, const char* name) const {
    const model::Tensor* t = tensor(l, name);
    std::vector<std::vector<double>> w;
    std::vector<float> row(static_cast<size_t>(t->cols()));
    for (int64_t i = 0; i < t->rows(); ++i) {
      dequantize_row(*t, i, row.data());
      w.emplace_back(row.begin(), row.end());
    }
    return w;
  }
  static double product(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0.0;
    for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  }
  // W_O,h x for one head's x (D).
  std::vector<double> through_head(const std::vector<std::vector<double>>& wo, int64_t h,
                                   const float* x) const {
    std::vector<double> y(wo.size());
    for (size_t i = 0; i < wo.size(); ++i) {
      for (int64_t d = 0; d < c().head_dim; ++d)
        y[i] += wo[i][static_cast<size_t>(h * c().head_dim + d)] * double{x[d]};
    }
    return y;
  }

  std::unique_ptr<Conversation> talk_ptr_;
  std::unique_ptr<tests::Passes> passes_;
  size_t position_ = 0;
};

// Where a norm follows the sum, its gain g is part of every term.
TEST_P(BruteForce, HeadsAndReads) {
  double worst = 0.0;
  for (int64_t l = 0; l < c().n_layer; ++l) {
    const auto wo = weight(l, "attn_output.weight");
    const auto gain = vector(l, "post_attention_norm.weight", 1.0);
    std::vector<std::vector<double>> o;
    std::vector<double> da = vector(l, "attn_output.bias", 0.0);
    scale(da, gain);
    const std::vector<double> bias = da;
    for (int64_t h = 0; h < c().n_head; ++h) {
      o.push_back(through_head(wo, h, tap(Tap::kMix, l).row(h)));
      for (size_t i = 0; i < da.size(); ++i)
        ASSERT_NEAR(o.back()[i], tap(Tap::kHeadOut, l).row(h)[i], 2e-5) << "o_h = W_O,h z_h";
      scale(o.back(), gain);
      for (size_t i = 0; i < da.size(); ++i) da[i] += o.back()[i];
    }
    EXPECT_NEAR(product(bias, da) / product(da, da),
                at().attention.bias_share[static_cast<size_t>(l)], kConserved);
    for (int64_t h = 0; h < c().n_head; ++h) {
      const auto& o_h = o[static_cast<size_t>(h)];
      const trace::HeadShare& head =
          at().attention.head(static_cast<size_t>(l), static_cast<size_t>(h));
      EXPECT_NEAR(product(o_h, da) / product(da, da), head.share, kConserved);
      EXPECT_NEAR(1.0, double{head.norm} / std::sqrt(product(o_h, o_h)), 1e-5);
      const int64_t lane = h / (c().n_head / c().n_head_kv);
      double entropy = 0.0;
      for (const trace::KvRead& read :
           at().attention.reads_of(static_cast<size_t>(l), static_cast<size_t>(h))) {
        const float a = tap(Tap::kWeights, l).row(h)[read.position];
        EXPECT_EQ(a, read.weight);
        if (a > 0.0F) entropy -= double{a} * std::log(double{a});
        std::vector<float> value(static_cast<size_t>(c().head_dim));
        passes_->cache.load_v(l, read.position, lane, value.data());
        auto term = through_head(wo, h, value.data());
        scale(term, gain);
        const double share = double{a} * product(term, o_h) / product(o_h, o_h);
        worst = std::max(worst, std::abs(share - double{read.share}));
        EXPECT_NEAR(share, read.share, kConserved)
            << "layer " << l << " head " << h << " <- " << read.position;
      }
      EXPECT_NEAR(entropy, head.entropy, 1e-5);
    }
  }
  std::printf("  largest difference of a read's share: %.2e\n", worst);
}

TEST_P(BruteForce, Neurons) {
  for (int64_t l = 0; l < c().n_layer; ++l) {
    auto down = weight(l, "ffn_down.weight");
    const auto gain = vector(l, "post_ffw_norm.weight", 1.0);
    const float* act = tap(Tap::kAct, l).data.data();
    std::vector<double> df = vector(l, "ffn_down.bias", 0.0);
    scale(df, gain);
    const std::vector<double> bias = df;
    for (size_t i = 0; i < df.size(); ++i) {
      for (int64_t n = 0; n < c().n_ff; ++n) {
        double& w = down[i][static_cast<size_t>(n)];
        w *= gain[i];
        df[i] += w * double{act[n]};
      }
    }
    EXPECT_NEAR(product(bias, df) / product(df, df), at().ffn.bias_share[static_cast<size_t>(l)],
                kConserved);
    const uint32_t top = at().ffn.record->top;
    for (const trace::NeuronShare& n : at().ffn.top.subspan(static_cast<size_t>(l) * top, top)) {
      EXPECT_EQ(act[n.neuron], n.activation);
      double term = 0.0;
      for (size_t i = 0; i < df.size(); ++i) term += down[i][n.neuron] * df[i];
      EXPECT_NEAR(double{n.activation} * term / product(df, df), n.share, kConserved);
    }
  }
}

TEST_P(BruteForce, KvSaysWhatWasAppendedAndWhatWasRead) {
  const auto lanes = static_cast<size_t>(c().n_head_kv);
  const int64_t group = c().n_head / c().n_head_kv;
  for (int64_t l = 0; l < c().n_layer; ++l) {
    for (int64_t k = 0; k < c().n_head_kv; ++k) {
      const size_t lane = static_cast<size_t>(l) * lanes + static_cast<size_t>(k);
      const float* key = tap(Tap::kK, l).row(k);
      const float* value = tap(Tap::kV, l).row(k);
      EXPECT_NEAR(std::sqrt(model::dot(key, key, c().head_dim)), at().kv.k_norm[lane], 1e-4);
      EXPECT_NEAR(std::sqrt(model::dot(value, value, c().head_dim)), at().kv.v_norm[lane], 1e-4);
      for (size_t j = 0; j <= position_; ++j) {
        double mean = 0.0;
        for (int64_t h = k * group; h < (k + 1) * group; ++h)
          mean += double{tap(Tap::kWeights, l).row(h)[j]};
        EXPECT_NEAR(mean / static_cast<double>(group), at().kv.read[lane * (position_ + 1) + j],
                    1e-6);
      }
    }
  }
  EXPECT_EQ(
      static_cast<uint64_t>(c().n_layer * c().n_head_kv * c().head_dim * 2 * 4) * (position_ + 1),
      at().kv.record->bytes_held);
}

std::vector<Place> places() {
  std::vector<Place> list;
  for (const char* model : {"", "gqa", "synth/gemma2", "synth/gemma3", "synth/gpt2", "synth/phi2",
                            "synth/gptneox", "synth/qwen3"}) {
    list.push_back({model, false});
    list.push_back({model, true});
  }
  return list;
}

INSTANTIATE_TEST_SUITE_P(Models, BruteForce, ::testing::ValuesIn(places()), [](const auto& one) {
  std::string name = one.param.model;
  name = name.empty() ? "built_in" : name.substr(name.find('/') + 1);
  return name + (one.param.in_prompt ? "_prompt" : "_last");
});

}  // namespace
