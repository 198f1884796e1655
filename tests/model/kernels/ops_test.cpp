#include "model/kernels/ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "model/kernels/factor.h"
#include "model/kernels/gemm.h"
#include "model/kernels/ops_isa.h"

namespace model {
namespace {

std::vector<float> normal(int64_t n, float size = 1.0F, uint32_t seed = 5) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution(0.0F, size);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = distribution(random);
  return values;
}

const float kNan = std::numeric_limits<float>::quiet_NaN();
const float kInf = std::numeric_limits<float>::infinity();

TEST(Ops, TheStrongestAreThoseThatAFullSortPutsFirst) {
  for (const int64_t n : {1, 15, 16, 17, 80, 300, 333, 1000, 3072}) {
    for (const int64_t k : {0, 1, 7, 16, 40}) {
      for (const bool coarse : {false, true}) {
        std::vector<float> x = normal(n, 1.0F, static_cast<uint32_t>(n + k));
        // Many equal magnitudes, zeros among them, of both signs.
        if (coarse)
          std::transform(x.begin(), x.end(), x.begin(), [](float v) { return std::round(v); });
        std::vector<int32_t> sorted(x.size());
        std::iota(sorted.begin(), sorted.end(), 0);
        std::stable_sort(sorted.begin(), sorted.end(), [&](int32_t a, int32_t b) {
          return std::abs(x[static_cast<size_t>(a)]) > std::abs(x[static_cast<size_t>(b)]);
        });
        sorted.resize(static_cast<size_t>(std::min(n, k)));
        std::sort(sorted.begin(), sorted.end());
        std::vector<int32_t> found(static_cast<size_t>(k));
        found.resize(static_cast<size_t>(strongest(x.data(), n, k, found.data())));
        EXPECT_EQ(found, sorted) << n << " values, " << k << " wanted";
      }
    }
  }
}

TEST(Ops, ATallyCountsNumbersAndWhatReachesAFloor) {
  for (const size_t n : {0U, 1U, 16U, 37U}) {
    std::vector<float> x(n, 0.5F);
    if (n > 16) {
      x[3] = 0.0F;
      x[8] = std::numeric_limits<float>::quiet_NaN();
      x[20] = -2.0F;
      x[36] = std::numeric_limits<float>::infinity();
    }
    const auto size = static_cast<int64_t>(n);
    const auto [numbers, high] = tally(x.data(), size, 1.0F);
    EXPECT_EQ(numbers, n > 16 ? size - 2 : size);
    EXPECT_EQ(high, n > 16 ? 3 : 0);
    EXPECT_EQ(tally(x.data(), size, 0.0F).high, size);
  }
}

TEST(Ops, ValuesFindTheirBinsByTheUpperBitsOfTheirMagnitude) {
  // Four bins an octave from 1/2 on, sixteen of them: to 8.
  const Bins bins{21, std::bit_cast<int32_t>(0.5F) >> 21, 16};
  const std::vector<float> x = {0.5F,  -0.5F,    0.6F, 0.63F, 1.0F, 1.76F, -2.0F, 7.9F,  8.0F,
                                1e30F, INFINITY, 0.3F, 0.1F,  0.0F, -0.0F, NAN,   0.24F, 0.25F};
  const std::vector<int16_t> of = {0, 0, 0, 1, 4, 7, 8, 15, 15, 15, 15, 0, 28, 29, 30, 31, 16, 0};
  for (size_t n = 1; n <= x.size(); ++n) {
    std::vector<int16_t> found(n + 1, -7);
    bins_of(x.data(), static_cast<int64_t>(n), bins, 0.25F, found.data());
    EXPECT_EQ(-7, found.back()) << "nothing behind the last";
    found.pop_back();
    EXPECT_EQ(found, std::vector<int16_t>(of.begin(), of.begin() + static_cast<ptrdiff_t>(n)));
  }
}

TEST(Ops, ValuesAreOrderedByMagnitudeThenByNumber) {
  std::mt19937 random(5);
  for (const int64_t n : {0, 1, 2, 7, 16}) {
    for (int round = 0; round < 50; ++round) {
      std::vector<float> x(static_cast<size_t>(n));
      for (float& v : x) v = static_cast<float>(static_cast<int>(random() % 9) - 4);
      std::vector<int32_t> sorted(x.size());
      std::iota(sorted.begin(), sorted.end(), 0);
      std::stable_sort(sorted.begin(), sorted.end(), [&](int32_t a, int32_t b) {
        return std::abs(x[static_cast<size_t>(a)]) > std::abs(x[static_cast<size_t>(b)]);
      });
      std::vector<int32_t> order(x.size());
      order_by_size(x.data(), n, order.data());
      EXPECT_EQ(order, sorted);
    }
  }
}

// Of columns that depend on each other but for 1 in a thousand, against double precision.
TEST(Ops, AFactorGivesWhatItsMatrixDoesWhereColumnsNearlyCancel) {
  for (const int64_t n : {4, 16, 64, 80, 100, 256}) {
    const int64_t rows = 300;
    std::vector<float> a = normal(rows * n, 1.0F, 1);
    const std::vector<float> other = normal(rows * n, 1e-3F, 2);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 1; c < n; c += 2) {
        const auto at = static_cast<size_t>(r * n + c);
        a[at] = a[at - 1] + other[at];
      }
    }
    std::vector<double> gram(static_cast<size_t>(n * n));
    add_gram(a.data(), 100, n, n, gram.data());
    add_gram(a.data() + 100 * n, rows - 100, n, n, gram.data());
    std::vector<float> factor(static_cast<size_t>(factor_floats(n)));
    factorise(gram.data(), n, factor.data());
    std::vector<float> x = normal(n, 1.0F, 3);
    for (size_t c = 1; c < x.size(); c += 2) x[c] = -x[c - 1];
    std::vector<float> y(x.size());
    const float energy = factor_matvec(factor.data(), x.data(), n, y.data());
    std::vector<double> back(x.size());
    double expected = 0.0;
    for (int64_t r = 0; r < rows; ++r) {
      const float* row = a.data() + r * n;
      const double o = std::inner_product(row, row + n, x.begin(), 0.0, std::plus<>(),
                                          [](double v, double w) { return v * w; });
      expected += o * o;
      for (int64_t c = 0; c < n; ++c) back[static_cast<size_t>(c)] += o * double{row[c]};
    }
    EXPECT_NEAR(1.0, double{energy} / expected, 3e-4) << n;
    double error = 0.0;
    double size = 0.0;
    for (size_t c = 0; c < back.size(); ++c) {
      error += (double{y[c]} - back[c]) * (double{y[c]} - back[c]);
      size += back[c] * back[c];
    }
    EXPECT_LT(std::sqrt(error / size), 1e-3) << n;
  }
}

