#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "tests/support/data.h"

namespace {

using engine::Choice;
using engine::Sampler;
using engine::Sampling;

// Probabilities 0.4, 0.3, 0.2, 0.1 of tokens 2, 0, 3, 1.
const std::vector<float> kLogits = {std::log(0.3F), std::log(0.1F), std::log(0.4F), std::log(0.2F)};

std::map<int32_t, int> draw(const Sampling& sampling, int n,
                            const std::vector<float>& logits = kLogits) {
  Sampler sampler(sampling);
  std::map<int32_t, int> counts;
  for (int i = 0; i < n; ++i) {
    sampler.rank(logits);
    ++counts[sampler.draw().id];
  }
  return counts;
}

std::set<int32_t> drawn(const Sampling& sampling, const std::vector<float>& logits = kLogits) {
  std::set<int32_t> ids;
  for (const auto& [id, count] : draw(sampling, 4000, logits)) ids.insert(id);
  return ids;
}

TEST(Sampler, RanksByProbability) {
  Sampler sampler({1.0F, 0, 1.0F, 1});
  const std::span<const Choice> ranked = sampler.rank(kLogits);
  const std::vector<int32_t> ids = {2, 0, 3, 1};
  const std::vector<float> probabilities = {0.4F, 0.3F, 0.2F, 0.1F};
  ASSERT_EQ(4U, ranked.size());
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(ids[i], ranked[i].id);
    EXPECT_NEAR(probabilities[i], ranked[i].probability, 1e-6);
    EXPECT_EQ(kLogits[static_cast<size_t>(ids[i])], ranked[i].logit);
  }
}

TEST(Sampler, TemperatureSharpensAndFlattens) {
  // p_i ~ q_i^(1/t)
  Sampler cold({0.5F, 0, 1.0F, 1});
  EXPECT_NEAR(0.16 / 0.30, cold.rank(kLogits)[0].probability, 1e-6);
  Sampler hot({2.0F, 0, 1.0F, 1});
  const double sum = std::sqrt(0.4) + std::sqrt(0.3) + std::sqrt(0.2) + std::sqrt(0.1);
  EXPECT_NEAR(std::sqrt(0.1) / sum, hot.rank(kLogits)[3].probability, 1e-6);
}

TEST(Sampler, GreedyTakesTheBestAndTiesGoToTheSmallerId) {
  for (const float temperature : {0.0F, -1.0F}) {
    EXPECT_EQ((std::set<int32_t>{2}), drawn({temperature, 0, 1.0F, 3}));
    EXPECT_EQ((std::set<int32_t>{1}), drawn({temperature, 0, 1.0F, 3}, {0.0F, 5.0F, 5.0F, 1.0F}));
  }
  Sampler greedy({0.0F, 0, 1.0F, 1});
  EXPECT_NEAR(0.4, greedy.rank(kLogits)[0].probability, 1e-6) << "shown at temperature 1";
}

TEST(Sampler, TopKKeepsTheKMostProbable) {
  EXPECT_EQ((std::set<int32_t>{2}), drawn({1.0F, 1, 1.0F, 3}));
  EXPECT_EQ((std::set<int32_t>{0, 2}), drawn({1.0F, 2, 1.0F, 3}));
  EXPECT_EQ((std::set<int32_t>{0, 1, 2, 3}), drawn({1.0F, 0, 1.0F, 3}));
  EXPECT_EQ((std::set<int32_t>{0, 1, 2, 3}), drawn({1.0F, 99, 1.0F, 3}));
}

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesIt) {
  EXPECT_EQ((std::set<int32_t>{2}), drawn({1.0F, 0, 0.39F, 3}));
  EXPECT_EQ((std::set<int32_t>{0, 2}), drawn({1.0F, 0, 0.41F, 3}));
  EXPECT_EQ((std::set<int32_t>{0, 2}), drawn({1.0F, 0, 0.69F, 3}));
  EXPECT_EQ((std::set<int32_t>{0, 2, 3}), drawn({1.0F, 0, 0.71F, 3}));
  EXPECT_EQ((std::set<int32_t>{2}), drawn({1.0F, 0, 0.0F, 3})) << "one always stays";
}

TEST(Sampler, TopPIsOfWhatTopKLeaves) {
  // After top-k 2: 0.4 / 0.7 = 0.571 and 0.3 / 0.7.
  EXPECT_EQ((std::set<int32_t>{2}), drawn({1.0F, 2, 0.57F, 3}));
  EXPECT_EQ((std::set<int32_t>{0, 2}), drawn({1.0F, 2, 0.58F, 3}));
}

