#include "model/kernels/mixture.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <list>

#include "tests/model/kernels/random_matrix.h"
#include "tests/support/oracle.h"

namespace model {
namespace {

constexpr int64_t kExperts = 5;

// Experts, in one stack or apart, some of which work, not in their order, and one of another width
// that always does.
class Mixture {
 public:
  static constexpr size_t kParts = 4;
  static constexpr std::array<int64_t, 3> kWorking = {3, 0, 4};
  static constexpr std::array<float, kParts> kWeights = {0.5F, 0.3F, -0.1F, 0.8F};

  Mixture(DType type, int64_t n_rows, int64_t n_cols, bool stacked = true)
      : rows(n_rows),
        all_(type, kExperts * rows, n_cols),
        always_(type, rows, 2 * n_cols),
        acts_(all_.normal(3 * n_cols)),
        always_acts_(always_.normal(2 * n_cols)),
        always_linear_(always_.linear()) {
    for (int64_t e = 0; e < kExperts; ++e) {
      Linear& one = experts_.emplace_back(all_.linear());
      one.weight.ne[1] = rows;
      one.weight.data += static_cast<size_t>(e) * one.weight.bytes();
      if (stacked) continue;
      copies_.emplace_back(one.weight.data, one.weight.data + one.weight.bytes());
      one.weight.data = copies_.back().data();
    }
    ThreadPool pool(1);
    x_.set(acts_.data(), 3, n_cols, n_cols, rounds_input(type), pool);
    always_x_.set(always_acts_.data(), 1, 2 * n_cols, 2 * n_cols, rounds_input(type), pool);
    for (int64_t n = 0; n < kMixtureColumns; ++n) {
      const auto k = static_cast<size_t>(n) % kParts;
      columns.push_back({static_cast<int64_t>(k), n * 37 % cols(k)});
    }
  }
  Mixture(const Mixture&) = delete;

  const Linear& linear(size_t k) const {
    return k < 3 ? experts_[static_cast<size_t>(kWorking[k])] : always_linear_;
  }
  const Input& x(size_t k) const { return k < 3 ? x_ : always_x_; }
  int64_t row_of_x(size_t k) const { return k < 3 ? static_cast<int64_t>(k) : 0; }
  int64_t cols(size_t k) const { return linear(k).weight.cols(); }

  // W of part k, and the row that it reads, as its products have it.
  std::vector<float> row(size_t k, int64_t r) const {
    std::vector<float> values(static_cast<size_t>(cols(k)));
    dequantize_row(linear(k).weight, r, values.data());
    return values;
  }
  std::vector<float> read(size_t k) const {
    std::vector<float> values(x(k).row(row_of_x(k)), x(k).row(row_of_x(k)) + cols(k));
    if (rounds_input(linear(k).weight.dtype)) x(k).rounded(row_of_x(k), values.data());
    return values;
  }
  // W x of part k.
  std::vector<float> product(size_t k) const {
    std::vector<float> y(static_cast<size_t>(x(k).n() * rows));
    matmul_reference(linear(k), x(k), y.data(), rows);
    y.erase(y.begin(), y.begin() + row_of_x(k) * rows);
    y.resize(static_cast<size_t>(rows));
    return y;
  }

  int64_t rows;
  std::vector<MixtureColumn> columns;