TEST(Ops, AFactorOfFewerRowsThanColumnsIsOne) {
  const int64_t n = 20;
  const std::vector<float> a = normal(3 * n, 1.0F, 1);
  std::vector<double> gram(static_cast<size_t>(n * n));
  add_gram(a.data(), 3, n, n, gram.data());
  std::vector<float> factor(static_cast<size_t>(factor_floats(n)));
  factorise(gram.data(), n, factor.data());
  const std::vector<float> x = normal(n, 1.0F, 2);
  std::vector<float> y(x.size());
  double expected = 0.0;
  for (int64_t r = 0; r < 3; ++r) {
    double o = 0.0;
    for (int64_t c = 0; c < n; ++c) {
      o += double{a[static_cast<size_t>(r * n + c)]} * double{x[static_cast<size_t>(c)]};
    }
    expected += o * o;
  }
  EXPECT_NEAR(1.0, double{factor_matvec(factor.data(), x.data(), n, y.data())} / expected, 1e-5);
}

TEST(Ops, SiluAndGeluFollowTheirFormulas) {
  std::vector<float> x;
  for (int i = -3000; i <= 3000; ++i) x.push_back(static_cast<float>(i) * 0.005F);
  std::vector<float> y(x.size());
  silu(x.data(), nullptr, static_cast<int64_t>(x.size()), y.data());
  for (size_t i = 0; i < x.size(); ++i) {
    const double g = x[i];
    const double expected = g / (1.0 + std::exp(-g));
    ASSERT_NEAR(expected, y[i], 4e-7 * std::abs(expected) + 1e-12) << g;
  }
  gelu(x.data(), nullptr, static_cast<int64_t>(x.size()), y.data());
  for (size_t i = 0; i < x.size(); ++i) {
    const double g = x[i];
    const double u = std::sqrt(2.0 / M_PI) * (g + 0.044715 * g * g * g);
    const double expected = 0.5 * g * (1.0 + std::tanh(u));
    ASSERT_NEAR(expected, y[i], 4e-7 * std::max(std::abs(expected), 0.2)) << g;
  }
}

