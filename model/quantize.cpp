// Compiled with -ffp-contract=off, so that the bytes do not depend on the machine.
#include "model/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "model/block_formats.h"
#include "model/dequantize.h"
#include "model/error.h"
#include "model/quantize_k.h"
#include "model/utf8.h"

namespace model {
namespace {

constexpr float kLargestHalf = 65504.0F;

// The value of the largest magnitude, the first of equals.
float extreme(const float* x, int n) noexcept {
  float best = 0.0F;
  for (int i = 0; i < n; ++i) {
    if (std::fabs(x[i]) > std::fabs(best)) best = x[i];
  }
  return best;
}

// 1 / d, or 0 where there is nothing to divide.
float inverse(float d) noexcept {
  return d != 0.0F ? 1.0F / d : 0.0F;
}

// Cut towards zero, inside [0, highest] whatever the value.
int cut(float value, int highest) noexcept {
  if (!(value > 0.0F)) return 0;
  return value < static_cast<float>(highest) ? static_cast<int>(value) : highest;
}

void encode(const float* x, BlockQ8_0& b) noexcept {
  const float d = std::fabs(extreme(x, 32)) / 127.0F;
  const float id = inverse(d);
  b.d = f16_from_f32(d);
  for (int i = 0; i < 32; ++i) {
    const float q = std::round(x[i] * id);
    b.qs[i] = static_cast<int8_t>(q > -127.0F ? (q < 127.0F ? q : 127.0F) : -127.0F);
  }
}

// The value of the largest magnitude, whatever its sign, becomes the lowest number.
void encode(const float* x, BlockQ5_0& b) noexcept {
  const float d = extreme(x, 32) / -16.0F;
  const float id = inverse(d);
  b = {f16_from_f32(d), {}, {}};
  for (int i = 0; i < 16; ++i) {
    const int lower = cut(x[i] * id + 16.5F, 31);
    const int upper = cut(x[i + 16] * id + 16.5F, 31);
    b.qs[i] = static_cast<uint8_t>((lower & 15) | (upper & 15) << 4);
    b.qh[i / 8] = static_cast<uint8_t>(b.qh[i / 8] | lower >> 4 << (i % 8));
    b.qh[i / 8 + 2] = static_cast<uint8_t>(b.qh[i / 8 + 2] | upper >> 4 << (i % 8));
  }
}

void encode(const float* x, BlockQ4_0& b) noexcept {
  const float d = extreme(x, 32) / -8.0F;
  const float id = inverse(d);
  b.d = f16_from_f32(d);
  for (int i = 0; i < 16; ++i) {
    const int lower = cut(x[i] * id + 8.5F, 15);
    const int upper = cut(x[i + 16] * id + 8.5F, 15);
    b.qs[i] = static_cast<uint8_t>(lower | upper << 4);
  }
}

template <class Block, int kValues>
void encode_all(const float* x, int64_t n, std::byte* out) noexcept {
  CHECK(n % kValues == 0);
  for (int64_t i = 0; i < n / kValues; ++i) {
    Block block;
    encode(x + i * kValues, block);
    std::memcpy(out + i * static_cast<int64_t>(sizeof(Block)), &block, sizeof(Block));
  }
}

template <uint16_t (*kNarrow)(float) noexcept>
void narrow_all(const float* x, int64_t n, std::byte* out) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    const uint16_t bits = kNarrow(x[i]);
    std::memcpy(out + 2 * i, &bits, 2);
  }
}

[[noreturn]] void refuse(const Tensor& tensor, int64_t row, int64_t i, float x, DType type) {
  char number[32];
  std::snprintf(number, sizeof number, "%g", double{x});
  throw fulgurite::Error(fulgurite::ExitCode::kBadModel,
                         "value " + std::to_string(i) + " of row " + std::to_string(row) + " is " +
                             number + ", which cannot be stored as " + dtype_name(type),
                         "tensor " + quoted(tensor.name),
                         !std::isfinite(x)      ? "the model is damaged; fetch it again"
                         : type == DType::kBF16 ? "F32 can"
                                                : "BF16 and F32 can");
}

// Whether a block's scale, or BF16, was rounded to infinity.
bool is_finite(DType type, int64_t cols, const std::byte* stored) {
  std::vector<float> read(static_cast<size_t>(cols));
  dequantize(type, stored, cols, read.data());
  return std::all_of(read.begin(), read.end(), [](float x) { return std::isfinite(x); });
}

void store_row(const Tensor& tensor, int64_t row, const float* x, DType type, std::byte* out) {
  int64_t largest = 0;
  for (int64_t i = 0; i < tensor.cols(); ++i) {
    if (!std::isfinite(x[i])) refuse(tensor, row, i, x[i], type);
    if (std::fabs(x[i]) > std::fabs(x[largest])) largest = i;
  }
  quantize_row(type, x, tensor.cols(), out);
  if (std::fabs(x[largest]) > kLargestHalf && !is_finite(type, tensor.cols(), out))
    refuse(tensor, row, largest, x[largest], type);
}

}  // namespace

bool can_quantize(DType type) noexcept {
  switch (type) {
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
    case DType::kQ8_0:
    case DType::kQ5_0:
    case DType::kQ4_0:
    case DType::kQ6K:
    case DType::kQ4K:
      return true;
    default:
      return false;
  }
}

void quantize_row(DType type, const float* x, int64_t n, std::byte* out) noexcept {
  switch (type) {
    case DType::kF32:
      if (n > 0) std::memcpy(out, x, static_cast<size_t>(n) * sizeof(float));
      return;
    case DType::kF16:
      return narrow_all<f16_from_f32>(x, n, out);
    case DType::kBF16:
      return narrow_all<bf16_from_f32>(x, n, out);
    case DType::kQ8_0:
      return encode_all<BlockQ8_0, 32>(x, n, out);
    case DType::kQ5_0:
      return encode_all<BlockQ5_0, 32>(x, n, out);
    case DType::kQ4_0:
      return encode_all<BlockQ4_0, 32>(x, n, out);
    case DType::kQ6K:
      return encode_all<BlockQ6K, 256>(x, n, out);
    case DType::kQ4K:
      return encode_all<BlockQ4K, 256>(x, n, out);
    default:
      CHECK(false && "a type that can_quantize() refuses");
  }
}

void convert_rows(const Tensor& tensor, int64_t first, int64_t n, DType type, std::byte* out,
                  ThreadPool& pool) {
  CHECK(first >= 0 && n >= 0 && first + n <= tensor.rows());
  const size_t row_bytes = dtype_row_bytes(type, tensor.cols());
  if (type == tensor.dtype) {
    std::memcpy(out, tensor.row(first), row_bytes * static_cast<size_t>(n));
    return;
  }
  pool.run([&](int thread) {
    const auto [begin, end] = ThreadPool::share(n, thread, pool.size());
    std::vector<float> row(static_cast<size_t>(tensor.cols()));
    for (int64_t i = begin; i < end; ++i) {
      dequantize_row(tensor, first + i, row.data());
      store_row(tensor, first + i, row.data(), type, out + row_bytes * static_cast<size_t>(i));
    }
  });
}

}  // namespace model
