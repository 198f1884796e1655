#include "model/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "model/dequantize.h"
#include "model/error.h"
#include "tests/support/data.h"

namespace {

using model::DType;

constexpr DType kWritable[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                               DType::kQ5_0, DType::kQ4_0, DType::kQ6K,  DType::kQ4K};

std::string stored(DType type, const std::vector<float>& x) {
  const auto n = static_cast<int64_t>(x.size());
  std::string bytes(model::dtype_row_bytes(type, n), '\x55');
  model::quantize_row(type, x.data(), n, reinterpret_cast<std::byte*>(bytes.data()));
  return bytes;
}

std::vector<float> restored(DType type, const std::string& bytes, size_t n) {
  std::vector<float> y(n);
  model::dequantize(type, reinterpret_cast<const std::byte*>(bytes.data()), static_cast<int64_t>(n),
                    y.data());
  return y;
}

std::vector<float> source_of_oracle() {
  const std::string bytes = tests::read_file(tests::shared_data("oracles/quant/source.f32"));
  std::vector<float> x(bytes.size() / sizeof(float));
  std::memcpy(x.data(), bytes.data(), bytes.size());
  return x;
}

// Squared error relative to the squares of the source.
double relative_error(const std::vector<float>& x, const std::vector<float>& y) {
  double error = 0.0;
  double squares = 0.0;
  for (size_t i = 0; i < x.size(); ++i) {
    error += (double{x[i]} - y[i]) * (double{x[i]} - y[i]);
    squares += double{x[i]} * x[i];
  }
  return error / squares;
}

std::vector<float> normal_values(size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(n);
  for (float& v : x) v = normal(random);
  return x;
}

TEST(Quantize, TheSimpleFormatsAreGgmlsToTheByte) {
  REQUIRE_SHARED_DATA();
  const std::vector<float> x = source_of_oracle();
  for (const std::string name : {"f16", "bf16", "q8_0", "q5_0", "q4_0"}) {
    EXPECT_EQ(tests::read_file(tests::shared_data("oracles/quant/" + name + ".bin")),
              stored(model::dtype_from_name(name).value(), x))
        << name;
  }
}

TEST(Quantize, TheSearchesComeAsCloseAsGgmls) {
  REQUIRE_SHARED_DATA();
  const std::vector<float> x = source_of_oracle();
  const auto index = tests::read_json(tests::shared_data("oracles/quant/index.json"));
  int seen = 0;
  for (const auto& entry : index["types"]) {
    const std::string name = entry["type"];
    if (name != "q4_K" && name != "q6_K") continue;
    ++seen;
    const DType type = model::dtype_from_name(name).value();
    const double error = relative_error(x, restored(type, stored(type, x), x.size()));
    RecordProperty(name, std::to_string(error));
    EXPECT_LE(error, 1.02 * entry["nmse"].get<double>()) << name;
  }
  EXPECT_EQ(2, seen);
}

TEST(Quantize, TheErrorOfNormalWeightsIsThatOfTheBits) {
  // Upper bounds on the squared error relative to the squares, with the step that each format
  // leaves for about three standard deviations: step^2 / 12.
  const std::vector<float> x = normal_values(1 << 16, 1);
  const auto error = [&](DType type) {
    return relative_error(x, restored(type, stored(type, x), x.size()));
  };
  EXPECT_EQ(0.0, error(DType::kF32));
  EXPECT_LT(error(DType::kF16), 0x1p-23);
  EXPECT_LT(error(DType::kBF16), 0x1p-17);
  EXPECT_LT(error(DType::kQ8_0), std::pow(2 * 3.0 / 255, 2) / 12);
  EXPECT_LT(error(DType::kQ6K), std::pow(2 * 3.0 / 63, 2) / 12);
  EXPECT_LT(error(DType::kQ5_0), std::pow(2 * 3.0 / 31, 2) / 12);
  EXPECT_LT(error(DType::kQ4K), std::pow(2 * 3.0 / 15, 2) / 12);
  EXPECT_LT(error(DType::kQ4_0), std::pow(2 * 3.0 / 15, 2) / 12);
}

TEST(Quantize, ZerosAreExact) {
  const std::vector<float> x(512, 0.0F);
  for (const DType type : kWritable) {
    EXPECT_EQ(x, restored(type, stored(type, x), 512)) << model::dtype_name(type);
  }
}

TEST(Quantize, ConstantsAreHitWithinThePrecisionOfTheirScales) {
  for (const float c : {1.0F, -1.0F, 0.1F, -3000.0F}) {
    for (const DType type : kWritable) {
      for (const float y : restored(type, stored(type, std::vector<float>(256, c)), 256)) {
        EXPECT_NEAR(c, y, 0.005F * std::fabs(c)) << model::dtype_name(type);
      }
    }
  }
}

// All quotients of such a block are alike: a line through them has no direction, but what sums in
// float32 leave of its determinant may not be zero.
TEST(Quantize, LargeConstantsAreHitToo) {
  std::mt19937 random(11);
  std::vector<float> constants = {51167.004F, 65504.0F, -65504.0F};
  for (int i = 0; i < 2000; ++i) constants.push_back(static_cast<float>(random() % 6550400) / 100);
  for (const float c : constants) {
    const std::vector<float> x(256, c);
    for (const DType type : {DType::kQ8_0, DType::kQ5_0, DType::kQ4_0, DType::kQ6K, DType::kQ4K}) {
      const std::vector<float> y = restored(type, stored(type, x), x.size());
      for (const float v : y)
        ASSERT_NEAR(c, v, 0.01F * std::fabs(c) + 1e-6F) << model::dtype_name(type);
    }
  }
}

TEST(Quantize, EveryPatternOfBitsIsStoredAsSomething) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  const std::vector<std::vector<float>> patterns = {
      {NAN},           {kInfinity},     {-kInfinity, 0, 1},
      {NAN, 1},        {kTiny, 0},      {-kTiny, 0, kTiny},
      {1e38F, -1e38F}, {3e38F, 1e-38F}, {1e-40F, -2e-40F},
      {65504, 0},      {-1e-7F}};
  for (const std::vector<float>& pattern : patterns) {
    std::vector<float> x(256);
    for (size_t i = 0; i < x.size(); ++i) x[i] = pattern[i % pattern.size()];
    for (const DType type : kWritable) EXPECT_EQ(stored(type, x), stored(type, x));
  }
}