// As the reference of gpt-oss has it (openai/gpt-oss, gpt_oss/torch/model.py, swiglu).
TEST(Ops, TheClampedSwigluFollowsItsFormula) {
  for (const int64_t n : {1, 16, 37, 1000}) {
    const std::vector<float> gate = normal(n, 6.0F);
    const std::vector<float> up = normal(n, 6.0F, 7);
    std::vector<float> y = gate;
    clamped_swiglu(y.data(), up.data(), n, y.data());
    for (size_t i = 0; i < y.size(); ++i) {
      const double g = std::min(double{gate[i]}, 7.0);
      const double u = std::clamp(double{up[i]}, -7.0, 7.0);
      const double expected = g / (1.0 + std::exp(-1.702 * g)) * (u + 1.0);
      ASSERT_NEAR(expected, y[i], 8e-7 * std::abs(expected) + 1e-7) << gate[i] << ' ' << up[i];
    }
  }
  const std::vector<float> odd = {kNan, 1.0F, kInf, -kInf};
  const std::vector<float> with = {1.0F, kNan, kInf, -kInf};
  std::vector<float> y(odd.size());
  clamped_swiglu(odd.data(), with.data(), 4, y.data());
  EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]));
  EXPECT_NEAR(56.0, y[2], 1e-3);
}

// Values of x Phi(x) from tables of the normal distribution (Abramowitz & Stegun, table 26.1).
TEST(Ops, TheExactGeluIsXTimesTheNormalDistribution) {
  const std::vector<float> x = {0.0F, 0.5F, 1.0F, 2.0F, -1.0F, -3.0F, -200.0F, 200.0F};
  const std::vector<double> phi = {0.5,
                                   0.691462461274013,
                                   0.841344746068543,
                                   0.977249868051821,
                                   0.158655253931457,
                                   0.001349898031630,
                                   0.0,
                                   1.0};
  std::vector<float> y(x.size());
  gelu_exact(x.data(), static_cast<int64_t>(x.size()), y.data());
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i] * phi[i], y[i], 1e-7) << x[i];
}

TEST(Ops, ActivationsMultiplyByUpAndMayWorkInPlace) {
  for (const int64_t n : {1, 5, 16, 37}) {
    const std::vector<float> gate = normal(n);
    const std::vector<float> up = normal(n, 1.0F, 6);
    std::vector<float> alone(gate.size());
    std::vector<float> both = gate;
    silu(gate.data(), nullptr, n, alone.data());
    silu(both.data(), up.data(), n, both.data());
    for (size_t i = 0; i < gate.size(); ++i) EXPECT_EQ(alone[i] * up[i], both[i]);
  }
}

