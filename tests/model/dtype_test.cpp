#include "model/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <string>

#include "model/tensor.h"
#include "tests/support/data.h"

namespace {

using model::f16_from_f32;
using model::f32_from_f16;

// IEEE 754-2008 section 3.4, straight from the definition.
double value_of_half(unsigned half) {
  const int exponent = static_cast<int>((half >> 10) & 31);
  const int mantissa = static_cast<int>(half & 1023);
  const double magnitude = exponent == 31  ? (mantissa ? std::nan("") : INFINITY)
                           : exponent == 0 ? std::ldexp(mantissa, -24)
                                           : std::ldexp(1024 + mantissa, exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

TEST(F16, EveryHalfHasTheValueOfTheStandard) {
  for (unsigned h = 0; h < 65536; ++h) {
    const double want = value_of_half(h);
    const float have = f32_from_f16(static_cast<uint16_t>(h));
    if (std::isnan(want)) {
      ASSERT_TRUE(std::isnan(have)) << h;
    } else {
      ASSERT_EQ(want, static_cast<double>(have)) << h;
    }
    ASSERT_EQ(std::signbit(want), std::signbit(have)) << h;
  }
}

TEST(F16, EveryHalfSurvivesTheWayThereAndBack) {
  for (unsigned h = 0; h < 65536; ++h) {
    const uint16_t back = f16_from_f32(f32_from_f16(static_cast<uint16_t>(h)));
    if (std::isnan(value_of_half(h))) {
      ASSERT_TRUE(std::isnan(value_of_half(back))) << h;
      ASSERT_EQ(h & 0x8000, back & 0x8000U) << h;
    } else {
      ASSERT_EQ(h, back);
    }
  }
}

TEST(F16, BetweenTwoHalvesTheNearerWinsAndTheEvenOneATie) {
  for (unsigned h = 0; h < 0x7BFF; ++h) {
    // The midpoint of neighbours needs one bit more than a half has: exact in float.
    const auto middle = static_cast<float>((value_of_half(h) + value_of_half(h + 1)) / 2);
    const unsigned even = h % 2 == 0 ? h : h + 1;
    ASSERT_EQ(even, f16_from_f32(middle)) << h;
    ASSERT_EQ(even | 0x8000, f16_from_f32(-middle)) << h;
    ASSERT_EQ(h, f16_from_f32(std::nextafterf(middle, 0.0F))) << h;
    ASSERT_EQ(h + 1, f16_from_f32(std::nextafterf(middle, INFINITY))) << h;
  }
}

TEST(F16, WhatIsTooLargeBecomesInfinity) {
  EXPECT_EQ(0x7BFF, f16_from_f32(65504.0F));
  EXPECT_EQ(0x7BFF, f16_from_f32(std::nextafterf(65520.0F, 0.0F)));
  EXPECT_EQ(0x7C00, f16_from_f32(65520.0F));
  EXPECT_EQ(0x7C00, f16_from_f32(std::numeric_limits<float>::max()));
  EXPECT_EQ(0xFC00, f16_from_f32(-INFINITY));
  EXPECT_EQ(0x0000, f16_from_f32(std::numeric_limits<float>::denorm_min()));
  EXPECT_EQ(0x8000, f16_from_f32(-0.0F));
}

// bfloat16 is a binary32 cut to 16 bits, rounded to the nearest, ties to even.
TEST(BF16, EveryValueSurvivesTheWayThereAndBack) {
  for (unsigned b = 0; b < 65536; ++b) {
    const float value = model::f32_from_bf16(static_cast<uint16_t>(b));
    const uint16_t back = model::bf16_from_f32(value);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(model::f32_from_bf16(back))) << b;
      ASSERT_EQ(b & 0x8000, back & 0x8000U) << b;
    } else {
      ASSERT_EQ(b, back);
    }
  }
}

TEST(BF16, BetweenTwoTheNearerWinsAndTheEvenOneATie) {
  for (unsigned b = 0; b < 0x7F7F; ++b) {
    const float below = model::f32_from_bf16(static_cast<uint16_t>(b));
    const float above = model::f32_from_bf16(static_cast<uint16_t>(b + 1));
    const auto middle = static_cast<float>((static_cast<double>(below) + above) / 2);
    const unsigned even = b % 2 == 0 ? b : b + 1;
    ASSERT_EQ(even, model::bf16_from_f32(middle)) << b;
    ASSERT_EQ(even | 0x8000, model::bf16_from_f32(-middle)) << b;
    ASSERT_EQ(b, model::bf16_from_f32(std::nextafterf(middle, 0.0F))) << b;
    ASSERT_EQ(b + 1, model::bf16_from_f32(std::nextafterf(middle, INFINITY))) << b;
  }
  EXPECT_EQ(0x7F80, model::bf16_from_f32(std::numeric_limits<float>::max()));
  const uint32_t payload_below = 0x7F800001;  // cut alone, it would be infinity
  float nan = 0;
  std::memcpy(&nan, &payload_below, 4);
  EXPECT_TRUE(std::isnan(model::f32_from_bf16(model::bf16_from_f32(nan))));
}

TEST(DType, SixteenTypesAreComputable) {
  const std::set<uint32_t> known = {0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 20, 23, 30, 39};
  for (uint32_t type = 0; type < 64; ++type) {
    EXPECT_EQ(known.contains(type), model::dtype_supported(type)) << type;
  }
}

TEST(DType, ANameFindsItsTypeInEitherCase) {
  EXPECT_EQ(model::DType::kQ8_0, model::dtype_from_name("q8_0"));
  EXPECT_EQ(model::DType::kQ4K, model::dtype_from_name("Q4_K"));
  EXPECT_EQ(model::DType::kQ4K, model::dtype_from_name("q4_k"));
  EXPECT_EQ(model::DType::kBF16, model::dtype_from_name("bf16"));
  EXPECT_EQ(std::nullopt, model::dtype_from_name("Q4"));
  EXPECT_EQ(std::nullopt, model::dtype_from_name("Q4_K_M"));
  EXPECT_EQ(std::nullopt, model::dtype_from_name("IQ1_S")) << "known, but not read";
  EXPECT_EQ(std::nullopt, model::dtype_from_name(""));
}

TEST(DType, NamesAreThoseOfGguf) {
  EXPECT_EQ("F16", model::dtype_name(1));
  EXPECT_EQ("Q4_K", model::dtype_name(12));
  EXPECT_EQ("type 99", model::dtype_name(99));
  EXPECT_EQ(0, model::dtype_block(4).elements) << "withdrawn";
}

TEST(DType, BlockSizesAreThoseOfLlamaCpp) {
  REQUIRE_SHARED_DATA();
  const auto folder = tests::shared_data("oracles/quant");
  size_t seen = 0;
  for (uint32_t type = 0; type < 64; ++type) {
    const model::BlockSize block = model::dtype_block(type);
    if (block.elements == 0) continue;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() != ".bin") continue;
      std::string stem = entry.path().stem().string();
      for (char& c : stem) c = static_cast<char>(std::toupper(c));
      if (stem != model::dtype_name(type)) continue;
      ++seen;
      // Eight rows of 512 values.
      EXPECT_EQ(entry.file_size(), 8 * model::dtype_row_bytes(static_cast<model::DType>(type), 512))
          << stem;
    }
  }
  EXPECT_GE(seen, 24U);
}