 private:
  RandomMatrix all_, always_;
  std::vector<float> acts_, always_acts_;
  std::vector<Linear> experts_;
  Linear always_linear_;
  Input x_, always_x_;
  std::list<std::vector<std::byte>> copies_;
};

struct Result {
  std::array<std::vector<float>, Mixture::kParts> terms, blocks, back;
  std::vector<float> y, of_columns;
};

struct Wanted {
  bool blocks = true, back = true, columns = true;
};

Result run(const Mixture& m, ThreadPool& pool, const float* row_gain, const Wanted& wanted = {}) {
  Result result;
  result.y.resize(static_cast<size_t>(m.rows));
  result.of_columns.resize(kMixtureColumns);
  std::vector<MixturePart> parts;
  for (size_t k = 0; k < Mixture::kParts; ++k) {
    result.terms[k].resize(static_cast<size_t>(m.rows));
    result.blocks[k].resize(static_cast<size_t>((m.cols(k) + kBlockWidth - 1) / kBlockWidth));
    result.back[k].resize(static_cast<size_t>(m.cols(k)));
    parts.push_back({&m.linear(k), &m.x(k), m.row_of_x(k), Mixture::kWeights[k],
                     result.terms[k].data(), wanted.blocks ? result.blocks[k].data() : nullptr,
                     wanted.back ? result.back[k].data() : nullptr});
  }
  MixtureGather gather;
  gather.row_gain = row_gain;
  if (wanted.columns) gather.columns = m.columns.data();
  gather.column_dot = result.of_columns.data();
  matmul_mixture(parts, result.y.data(), gather, pool);
  return result;
}

void expect_same(const Result& a, const Result& b) {
  EXPECT_TRUE(tests::same_bits(a.y, b.y));
  EXPECT_TRUE(tests::same_bits(a.of_columns, b.of_columns));
  for (size_t k = 0; k < Mixture::kParts; ++k) {
    EXPECT_TRUE(tests::same_bits(a.terms[k], b.terms[k])) << k;
    EXPECT_TRUE(tests::same_bits(a.blocks[k], b.blocks[k])) << k;
    EXPECT_TRUE(tests::same_bits(a.back[k], b.back[k])) << k;
  }
}

TEST(Mixture, IsTheSumOfItsExpertsToTheLastBit) {
  for (const DType type : kEveryType) {
    for (const int64_t rows : {1, 2, 31, 64, 65, 129, 300}) {
      const Mixture m(type, rows, 512);
      ThreadPool pool(2);
      const Result result = run(m, pool, nullptr);
      std::vector<float> sum(static_cast<size_t>(rows));
      for (size_t k = 0; k < Mixture::kParts; ++k) {
        std::vector<float> term = m.product(k);
        for (size_t r = 0; r < term.size(); ++r) {
          term[r] *= Mixture::kWeights[k];
          sum[r] += term[r];
        }
        EXPECT_TRUE(tests::same_bits(term, result.terms[k])) << rows;
      }
      EXPECT_TRUE(tests::same_bits(sum, result.y)) << rows;
    }
  }
}

TEST(Mixture, GathersTheProductsOfBlocksAndColumnsWithTheWholeSum) {
  for (const DType type : kEveryType) {
    for (const int64_t width : {256, 768}) {
      const Mixture m(type, 100, width);
      ThreadPool pool(2);
      std::vector<float> gain;
      for (int64_t r = 0; r < m.rows; ++r) gain.push_back(0.5F + static_cast<float>(r % 7));
      const Result result = run(m, pool, gain.data());
      const auto u = [&](int64_t r) {
        const auto at = static_cast<size_t>(r);
        return double{gain[at]} * double{result.y[at]};
      };
      const auto expect = [&](const std::vector<double>& expected, const std::vector<float>& got,
                              double within) {
        double off = 0.0;
        double size = 0.0;
        for (size_t i = 0; i < expected.size(); ++i) {
          off += std::pow(expected[i] - double{got[i]}, 2);
          size += expected[i] * expected[i];
        }
        EXPECT_LT(std::sqrt(off / size), within) << dtype_name(type);
      };
      for (size_t k = 0; k < Mixture::kParts; ++k) {
        std::vector<double> blocks(result.blocks[k].size());
        std::vector<double> back(result.back[k].size());
        const std::vector<float> read = m.read(k);
        for (int64_t r = 0; r < m.rows; ++r) {
          const std::vector<float> row = m.row(k, r);
          for (size_t c = 0; c < row.size(); ++c) {
            blocks[c / 32] += double{row[c]} * double{read[c]} * u(r);
            back[c] += double{row[c]} * u(r);
          }
        }
        expect(blocks, result.blocks[k], 2e-6);
        expect(back, result.back[k], rounds_input(type) ? 4e-5 : 2e-6);
      }
      std::vector<double> columns(kMixtureColumns);
      for (size_t n = 0; n < columns.size(); ++n) {
        const auto& [part, column] = m.columns[n];
        for (int64_t r = 0; r < m.rows; ++r) {
          const std::vector<float> row = m.row(static_cast<size_t>(part), r);
          columns[n] += double{row[static_cast<size_t>(column)]} * u(r);
        }
      }
      expect(columns, result.of_columns, 2e-6);
    }
  }
}

// Live and full detail want different things.
TEST(Mixture, WhatIsNotWantedChangesNothingElse) {
  const Mixture m(DType::kQ4_0, 100, 512);
  ThreadPool pool(2);
  const Result all = run(m, pool, nullptr);
  for (const Wanted& wanted : {Wanted{true, false, true},
                               {false, true, false},
                               {true, false, false},
                               {false, true, true}}) {
    const Result some = run(m, pool, nullptr, wanted);
    EXPECT_TRUE(tests::same_bits(all.y, some.y));
    for (size_t k = 0; k < Mixture::kParts; ++k) {
      EXPECT_EQ(wanted.blocks, tests::same_bits(all.blocks[k], some.blocks[k])) << k;
      EXPECT_EQ(wanted.back, tests::same_bits(all.back[k], some.back[k])) << k;
    }
    EXPECT_EQ(wanted.columns, tests::same_bits(all.of_columns, some.of_columns));
  }
}

TEST(Mixture, IsTheSameInAStackAndApart) {
  for (const DType type : kEveryType) {
    ThreadPool pool(2);
    expect_same(run(Mixture(type, 100, 512), pool, nullptr),
                run(Mixture(type, 100, 512, false), pool, nullptr));
  }
}

// More slices of 64 rows than threads can claim one by one.
TEST(Mixture, MayHaveAnyNumberOfRows) {
  const Mixture m(DType::kF16, 64 * 5000 + 7, 32);
  ThreadPool one(1);
  ThreadPool two(2);
  const Result result = run(m, two, nullptr);
  expect_same(run(m, one, nullptr), result);
  const std::vector<float> y = m.product(0);
  for (const int64_t r : {int64_t{0}, m.rows / 2, m.rows - 1}) {
    const auto at = static_cast<size_t>(r);
    EXPECT_EQ(y[at] * Mixture::kWeights[0], result.terms[0][at]) << r;
  }
}

TEST(Mixture, IsTheSameForAnyNumberOfThreads) {
  const Mixture m(DType::kQ4K, 700, 512);
  ThreadPool one(1);
  const Result expected = run(m, one, nullptr);
  for (const int threads : {2, 3, 4}) {
    ThreadPool pool(threads);
    expect_same(expected, run(m, pool, nullptr));
  }
}

// In a batch an expert is given what the sum over all of them is.
TEST(Mixture, GathersOfOneExpertAreMadeWithWhatIsGivenInPlaceOfItsOwnSum) {
  ThreadPool pool(2);
  for (const DType type : kEveryType) {
    for (const int64_t n : {1, 3, 9}) {
      SCOPED_TRACE(dtype_name(type) + ", positions: " + std::to_string(n));
      const int64_t rows = 100;
      const int64_t cols = 768;
      RandomMatrix m(type, rows, cols, true);
      const std::vector<float> values = m.normal(n * cols);
      const std::vector<int32_t> chosen = {0, 33, 700};
      Input x;
      x.set(values.data(), n, cols, cols, rounds_input(type), pool);
      // y, and what was gathered of each position: of the groups, of the chosen columns.
      const auto run = [&](const std::vector<float>& u) {
        std::vector<float> y(static_cast<size_t>(n * rows));
        std::vector<float> gathered(static_cast<size_t>(n * 27));
        std::vector<Gather> gathers(static_cast<size_t>(n));
        for (int64_t i = 0; i < n; ++i) {
          Gather& g = gathers[static_cast<size_t>(i)];
          if (!u.empty()) g.u = u.data() + i * rows;
          g.group_width = 32;
          g.group_dot = gathered.data() + i * 27;
          g.chosen = chosen.data();
          g.n_chosen = 3;
          g.chosen_dot = gathered.data() + i * 27 + 24;
        }
        matmul(m.linear(), x, y.data(), rows, gathers.data(), pool);
        return std::pair{y, gathered};
      };
      const auto [y, own] = run({});
      std::vector<float> u;
      for (const float v : y) u.push_back(2.0F * v);
      const auto [again, given] = run(u);
      EXPECT_TRUE(tests::same_bits(y, again));
      // Of sums that cancel, by the size of all of them.
      double off = 0.0, size = 0.0;
      for (size_t k = 0; k < own.size(); ++k) {
        off += std::pow(2.0 * double{own[k]} - double{given[k]}, 2.0);
        size += std::pow(2.0 * double{own[k]}, 2.0);
      }
      EXPECT_LT(std::sqrt(off / size), 1e-6);
    }
  }
}

}  // namespace
}  // namespace model
