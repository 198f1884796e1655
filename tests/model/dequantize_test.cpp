#include "model/dequantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "model/block_formats.h"
#include "model/tensor.h"
#include "tests/support/data.h"

namespace {

using model::DType;

std::vector<float> floats_of(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

const std::byte* bytes_of(const std::string& text) {
  return reinterpret_cast<const std::byte*>(text.data());
}

template <class Block>
std::vector<float> values_of(DType type, const Block& block, int64_t n) {
  std::vector<float> out(static_cast<size_t>(n));
  model::dequantize(type, reinterpret_cast<const std::byte*>(&block), n, out.data());
  return out;
}

class DequantizeOracle : public ::testing::TestWithParam<const char*> {};

TEST_P(DequantizeOracle, EveryBitIsGgmls) {
  REQUIRE_SHARED_DATA();
  const std::string name = GetParam();
  const std::string stored = tests::read_file(tests::shared_data("oracles/quant/" + name + ".bin"));
  const std::vector<float> want =
      floats_of(tests::read_file(tests::shared_data("oracles/quant/" + name + ".f32")));
  ASSERT_EQ(8U * 512U, want.size());
  const DType type = model::dtype_from_name(name).value();
  const model::Tensor tensor{"t", type, {512, 8, 1, 1}, bytes_of(stored)};
  ASSERT_EQ(stored.size(), tensor.bytes());
  for (int64_t r = 0; r < 8; ++r) {
    std::vector<float> have(512, NAN);
    model::dequantize_row(tensor, r, have.data());
    for (size_t i = 0; i < 512; ++i) {
      const float expected = want[static_cast<size_t>(r) * 512 + i];
      ASSERT_EQ(0, std::memcmp(&expected, &have[i], 4))
          << name << " row " << r << " value " << i << ": " << expected << " " << have[i];
    }
  }
}

TEST_P(DequantizeOracle, BlocksMayLieAtOddAddresses) {
  REQUIRE_SHARED_DATA();
  const std::string name = GetParam();
  const std::string stored = tests::read_file(tests::shared_data("oracles/quant/" + name + ".bin"));
  const std::string shifted = "x" + stored;
  const DType type = model::dtype_from_name(name).value();
  std::vector<float> even(512);
  std::vector<float> odd(512);
  model::dequantize(type, bytes_of(stored), 512, even.data());
  model::dequantize(type, bytes_of(shifted) + 1, 512, odd.data());
  EXPECT_EQ(0, std::memcmp(even.data(), odd.data(), 512 * sizeof(float)));
}

INSTANTIATE_TEST_SUITE_P(Types, DequantizeOracle,
                         ::testing::Values("f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0",
                                           "q2_K", "q3_K", "q4_K", "q5_K", "q6_K", "iq4_nl",
                                           "iq4_xs", "mxfp4"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(Dequantize, ABlockOfQ4_0HoldsItsFirstHalfInTheLowerNibbles) {
  model::BlockQ4_0 block{0x3800, {}};  // d = 0.5
  block.qs[0] = 0xF0;
  const std::vector<float> y = values_of(DType::kQ4_0, block, 32);
  EXPECT_EQ(-4.0F, y[0]);
  EXPECT_EQ(3.5F, y[16]);
}

// OCP Microscaling Formats v1.0, sections 5.2.3 and 5.3.3: a scale of 2^(e - 127) and the
// magnitudes 0 0.5 1 1.5 2 3 4 6.
TEST(Dequantize, AMxfp4BlockHasTheValuesOfTheSpecification) {
  const std::vector<double> magnitudes = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  for (const int e : {0, 1, 2, 100, 127, 128, 250}) {
    model::BlockMxfp4 block{static_cast<uint8_t>(e), {}};
    for (unsigned i = 0; i < 16; ++i) block.qs[i] = static_cast<uint8_t>(i);
    const std::vector<float> y = values_of(DType::kMxfp4, block, 32);
    for (size_t i = 0; i < 16; ++i) {
      const double sign = i < 8 ? 1 : -1;
      EXPECT_EQ(std::ldexp(sign * magnitudes[i % 8], e - 127), static_cast<double>(y[i])) << e;
      EXPECT_EQ(0.0F, y[16 + i]);
    }
  }
}

TEST(DequantizeDeathTest, AHalfBlockAndATypeThatCannotBeReadAreBugs) {
  const model::BlockQ8_0 block{};
  EXPECT_DEATH(values_of(DType::kQ8_0, block, 16), "bug");
  EXPECT_DEATH(values_of(static_cast<DType>(19), block, 32), "bug");
}

}  // namespace