TEST(Ops, ActivationsOfNumbersAtTheEdgesStaySane) {
  const std::vector<float> x = {kNan, kInf, 1e30F, 200.0F, -200.0F, -1e30F, 0.0F};
  std::vector<float> y(x.size());
  silu(x.data(), nullptr, static_cast<int64_t>(x.size()), y.data());
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(kInf, y[1]);
  EXPECT_EQ(1e30F, y[2]);
  EXPECT_EQ(200.0F, y[3]);
  EXPECT_NEAR(0.0F, y[4], 1e-30F);
  EXPECT_EQ(0.0F, y[6]);
}

TEST(Ops, SoftmaxSumsToOneAndFollowsTheFormula) {
  for (const int64_t n : {1, 2, 15, 16, 17, 100, 5000}) {
    const std::vector<float> x = normal(n, 4.0F);
    std::vector<float> y(x.size());
    softmax(x.data(), n, y.data());
    double sum = 0.0;
    for (const float v : x) sum += std::exp(double{v});
    double total = 0.0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = std::exp(double{x[i]}) / sum;
      // The difference to the largest is rounded before it is raised.
      const double bound = 4e-7 + 6e-8 * double{*std::max_element(x.begin(), x.end()) - x[i]};
      ASSERT_NEAR(expected, y[i], bound * expected + 1e-30);
      total += y[i];
    }
    EXPECT_NEAR(1.0, total, 1e-6);
  }
  const std::vector<float> masked = {1.0F, -kInf, 1.0F};
  std::vector<float> y(3);
  softmax(masked.data(), 3, y.data());
  EXPECT_EQ((std::vector<float>{0.5F, 0.0F, 0.5F}), y);
}

TEST(Ops, NormsFollowTheirFormulas) {
  for (const int64_t n : {1, 7, 16, 64, 1000}) {
    std::vector<float> x = normal(n, 3.0F);
    for (float& v : x) v += 10.0F;
    const std::vector<float> gain = normal(n, 1.0F, 7);
    const std::vector<float> bias = normal(n, 1.0F, 8);
    double squares = 0.0;
    double mean = 0.0;
    for (const float v : x) {
      squares += double{v} * v;
      mean += v;
    }
    mean /= static_cast<double>(n);
    double variance = 0.0;
    for (const float v : x) variance += (v - mean) * (v - mean);
    const double rms = 1.0 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
    const double deviation = 1.0 / std::sqrt(variance / static_cast<double>(n) + 1e-5);
    std::vector<float> y(x.size());
    EXPECT_NEAR(rms, rms_norm(x.data(), gain.data(), n, 1e-5F, y.data()), 1e-6 * rms);
    for (size_t i = 0; i < y.size(); ++i) {
      EXPECT_NEAR(x[i] * rms * gain[i], y[i], 3e-7 * std::abs(y[i]));
    }
    const float got = layer_norm(x.data(), gain.data(), bias.data(), n, 1e-5F, y.data());
    if (n > 1) {
      EXPECT_NEAR(deviation, got, 2e-6 * deviation);
    }
    for (size_t i = 0; i < y.size() && n > 1; ++i) {
      EXPECT_NEAR((x[i] - mean) * deviation * gain[i] + bias[i], y[i], 4e-6);
    }
    const float plain = rms_norm(x.data(), nullptr, n, 1e-5F, x.data());
    EXPECT_NEAR(rms, plain, 1e-6 * rms) << "in place, without a gain";
  }
}

