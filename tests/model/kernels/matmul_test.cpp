#include "model/kernels/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/kernels/matmul_rows.h"
#include "tests/model/kernels/random_matrix.h"
#include "tests/support/data.h"
#include "tests/support/oracle.h"

namespace model {
namespace {

using tests::same_bits;

std::vector<double> in_double(const std::vector<float>& v) {
  return {v.begin(), v.end()};
}

std::vector<double> what_is_multiplied(const Input& x, DType type, int64_t i) {
  std::vector<float> row(x.row(i), x.row(i) + x.cols());
  if (rounds_input(type)) x.rounded(i, row.data());
  return {row.begin(), row.end()};
}

std::vector<float> product(const Linear& w, const Input& x, ThreadPool& pool,
                           const Gather* gathers = nullptr) {
  std::vector<float> y(static_cast<size_t>(x.n() * w.weight.rows()));
  matmul(w, x, y.data(), w.weight.rows(), gathers, pool);
  return y;
}

std::vector<float> reference(const Linear& w, const Input& x) {
  std::vector<float> y(static_cast<size_t>(x.n() * w.weight.rows()));
  matmul_reference(w, x, y.data(), w.weight.rows());
  return y;
}

// Widths that are allowed for a type: not even one block of 8, exactly 8, one more, many.
std::vector<int64_t> widths(DType type) {
  if (!rounds_input(type)) return {1, 31, 32, 33, 100, 255, 256, 257, 1000};
  if (block_elements(type) == 32) return {32, 64, 224, 256, 288, 1056};
  return {256, 512, 768, 1792};
}

TEST(Matmul, EveryTypeThatCanBeReadIsTriedHere) {
  for (uint32_t number = 0; number < 256; ++number) {
    const bool tried = std::find(kEveryType.begin(), kEveryType.end(),
                                 static_cast<DType>(number)) != kEveryType.end();
    EXPECT_EQ(dtype_supported(number), tried) << dtype_name(number);
  }
}

TEST(Matmul, TheReferenceIsTheProductOfTheRoundedInput) {
  ThreadPool pool(1);
  for (const DType type : kEveryType) {
    for (const int64_t cols : widths(type)) {
      SCOPED_TRACE(dtype_name(type) + " " + std::to_string(cols));
      RandomMatrix m(type, 9, cols, true);
      const std::vector<float> values = m.normal(cols);
      Input x;
      x.set(values.data(), 1, cols, cols, rounds_input(type), pool);
      const std::vector<float> y = reference(m.linear(), x);
      const std::vector<double> rounded = what_is_multiplied(x, type, 0);
      std::vector<double> expected;
      for (int64_t r = 0; r < 9; ++r) {
        const std::vector<double> row = m.row(r);
        expected.push_back(reinterpret_cast<const float*>(m.linear().bias.data)[r]);
        for (size_t c = 0; c < row.size(); ++c) expected.back() += row[c] * rounded[c];
      }
      EXPECT_LT(distance(y, expected), 2e-6);
    }
  }
}

TEST(Matmul, GivesTheBitsOfTheReferenceForEveryShapeAndAnyNumberOfThreads) {
  ThreadPool one(1);
  ThreadPool two(2);
  ThreadPool four(4);
  for (const DType type : kEveryType) {
    for (const int64_t cols : widths(type)) {
      for (const int64_t rows : {1, 3, 16, 37, 64}) {
        for (const int64_t n : {1, 2, 3, 5, 8, 33}) {
          if (rows * n > 600 && cols > 300) continue;
          SCOPED_TRACE(::testing::Message()
                       << dtype_name(type) << " " << rows << " x " << cols << ", " << n);
          RandomMatrix m(type, rows, cols, rows % 2 == 1);
          const std::vector<float> values = m.normal(n * (cols + 3));
          Input x;
          x.set(values.data(), n, cols, cols + 3, rounds_input(type), two);
          const std::vector<float> expected = reference(m.linear(), x);
          for (ThreadPool* pool : {&one, &two, &four}) {
            ASSERT_TRUE(same_bits(expected, product(m.linear(), x, *pool))) << pool->size();
          }
        }
      }
    }
  }
}

// The last columns of a row are read together with what lies behind them.
TEST(Matmul, ARowIsNotSpoiltByTheNext) {
  ThreadPool pool(1);
  for (const DType type : kEveryType) {
    for (const int64_t cols : widths(type)) {
      SCOPED_TRACE(dtype_name(type) + " " + std::to_string(cols));
      RandomMatrix m(type, 9, cols);
      const std::vector<float> values = m.normal(cols);
      Input x;
      x.set(values.data(), 1, cols, cols, rounds_input(type), pool);
      const std::vector<float> before = product(m.linear(), x, pool);
      const size_t row_bytes = m.linear().weight.row_bytes();
      std::fill_n(m.bytes() + 5 * row_bytes, row_bytes, std::byte{0xFF});
      std::vector<float> after = product(m.linear(), x, pool);
      after[5] = before[5];
      EXPECT_TRUE(same_bits(before, after));
    }
  }
}

// Nor what is gathered of it: the next one's numbers are large, and it has no part in the sums.
TEST(Matmul, WhatIsGatheredOfARowIsNotSpoiltByTheNext) {
  ThreadPool pool(1);
  constexpr size_t kRows = 9;
  for (const DType type : kEveryType) {
    for (const int64_t cols : widths(type)) {
      SCOPED_TRACE(dtype_name(type) + " " + std::to_string(cols));
      RandomMatrix m(type, kRows, cols);
      const std::vector<float> values = m.normal(cols);
      std::vector<float> u = m.normal(kRows);
      u[5] = 0.0F;
      Input x;
      x.set(values.data(), 1, cols, cols, rounds_input(type), pool);
      const int32_t chosen[] = {0, static_cast<int32_t>(cols - 1)};
      const auto gathered = [&] {
        const auto groups = static_cast<size_t>((cols + 31) / 32);
        std::vector<float> y(kRows), dot(groups), back(static_cast<size_t>(cols)), of_chosen(2);
        const Gather gather{.u = u.data(),
                            .group_width = 32,
                            .group_dot = dot.data(),
                            .back = back.data(),
                            .chosen = chosen,
                            .n_chosen = 2,
                            .chosen_dot = of_chosen.data()};
        matmul(m.linear(), x, y.data(), kRows, &gather, pool);
        dot.insert(dot.end(), back.begin(), back.end());
        dot.insert(dot.end(), of_chosen.begin(), of_chosen.end());
        return dot;
      };
      const std::vector<float> before = gathered();
      const size_t row_bytes = m.linear().weight.row_bytes();
      std::fill_n(m.bytes() + 5 * row_bytes, row_bytes, std::byte{0x5B});
      const std::vector<float> after = gathered();
      double error = 0.0;
      double size = 0.0;
      for (size_t i = 0; i < before.size(); ++i) {
        error += std::pow(double{after[i]} - double{before[i]}, 2);
        size += std::pow(double{before[i]}, 2);
      }
      EXPECT_LT(std::sqrt(error), 1e-4 * std::sqrt(size));
    }
  }
}

TEST(Matmul, ProductsMadeTogetherHaveTheBitsOfEach) {
  for (const int threads : {1, 2, 4}) {
    ThreadPool pool(threads);
    for (const int64_t rows : {1, 37, 300}) {  // of all together: too few to be shared, and many
      const RandomMatrix wide(DType::kQ4_0, rows * 3, 512, true);
      const RandomMatrix other(DType::kQ8_0, rows, 512);
      const RandomMatrix floats(DType::kF16, rows * 2, 512, true, 3);
      for (const int64_t n : {1, 3}) {
        const std::vector<float> values = RandomMatrix(DType::kF32, 1, 1).normal(n * 512);
        Input x;
        x.set(values.data(), n, 512, 512, true, pool);
        std::vector<std::vector<float>> results;
        std::vector<Product> products;
        for (const RandomMatrix* m : {&wide, &other, &floats}) {
          const int64_t width = m->linear().weight.rows();
          results.emplace_back(static_cast<size_t>(n * width));
          products.push_back({&m->linear(), results.back().data(), width});
        }
        matmul(products, x, pool);
        for (size_t i = 0; i < products.size(); ++i) {
          EXPECT_TRUE(same_bits(results[i], reference(*products[i].w, x))) << rows << " " << i;
        }
      }
    }
  }
}

std::vector<float> rounded_row(const std::vector<float>& values) {
  ThreadPool pool(1);
  const auto n = static_cast<int64_t>(values.size());
  Input x;
  x.set(values.data(), 1, n, n, true, pool);
  std::vector<float> row(values.size());
  x.rounded(0, row.data());
  return row;
}

TEST(Matmul, RoundsTheInputToEightBitsABlock) {
  const std::vector<float> values = RandomMatrix(DType::kF32, 1, 1).normal(96);
  const std::vector<float> rounded = rounded_row(values);
  for (size_t block = 0; block < 3; ++block) {
    float most = 0.0F;
    for (size_t k = 0; k < 32; ++k) most = std::max(most, std::abs(values[32 * block + k]));
    for (size_t c = 32 * block; c < 32 * block + 32; ++c) {
      EXPECT_NEAR(values[c], rounded[c], most / 127.0F * 0.5001F);
    }
  }
}

TEST(Matmul, APartIsRoundedLikeItsRow) {
  const std::vector<float> values = RandomMatrix(DType::kF32, 1, 1).normal(1100);
  const std::vector<float> row = rounded_row(values);
  for (const auto& [first, n] : {std::pair{0, 32}, {32, 64}, {96, 80}, {512, 512}, {1088, 12}}) {
    std::vector<float> part(static_cast<size_t>(n));
    Input::rounded_part(values.data() + first, n, part.data());
    EXPECT_TRUE(same_bits({row.begin() + first, row.begin() + first + n}, part)) << first;
  }
}

TEST(Matmul, InputsThatAreNotFiniteGiveNoFiniteResultAndTinyOnesGiveZero) {
  ThreadPool pool(1);
  RandomMatrix m(DType::kQ8_0, 3, 64);
  for (const float odd :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    std::vector<float> values = m.normal(64);
    values[40] = odd;
    Input x;
    x.set(values.data(), 1, 64, 64, true, pool);
    for (const float y : product(m.linear(), x, pool)) EXPECT_TRUE(std::isnan(y));
  }
  const std::vector<float> tiny(64, 1e-42F);
  Input x;
  x.set(tiny.data(), 1, 64, 64, true, pool);
  for (const float y : product(m.linear(), x, pool)) EXPECT_EQ(0.0F, y);
}

// Everything that may be gathered, with the same in double precision beside it.
struct Gathered {
  Gathered(int64_t rows, int64_t cols, int64_t width)
      : groups(width > 0 ? (cols + width - 1) / width : 0),
        group_dot(static_cast<size_t>(groups)),
        group_out(static_cast<size_t>(groups * rows)),
        back(static_cast<size_t>(cols)) {
    for (int32_t c = 0; c < cols; c += 1 + static_cast<int32_t>(cols) / 23) chosen.push_back(c);
    if (chosen.back() != cols - 1) chosen.push_back(static_cast<int32_t>(cols - 1));
    chosen_dot.resize(chosen.size());
  }
  int64_t groups;
  std::vector<float> group_dot, group_out, back, chosen_dot;
  std::vector<int32_t> chosen;

