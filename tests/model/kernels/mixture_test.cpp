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

// Experts, in one stack or apart, some of which work, not in their order.
class Mixture {
 public:
  static constexpr std::array<int64_t, 3> kWorking = {3, 0, 4};
  static constexpr std::array<float, 3> kWeights = {0.5F, 0.3F, -0.1F};

  Mixture(DType type, int64_t n_rows, int64_t n_cols, bool stacked = true)
      : rows(n_rows),
        cols(n_cols),
        all_(type, kExperts * rows, cols),
        acts_(all_.normal(3 * cols)) {
    for (int64_t e = 0; e < kExperts; ++e) {
      Linear& one = experts_.emplace_back(all_.linear());
      one.weight.ne[1] = rows;
      one.weight.data += static_cast<size_t>(e) * one.weight.bytes();
      if (stacked) continue;
      copies_.emplace_back(one.weight.data, one.weight.data + one.weight.bytes());
      one.weight.data = copies_.back().data();
    }
    for (int64_t n = 0; n < kMixtureColumns; ++n) columns.push_back({n % 3, n * 37 % cols});
  }

  Input input(ThreadPool& pool) const {
    Input x;
    x.set(acts_.data(), 3, cols, cols, rounds_input(all_.linear().weight.dtype), pool);
    return x;
  }
  const Linear& expert(size_t k) const { return experts_[static_cast<size_t>(kWorking[k])]; }
  std::vector<float> row(size_t k, int64_t r) const {
    std::vector<float> values(static_cast<size_t>(cols));
    dequantize_row(expert(k).weight, r, values.data());
    return values;
  }

  int64_t rows, cols;
  std::vector<MixtureColumn> columns;

 private:
  RandomMatrix all_;
  std::vector<float> acts_;
  std::vector<Linear> experts_;
  std::list<std::vector<std::byte>> copies_;
};

struct Result {
  std::vector<float> terms, y, blocks, back, of_columns;
};

Result run(const Mixture& m, ThreadPool& pool, const float* row_gain) {
  const Input x = m.input(pool);
  const int64_t blocks = (m.cols + kBlockWidth - 1) / kBlockWidth;
  Result result;
  result.terms.resize(static_cast<size_t>(3 * m.rows));
  result.y.resize(static_cast<size_t>(m.rows));
  result.blocks.resize(static_cast<size_t>(3 * blocks));
  result.back.resize(static_cast<size_t>(3 * m.cols));
  result.of_columns.resize(kMixtureColumns);
  std::vector<MixturePart> parts;
  for (size_t k = 0; k < 3; ++k) {
    parts.push_back({&m.expert(k), Mixture::kWeights[k],
                     result.terms.data() + static_cast<int64_t>(k) * m.rows});
  }
  MixtureGather gather;
  gather.row_gain = row_gain;
  gather.block_dot = result.blocks.data();
  gather.back = result.back.data();
  gather.columns = m.columns.data();
  gather.column_dot = result.of_columns.data();
  matmul_mixture(parts, x, result.y.data(), gather, pool);
  return result;
}

TEST(Mixture, IsTheSumOfItsExpertsToTheLastBit) {
  for (const DType type : kEveryType) {
    for (const int64_t rows : {1, 2, 31, 64, 65, 129, 300}) {
      const Mixture m(type, rows, 512);
      ThreadPool pool(2);
      const Input x = m.input(pool);
      std::vector<float> sum(static_cast<size_t>(rows));
      std::vector<float> terms;
      for (size_t k = 0; k < 3; ++k) {
        std::vector<float> y(static_cast<size_t>(3 * rows));
        matmul_reference(m.expert(k), x, y.data(), rows);
        for (int64_t r = 0; r < rows; ++r) {
          const float term =
              y[static_cast<size_t>(static_cast<int64_t>(k) * rows + r)] * Mixture::kWeights[k];
          terms.push_back(term);
          sum[static_cast<size_t>(r)] += term;
        }
      }
      const Result result = run(m, pool, nullptr);
      EXPECT_TRUE(tests::same_bits(terms, result.terms)) << rows;
      EXPECT_TRUE(tests::same_bits(sum, result.y)) << rows;
    }
  }
}