TEST(Ops, RotatesPairsOfBothKinds) {
  const std::vector<float> before = normal(3 * 12);
  std::vector<float> cos;
  std::vector<float> sin;
  for (int i = 0; i < 4; ++i) {
    cos.push_back(std::cos(0.3F * static_cast<float>(i + 1)));
    sin.push_back(std::sin(0.3F * static_cast<float>(i + 1)));
  }
  for (const bool halves : {false, true}) {
    std::vector<float> x = before;
    rotate(x.data(), 3, 12, 8, halves, cos.data(), sin.data());
    for (size_t h = 0; h < 3; ++h) {
      for (size_t i = 0; i < 4; ++i) {
        const size_t a = 12 * h + (halves ? i : 2 * i);
        const size_t b = 12 * h + (halves ? i + 4 : 2 * i + 1);
        EXPECT_NEAR(before[a] * cos[i] - before[b] * sin[i], x[a], 1e-6F);
        EXPECT_NEAR(before[a] * sin[i] + before[b] * cos[i], x[b], 1e-6F);
      }
      for (size_t c = 8; c < 12; ++c) EXPECT_EQ(before[12 * h + c], x[12 * h + c]);
    }
  }
}

TEST(Ops, DotIsThatOfDoubles) {
  for (const int64_t n : {0, 1, 16, 33, 4000}) {
    const std::vector<float> a = normal(n);
    const std::vector<float> b = normal(n, 1.0F, 9);
    double expected = 0.0;
    for (size_t i = 0; i < a.size(); ++i) expected += double{a[i]} * double{b[i]};
    EXPECT_NEAR(expected, dot(a.data(), b.data(), n), 1e-11);
  }
}

TEST(Cache, KeepsWhatItsTypeCanHold) {
  const std::vector<float> x = normal(96);
  for (const CacheType type : {CacheType::kF32, CacheType::kF16, CacheType::kQ8_0}) {
    std::vector<char> bytes(static_cast<size_t>(cache_bytes(type, 96)) + 1, 'x');
    cache_store(type, x.data(), 96, bytes.data());
    EXPECT_EQ('x', bytes.back());
    std::vector<float> back(96);
    cache_load(type, bytes.data(), 96, back.data());
    for (size_t i = 0; i < back.size(); ++i) {
      float most = 0.0F;
      for (size_t k = i / 32 * 32; k < i / 32 * 32 + 32; ++k) most = std::max(most, std::abs(x[k]));
      const float bound = type == CacheType::kF32   ? 0.0F
                          : type == CacheType::kF16 ? std::abs(x[i]) * 0x1p-11F + 0x1p-25F
                                                    : most / 127.0F * 0.6F;
      EXPECT_NEAR(x[i], back[i], bound);
    }
  }
  const std::vector<float> zero(32);
  std::vector<char> bytes(34);
  std::vector<float> back(32, 1.0F);
  cache_store(CacheType::kQ8_0, zero.data(), 32, bytes.data());
  cache_load(CacheType::kQ8_0, bytes.data(), 32, back.data());
  EXPECT_EQ(zero, back);
}

// A damaged model must not write text as if it were sound.
TEST(CacheStore, WhatIsNoNumberShowsInEveryType) {
  for (const float odd : {NAN, -NAN, INFINITY, -INFINITY}) {
    for (const CacheType type : {CacheType::kF32, CacheType::kF16, CacheType::kQ8_0}) {
      std::vector<float> x(32, 1.0F);
      x[5] = odd;
      std::vector<char> bytes(128);
      cache_store(type, x.data(), 32, bytes.data());
      std::vector<float> back(32);
      cache_load(type, bytes.data(), 32, back.data());
      EXPECT_FALSE(std::isfinite(back[5])) << odd;
    }
  }
}

