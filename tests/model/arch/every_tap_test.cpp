// What the taps of every family hold, against llama.cpp's intermediates of the same models.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "model/arch/registry.h"
#include "model/format/gguf.h"
#include "tests/support/capture.h"
#include "tests/support/oracle.h"

namespace {

using model::Tap;
using tests::Capture;

// llama.cpp's name of a tap; "%" is the layer.
using Names = std::map<Tap, std::string>;

Names all_but(Names names, std::initializer_list<Tap> absent) {
  for (const Tap tap : absent) names.erase(tap);
  return names;
}
Names with(Names names, const Names& others) {
  for (const auto& [tap, name] : others) names[tap] = name;
  return names;
}

Names llama() {
  return {{Tap::kEmbedding, "embd"},
          {Tap::kAttnNorm, "attn_norm-%"},
          {Tap::kQ, "Qcur-%#3"},
          {Tap::kK, "Kcur-%#3"},
          {Tap::kV, "Vcur-%"},
          {Tap::kWeights, "kq_soft_max-%"},
          {Tap::kMix, "kqv_out-%"},
          {Tap::kAttnOut, "attn_out-%"},
          {Tap::kResidMid, "ffn_inp-%"},
          {Tap::kFfnNorm, "ffn_norm-%"},
          {Tap::kGate, "ffn_gate-%"},
          {Tap::kUp, "ffn_up-%"},
          {Tap::kAct, "ffn_swiglu-%"},
          {Tap::kFfnOut, "ffn_out-%"},
          {Tap::kResidPost, "l_out-%"},
          {Tap::kNorm, "result_norm"},
          {Tap::kLogits, "result_output"}};
}
Names mixture(const Names& dense) {
  return with(dense, {{Tap::kRouter, "ffn_moe_probs-%"},
                      {Tap::kGate, "ffn_moe_gate-%"},
                      {Tap::kUp, "ffn_moe_up-%"},
                      {Tap::kAct, "ffn_moe_swiglu-%"},
                      {Tap::kFfnOut, "ffn_moe_out-%"}});
}
// With a matrix for q, k and v together and no gate.
Names gpt() {
  return with(all_but(llama(), {Tap::kAttnOut, Tap::kGate}), {{Tap::kQ, "Qcur-%"},
                                                              {Tap::kK, "Kcur-%"},
                                                              {Tap::kUp, "ffn_up_b-%"},
                                                              {Tap::kAct, "ffn_gelu-%"}});
}
// Attention and FFN read the same and are added together.
Names parallel(const Names& names) {
  return with(all_but(names, {Tap::kResidMid}), {{Tap::kQ, "Qcur-%#2"}, {Tap::kK, "Kcur-%#2"}});
}
Names gemma() {
  return with(
      all_but(llama(), {Tap::kAttnOut}),
      {{Tap::kEmbedding, "inp_scaled"}, {Tap::kResidMid, "sa_out-%"}, {Tap::kAct, "ffn_geglu-%"}});
}
Names qwen2() {
  return with(all_but(llama(), {Tap::kAttnOut}),
              {{Tap::kQ, "Qcur-%#4"}, {Tap::kK, "Kcur-%#4"}, {Tap::kV, "Vcur-%#2"}});
}

constexpr double kF32 = 1e-5;
constexpr double kF16 = 1e-3;     // llama.cpp rounds what such matrices read
constexpr double kBf16 = 1e-2;    // the same
constexpr double kLookUp = 1e-3;  // llama.cpp looks GELU up among half floats

struct Case {
  std::string model;
  Names names;
  double tolerance = kF32;
  double after_act = kF32;  // from the first activation on, where that is more
  bool scales_q = false;    // by 1 / sqrt(D), before the product with k
  bool real = false;        // of models/real, else of models/synth
};
void PrintTo(const Case& one, std::ostream* out) {
  *out << one.model;
}

std::vector<Case> cases() {
  const Names qwen3 = all_but(llama(), {Tap::kAttnOut});
  const Names gpt2 = with(gpt(), {{Tap::kEmbedding, "inpL"}});
  const Names phi3 = all_but(with(llama(), {{Tap::kK, "Kcur-%#2"}}),
                             {Tap::kAttnOut, Tap::kResidMid, Tap::kGate, Tap::kUp});
  const Names gemma3 =
      with(gemma(), {{Tap::kAttnOut, "attn_post_norm-%"}, {Tap::kFfnOut, "ffn_post_norm-%"}});
  return {
      {"llama-gqa", llama()},
      {"llama-gqa-f16", llama(), kF16},
      {"llama3-style", llama()},
      {"mixtral", mixture(llama())},
      {"gpt2", gpt2, kF32, kLookUp},
      {"gptneox", parallel(gpt()), kF32, kLookUp},
      {"phi2", all_but(parallel(gpt()), {Tap::kFfnNorm}), kF32, kLookUp},
      {"phi3", phi3, kF32, kF32, true},
      {"gemma", gemma(), kF32, kLookUp},
      {"gemma2", with(gemma3, {{Tap::kFfnOut, "ffn_post_norm"}}), kF32, kLookUp},
      {"gemma3", gemma3, kF32, kLookUp},
      {"qwen2", qwen2()},
      {"qwen2moe", with(mixture(qwen2()), {{Tap::kFfnOut, "ffn_out-%"}})},
      {"qwen3", qwen3, kBf16},
      {"qwen3moe", mixture(qwen3)},
      {"olmoe", mixture(with(qwen3, {{Tap::kQ, "Qcur-%#2"}, {Tap::kK, "Kcur-%#2"}}))},
      {"TinyStories-656K-f32", llama(), kF32, kF32, false, true},
      {"shakespeare-llama-f32", llama(), kF32, kF32, false, true},
      {"stories260K-f32", llama(), kF32, kF32, false, true},
      {"shakespeare-gpt2-f32", gpt2, kF32, kLookUp, false, true},
  };
}

class EveryTap : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    REQUIRE_SHARED_DATA();
    const tests::Oracle oracle = GetParam().real ? tests::shared_oracle(GetParam().model)
                                                 : tests::synthetic_oracle(GetParam().model);
    theirs_.emplace(oracle.folder);
    file_.emplace(model::open_gguf(oracle.model.string()));
    network_ = model::make_model(*file_);
    ids_ = oracle.cases()[0]["ids"].get<std::vector<int32_t>>();
    passes_.emplace(*network_, ids_);
  }
  const model::Config& config() const { return network_->config(); }
  size_t positions() const { return ids_.size(); }

  // Those at work at a position.
  std::vector<int64_t> experts(size_t position, int64_t layer) const {
    const Capture::Values& list = passes_->positions[position].at(Tap::kExperts, layer);
    std::vector<int64_t> experts;
    for (int64_t k = 0; k < list.rows; ++k) experts.push_back(static_cast<int64_t>(list.row(k)[0]));
    return experts;
  }
  // A tap over all positions in the order of llama.cpp's tensor.
  std::vector<float> ours(Tap tap, int64_t layer) const {
    std::vector<float> all;
    const size_t n = positions();
    if (tap == Tap::kWeights) {  // [keys, queries, heads]
      all.assign(n * n * static_cast<size_t>(config().n_head), 0.0F);
      for (size_t p = 0; p < n; ++p) {
        const Capture::Values& a = passes_->positions[p].at(tap, layer);
        for (int64_t h = 0; h < a.rows; ++h)
          std::copy_n(a.row(h), a.cols, all.data() + (static_cast<size_t>(h) * n + p) * n);
      }
      return all;
    }
    for (size_t p = 0; p < n; ++p) {
      const std::vector<float>& data = passes_->positions[p].at(tap, layer).data;
      if (model::of_neurons(tap) && config().n_expert > 0) {  // of those at work, [F, used]
        const auto width = config().n_ff;
        for (const int64_t e : chosen(p, layer))
          all.insert(all.end(), data.begin() + e * width, data.begin() + (e + 1) * width);
      } else {
        all.insert(all.end(), data.begin(), data.end());
      }
    }
    return all;
  }
  // The experts in llama.cpp's order: the most probable first.
  std::vector<int64_t> chosen(size_t position, int64_t layer) const {
    std::vector<int64_t> list = experts(position, layer);
    std::erase_if(list, [&](int64_t e) { return e >= config().n_expert; });
    const std::vector<float>& p = passes_->positions[position].at(Tap::kRouter, layer).data;
    std::stable_sort(list.begin(), list.end(), [&](int64_t a, int64_t b) {
      return p[static_cast<size_t>(a)] > p[static_cast<size_t>(b)];
    });
    return list;
  }

  std::optional<tests::Intermediates> theirs_;
  std::optional<model::ModelFile> file_;
  std::unique_ptr<model::Model> network_;
  std::vector<int32_t> ids_;
  std::optional<tests::Passes> passes_;
};

TEST_P(EveryTap, IsWhatLlamaCppNames) {
  for (const auto& [tap, pattern] : GetParam().names) {
    const model::TapInfo& info = model::tap_info(tap);
    for (int64_t l = 0; l < (info.per_layer ? config().n_layer : 1); ++l) {
      std::string name = pattern;
      if (const size_t at = name.find('%'); at != std::string::npos) {
        name.replace(at, 1, std::to_string(l));
      } else if (info.per_layer && l > 0) {
        name += "#" + std::to_string(l + 1);
      }
      std::vector<float> values = ours(tap, l);
      if (tap == Tap::kQ && GetParam().scales_q) {
        const float scale = 1.0F / std::sqrt(static_cast<float>(config().head_dim));
        for (float& value : values) value *= scale;
      }
      const std::span<const float> want = theirs_->at(name);
      ASSERT_EQ(want.size(), values.size()) << name;
      const bool after_act = l > 0 || tap >= Tap::kAct;
      EXPECT_LT(tests::relative_rms(values, want),
                std::max(GetParam().tolerance, after_act ? GetParam().after_act : 0.0))
          << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, EveryTap, ::testing::ValuesIn(cases()), [](const auto& one) {
  std::string name = one.param.model;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
