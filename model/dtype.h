// Element types of stored tensors. The numbers are those of the GGUF file format
// (github.com/ggml-org/ggml/blob/master/docs/gguf.md, enum ggml_type).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace model {

enum class DType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2K = 10,
  kQ3K = 11,
  kQ4K = 12,
  kQ5K = 13,
  kQ6K = 14,
  kIq4Nl = 20,
  kIq4Xs = 23,
  kBF16 = 30,
  kMxfp4 = 39,
};

// Name as people write it ("F16"); for a number that we do not read, GGUF's own name
// where it is known ("Q4_K"), else "type 99".
std::string dtype_name(uint32_t gguf_type);
inline std::string dtype_name(DType type) {
  return dtype_name(static_cast<uint32_t>(type));
}
// Name of a type that GGUF had once and withdrew ("Q4_0_4_4"); empty: it is none.
std::string_view withdrawn_dtype(uint32_t gguf_type) noexcept;

// The type of a name, upper or lower case ("q8_0", "Q4_K", "f16"); empty: no such name, or a type
// that the kernels cannot read.
std::optional<DType> dtype_from_name(std::string_view name);

// How a type stores a row: `elements` values in `bytes` bytes. {0, 0} for a number that
// GGUF does not define (or no longer does).
struct BlockSize {
  int64_t elements;
  size_t bytes;
};
BlockSize dtype_block(uint32_t gguf_type) noexcept;
inline BlockSize dtype_block(DType type) noexcept {
  return dtype_block(static_cast<uint32_t>(type));
}

// True for the types that the kernels can read.
bool dtype_supported(uint32_t gguf_type) noexcept;
inline bool dtype_supported(DType type) noexcept {
  return dtype_supported(static_cast<uint32_t>(type));
}

// Bytes of n elements in one row. n must be a multiple of the type's block. Known for every
// type of GGUF, computable or not; CHECKs that the type is known.
size_t dtype_row_bytes(DType type, int64_t n) noexcept;

// IEEE 754 binary16 <-> binary32; to_f16 rounds to nearest even.
float f32_from_f16(uint16_t half) noexcept;
uint16_t f16_from_f32(float value) noexcept;

// bfloat16, the upper half of a binary32; to_bf16 rounds to nearest even, NaN stays NaN.
float f32_from_bf16(uint16_t bits) noexcept;
uint16_t bf16_from_f32(float value) noexcept;

}  // namespace model
