// Random matrices of every storage format, for the tests of the products.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "model/block_formats.h"
#include "model/kernels/matmul.h"

namespace model {

inline constexpr std::array kEveryType = {
    DType::kF32,  DType::kF16,   DType::kBF16,  DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,
    DType::kQ5_1, DType::kQ8_0,  DType::kQ2K,   DType::kQ3K,  DType::kQ4K,  DType::kQ5K,
    DType::kQ6K,  DType::kIq4Nl, DType::kIq4Xs, DType::kMxfp4};

inline int64_t block_elements(DType type) {
  return dtype_block(type).elements;
}

// |a - b| / |b|
template <class A>
double distance(const A& a, const std::vector<double>& b) {
  double off = 0.0;
  double size = 0.0;
  for (size_t i = 0; i < b.size(); ++i) {
    off += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(off / size);
}

// W^T u multiplies weights in blocks with 16 bits of the largest factor of sixteen rows.
inline double back_error(DType type, double of_floats) {
  return rounds_input(type) ? 4e-5 : of_floats;
}

// Any bytes are a valid block; only the binary16 scales must be numbers of a sensible size.
class RandomMatrix {
 public:
  RandomMatrix(DType type, int64_t rows, int64_t cols, bool with_bias = false, uint32_t seed = 1)
      : random_(seed + static_cast<uint32_t>(rows * 31 + cols)) {
    linear_.weight.dtype = type;
    linear_.weight.ne = {cols, rows, 1, 1};
    bytes_.resize(linear_.weight.bytes());
    linear_.weight.data = bytes_.data();
    fill(type);
    if (with_bias) {
      bias_ = normal(rows);
      linear_.bias.ne = {rows, 1, 1, 1};
      linear_.bias.data = reinterpret_cast<const std::byte*>(bias_.data());
    }
  }
  RandomMatrix(const RandomMatrix&) = delete;

  const Linear& linear() const { return linear_; }
  std::byte* bytes() { return bytes_.data(); }

  // Every byte but those of the binary16 scales.
  void set_all(std::byte value) {
    std::fill(bytes_.begin(), bytes_.end(), value);
    set_scales(linear_.weight.dtype);
  }

  std::vector<float> normal(int64_t n) {
    std::normal_distribution<float> distribution;
    std::vector<float> values(static_cast<size_t>(n));
    for (float& value : values) value = distribution(random_);
    return values;
  }

  std::vector<double> row(int64_t r) const {
    std::vector<float> values(static_cast<size_t>(linear_.weight.cols()));
    dequantize_row(linear_.weight, r, values.data());
    return {values.begin(), values.end()};
  }

 private:
  // Where the binary16 numbers of a block lie.
  static std::vector<size_t> halves(DType type) {
    switch (type) {
      case DType::kQ4_1:
      case DType::kQ5_1:
      case DType::kQ4K:
      case DType::kQ5K:
        return {0, 2};
      case DType::kQ2K:
        return {offsetof(BlockQ2K, d), offsetof(BlockQ2K, dmin)};
      case DType::kQ3K:
        return {offsetof(BlockQ3K, d)};
      case DType::kQ6K:
        return {offsetof(BlockQ6K, d)};
      case DType::kMxfp4:
        return {};
      default:
        return {0};
    }
  }

  void fill(DType type) {
    for (std::byte& byte : bytes_) byte = static_cast<std::byte>(random_() & 255U);
    set_scales(type);
  }

  void set_scales(DType type) {
    const size_t size = dtype_block(type).bytes;
    std::uniform_real_distribution<float> scale(0.5F, 1.5F);
    for (size_t at = 0; at < bytes_.size(); at += size) {
      const float value = scale(random_) - (type == DType::kF32 || size == 2 ? 1.0F : 0.0F);
      if (type == DType::kF32) std::memcpy(&bytes_[at], &value, 4);
      if (type == DType::kF32) continue;
      if (type == DType::kMxfp4) {
        bytes_[at] = static_cast<std::byte>(120 + random_() % 8);
        continue;
      }
      for (const size_t half : halves(type)) {
        const float sized = type == DType::kF16 ? value : (scale(random_) - 0.4F) / 16.0F;
        const uint16_t bits = type == DType::kBF16
                                  ? static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16U)
                                  : f16_from_f32(sized);
        std::memcpy(&bytes_[at + half], &bits, 2);
      }
    }
  }

  std::mt19937 random_;
  Linear linear_;
  std::vector<std::byte> bytes_;
  std::vector<float> bias_;
};

}  // namespace model
