#include "engine/analysis/percentile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace engine {
namespace {

float exact_p99(std::vector<float> values) {
  for (float& value : values) value = std::abs(value);
  std::sort(values.begin(), values.end());
  return values[values.size() - 1 - values.size() / 100];
}

TEST(Percentile, LiesWithinFourPercentOfTheSortedList) {
  std::mt19937 random(1);
  std::lognormal_distribution<float> sizes(-3.0F, 2.0F);
  Percentile one;
  Percentile many;
  std::vector<float> all;
  for (int batch = 0; batch < 200; ++batch) {
    std::vector<float> values(97);
    for (float& value : values) value = sizes(random) * (random() % 2 == 0 ? 1.0F : -1.0F);
    all.insert(all.end(), values.begin(), values.end());
    for (const float value : values) one.add(value);
    many.add(values);
    EXPECT_NEAR(one.p99() / exact_p99(all), 1.0F, 0.04F);
    EXPECT_EQ(one.p99(), many.p99());
  }
}

// The prompt's first position may be hundreds of times as large as all that follow, which lie below
// the bins that were kept for it.
TEST(Percentile, ComesDownWhenTheFirstValuesWereTheLargest) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> spread(0.9F, 1.1F);
  for (const float first : {100.0F, 300.0F, 1000.0F, 1e6F}) {
    Percentile p;
    std::vector<float> all;
    for (int batch = 0; batch < 400; ++batch) {
      std::vector<float> values(200);
      for (float& value : values) value = spread(random) * (batch == 0 ? first : 1.0F);
      all.insert(all.end(), values.begin(), values.end());
      p.add(values);
      EXPECT_GT(p.p99(), 0.9F) << "token " << batch << ": lights would be far too bright";
      if (batch > 200) {
        EXPECT_LT(p.p99(), first) << batch;
      }
    }
  }
}

TEST(Percentile, ZerosAndNanSayNothing) {
  Percentile p;
  EXPECT_EQ(p.p99(), 1.0F);
  p.add(std::vector<float>{0.0F, -0.0F, std::numeric_limits<float>::quiet_NaN()});
  EXPECT_EQ(p.p99(), 1.0F);
  p.add(std::vector<float>{0.0F, 8.0F, 0.0F});
  EXPECT_NEAR(p.p99(), 8.0F, 0.32F);
}

}  // namespace
}  // namespace engine
