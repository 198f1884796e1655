#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "model/error.h"
#include "tests/support/data.h"

namespace {

using engine::Choice;
using engine::Ranking;
using engine::Sampler;
using engine::Sampling;

// Probabilities 0.4, 0.3, 0.2, 0.1 of tokens 2, 0, 3, 1.
const std::vector<float> kLogits = {std::log(0.3F), std::log(0.1F), std::log(0.4F), std::log(0.2F)};

std::map<int32_t, int> draw(const Sampling& sampling, int n,
                            const std::vector<float>& logits = kLogits) {
  Sampler sampler(sampling);
  std::map<int32_t, int> counts;
  for (int i = 0; i < n; ++i) {
    sampler.rank(logits, 0);
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
  const std::span<const Choice> ranked = sampler.rank(kLogits, 9).best;
  const std::vector<int32_t> ids = {2, 0, 3, 1};
  const std::vector<float> probabilities = {0.4F, 0.3F, 0.2F, 0.1F};
  ASSERT_EQ(4U, ranked.size());
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(ids[i], ranked[i].id);
    EXPECT_NEAR(probabilities[i], ranked[i].probability, 1e-6);
    EXPECT_EQ(kLogits[static_cast<size_t>(ids[i])], ranked[i].logit);
  }
}

// Without cuts every token keeps its share, also where the sum of 150,000 weights is taken from: a
// total a little too large drew the least probable one.
TEST(Sampler, TheTailOfALargeVocabularyIsNotDrawnTooOften) {
  constexpr uint64_t kLate = 17979408893947936961U;  // its first number is 1 - 1e-8
  std::mt19937 random(7);
  std::vector<float> logits(152064);
  for (float& l : logits) {
    l = 0.0F;
    for (int i = 0; i < 12; ++i) l += static_cast<float>(random()) * 0x1p-32F;
    l = 3.0F * (l - 6.0F);
  }
  for (const float temperature : {0.8F, 1.3F}) {
    std::vector<std::pair<float, int32_t>> sorted;
    for (size_t i = 0; i < logits.size(); ++i)
      sorted.emplace_back(-logits[i], static_cast<int32_t>(i));
    std::sort(sorted.begin(), sorted.end());
    const auto weight = [&](size_t i) {
      return std::exp((static_cast<long double>(sorted[0].first) - sorted[i].first) / temperature);
    };
    long double total = 0.0L;
    for (size_t i = 0; i < sorted.size(); ++i) total += weight(i);
    long double left = (1.0L - 1e-8L) * total;
    size_t exact = 0;
    while (exact + 1 < sorted.size() && (left -= weight(exact)) >= 0.0L) ++exact;
    ASSERT_LT(exact + 10, sorted.size());
    Sampling sampling{temperature, 0, 1.0F, kLate};
    Sampler sampler(sampling);
    sampler.rank(logits, 0);
    const int32_t drawn = sampler.draw().id;
    const auto at = std::find_if(sorted.begin(), sorted.end(),
                                 [&](const auto& one) { return one.second == drawn; });
    EXPECT_NEAR(static_cast<double>(exact), static_cast<double>(at - sorted.begin()), 3.0);
  }
}

TEST(Sampler, TemperatureSharpensAndFlattens) {
  // p_i ~ q_i^(1/t)
  Sampler cold({0.5F, 0, 1.0F, 1});
  EXPECT_NEAR(0.16 / 0.30, cold.rank(kLogits, 4).best[0].probability, 1e-6);
  Sampler hot({2.0F, 0, 1.0F, 1});
  const double sum = std::sqrt(0.4) + std::sqrt(0.3) + std::sqrt(0.2) + std::sqrt(0.1);
  EXPECT_NEAR(std::sqrt(0.1) / sum, hot.rank(kLogits, 4).best[3].probability, 1e-6);
}

TEST(Sampler, GreedyTakesTheBestAndTiesGoToTheSmallerId) {
  for (const float temperature : {0.0F, -1.0F}) {
    EXPECT_EQ((std::set<int32_t>{2}), drawn({temperature, 0, 1.0F, 3}));
    EXPECT_EQ((std::set<int32_t>{1}), drawn({temperature, 0, 1.0F, 3}, {0.0F, 5.0F, 5.0F, 1.0F}));
  }
  Sampler greedy({0.0F, 0, 1.0F, 1});
  EXPECT_NEAR(0.4, greedy.rank(kLogits, 4).best[0].probability, 1e-6) << "shown at temperature 1";
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

TEST(Sampler, MinPKeepsWhatIsNearlyAsProbableAsTheBest) {
  EXPECT_EQ((std::set<int32_t>{0, 1, 2, 3}), drawn({1.0F, 0, 1.0F, 3, 0.24F}));
  EXPECT_EQ((std::set<int32_t>{0, 2, 3}), drawn({1.0F, 0, 1.0F, 3, 0.26F}));
  EXPECT_EQ((std::set<int32_t>{0, 2}), drawn({1.0F, 0, 1.0F, 3, 0.74F}));
  EXPECT_EQ((std::set<int32_t>{2}), drawn({1.0F, 0, 1.0F, 3, 1.0F})) << "one always stays";
}

TEST(Sampler, TemperatureComesAfterTheCuts) {
  // At T = 10 the probabilities are nearly equal, but what is cut was chosen at T = 1.
  EXPECT_EQ((std::set<int32_t>{2}), drawn({10.0F, 0, 0.39F, 3}));
  EXPECT_EQ((std::set<int32_t>{0, 2}), drawn({10.0F, 0, 1.0F, 3, 0.74F}));
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
      sampler.rank(kLogits, 0);
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

// A token that was said is less probable; one that was not keeps its logit.
TEST(Sampler, PenaltiesPushDownWhatWasSaid) {
  const std::vector<float> logits = {2.0F, -1.0F, 1.5F, 0.0F};
  const std::vector<int32_t> said = {1, 0, 0, 1, 0};
  const auto after = [&](Sampling sampling, std::span<const int32_t> recent) {
    sampling.temperature = 1.0F;
    sampling.top_k = 0;
    sampling.top_p = 1.0F;
    Sampler sampler(sampling);
    sampler.rank(logits, 0);
    std::vector<float> left(logits.size());
    for (const Choice& c : sampler.candidates(recent)) left[static_cast<size_t>(c.id)] = c.logit;
    return left;
  };
  Sampling repeat;
  repeat.repeat_penalty = 2.0F;
  EXPECT_EQ((std::vector<float>{1.0F, -2.0F, 1.5F, 0.0F}), after(repeat, said));
  repeat.repeat_last_n = 1;  // token 0 alone
  EXPECT_EQ((std::vector<float>{1.0F, -1.0F, 1.5F, 0.0F}), after(repeat, said));
  repeat.repeat_last_n = 0;
  EXPECT_EQ(logits, after(repeat, said));
  Sampling counted;
  counted.repeat_last_n = -1;
  counted.frequency_penalty = 0.5F;
  counted.presence_penalty = 0.25F;
  EXPECT_EQ((std::vector<float>{0.25F, -2.25F, 1.5F, 0.0F}), after(counted, said));
  EXPECT_EQ(logits, after(counted, {}));
  EXPECT_EQ(logits, after(counted, std::vector<int32_t>{-1, 4, 1000}))
      << "ids that the vocabulary does not have";
}

TEST(Sampler, PenaltiesActOnGreedyChoicesToo) {
  Sampling sampling{0.0F, 0, 1.0F, 1};
  sampling.repeat_penalty = 4.0F;
  Sampler sampler(sampling);
  const std::vector<float> logits = {3.0F, 2.0F, 1.0F};
  const Ranking ranking = sampler.rank(logits, 3);
  EXPECT_EQ(0, sampler.draw().id);
  const Choice next = sampler.draw(std::vector<int32_t>{0});
  EXPECT_EQ(1, next.id);
  EXPECT_EQ(0, ranking.best[0].id) << "what is shown is the model's own opinion";
  EXPECT_EQ(2.0F, next.logit);
  EXPECT_FLOAT_EQ(ranking.best[1].probability, next.probability);
}

TEST(Sampler, RefusesWhatIsNoNumber) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const float bad : {std::nanf(""), -std::nanf(""), inf, -inf}) {
    for (const size_t at : {size_t{0}, size_t{77}, size_t{99}}) {
      std::vector<float> logits(100, 1.0F);
      EXPECT_NO_THROW(engine::require_finite(logits, 7));
      logits[at] = bad;
      try {
        engine::require_finite(logits, 7);
        ADD_FAILURE() << "no complaint about " << bad;
      } catch (const fulgurite::Error& error) {
        EXPECT_EQ(fulgurite::ExitCode::kBadModel, error.code());
        EXPECT_CONTAINS(error.what(), "position 7", "fetch it again");
      }
    }
  }
}

// Probability and entropy of a vocabulary as large as they come, against plain sums in double.
TEST(Sampler, LargeVocabulariesAreSummedExactly) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0.0F, 3.0F);
  for (const size_t n : {size_t{1}, size_t{63}, size_t{1025}, size_t{50257}, size_t{151936}}) {
    std::vector<float> logits(n);
    for (float& l : logits) l = normal(random);
    if (n > 1000) logits[n / 2] = -200.0F;
    for (const float temperature : {0.05F, 1.0F, 30.0F}) {
      const double t = double{temperature};
      const double max = double{*std::max_element(logits.begin(), logits.end())};
      double sum = 0.0;
      double moment = 0.0;
      for (const float l : logits) {
        const double x = (double{l} - max) / t;
        sum += std::exp(x);
        moment += std::exp(x) * x;
      }
      Sampler sampler({temperature, 0, 1.0F, 1});
      const Ranking ranking = sampler.rank(logits, 24);
      EXPECT_NEAR(1.0, ranking.best[0].probability * sum, 2e-6) << n << " at " << temperature;
      EXPECT_NEAR(std::log(sum) - moment / sum, ranking.entropy, 1e-5);
    }
  }
}

