#include "model/kernels/matvec.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "model/dtype.h"
#include "model/kernels/dispatch.h"
#include "tests/support/run_program.h"

namespace model {

FULGURITE_DECLARE_ISA(void matvec_grouped(const Tensor& w, const float* x, int64_t n_groups,
                                          float* partial, float* y, float* back) noexcept;)

namespace {

// A random matrix of either type and a random vector.
struct Problem {
  Problem(DType type, int64_t rows, int64_t cols)
      : random(static_cast<uint32_t>(rows * 31 + cols)) {
    std::normal_distribution<float> normal;
    w.dtype = type;
    w.ne = {cols, rows, 1, 1};
    bytes.resize(w.bytes());
    w.data = bytes.data();
    for (int64_t i = 0; i < rows * cols; ++i) {
      const float value = normal(random);
      const uint16_t half = f16_from_f32(value);
      const auto at = static_cast<size_t>(i);
      if (type == DType::kF32) std::memcpy(&bytes[at * 4], &value, 4);
      if (type == DType::kF16) std::memcpy(&bytes[at * 2], &half, 2);
    }
    for (int64_t i = 0; i < cols; ++i) x.push_back(normal(random));
  }
  std::vector<std::vector<float>> matrix() const {
    std::vector<std::vector<float>> m(static_cast<size_t>(w.rows()));
    for (size_t i = 0; i < m.size(); ++i) {
      m[i].resize(x.size());
      dequantize_row(w, static_cast<int64_t>(i), m[i].data());
    }
    return m;
  }
  std::mt19937 random;
  Tensor w;
  std::vector<std::byte> bytes;
  std::vector<float> x;
};

struct Result {
  Result(const Problem& p, int64_t groups)
      : partial(static_cast<size_t>(groups * p.w.rows())),
        y(static_cast<size_t>(p.w.rows())),
        back(p.x.size()) {}
  std::vector<float> partial, y, back;
};

constexpr std::array kTypes = {DType::kF32, DType::kF16};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(Matvec, EverySizeAgreesWithTheReference) {
  for (const DType type : kTypes) {
    for (const int64_t cols : {1, 2, 7, 15, 16, 17, 31, 33, 100, 128, 1023, 1024, 1025, 2500}) {
      for (const int64_t rows : {1, 3, 64}) {
        const Problem p(type, rows, cols);
        std::vector<float> y(static_cast<size_t>(rows)), expected(y);
        matvec(p.w, p.x.data(), y.data());
        matvec_reference(p.w, p.x.data(), expected.data());
        const double bound = 2e-6 * std::sqrt(static_cast<double>(cols)) + 1e-6;
        for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(expected[i], y[i], bound) << cols;
      }
    }
  }
}

TEST(MatvecGrouped, TermsAndBackAreThoseOfADoubleComputation) {
  struct Shape {
    int64_t rows, groups, width;
  };
  for (const DType type : kTypes) {
    for (const auto [rows, groups, width] :
         {Shape{5, 1, 7}, {64, 4, 32}, {33, 3, 17}, {7, 2, 1100}}) {
      SCOPED_TRACE(::testing::Message() << rows << " rows, " << groups << " x " << width);
      const Problem p(type, rows, groups * width);
      Result r(p, groups);
      matvec_grouped(p.w, p.x.data(), groups, r.partial.data(), r.y.data(), r.back.data());
      const auto matrix = p.matrix();
      std::vector<double> back(p.x.size());
      const double bound = 4e-6 * std::sqrt(static_cast<double>(width));
      for (int64_t g = 0; g < groups; ++g) {
        for (int64_t i = 0; i < rows; ++i) {
          double term = 0.0;
          const auto& row = matrix[static_cast<size_t>(i)];
          for (int64_t c = g * width; c < (g + 1) * width; ++c) {
            term += double{row[static_cast<size_t>(c)]} * double{p.x[static_cast<size_t>(c)]};
          }
          ASSERT_NEAR(term, r.partial[static_cast<size_t>(g * rows + i)], bound);
          for (int64_t c = g * width; c < (g + 1) * width; ++c) {
            back[static_cast<size_t>(c)] += term * double{row[static_cast<size_t>(c)]};
          }
        }
      }
      double size = 0.0;
      double off = 0.0;
      for (size_t c = 0; c < back.size(); ++c) {
        size += back[c] * back[c];
        off += (back[c] - double{r.back[c]}) * (back[c] - double{r.back[c]});
      }
      EXPECT_LT(std::sqrt(off / size), 2e-6);
      for (int64_t i = 0; i < rows; ++i) {
        float sum = 0.0F;
        for (int64_t g = 0; g < groups; ++g) sum += r.partial[static_cast<size_t>(g * rows + i)];
        EXPECT_EQ(sum, r.y[static_cast<size_t>(i)]) << "y is the sum of the terms in order";
      }
    }
  }
}

TEST(MatvecGrouped, BackDoesNotChangeOneBitOfTheResult) {
  for (const DType type : kTypes) {
    const Problem p(type, 61, 4 * 37);
    Result with(p, 4), without(p, 4);
    matvec_grouped(p.w, p.x.data(), 4, with.partial.data(), with.y.data(), with.back.data());
    matvec_grouped(p.w, p.x.data(), 4, nullptr, without.y.data(), nullptr);
    EXPECT_TRUE(same_bits(with.y, without.y));
  }
}

#if defined(__x86_64__)
TEST(MatvecGrouped, EveryInstructionSetGivesTheSameBits) {
  int sets = 1;
  for (const DType type : kTypes) {
    for (const int64_t width : {1, 16, 37, 1500}) {
      const Problem p(type, 29, 3 * width);
      Result base(p, 3);
      isa_base::matvec_grouped(p.w, p.x.data(), 3, base.partial.data(), base.y.data(),
                               base.back.data());
      const auto expect_same = [&](auto* kernel, const char* name) {
        Result other(p, 3);
        kernel(p.w, p.x.data(), 3, other.partial.data(), other.y.data(), other.back.data());
        EXPECT_TRUE(same_bits(base.y, other.y)) << name << " " << width;
        EXPECT_TRUE(same_bits(base.partial, other.partial)) << name << " " << width;
        EXPECT_TRUE(same_bits(base.back, other.back)) << name << " " << width;
      };
      if (active_isa() >= Isa::kAvx2) expect_same(&isa_avx2::matvec_grouped, "avx2");
      if (active_isa() >= Isa::kAvx512) expect_same(&isa_avx512::matvec_grouped, "avx512");
      sets = 1 + static_cast<int>(active_isa());
    }
  }
  if (sets == 1) GTEST_SKIP() << "this processor has the base set only";
}

TEST(Dispatch, UsesASetOfThisMachine) {
  std::printf("set: %s\n", isa_name(active_isa()));
  EXPECT_LE(active_isa(), Isa::kAvx512);
}

// The choice is made once a process, so each wish gets a process of its own: the test above.
TEST(Dispatch, TheEnvironmentLowersTheSetButNeverRaisesIt) {
  const auto chosen = [](const tests::Environment& environment) {
    const std::string out = tests::run_program({std::filesystem::read_symlink("/proc/self/exe"),
                                                "--gtest_filter=Dispatch.UsesASetOfThisMachine"},
                                               environment)
                                .out;
    const size_t at = out.find("set: ");
    return at == std::string::npos ? out : out.substr(at + 5, out.find('\n', at) - at - 5);
  };
  const std::string best = chosen({{"FULGURITE_ISA", std::nullopt}});
  const auto with = [&](const char* wish) { return chosen({{"FULGURITE_ISA", wish}}); };
  EXPECT_EQ("base", with("base"));
  EXPECT_EQ(best == "base" ? "base" : "avx2", with("avx2"));
  EXPECT_EQ(best, with("avx512"));
  EXPECT_EQ(best, with("nonsense"));
}
#endif

}  // namespace
}  // namespace model
