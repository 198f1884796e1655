// The instruction sets' copies against plain double arithmetic, ragged lengths and extremes.
#include "model/kernels/train_ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace model {
namespace {

class TrainOpsTest : public ::testing::TestWithParam<const TrainOps*> {};

std::vector<float> wave(int64_t n, float size) {
  std::vector<float> x;
  for (int64_t i = 0; i < n; ++i) x.push_back(size * std::sin(static_cast<float>(i * i + 1)));
  return x;
}

TEST_P(TrainOpsTest, SwigluIsAccurateFromEndToEnd) {
  for (const int64_t f : {1, 7, 16, 37}) {
    for (const float size : {0.01F, 3.0F, 60.0F, 1000.0F}) {
      const std::vector<float> gu = wave(2 * f * 3, size);
      std::vector<float> y(static_cast<size_t>(3 * f));
      GetParam()->swiglu(gu.data(), 3, f, y.data());
      for (int64_t t = 0; t < 3; ++t) {
        for (int64_t i = 0; i < f; ++i) {
          const double g = static_cast<double>(gu[static_cast<size_t>(t * 2 * f + i)]);
          const double u = static_cast<double>(gu[static_cast<size_t>(t * 2 * f + f + i)]);
          const double expected = g * u / (1.0 + std::exp(-g));
          EXPECT_NEAR(y[static_cast<size_t>(t * f + i)], expected,
                      1e-6 * std::abs(expected) + 1e-30);
        }
      }
    }
  }
}

TEST_P(TrainOpsTest, CausalSoftmaxSeesThePastOnly) {
  constexpr int64_t kRows = 5;
  constexpr int64_t kFirst = 19;
  constexpr int64_t kCols = kFirst + kRows;
  const std::vector<float> scores = wave(kRows * kCols, 40.0F);
  std::vector<float> p = scores;
  GetParam()->causal_softmax(p.data(), kRows, kCols, kCols, kFirst);
  for (int64_t i = 0; i < kRows; ++i) {
    double total = 0.0;
    for (int64_t j = 0; j <= kFirst + i; ++j) {
      total += std::exp(static_cast<double>(scores[static_cast<size_t>(i * kCols + j)]));
    }
    for (int64_t j = 0; j < kCols; ++j) {
      const auto at = static_cast<size_t>(i * kCols + j);
      const double expected =
          j <= kFirst + i ? std::exp(static_cast<double>(scores[at])) / total : 0.0;
      EXPECT_NEAR(p[at], expected, 1e-6);
      EXPECT_TRUE(j <= kFirst + i || p[at] == 0.0F);
    }
  }
}

TEST_P(TrainOpsTest, CrossEntropyOfHugeLogitsIsFinite) {
  std::vector<float> logits = {1e4F, -1e4F, 0.0F, 5.0F, 5.0F, 5.0F};
  const std::vector<int32_t> targets = {1, 2};
  const double loss = GetParam()->cross_entropy(logits.data(), targets.data(), 2, 3, 0.5F);
  EXPECT_NEAR(loss, 2e4 + std::log(3.0), 0.01);
  const std::vector<float> gradient = {0.5F, -0.5F, 0.0F, 1.0F / 6, 1.0F / 6, -1.0F / 3};
  for (size_t i = 0; i < gradient.size(); ++i) EXPECT_NEAR(logits[i], gradient[i], 1e-6) << i;
}

TEST_P(TrainOpsTest, DropoutKeepsItsRateAndItsIndex) {
  constexpr int64_t kCount = 100000;
  const std::vector<float> ones(kCount, 1.0F);
  Dropout mask = {.key = 77, .first = 0, .threshold = 858993459U, .scale = 1.25F};  // rate 0.2
  std::vector<float> whole(kCount);
  GetParam()->dropout(ones.data(), kCount, mask, whole.data());
  int64_t kept = 0;
  for (const float x : whole) {
    ASSERT_TRUE(x == 0.0F || x == 1.25F);
    kept += x != 0.0F;
  }
  EXPECT_NEAR(static_cast<double>(kept) / kCount, 0.8, 0.005);
  mask.first = 333;
  std::vector<float> part(1001);
  GetParam()->dropout(ones.data(), 1001, mask, part.data());
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 333));
  mask.first = 0;
  mask.key = 78;
  std::vector<float> other(kCount);
  GetParam()->dropout(ones.data(), kCount, mask, other.data());
  int64_t both = 0;
  for (size_t i = 0; i < other.size(); ++i) both += other[i] != 0.0F && whole[i] != 0.0F;
  EXPECT_NEAR(static_cast<double>(both) / kCount, 0.64, 0.01);  // independent keys
}

TEST_P(TrainOpsTest, AdamWFirstStepsByHand) {
  std::vector<float> w = {1.0F}, m = {0.0F}, v = {0.0F};
  const float g = 0.5F;
  const AdamW step = {.lr = 0.1F,
                      .beta1 = 0.9F,
                      .beta2 = 0.99F,
                      .epsilon = 0.0F,
                      .weight_decay = 0.2F,
                      .correct1 = 10.0F,
                      .correct2 = 100.0F,
                      .grad_scale = 1.0F};
  GetParam()->adamw(w.data(), &g, m.data(), v.data(), 1, step);
  EXPECT_NEAR(m[0], 0.05F, 1e-7);
  EXPECT_NEAR(v[0], 0.0025F, 1e-8);
  EXPECT_NEAR(w[0], 1.0F - 0.1F * (1.0F + 0.2F), 1e-6);
}

std::vector<const TrainOps*> tables() {
  std::vector<const TrainOps*> list = {&isa_base::kTrainOps};
  if (&train_ops() != list[0]) list.push_back(&train_ops());
  return list;
}

INSTANTIATE_TEST_SUITE_P(Isa, TrainOpsTest, ::testing::ValuesIn(tables()));

}  // namespace
}  // namespace model