TEST(Sampler, FindsTheBestOfManyWithoutSortingThem) {
  std::mt19937 random(9);
  for (const size_t n : {size_t{1}, size_t{64}, size_t{65}, size_t{5000}, size_t{50257}}) {
    for (const int levels : {1, 3, 1000000}) {  // with many ties and with few
      std::vector<float> values(n);
      for (float& v : values) v = static_cast<float>(static_cast<int>(random() % 1000000) % levels);
      std::vector<int32_t> order(n);
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
        return values[static_cast<size_t>(a)] > values[static_cast<size_t>(b)];
      });
      engine::Best best;
      best.reset(values);
      for (size_t i = 0; i < n; ++i) ASSERT_EQ(order[i], best[i]) << n << " " << levels << " " << i;
      EXPECT_EQ(-1, best[n]);
    }
  }
}

TEST(Sampler, NotANumberIsNeverTheBest) {
  std::vector<float> values(1000, std::nanf(""));
  values[500] = -3.0F;
  values[700] = -2.0F;
  engine::Best best;
  best.reset(values);
  EXPECT_EQ(700, best[0]);
  EXPECT_EQ(500, best[1]);
  EXPECT_EQ(-1, best[2]);
}

TEST(Sampler, OwnExponentialIsTheExponential) {
  EXPECT_EQ(1.0, engine::portable_exp(0.0));
  EXPECT_EQ(0.0, engine::portable_exp(-1000.0));
  for (double x = -0.001; x > -700.0; x *= 1.07) {
    EXPECT_NEAR(1.0, engine::portable_exp(x) / std::exp(x), 2e-15) << x;
  }
}