TEST(Tensor, ATypeThatIsNotReadIsNamedWithItsTensorAndTheWayOut) {
  const auto sentence = [](uint32_t type) {
    return model::unsupported_type({"blk.0.q", static_cast<model::DType>(type), {256, 1, 1, 1}});
  };
  for (uint32_t type = 0; type < 64; ++type) {
    if (model::dtype_block(type).elements == 0) continue;
    if (model::dtype_supported(type)) {
      EXPECT_EQ("", sentence(type)) << type;
    } else {
      EXPECT_CONTAINS(sentence(type), "'blk.0.q'", "type " + model::dtype_name(type));
    }
  }
  for (const uint32_t type : {19U, 18U, 34U, 40U}) {  // IQ1_S IQ3_XXS TQ1_0 NVFP4
    EXPECT_CONTAINS(sentence(type), "llama-quantize --allow-requantize IN OUT Q4_K_M");
  }
  for (const uint32_t type : {9U, 15U, 24U, 28U}) {  // Q8_1 Q8_K I8 F64
    EXPECT_CONTAINS(sentence(type), "from the original model");
  }
}

TEST(Tensor, RowsAreDequantizedWhereTheyLie) {
  const std::vector<uint16_t> halves = {0x3C00, 0xC000, 0x0001, 0x7BFF};  // 1 -2 2^-24 65504
  model::Tensor t{
      "t", model::DType::kF16, {2, 2, 1, 1}, reinterpret_cast<const std::byte*>(halves.data())};
  float row[2];
  model::dequantize_row(t, 0, row);
  EXPECT_EQ(1.0F, row[0]);
  EXPECT_EQ(-2.0F, row[1]);
  model::dequantize_row(t, 1, row);
  EXPECT_EQ(0x1p-24F, row[0]);
  EXPECT_EQ(65504.0F, row[1]);
}

TEST(TensorDeathTest, ARowBeyondTheLastIsABug) {
  const float value = 1;
  const model::Tensor t{
      "t", model::DType::kF32, {1, 1, 1, 1}, reinterpret_cast<const std::byte*>(&value)};
  float out = 0;
  EXPECT_DEATH(model::dequantize_row(t, 1, &out), "bug");
}

}  // namespace