TEST(Quantize, WhatLiesOnTheGridStaysThere) {
  // d = 1/4, every number of the format once in a block.
  std::vector<float> q8(32);
  std::vector<float> q4(32);
  for (size_t i = 0; i < 32; ++i) {
    q8[i] = i == 31 ? -127 / 4.0F : static_cast<float>(static_cast<int>(i) * 4 - 62) / 4.0F;
    q4[i] = static_cast<float>(static_cast<int>(i % 16) - 8) / 4.0F;
  }
  EXPECT_EQ(q8, restored(DType::kQ8_0, stored(DType::kQ8_0, q8), 32));
  EXPECT_EQ(q4, restored(DType::kQ4_0, stored(DType::kQ4_0, q4), 32));
}

TEST(ConvertRows, AnyNumberOfThreadsGivesTheSameBytes) {
  const std::vector<float> x = normal_values(7 * 512, 2);
  const model::Tensor tensor{
      "t", DType::kF32, {512, 7, 1, 1}, reinterpret_cast<const std::byte*>(x.data())};
  for (const DType type : kWritable) {
    const std::string whole = stored(type, x);
    for (const int threads : {1, 2, 3, 8}) {
      model::ThreadPool pool(threads);
      const size_t row = model::dtype_row_bytes(type, 512);
      std::string bytes(5 * row, '\0');
      model::convert_rows(tensor, 1, 5, type, reinterpret_cast<std::byte*>(bytes.data()), pool);
      EXPECT_EQ(whole.substr(row, 5 * row), bytes) << model::dtype_name(type) << " " << threads;
    }
  }
}

TEST(ConvertRows, AStoredTypeIsWidenedBeforeItIsStoredAgain) {
  const std::vector<float> x = normal_values(256, 3);
  const std::string q4 = stored(DType::kQ4_0, x);
  const model::Tensor tensor{
      "t", DType::kQ4_0, {256, 1, 1, 1}, reinterpret_cast<const std::byte*>(q4.data())};
  model::ThreadPool pool(1);
  std::string q8(model::dtype_row_bytes(DType::kQ8_0, 256), '\0');
  model::convert_rows(tensor, 0, 1, DType::kQ8_0, reinterpret_cast<std::byte*>(q8.data()), pool);
  EXPECT_EQ(stored(DType::kQ8_0, restored(DType::kQ4_0, q4, 256)), q8);
  std::string same(q4.size(), '\0');
  model::convert_rows(tensor, 0, 1, DType::kQ4_0, reinterpret_cast<std::byte*>(same.data()), pool);
  EXPECT_EQ(q4, same);
}

TEST(ConvertRows, WhatCannotBeStoredIsRefusedByName) {
  model::ThreadPool pool(2);
  const auto refusal = [&](float value, DType type) -> std::string {
    std::vector<float> x(64, 1.0F);
    x[40] = value;
    const model::Tensor tensor{
        "blk.0.q", DType::kF32, {32, 2, 1, 1}, reinterpret_cast<const std::byte*>(x.data())};
    std::vector<std::byte> out(2 * model::dtype_row_bytes(type, 32));
    try {
      model::convert_rows(tensor, 0, 2, type, out.data(), pool);
    } catch (const fulgurite::Error& error) {
      EXPECT_EQ(fulgurite::ExitCode::kBadModel, error.code());
      return error.what();
    }
    return "";
  };
  EXPECT_CONTAINS(refusal(NAN, DType::kQ8_0), "blk.0.q", "value 8 of row 1", "nan", "Q8_0");
  EXPECT_CONTAINS(refusal(-INFINITY, DType::kBF16), "blk.0.q", "-inf");
  EXPECT_CONTAINS(refusal(70000, DType::kF16), "70000", "F16", "BF16");
  EXPECT_EQ("", refusal(70000, DType::kBF16));
  // Of blocks only the scale is a half: a value divided by up to 8, 16 or 127, or by more.
  for (const DType type : kWritable) {
    if (type == DType::kF16 || model::dtype_block(type).elements > 32) continue;
    EXPECT_EQ("", refusal(65505, type)) << model::dtype_name(type);
  }
  EXPECT_CONTAINS(refusal(6e5F, DType::kQ4_0), "600000", "Q4_0");
  EXPECT_CONTAINS(refusal(9e6F, DType::kQ8_0), "9e+06", "Q8_0");
  EXPECT_CONTAINS(refusal(3.4e38F, DType::kBF16), "3.4e+38", "BF16", "F32 can");
}

TEST(QuantizeDeathTest, AHalfBlockAndATypeThatIsNotWrittenAreBugs) {
  EXPECT_DEATH(stored(DType::kQ8_0, std::vector<float>(16)), "bug");
  EXPECT_DEATH(stored(DType::kQ2K, std::vector<float>(256)), "bug");
}

}  // namespace