TEST(Mixture, GathersTheProductsOfBlocksAndColumnsWithTheWholeSum) {
  for (const DType type : kEveryType) {
    for (const int64_t cols : {256, 768}) {
      const Mixture m(type, 100, cols);
      ThreadPool pool(2);
      const Input x = m.input(pool);
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
        EXPECT_LT(std::sqrt(off / size), within) << dtype_name(static_cast<uint32_t>(type));
      };
      std::vector<double> blocks(result.blocks.size());
      std::vector<double> back(result.back.size());
      for (size_t k = 0; k < 3; ++k) {
        std::vector<float> read(x.row(static_cast<int64_t>(k)),
                                x.row(static_cast<int64_t>(k)) + cols);
        if (rounds_input(type)) x.rounded(static_cast<int64_t>(k), read.data());
        for (int64_t r = 0; r < m.rows; ++r) {
          const std::vector<float> row = m.row(k, r);
          for (int64_t c = 0; c < cols; ++c) {
            const auto at = static_cast<size_t>(c);
            blocks[k * static_cast<size_t>(cols / 32) + at / 32] +=
                double{row[at]} * double{read[at]} * u(r);
            back[k * static_cast<size_t>(cols) + at] += double{row[at]} * u(r);
          }
        }
      }
      expect(blocks, result.blocks, 2e-6);
      expect(back, result.back, rounds_input(type) ? 4e-5 : 2e-6);
      std::vector<double> columns(kMixtureColumns);
      for (size_t n = 0; n < columns.size(); ++n) {
        for (int64_t r = 0; r < m.rows; ++r) {
          const auto& [part, column] = m.columns[n];
          columns[n] +=
              double{m.row(static_cast<size_t>(part), r)[static_cast<size_t>(column)]} * u(r);
        }
      }
      expect(columns, result.of_columns, 2e-6);
    }
  }
}

TEST(Mixture, IsTheSameInAStackAndApart) {
  for (const DType type : kEveryType) {
    ThreadPool pool(2);
    const Result stacked = run(Mixture(type, 100, 512), pool, nullptr);
    const Result apart = run(Mixture(type, 100, 512, false), pool, nullptr);
    EXPECT_TRUE(tests::same_bits(stacked.y, apart.y));
    EXPECT_TRUE(tests::same_bits(stacked.blocks, apart.blocks));
    EXPECT_TRUE(tests::same_bits(stacked.of_columns, apart.of_columns));
  }
}

// More slices of 64 rows than threads can claim one by one.
TEST(Mixture, MayHaveAnyNumberOfRows) {
  const Mixture m(DType::kF16, 64 * 5000 + 7, 32);
  ThreadPool one(1);
  ThreadPool two(2);
  const Result result = run(m, two, nullptr);
  EXPECT_TRUE(tests::same_bits(run(m, one, nullptr).blocks, result.blocks));
  const Input x = m.input(one);
  std::vector<float> y(static_cast<size_t>(3 * m.rows));
  matmul_reference(m.expert(0), x, y.data(), m.rows);
  for (const int64_t r : {int64_t{0}, m.rows / 2, m.rows - 1}) {
    const auto at = static_cast<size_t>(r);
    EXPECT_EQ(y[at] * Mixture::kWeights[0], result.terms[at]) << r;
  }
}

TEST(Mixture, IsTheSameForAnyNumberOfThreads) {
  const Mixture m(DType::kQ4K, 700, 512);
  ThreadPool one(1);
  const Result expected = run(m, one, nullptr);
  for (const int threads : {2, 3, 4}) {
    ThreadPool pool(threads);
    const Result result = run(m, pool, nullptr);
    EXPECT_TRUE(tests::same_bits(expected.y, result.y)) << threads;
    EXPECT_TRUE(tests::same_bits(expected.blocks, result.blocks)) << threads;
    EXPECT_TRUE(tests::same_bits(expected.back, result.back)) << threads;
    EXPECT_TRUE(tests::same_bits(expected.of_columns, result.of_columns)) << threads;
  }
}

// In a batch an expert is given what the sum over all of them is.
TEST(Mixture, GathersOfOneExpertAreMadeWithWhatIsGivenInPlaceOfItsOwnSum) {
  ThreadPool pool(2);
  for (const DType type : kEveryType) {
    for (const int64_t n : {1, 3, 9}) {
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
      for (size_t k = 0; k < own.size(); ++k) {
        EXPECT_NEAR(2.0F * own[k], given[k], 1e-4F * std::abs(own[k]) + 1e-3F) << k;
      }
    }
  }
}

}  // namespace
}  // namespace model