// A cache of n positions for one KV head in the middle of three.
struct Past {
  Past(CacheType kind, int64_t width, int64_t positions)
      : type(kind),
        d(width),
        n(positions),
        q(normal(d)),
        k(normal(n * d, 1.0F, 2)),
        v(normal(n * d, 1.0F, 3)) {
    stride = 3 * cache_bytes(type, d);
    step = kCacheBlock * stride + 64;  // something else lies between the blocks
    keys.resize(static_cast<size_t>((n / kCacheBlock + 1) * step));
    values.resize(keys.size());
    for (int64_t j = 0; j < n; ++j) {
      float* key = k.data() + j * d;
      float* value = v.data() + j * d;
      const CacheLane at = lane();
      const int64_t offset = at.offset(j);
      cache_store(type, key, d, const_cast<char*>(at.k) + offset);
      cache_store(type, value, d, const_cast<char*>(at.v) + offset);
      cache_load(type, at.k + offset, d, key);
      cache_load(type, at.v + offset, d, value);
    }
  }
  CacheLane lane() const {
    const int64_t bytes = cache_bytes(type, d);
    return {type, keys.data() + bytes, values.data() + bytes, stride, step};
  }
  AttentionHead head(int64_t first, float soft_cap, float sink = -kInf) const {
    return {q.data(), lane(), d, d, first, n, 0.25F, soft_cap, false, nullptr, sink};
  }
  CacheType type;
  int64_t d, n, stride = 0, step = 0;
  std::vector<float> q, k, v;  // as the cache holds them
  std::vector<char> keys, values;
};

// Of latent attention a value is the beginning of its key, which may end inside a block.
TEST(Attend, MixesTheBeginningsOfKeysWhereTheseAreTheValues) {
  constexpr int64_t n = 200;
  for (const CacheType type : {CacheType::kF32, CacheType::kF16, CacheType::kQ8_0}) {
    for (const auto& [d, width] : {std::pair{24, 20}, {64, 48}, {96, 32}, {576, 512}}) {
      if (type == CacheType::kQ8_0 && d % 32 != 0) continue;
      const Past past(type, d, n);
      AttentionHead head = past.head(0, 0.0F);
      head.lane.v = head.lane.k;
      head.value_width = width;
      std::vector<float> scores(n), weights(n), z(static_cast<size_t>(d), 7.0F);
      attend(head, scores.data(), weights.data(), z.data());
      for (int64_t c = 0; c < d; ++c) {
        double sum = 0.0;
        for (size_t j = 0; j < n; ++j)
          sum += double{weights[j]} *
                 double{past.k[j * static_cast<size_t>(d) + static_cast<size_t>(c)]};
        EXPECT_NEAR(c < width ? sum : 7.0, z[static_cast<size_t>(c)], 1e-5) << d << " " << c;
      }
    }
  }
}

TEST(Attend, IsTheFormulaInDoublePrecision) {
  for (const CacheType type : {CacheType::kF32, CacheType::kF16, CacheType::kQ8_0}) {
    for (const int64_t d : {4, 16, 32, 48, 64, 80, 100, 128, 256}) {
      if (type == CacheType::kQ8_0 && d % 32 != 0) continue;
      for (const int64_t n : {1, 2, 9, 33, 700}) {
        for (const int64_t first : {int64_t{0}, n / 2}) {
          for (const float cap : {0.0F, 2.0F}) {
            SCOPED_TRACE(::testing::Message() << d << " wide, " << first << " to " << n);
            const Past past(type, d, n);
            std::vector<float> scores(static_cast<size_t>(n), 9.0F), weights(scores), z(past.q);
            attend(past.head(first, cap), scores.data(), weights.data(), z.data());
            std::vector<double> s(scores.size());
            double sum = 0.0;
            for (int64_t j = first; j < n; ++j) {
              double& score = s[static_cast<size_t>(j)];
              for (int64_t c = 0; c < d; ++c) {
                score += double{past.q[static_cast<size_t>(c)]} *
                         double{past.k[static_cast<size_t>(j * d + c)]};
              }
              score *= 0.25;
              if (cap > 0.0F) score = cap * std::tanh(score / cap);
              sum += std::exp(score);
            }
            std::vector<double> expected(static_cast<size_t>(d));
            for (int64_t j = 0; j < n; ++j) {
              const auto at = static_cast<size_t>(j);
              const double weight = j < first ? 0.0 : std::exp(s[at]) / sum;
              ASSERT_NEAR(s[at], scores[at], 5e-6) << j;
              ASSERT_NEAR(weight, weights[at], 6e-6 * weight) << j;
              for (int64_t c = 0; c < d; ++c) {
                expected[static_cast<size_t>(c)] +=
                    weight * double{past.v[static_cast<size_t>(j * d + c)]};
              }
            }
            for (size_t c = 0; c < z.size(); ++c) ASSERT_NEAR(expected[c], z[c], 4e-6) << c;
          }
        }
      }
    }
  }
}

