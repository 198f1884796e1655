#include "model/dtype.h"

#include <algorithm>
#include <array>
#include <bit>

#include "model/error.h"

namespace model {
namespace {

struct TypeInfo {
  uint32_t type;
  const char* name;
  BlockSize block;
};

// Block sizes as laid out in ggml's ggml-common.h; the gaps are numbers that were withdrawn.
constexpr std::array kTypes = {
    TypeInfo{0, "F32", {1, 4}},         TypeInfo{1, "F16", {1, 2}},
    TypeInfo{2, "Q4_0", {32, 18}},      TypeInfo{3, "Q4_1", {32, 20}},
    TypeInfo{6, "Q5_0", {32, 22}},      TypeInfo{7, "Q5_1", {32, 24}},
    TypeInfo{8, "Q8_0", {32, 34}},      TypeInfo{9, "Q8_1", {32, 36}},
    TypeInfo{10, "Q2_K", {256, 84}},    TypeInfo{11, "Q3_K", {256, 110}},
    TypeInfo{12, "Q4_K", {256, 144}},   TypeInfo{13, "Q5_K", {256, 176}},
    TypeInfo{14, "Q6_K", {256, 210}},   TypeInfo{15, "Q8_K", {256, 292}},
    TypeInfo{16, "IQ2_XXS", {256, 66}}, TypeInfo{17, "IQ2_XS", {256, 74}},
    TypeInfo{18, "IQ3_XXS", {256, 98}}, TypeInfo{19, "IQ1_S", {256, 50}},
    TypeInfo{20, "IQ4_NL", {32, 18}},   TypeInfo{21, "IQ3_S", {256, 110}},
    TypeInfo{22, "IQ2_S", {256, 82}},   TypeInfo{23, "IQ4_XS", {256, 136}},
    TypeInfo{24, "I8", {1, 1}},         TypeInfo{25, "I16", {1, 2}},
    TypeInfo{26, "I32", {1, 4}},        TypeInfo{27, "I64", {1, 8}},
    TypeInfo{28, "F64", {1, 8}},        TypeInfo{29, "IQ1_M", {256, 56}},
    TypeInfo{30, "BF16", {1, 2}},       TypeInfo{34, "TQ1_0", {256, 54}},
    TypeInfo{35, "TQ2_0", {256, 66}},   TypeInfo{39, "MXFP4", {32, 17}},
    TypeInfo{40, "NVFP4", {64, 36}},
};

// Names of the numbers that were withdrawn, from ggml.h's history.
constexpr std::array kWithdrawn = {
    TypeInfo{4, "Q4_2", {}},        TypeInfo{5, "Q4_3", {}},        TypeInfo{31, "Q4_0_4_4", {}},
    TypeInfo{32, "Q4_0_4_8", {}},   TypeInfo{33, "Q4_0_8_8", {}},   TypeInfo{36, "IQ4_NL_4_4", {}},
    TypeInfo{37, "IQ4_NL_4_8", {}}, TypeInfo{38, "IQ4_NL_8_8", {}},
};

const TypeInfo* find_type(uint32_t type) noexcept {
  for (const TypeInfo& info : kTypes) {
    if (info.type == type) return &info;
  }
  return nullptr;
}

}  // namespace

std::string dtype_name(uint32_t gguf_type) {
  const TypeInfo* info = find_type(gguf_type);
  return info ? info->name : "type " + std::to_string(gguf_type);
}

std::string_view withdrawn_dtype(uint32_t gguf_type) noexcept {
  for (const TypeInfo& info : kWithdrawn) {
    if (info.type == gguf_type) return info.name;
  }
  return {};
}

BlockSize dtype_block(uint32_t gguf_type) noexcept {
  const TypeInfo* info = find_type(gguf_type);
  return info ? info->block : BlockSize{0, 0};
}

bool dtype_supported(uint32_t gguf_type) noexcept {
  switch (static_cast<DType>(gguf_type)) {
    case DType::kF32:
    case DType::kF16:
    case DType::kQ4_0:
    case DType::kQ4_1:
    case DType::kQ5_0:
    case DType::kQ5_1:
    case DType::kQ8_0:
    case DType::kQ2K:
    case DType::kQ3K:
    case DType::kQ4K:
    case DType::kQ5K:
    case DType::kQ6K:
    case DType::kIq4Nl:
    case DType::kIq4Xs:
    case DType::kBF16:
    case DType::kMxfp4:
      return true;
  }
  return false;
}

std::optional<DType> dtype_from_name(std::string_view name) {
  const auto same_letter = [](char a, char b) {
    return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 'a' + 'A') : a) == b;
  };
  for (const TypeInfo& info : kTypes) {
    const std::string_view known = info.name;
    if (dtype_supported(info.type) &&
        std::equal(name.begin(), name.end(), known.begin(), known.end(), same_letter)) {
      return static_cast<DType>(info.type);
    }
  }
  return std::nullopt;
}

size_t dtype_row_bytes(DType type, int64_t n) noexcept {
  const BlockSize block = dtype_block(type);
  CHECK(block.elements > 0 && n >= 0 && n % block.elements == 0);
  return static_cast<size_t>(n / block.elements) * block.bytes;
}

float f32_from_f16(uint16_t half) noexcept {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000U) << 16;
  const uint32_t exponent = (half >> 10) & 0x1FU;
  const uint32_t mantissa = half & 0x3FFU;
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24, exact in binary32
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13));
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

uint16_t f16_from_f32(float value) noexcept {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000U;
  const uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) {  // NaN: quiet, its upper payload kept
    return static_cast<uint16_t>(sign | 0x7E00U | ((magnitude >> 13) & 0x3FFU));
  }
  if (magnitude >= 0x477FF000U) return static_cast<uint16_t>(sign | 0x7C00U);  // >= 65520
  if (magnitude < 0x38800000U) {
    // Below 2^-14 the result is subnormal, a multiple of 2^-24. Adding 0.5 puts that unit
    // at the last bit of the float32 mantissa, so the addition itself rounds to nearest even.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000U));
  }
  const uint32_t odd = (magnitude >> 13) & 1U;
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000U + 0xFFFU + odd) >> 13));
}

float f32_from_bf16(uint16_t bits) noexcept {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

uint16_t bf16_from_f32(float value) noexcept {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<uint16_t>((bits >> 16) | 0x40U);
  return static_cast<uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

}  // namespace model