// Pearson's chi-square with 3, 2 and 1 degrees of freedom at p = 0.001; seeds are fixed.
TEST(Sampler, DrawsInProportion) {
  constexpr int kDraws = 100000;
  const auto chi_square = [&](const Sampling& sampling, const std::map<int32_t, double>& expected) {
    const std::map<int32_t, int> counts = draw(sampling, kDraws);
    double chi = 0.0;
    int total = 0;
    for (const auto& [id, p] : expected) {
      const int count = counts.count(id) ? counts.at(id) : 0;
      chi += (count - p * kDraws) * (count - p * kDraws) / (p * kDraws);
      total += count;
    }
    EXPECT_EQ(kDraws, total) << "nothing else was drawn";
    return chi;
  };
  for (const uint64_t seed : {0U, 1U, 2U, 12345U}) {
    EXPECT_LT(chi_square({1.0F, 0, 1.0F, seed}, {{2, 0.4}, {0, 0.3}, {3, 0.2}, {1, 0.1}}), 16.27);
    EXPECT_LT(chi_square({1.0F, 3, 1.0F, seed}, {{2, 0.4 / 0.9}, {0, 0.3 / 0.9}, {3, 0.2 / 0.9}}),
              13.82);
    EXPECT_LT(chi_square({1.0F, 0, 0.6F, seed}, {{2, 0.4 / 0.7}, {0, 0.3 / 0.7}}), 10.83);
    EXPECT_LT(chi_square({0.5F, 0, 1.0F, seed},
                         {{2, 0.16 / 0.3}, {0, 0.09 / 0.3}, {3, 0.04 / 0.3}, {1, 0.01 / 0.3}}),
              16.27);
  }
}

TEST(Sampler, TheSameSeedDrawsTheSame) {
  const auto sequence = [](uint64_t seed) {
    Sampler sampler({1.0F, 0, 1.0F, seed});
    std::vector<int32_t> ids;
    for (int i = 0; i < 64; ++i) {
      sampler.rank(kLogits);
      ids.push_back(sampler.draw().id);
    }
    return ids;
  };
  EXPECT_EQ(sequence(7), sequence(7));
  EXPECT_NE(sequence(7), sequence(8));
  const std::vector<int32_t> all = sequence(1);
  // SplitMix64 of seed 1 begins 0.567, 0.746, 0.971, 0.444.
  EXPECT_EQ((std::vector<int32_t>{0, 3, 1, 0}), std::vector<int32_t>(all.begin(), all.begin() + 4))
      << "on every machine";
}

// llama.cpp's candidates after each sampler that we have too.
TEST(Sampler, KeepsWhatLlamaCppKeeps) {
  REQUIRE_SHARED_DATA();
  int checked = 0;
  for (const char* file : {"samplers.json", "samplers2.json"}) {
    const auto oracle = tests::read_json(tests::shared_data("oracles/sampling") / file);
    const std::vector<float> logits = oracle["logits"];
    for (const auto& one : oracle["cases"]) {
      Sampling sampling{1.0F, 0, 1.0F, 1};
      const std::string name = one["sampler"];
      if (std::sscanf(name.c_str(), "temp %f", &sampling.temperature) == 1) {
        Sampler sampler(sampling);
        const auto ranked = sampler.rank(logits);
        for (size_t i = 0; i < ranked.size(); ++i) {
          EXPECT_NEAR(one["kept"][i][2].get<double>(), ranked[i].probability, 1e-6) << name;
        }
      } else if (std::sscanf(name.c_str(), "top_k %u", &sampling.top_k) == 1 ||
                 std::sscanf(name.c_str(), "top_p %f", &sampling.top_p) == 1) {
        std::map<int32_t, int> counts = draw(sampling, 20000, logits);
        for (const auto& kept : one["kept"]) {
          const double expected = kept[2].get<double>() * 20000;
          const int32_t id = kept[0];
          EXPECT_NEAR(expected, counts[id], 5.0 * std::sqrt(expected) + 1.0)
              << name << " token " << id;
          counts.erase(id);
        }
        EXPECT_TRUE(counts.empty()) << name << ": drew what llama.cpp drops";
      } else {
        continue;
      }
      ++checked;
    }
  }
  EXPECT_EQ(16, checked);
}

}  // namespace