// a_j = e^s_j / (e^sink + sum_i e^s_i): the weights of a softmax over one logit more, whose own is
// left out.
TEST(Attend, LeavesToASinkWhatASoftmaxWithItsLogitWould) {
  const Past past(CacheType::kF32, 32, 40);
  const auto n = static_cast<size_t>(past.n);
  for (const int64_t first : {int64_t{0}, int64_t{11}}) {
    for (const float sink : {-200.0F, -1.0F, 0.0F, 3.0F, 60.0F, 1e30F}) {
      SCOPED_TRACE(sink);
      std::vector<float> scores(n), weights(n), z(32), without(n), z_without(32);
      attend(past.head(first, 0.0F, sink), scores.data(), weights.data(), z.data());
      attend(past.head(first, 0.0F), scores.data(), without.data(), z_without.data());
      double level = 0.0;  // e^lse
      for (size_t j = static_cast<size_t>(first); j < n; ++j) level += std::exp(double{scores[j]});
      const double part = 1.0 / (1.0 + std::exp(double{sink} - std::log(level)));
      double sum = 0.0;
      for (size_t j = 0; j < n; ++j) {
        EXPECT_NEAR(part * double{without[j]}, weights[j],
                    1e-5 * part * double{without[j]} + 1e-37);
        sum += double{weights[j]};
      }
      EXPECT_NEAR(part, sum, 1e-6);
      for (size_t c = 0; c < z.size(); ++c)
        EXPECT_NEAR(part * double{z_without[c]}, z[c], 4e-6) << c;
    }
  }
}

TEST(Attend, BackIsTheProductWithTheValues) {
  for (const CacheType type : {CacheType::kF32, CacheType::kF16, CacheType::kQ8_0}) {
    constexpr int64_t n = 150;  // in three blocks
    const Past past(type, 64, n);
    const std::vector<float> back = normal(64, 1.0F, 11);
    const std::vector<int32_t> positions = {0, 63, 149};
    std::vector<float> out(3);
    attend_back(past.lane(), back.data(), 64, positions.data(), 3, out.data());
    std::vector<float> all(n);
    attend_back(past.lane(), back.data(), 64, nullptr, n, all.data());
    for (size_t j = 0; j < all.size(); ++j) {
      double expected = 0.0;
      for (size_t c = 0; c < 64; ++c) expected += double{back[c]} * double{past.v[j * 64 + c]};
      EXPECT_NEAR(expected, all[j], 1e-5);
    }
    for (size_t i = 0; i < out.size(); ++i) {
      EXPECT_NEAR(all[static_cast<size_t>(positions[i])], out[i], 1e-5);
    }
  }
}

TEST(Ops, AddScaledAddsAMultiple) {
  for (const int64_t n : {1, 16, 50}) {
    const std::vector<float> x = normal(n, 5.0F);
    const std::vector<float> before = normal(n, 1.0F, 4);
    std::vector<float> y = before;
    model::add_scaled(x.data(), n, -0.7F, y.data());
    for (size_t i = 0; i < y.size(); ++i) EXPECT_FLOAT_EQ(before[i] + x[i] * -0.7F, y[i]);
  }
}