  Gather gather(int64_t width, const std::vector<float>& gain, bool group_back, bool out) {
    Gather g;
    g.row_gain = gain.empty() ? nullptr : gain.data();
    g.group_width = width;
    if (width > 0) g.group_dot = group_dot.data();
    if (width > 0 && out) g.group_out = group_out.data();
    g.back = back.data();
    g.group_back = group_back;
    g.chosen = chosen.data();
    g.n_chosen = static_cast<int64_t>(chosen.size());
    g.chosen_dot = chosen_dot.data();
    return g;
  }
};

void expect_gathered(const RandomMatrix& m, const std::vector<double>& x, const float* y,
                     const std::vector<float>& gain, int64_t width, bool group_back, bool out,
                     const Gathered& got) {
  const int64_t rows = m.linear().weight.rows();
  const auto cols = static_cast<int64_t>(x.size());
  std::vector<double> dot(got.group_dot.size()), term(got.group_out.size()), back(x.size());
  std::vector<double> chosen(got.chosen.size());
  std::vector<double> sizes(dot.size());
  for (int64_t r = 0; r < rows; ++r) {
    const std::vector<double> row = m.row(r);
    const double g = gain.empty() ? 1.0 : double{gain[static_cast<size_t>(r)]};
    const double u = g * double{y[r]};
    std::vector<double> o(dot.size());
    for (int64_t c = 0; c < cols && width > 0; ++c) {
      o[static_cast<size_t>(c / width)] += row[static_cast<size_t>(c)] * x[static_cast<size_t>(c)];
    }
    for (size_t k = 0; k < o.size(); ++k) {
      dot[k] += o[k] * u;
      sizes[k] += std::abs(o[k] * u);
      term[k * static_cast<size_t>(rows) + static_cast<size_t>(r)] = o[k];
    }
    for (int64_t c = 0; c < cols; ++c) {
      back[static_cast<size_t>(c)] +=
          row[static_cast<size_t>(c)] * (group_back ? g * o[static_cast<size_t>(c / width)] : u);
    }
    for (size_t k = 0; k < chosen.size(); ++k) {
      chosen[k] += row[static_cast<size_t>(got.chosen[k])] * u;
    }
  }
  for (size_t k = 0; k < dot.size(); ++k) {
    EXPECT_NEAR(dot[k], got.group_dot[k], 3e-6 * sizes[k] + 1e-6) << k;
  }
  if (out && width > 0) {
    EXPECT_LT(distance(got.group_out, term), 3e-6);
  }
  EXPECT_LT(distance(got.back, back), back_error(m.linear().weight.dtype, 3e-6));
  EXPECT_LT(distance(got.chosen_dot, chosen), 3e-6);
}

TEST(Gathers, AreTheDirectSumsAndLeaveTheProductAsItWas) {
  ThreadPool one(1);
  ThreadPool three(3);
  for (const DType type : kEveryType) {
    const int64_t step = block_elements(type);
    const int64_t cols = step == 1 ? 250 : step * (step == 32 ? 10 : 2);
    for (const int64_t width : {0, 16, 24, 32, 64, 128}) {
      for (const bool group_back : {false, true}) {
        for (const bool out : {false, true}) {
          if (width == 0 && (group_back || out)) continue;
          SCOPED_TRACE(::testing::Message() << dtype_name(type) << ", groups of " << width
                                            << (group_back ? ", back of groups" : ""));
          // What is left of sixteen rows and of four differs from one to the next.
          const int64_t rows = 97 + width / 8 + (group_back ? 3 : 0) + (out ? 1 : 0);
          const int64_t n = 3;
          RandomMatrix m(type, rows, cols, true);
          const std::vector<float> gain = out ? m.normal(rows) : std::vector<float>();
          const std::vector<float> values = m.normal(n * cols);
          Input x;
          x.set(values.data(), n, cols, cols, rounds_input(type), one);
          const std::vector<float> without = product(m.linear(), x, one);
          std::vector<Gathered> got(static_cast<size_t>(2 * n), Gathered(rows, cols, width));
          std::vector<Gather> gathers;
          for (Gathered& g : got) gathers.push_back(g.gather(width, gain, group_back, out));
          ASSERT_TRUE(same_bits(without, product(m.linear(), x, one, gathers.data())));
          ASSERT_TRUE(same_bits(without, product(m.linear(), x, three, gathers.data() + n)));
          for (int64_t i = 0; i < n; ++i) {
            const auto k = static_cast<size_t>(i);
            expect_gathered(m, what_is_multiplied(x, type, i), &without[k * rows], gain, width,
                            group_back, out, got[k]);
            const Gathered& other = got[k + n];
            EXPECT_TRUE(same_bits(got[k].group_dot, other.group_dot)) << "threads";
            EXPECT_TRUE(same_bits(got[k].group_out, other.group_out)) << "threads";
            EXPECT_TRUE(same_bits(got[k].back, other.back)) << "threads";
            EXPECT_TRUE(same_bits(got[k].chosen_dot, other.chosen_dot)) << "threads";
          }
        }
      }
    }
  }
}

// The live level asks for no `back`; then other loops run.
TEST(Gathers, DoWithoutBack) {
  ThreadPool pool(2);
  for (const DType type : kEveryType) {
    for (const int64_t width : {16, 32, 64}) {
      const int64_t rows = 50 + width / 32;
      const int64_t cols = 512;
      RandomMatrix m(type, rows, cols);
      const std::vector<float> values = m.normal(cols);
      Input x;
      x.set(values.data(), 1, cols, cols, rounds_input(type), pool);
      Gathered full(rows, cols, width);
      Gathered live(rows, cols, width);
      const Gather all = full.gather(width, {}, false, true);
      Gather few = live.gather(width, {}, false, false);
      few.back = nullptr;
      const std::vector<float> y = product(m.linear(), x, pool, &all);
      EXPECT_TRUE(same_bits(y, product(m.linear(), x, pool, &few)));
      EXPECT_TRUE(same_bits(full.group_dot, live.group_dot)) << dtype_name(type) << " " << width;
      EXPECT_TRUE(same_bits(full.chosen_dot, live.chosen_dot)) << dtype_name(type) << " " << width;
    }
  }
}

#if defined(__x86_64__)
TEST(Gathers, EveryInstructionSetGivesTheSameBits) {
  if (!isa_available(Isa::kAvx2)) GTEST_SKIP() << "this processor has the base set only";
  ThreadPool pool(1);
  for (const DType type : kEveryType) {
    const int64_t rows = 20;
    const int64_t cols = 768;
    RandomMatrix m(type, rows, cols, true);
    const std::vector<float> values = m.normal(cols);
    Input x;
    x.set(values.data(), 1, cols, cols, rounds_input(type), pool);
    const auto run = [&](auto* kernel) {
      Gathered got(rows, cols, 64);
      const Gather gather = got.gather(64, {}, true, true);
      std::vector<float> y(static_cast<size_t>(rows));
      std::vector<float> blocks(static_cast<size_t>(cols / 32));
      GatherSums sums;
      sums.blocks = blocks.data();
      sums.back = got.back.data();
      got.chosen_dot.resize(32);
      sums.chosen = got.chosen_dot.data();
      kernel({&m.linear(), &x, 0, y.data(), &gather, nullptr}, {0, rows, sums});
      for (const auto* part : {&blocks, &got.back, &got.chosen_dot, &got.group_out}) {
        y.insert(y.end(), part->begin(), part->end());
      }
      return y;
    };
    const std::vector<float> base = run(&isa_base::matvec_rows);
    const auto expect_same = [&](Isa isa, auto* kernel) {
      if (!isa_available(isa)) return;
      EXPECT_TRUE(same_bits(base, run(kernel))) << isa_name(isa) << " " << dtype_name(type);
    };
    expect_same(Isa::kAvx2, &isa_avx2::matvec_rows);
    expect_same(Isa::kAvxVnni, &isa_avxvnni::matvec_rows);
    expect_same(Isa::kAvx512, &isa_avx512::matvec_rows);
  }
}

// Calls check(name, kernel) for every kernel of this processor that takes many positions.
template <class Check>
void for_every_panel(const Check& check) {
  if (isa_available(Isa::kAvx2)) check("avx2", &isa_avx2::panel_rows);
  if (isa_available(Isa::kAvxVnni)) check("avxvnni", &isa_avxvnni::panel_rows);
  if (isa_available(Isa::kAvx512)) check("avx512", &isa_avx512::panel_rows);
  if (active_isa() == Isa::kAmx) check("amx", &isa_avx512::panel_tiles);
}

// Many positions at once: sixteen rows unpacked.
TEST(Matmul, PanelsGiveTheBitsOfSingleRows) {
  if (!isa_available(Isa::kAvx2)) GTEST_SKIP() << "this processor has no such kernels";
  ThreadPool pool(1);
  for (const DType type : kEveryType) {
    if (!rounds_input(type)) continue;
    const int64_t rows = 37;
    const int64_t step = block_elements(type);
    const int64_t cols = step == 32 ? 32 * 19 : 3 * step;
    RandomMatrix m(type, rows, cols, true);
    for (const int64_t n : {4, 16, 21, 37, 133}) {
      const std::vector<float> values = m.normal(n * cols);
      Input x;
      x.set(values.data(), n, cols, cols, true, pool);
      std::vector<float> expected(static_cast<size_t>(n * rows));
      for (int64_t i = 0; i < n; ++i) {
        float* y = expected.data() + i * rows;
        isa_base::matvec_rows({&m.linear(), &x, i, y, nullptr, nullptr}, {0, rows});
      }
      for_every_panel([&](const char* set, auto* kernel) {
        std::vector<float> y(expected.size());
        EXPECT_TRUE(kernel(m.linear(), x, 0, rows, y.data(), rows, nullptr, nullptr));
        EXPECT_TRUE(same_bits(expected, y)) << set << " " << dtype_name(type) << " " << n;
      });
    }
  }
}

// Sums of two products, or more, are kept in 16 bits.
TEST(Matmul, PanelsHoldTheLargestProducts) {
  if (!isa_available(Isa::kAvx2)) GTEST_SKIP() << "this processor has no such kernels";
  ThreadPool pool(1);
  constexpr int64_t kRows = 16;
  constexpr int64_t kPositions = 16;
  for (const DType type : kEveryType) {
    if (!rounds_input(type)) continue;
    const int64_t cols = 256;
    RandomMatrix m(type, kRows, cols);
    for (const int byte : {0x00, 0x7F, 0x80, 0xFF}) {
      m.set_all(static_cast<std::byte>(byte));
      for (const float value : {1.0F, -1.0F}) {
        const std::vector<float> values(static_cast<size_t>(kPositions * cols), value);
        Input x;
        x.set(values.data(), kPositions, cols, cols, true, pool);
        std::vector<float> expected(static_cast<size_t>(kPositions * kRows));
        for (int64_t i = 0; i < kPositions; ++i) {
          float* y = expected.data() + i * kRows;
          isa_base::matvec_rows({&m.linear(), &x, i, y, nullptr, nullptr}, {0, kRows});
        }
        for_every_panel([&](const char* set, auto* kernel) {
          std::vector<float> y(expected.size());
          EXPECT_TRUE(kernel(m.linear(), x, 0, kRows, y.data(), kRows, nullptr, nullptr));
          EXPECT_TRUE(same_bits(expected, y)) << set << " " << dtype_name(type) << " " << byte;
        });
      }
    }
  }
}

TEST(Matmul, EveryInstructionSetRoundsTheInputAlike) {
  if (!isa_available(Isa::kAvx2)) GTEST_SKIP() << "this processor has the base set only";
  RandomMatrix m(DType::kF32, 1, 1);
  std::vector<float> values = m.normal(300);
  values[70] = std::numeric_limits<float>::infinity();
  std::fill_n(values.begin() + 128, 32, 1e-40F);
  const auto run = [&](auto* kernel) {
    std::vector<int8_t> q(512);
    std::vector<float> d(16);
    std::vector<int32_t> sums(32);
    kernel(values.data(), 300, 16, q.data(), d.data(), sums.data());
    std::string all(reinterpret_cast<const char*>(q.data()), q.size());
    all.append(reinterpret_cast<const char*>(d.data()), 4 * d.size());
    return all.append(reinterpret_cast<const char*>(sums.data()), 4 * sums.size());
  };
  const std::string base = run(&isa_base::round_row);
  const auto expect_same = [&](Isa isa, auto* kernel) {
    if (!isa_available(isa)) return;
    EXPECT_EQ(base, run(kernel)) << isa_name(isa);
  };
  expect_same(Isa::kAvx2, &isa_avx2::round_row);
  expect_same(Isa::kAvxVnni, &isa_avxvnni::round_row);
  expect_same(Isa::kAvx512, &isa_avx512::round_row);
}
#endif

// Batches go through kernels of their own, which add up what is gathered in another order.
TEST(Gathers, OfBatchesAreThoseOfSinglePositions) {
  constexpr int64_t kShapes[][3] = {{48, 9, 768},  {333, 9, 768},  {333, 5, 768},
                                    {48, 35, 768}, {48, 17, 4352}, {37, 13, 250}};
  ThreadPool pool(2);
  ThreadPool three(3);
  for (const DType type : kEveryType) {
    for (const auto& [rows, n, cols] : kShapes) {
      if (cols % block_elements(type) != 0) continue;
      RandomMatrix m(type, rows, cols, true);
      const std::vector<float> values = m.normal(n * cols);
      const std::vector<float> gain = m.normal(rows);
      std::vector<Gathered> got(static_cast<size_t>(3 * n), Gathered(rows, cols, 64));
      std::vector<Gather> gathers;
      for (Gathered& g : got) {
        gathers.push_back(g.gather(64, gain, false, false));
        gathers.back().back = nullptr;
        // Some want none of the columns, others one less than all.
        gathers.back().n_chosen -= std::ssize(gathers) % n % 3 == 0 ? gathers.back().n_chosen : 1;
      }
      Input x;
      x.set(values.data(), n, cols, cols, rounds_input(type), pool);
      const std::vector<float> y = product(m.linear(), x, pool, gathers.data());
      EXPECT_TRUE(same_bits(y, product(m.linear(), x, three, &gathers[2 * n])));
      for (int64_t i = 0; i < n; ++i) {
        Input one;
        const auto k = static_cast<size_t>(i);
        EXPECT_TRUE(same_bits(got[k].group_dot, got[k + 2 * n].group_dot)) << "threads";
        EXPECT_TRUE(same_bits(got[k].chosen_dot, got[k + 2 * n].chosen_dot)) << "threads";
        one.set(&values[k * cols], 1, cols, cols, rounds_input(type), pool);
        const std::vector<float> alone = product(m.linear(), one, pool, &gathers[k + n]);
        SCOPED_TRACE(dtype_name(type));
        EXPECT_EQ(0, std::memcmp(alone.data(), &y[k * rows], alone.size() * sizeof(float)));
        EXPECT_LT(distance(got[k].group_dot, in_double(got[k + n].group_dot)), 1e-6);
        if (gathers[k].n_chosen == 0) continue;
        EXPECT_LT(distance(got[k].chosen_dot, in_double(got[k + n].chosen_dot)), 1e-6);
      }
    }
  }
}

TEST(Matmul, AgreesWithGgmlsMatricesAsFarAsTheRoundingOfTheInputAllows) {
  REQUIRE_SHARED_DATA();
  ThreadPool pool(2);
  const auto folder = tests::shared_data("oracles/quant");
  const auto index = tests::read_json(folder / "index.json");
  const std::string vec = tests::read_file(folder / "vec.f32");
  std::vector<float> values(vec.size() / 4);
  std::memcpy(values.data(), vec.data(), vec.size());
  int seen = 0;
  for (const auto& entry : index["types"]) {
    const auto number = entry["ggml_type"].get<uint32_t>();
    const auto* type = std::find(kEveryType.begin(), kEveryType.end(), static_cast<DType>(number));
    if (type == kEveryType.end()) continue;
    ++seen;
    const auto name = entry["type"].get<std::string>();
    const std::string bytes = tests::read_file(folder / (name + ".bin"));
    Linear w;
    w.weight.dtype = *type;
    w.weight.ne = {512, 8, 1, 1};
    w.weight.data = reinterpret_cast<const std::byte*>(bytes.data());
    ASSERT_EQ(w.weight.bytes(), bytes.size()) << name;
    Input x;
    x.set(values.data(), 1, 512, 512, rounds_input(*type), pool);
    const std::vector<float> y = product(w, x, pool);
    const auto exact = entry["matvec"].get<std::vector<double>>();
    EXPECT_LT(distance(y, exact), rounds_input(*type) ? 1e-2 : 1e-6) << name;
    // Against the rounding alone: the difference that it makes is known exactly.
    const std::vector<double> rounded = what_is_multiplied(x, *type, 0);
    const std::vector<float> rows = [&] {
      const std::string text = tests::read_file(folder / (name + ".f32"));
      std::vector<float> out(text.size() / 4);
      std::memcpy(out.data(), text.data(), text.size());
      return out;
    }();
    std::vector<double> expected = exact;
    for (size_t r = 0; r < 8; ++r) {
      for (size_t c = 0; c < 512; ++c) {
        expected[r] += double{rows[r * 512 + c]} * (rounded[c] - double{values[c]});
      }
    }
    EXPECT_LT(distance(y, expected), 1e-6) << name;
  }
  EXPECT_EQ(15, seen);
}

}  // namespace
}  // namespace model
