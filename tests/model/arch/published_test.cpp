// Intermediates that somebody else published, from PyTorch: llm-viz's model of 85,000 parameters
// that sorts letters (see the shared data's README), three texts of eleven tokens.
#include <gtest/gtest.h>

#include <memory>
#include <span>

#include "model/arch/registry.h"
#include "model/format/gguf.h"
#include "tests/support/capture.h"
#include "tests/support/oracle.h"

namespace {

using model::Tap;

constexpr size_t kTexts = 3, kTokens = 11;

class NanoGpt : public ::testing::Test {
 protected:
  void SetUp() override {
    REQUIRE_SHARED_DATA();
    const std::filesystem::path folder = tests::shared_data("oracles/nano-gpt-sort");
    index_ = tests::read_json(folder / "partials.json")["tensors"];
    values_ = tests::read_floats(folder / "partials.f32");
    file_ = std::make_unique<model::ModelFile>(
        model::open_gguf(tests::shared_data("models/real/nano-gpt-sort-f32.gguf").string()));
    network_ = model::make_model(*file_);
    const std::span<const float> idx = theirs("idx");
    for (size_t b = 0; b < kTexts; ++b) {
      std::vector<int32_t> ids;
      for (size_t t = 0; t < kTokens; ++t)
        ids.push_back(static_cast<int32_t>(idx[b * kTokens + t]));
      texts_.push_back(std::make_unique<tests::Passes>(*network_, ids));
    }
  }
  std::span<const float> theirs(const std::string& name) const {
    for (const auto& t : index_) {
      if (t["name"] != name) continue;
      size_t count = 1;
      for (const size_t n : t["shape"]) count *= n;
      return std::span(values_).subspan(t["offset"].get<size_t>() / sizeof(float), count);
    }
    ADD_FAILURE() << "no " << name;
    return {};
  }
  // Theirs are (text, token, width), or by heads (text, head, token, width).
  void expect_same(Tap tap, int64_t layer, const std::string& name, bool by_heads = false) {
    const std::span<const float> all = theirs(name);
    std::vector<float> ours, expected;
    for (size_t b = 0; b < kTexts; ++b) {
      for (size_t t = 0; t < kTokens; ++t) {
        const tests::Capture::Values& at = texts_[b]->positions[t].at(tap, layer);
        ours.insert(ours.end(), at.data.begin(), at.data.end());
        const auto rows = static_cast<size_t>(by_heads ? at.rows : 1);
        const size_t width = at.data.size() / rows;
        for (size_t h = 0; h < rows; ++h) {
          const auto row = all.subspan(((b * rows + h) * kTokens + t) * width, width);
          expected.insert(expected.end(), row.begin(), row.end());
        }
      }
    }
    EXPECT_EQ(all.size(), ours.size()) << name;
    EXPECT_LT(tests::relative_rms(ours, expected), 1e-5) << name;
  }

  nlohmann::json index_;
  std::vector<float> values_;
  std::unique_ptr<model::ModelFile> file_;
  std::unique_ptr<model::Model> network_;
  std::vector<std::unique_ptr<tests::Passes>> texts_;
};

TEST_F(NanoGpt, EveryTapIsWhatPyTorchMakes) {
  expect_same(Tap::kEmbedding, 0, "x");
  expect_same(Tap::kAttnNorm, 0, "ln1");
  expect_same(Tap::kQ, 0, "q", true);
  expect_same(Tap::kK, 0, "k", true);
  expect_same(Tap::kV, 0, "v", true);
  expect_same(Tap::kMix, 0, "y");
  expect_same(Tap::kAttnOut, 0, "yProj");
  expect_same(Tap::kResidMid, 0, "attnResid");
  expect_same(Tap::kFfnNorm, 0, "ln2");
  expect_same(Tap::kUp, 0, "fc");
  expect_same(Tap::kAct, 0, "gelu");
  expect_same(Tap::kFfnOut, 0, "mlp");
  for (int64_t l = 0; l < 3; ++l) expect_same(Tap::kResidPost, l, "block" + std::to_string(l));
  expect_same(Tap::kNorm, 0, "ln_f");
  expect_same(Tap::kLogits, 0, "lm_head");
}

TEST_F(NanoGpt, AttentionBeforeAndAfterItsSoftmax) {
  const auto scores = theirs("att");
  const auto weights = theirs("attSm");
  for (size_t b = 0; b < kTexts; ++b) {
    for (size_t t = 0; t < kTokens; ++t) {
      for (size_t h = 0; h < 3; ++h) {
        const size_t row = ((b * 3 + h) * kTokens + t) * kTokens;
        for (size_t j = 0; j <= t; ++j) {
          const auto of = [&](Tap tap) {
            return texts_[b]->positions[t].at(tap, 0).row(static_cast<int64_t>(h))[j];
          };
          EXPECT_NEAR(weights[row + j], of(Tap::kWeights), 2e-6);
          EXPECT_NEAR(scores[row + j], of(Tap::kScores), 1e-4);
        }
      }
    }
  }
}

}  // namespace