#if defined(__x86_64__)
// Everything once through the kernels of one set, all results in one row.
#define FULGURITE_RUN_ALL(isa)                                                          \
  [] {                                                                                  \
    std::vector<float> out;                                                             \
    for (const int64_t n : {1, 13, 16, 50, 333}) {                                      \
      const std::vector<float> x = normal(n, 5.0F);                                     \
      const std::vector<float> g = normal(n, 1.0F, 4);                                  \
      std::vector<float> y(x.size());                                                   \
      const auto keep = [&] { out.insert(out.end(), y.begin(), y.end()); };             \
      isa::silu(x.data(), g.data(), n, y.data()), keep();                               \
      isa::add_scaled(x.data(), n, -0.7F, y.data()), keep();                            \
      isa::gelu(x.data(), g.data(), n, y.data()), keep();                               \
      isa::clamped_swiglu(x.data(), g.data(), n, y.data()), keep();                     \
      isa::softmax_beside(x.data(), n, 2.0F, y.data()), keep();                         \
      isa::rms_norm(x.data(), g.data(), n, 1e-6F, y.data()), keep();                    \
      isa::layer_norm(x.data(), g.data(), x.data(), n, 1e-6F, y.data()), keep();        \
      isa::soft_cap(y.data(), n, 3.0F), keep();                                         \
      isa::rotate(y.data(), 1, n, n / 2 * 2, n % 3 == 0, x.data(), g.data()), keep();   \
      out.push_back(static_cast<float>(isa::dot(x.data(), g.data(), n)));               \
      std::vector<int16_t> bins(x.size());                                              \
      isa::bins_of(x.data(), n, {19, 1400, 1000}, 0.5F, bins.data());                   \
      out.insert(out.end(), bins.begin(), bins.end());                                  \
      std::vector<int32_t> most(16);                                                    \
      most.resize(static_cast<size_t>(isa::strongest(x.data(), n, 16, most.data())));   \
      for (const int32_t i : most) out.push_back(static_cast<float>(i));                \
    }                                                                                   \
    for (const CacheType type : {CacheType::kF32, CacheType::kF16, CacheType::kQ8_0}) { \
      for (const int64_t d : {32, 96}) {                                                \
        const Past past(type, d, 77);                                                   \
        std::vector<float> s(77), w(77), z(static_cast<size_t>(d)), stored(z);          \
        std::vector<char> bytes(static_cast<size_t>(4 * d));                            \
        isa::attend(past.head(5, d == 96 ? 4.0F : 0.0F), s.data(), w.data(), z.data()); \
        isa::cache_store(type, z.data(), d, bytes.data());                              \
        isa::cache_load(type, bytes.data(), d, stored.data());                          \
        std::vector<float> terms(77);                                                   \
        isa::attend_back(past.lane(), z.data(), d, nullptr, 77, terms.data());          \
        out.insert(out.end(), terms.begin(), terms.end());                              \
        for (const auto* part : {&s, &w, &z, &stored}) {                                \
          out.insert(out.end(), part->begin(), part->end());                            \
        }                                                                               \
      }                                                                                 \
    }                                                                                   \
    return out;                                                                         \
  }()

TEST(Ops, EveryInstructionSetGivesTheSameBits) {
  const std::vector<float> base = FULGURITE_RUN_ALL(isa_base);
  const auto expect_same = [&](const std::vector<float>& other, const char* name) {
    ASSERT_EQ(base.size(), other.size());
    for (size_t i = 0; i < base.size(); ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(base[i]), std::bit_cast<uint32_t>(other[i]))
          << name << " value " << i;
    }
  };
  if (!isa_available(Isa::kAvx2)) GTEST_SKIP() << "this processor has the base set only";
  expect_same(FULGURITE_RUN_ALL(isa_avx2), "avx2");
  if (isa_available(Isa::kAvxVnni)) expect_same(FULGURITE_RUN_ALL(isa_avxvnni), "avxvnni");
  if (isa_available(Isa::kAvx512)) expect_same(FULGURITE_RUN_ALL(isa_avx512), "avx512");
}
#endif

}  // namespace
}  // namespace model
