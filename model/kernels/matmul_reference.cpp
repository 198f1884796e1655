#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "model/error.h"
#include "model/kernels/matmul.h"
#include "model/kernels/plain_block.h"

namespace model {
namespace {

float plain_float(DType type, const std::byte* row, int64_t c) noexcept {
  uint32_t bits = 0;
  std::memcpy(&bits, row + c * (type == DType::kF32 ? 4 : 2), type == DType::kF32 ? 4 : 2);
  if (type == DType::kF16) return f32_from_f16(static_cast<uint16_t>(bits));
  return std::bit_cast<float>(type == DType::kF32 ? bits : bits << 16U);
}

float float_term(DType type, const std::byte* row, const float* x, int64_t begin,
                 int64_t end) noexcept {
  float p[kBlockWidth] = {};
  for (int64_t c = begin; c < end; ++c) p[c - begin] = plain_float(type, row, c) * x[c];
  for (int64_t half = kBlockWidth / 2; half > 0; half /= 2) {
    for (int64_t k = 0; k < half; ++k) p[k] += p[k + half];
  }
  return p[0];
}

float block_term(const PlainBlock& w, bool min, const int8_t* q, float dx) noexcept {
  int32_t a = 0;
  int32_t b = 0;
  for (int k = 0; k < kBlockWidth; ++k) {
    a += w.scale[k / 16] * w.w[k] * q[k];
    b += w.min[k / 16] * q[k];
  }
  const float t = (w.d * dx) * static_cast<float>(a);
  return min ? t - (w.m * dx) * static_cast<float>(b) : t;
}

}  // namespace

void matmul_reference(const Linear& w, const Input& x, float* y, int64_t ld) noexcept {
  const DType type = w.weight.dtype;
  for (int64_t i = 0; i < x.n(); ++i) {
    for (int64_t r = 0; r < w.weight.rows(); ++r) {
      const std::byte* row = w.weight.row(r);
      float lanes[8] = {};
      for (int64_t b = 0; b * kBlockWidth < x.cols(); ++b) {
        const int64_t begin = b * kBlockWidth;
        lanes[b % 8] +=
            rounds_input(type)
                ? block_term(plain_block(type, row, b), has_min(type), x.q(i) + begin, x.d(i)[b])
                : float_term(type, row, x.row(i), begin, std::min(begin + kBlockWidth, x.cols()));
      }
      float sum = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
                  ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
      if (w.bias.data != nullptr) sum += plain_float(DType::kF32, w.bias.data, r);
      y[i * ld + r] = sum;
    }
  }
}

}  // namespace model