// The settings that a case of the oracle names.
Sampling settings_of(const std::string& name, bool& known) {
  Sampling s{1.0F, 0, 1.0F, 1};
  known = true;
  const char* text = name.c_str();
  if (name.starts_with("chain top_k")) {
    known = std::sscanf(text, "chain top_k %u -> top_p %f -> temp %f", &s.top_k, &s.top_p,
                        &s.temperature) == 3;
  } else if (name.starts_with("chain penalties")) {
    known = std::sscanf(text, "chain penalties(%d,%f,%f,%f) -> top_k %u -> min_p %f -> temp %f",
                        &s.repeat_last_n, &s.repeat_penalty, &s.frequency_penalty,
                        &s.presence_penalty, &s.top_k, &s.min_p, &s.temperature) == 7;
  } else if (name.starts_with("penalties")) {
    known = std::sscanf(text, "penalties last_n=%d repeat=%f freq=%f present=%f", &s.repeat_last_n,
                        &s.repeat_penalty, &s.frequency_penalty, &s.presence_penalty) == 4;
  } else {
    known = std::sscanf(text, "temp %f", &s.temperature) == 1 ||
            std::sscanf(text, "top_k %u", &s.top_k) == 1 ||
            std::sscanf(text, "top_p %f", &s.top_p) == 1 ||
            std::sscanf(text, "min_p %f", &s.min_p) == 1;
  }
  return s;
}

// llama.cpp's candidates after each sampler that we have too, and after whole chains.
TEST(Sampler, KeepsWhatLlamaCppKeeps) {
  REQUIRE_SHARED_DATA();
  int checked = 0;
  for (const char* file : {"samplers.json", "samplers2.json"}) {
    const auto oracle = tests::read_json(tests::shared_data("oracles/sampling") / file);
    const std::vector<float> logits = oracle["logits"];
    const std::vector<int32_t> recent = oracle["recent_tokens"];
    for (const auto& one : oracle["cases"]) {
      const std::string name = one["sampler"];
      SCOPED_TRACE(std::string(file) + ": " + name);
      bool known = false;
      Sampler sampler(settings_of(name, known));
      if (!known) continue;
      sampler.rank(logits, 0);
      const std::span<const Choice> left = sampler.candidates(recent);
      std::map<int32_t, Choice> by_id;
      for (const Choice& c : left) by_id[c.id] = c;
      ASSERT_EQ(one["kept"].size(), by_id.size());
      for (const auto& kept : one["kept"]) {
        const int32_t id = kept[0];
        ASSERT_EQ(1U, by_id.count(id)) << "dropped token " << id;
        EXPECT_NEAR(kept[1].get<double>(), by_id[id].logit, 1e-5);
        EXPECT_NEAR(kept[2].get<double>(), by_id[id].probability, 1e-5);
      }
      std::set<int32_t> drawn;
      for (int i = 0; i < 4000; ++i) drawn.insert(sampler.draw(recent).id);
      for (const int32_t id : drawn) EXPECT_EQ(1U, by_id.count(id)) << "drew token " << id;
      ++checked;
    }
  }
  EXPECT_EQ(28, checked);
}

}  // namespace
