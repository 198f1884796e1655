// Compiled with -ffp-contract=off: a fused product and sum would round once where ggml rounds
// twice.
#include "model/dequantize.h"

#include <bit>
#include <cstring>

#include "model/block_formats.h"
#include "model/error.h"

namespace model {
namespace {

int low(uint8_t byte) noexcept {
  return byte & 15;
}
int high(uint8_t byte) noexcept {
  return byte >> 4;
}

void expand(const BlockQ4_0& b, float* y) noexcept {
  const float d = f32_from_f16(b.d);
  for (int i = 0; i < 16; ++i) {
    y[i] = static_cast<float>(low(b.qs[i]) - 8) * d;
    y[i + 16] = static_cast<float>(high(b.qs[i]) - 8) * d;
  }
}

void expand(const BlockQ4_1& b, float* y) noexcept {
  const float d = f32_from_f16(b.d);
  const float m = f32_from_f16(b.m);
  for (int i = 0; i < 16; ++i) {
    y[i] = static_cast<float>(low(b.qs[i])) * d + m;
    y[i + 16] = static_cast<float>(high(b.qs[i])) * d + m;
  }
}

// Bit i of a block's 32 high bits, worth 16.
int fifth_bit(const uint8_t* qh, int i) noexcept {
  return ((qh[i / 8] >> (i % 8)) & 1) << 4;
}

void expand(const BlockQ5_0& b, float* y) noexcept {
  const float d = f32_from_f16(b.d);
  for (int i = 0; i < 16; ++i) {
    y[i] = static_cast<float>((low(b.qs[i]) | fifth_bit(b.qh, i)) - 16) * d;
    y[i + 16] = static_cast<float>((high(b.qs[i]) | fifth_bit(b.qh, i + 16)) - 16) * d;
  }
}

void expand(const BlockQ5_1& b, float* y) noexcept {
  const float d = f32_from_f16(b.d);
  const float m = f32_from_f16(b.m);
  for (int i = 0; i < 16; ++i) {
    y[i] = static_cast<float>(low(b.qs[i]) | fifth_bit(b.qh, i)) * d + m;
    y[i + 16] = static_cast<float>(high(b.qs[i]) | fifth_bit(b.qh, i + 16)) * d + m;
  }
}

void expand(const BlockQ8_0& b, float* y) noexcept {
  const float d = f32_from_f16(b.d);
  for (int i = 0; i < 32; ++i) y[i] = static_cast<float>(b.qs[i]) * d;
}

void expand(const BlockIq4Nl& b, float* y) noexcept {
  const float d = f32_from_f16(b.d);
  for (int i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>(kIq4Values[low(b.qs[i])]);
    y[i + 16] = d * static_cast<float>(kIq4Values[high(b.qs[i])]);
  }
}

// 2^(e - 128): half of the scale, for kMxfp4Values are doubled. The two smallest are subnormal.
float half_of_e8m0(uint8_t e) noexcept {
  const uint32_t bits = e < 2 ? 0x00200000U << e : static_cast<uint32_t>(e - 1) << 23;
  return std::bit_cast<float>(bits);
}

void expand(const BlockMxfp4& b, float* y) noexcept {
  const float d = half_of_e8m0(b.e);
  for (int i = 0; i < 16; ++i) {
    y[i] = static_cast<float>(kMxfp4Values[low(b.qs[i])]) * d;
    y[i + 16] = static_cast<float>(kMxfp4Values[high(b.qs[i])]) * d;
  }
}

// Two bits a value: of each 32 bytes, the lowest bits are the first 32 values, and so on.
int two_bits(const uint8_t* qs, int i) noexcept {
  return (qs[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
}

void expand(const BlockQ2K& b, float* y) noexcept {
  const float d = f32_from_f16(b.d);
  const float dmin = f32_from_f16(b.dmin);
  for (int part = 0; part < 16; ++part) {
    const float scale = d * static_cast<float>(low(b.scales[part]));
    const float min = dmin * static_cast<float>(high(b.scales[part]));
    for (int i = 16 * part; i < 16 * part + 16; ++i) {
      y[i] = scale * static_cast<float>(two_bits(b.qs, i)) - min;
    }
  }
}

// Scale `part` of 16: four bits of the first eight bytes, two of the last four.
int scale_q3k(const uint8_t* scales, int part) noexcept {
  const int lower = part < 8 ? low(scales[part]) : high(scales[part - 8]);
  const int upper = (scales[8 + part % 4] >> (part / 4 * 2)) & 3;
  return (lower | upper << 4) - 32;
}

void expand(const BlockQ3K& b, float* y) noexcept {
  const float d = f32_from_f16(b.d);
  for (int part = 0; part < 16; ++part) {
    const float scale = d * static_cast<float>(scale_q3k(b.scales, part));
    for (int i = 16 * part; i < 16 * part + 16; ++i) {
      const int third = (b.hmask[i % 32] >> (i / 32)) & 1;
      y[i] = scale * static_cast<float>(two_bits(b.qs, i) - (third ? 0 : 4));
    }
  }
}

struct ScaleMin {
  float scale;
  float min;
};

// Pair `part` of 8. The first four lie whole in the low six bits; the bits left over there are
// the upper two of the last four.
ScaleMin scale_min_k4(const uint8_t* scales, int part) noexcept {
  if (part < 4) {
    return {static_cast<float>(scales[part] & 63), static_cast<float>(scales[part + 4] & 63)};
  }
  const int scale = low(scales[part + 4]) | scales[part - 4] >> 6 << 4;
  const int min = high(scales[part + 4]) | scales[part] >> 6 << 4;
  return {static_cast<float>(scale), static_cast<float>(min)};
}

// Four bits a value: of each 32 bytes, the lower nibbles are the first 32 values.
int four_bits(const uint8_t* qs, int i) noexcept {
  const uint8_t byte = qs[i / 64 * 32 + i % 32];
  return i % 64 < 32 ? low(byte) : high(byte);
}

void expand(const BlockQ4K& b, float* y) noexcept {
  const float d = f32_from_f16(b.d);
  const float dmin = f32_from_f16(b.dmin);
  for (int part = 0; part < 8; ++part) {
    const ScaleMin s = scale_min_k4(b.scales, part);
    const float scale = d * s.scale;
    const float min = dmin * s.min;
    for (int i = 32 * part; i < 32 * part + 32; ++i) {
      y[i] = scale * static_cast<float>(four_bits(b.qs, i)) - min;
    }
  }
}

void expand(const BlockQ5K& b, float* y) noexcept {
  const float d = f32_from_f16(b.d);
  const float dmin = f32_from_f16(b.dmin);
  for (int part = 0; part < 8; ++part) {
    const ScaleMin s = scale_min_k4(b.scales, part);
    const float scale = d * s.scale;
    const float min = dmin * s.min;
    for (int i = 32 * part; i < 32 * part + 32; ++i) {
      const int fifth = ((b.qh[i % 32] >> part) & 1) << 4;
      y[i] = scale * static_cast<float>(four_bits(b.qs, i) | fifth) - min;
    }
  }
}

void expand(const BlockQ6K& b, float* y) noexcept {
  const float d = f32_from_f16(b.d);
  for (int part = 0; part < 16; ++part) {
    const float scale = d * static_cast<float>(b.scales[part]);
    for (int i = 16 * part; i < 16 * part + 16; ++i) {
      // Of each 64 bytes of ql the lower nibbles are the first 64 values.
      const uint8_t byte = b.ql[i / 128 * 64 + i % 64];
      const int lower = i % 128 < 64 ? low(byte) : high(byte);
      const int q = (lower | two_bits(b.qh, i) << 4) - 32;
      y[i] = scale * static_cast<float>(q);
    }
  }
}

void expand(const BlockIq4Xs& b, float* y) noexcept {
  const float d = f32_from_f16(b.d);
  for (int part = 0; part < 8; ++part) {
    const int lower = (b.scales_l[part / 2] >> (part % 2 * 4)) & 15;
    const int upper = (b.scales_h >> (part * 2)) & 3;
    const float scale = d * static_cast<float>((lower | upper << 4) - 32);
    for (int i = 0; i < 16; ++i) {
      const uint8_t byte = b.qs[16 * part + i];
      y[32 * part + i] = scale * static_cast<float>(kIq4Values[low(byte)]);
      y[32 * part + i + 16] = scale * static_cast<float>(kIq4Values[high(byte)]);
    }
  }
}

// Blocks may lie at any address (formats other than GGUF align less), so each is copied.
template <class Block, int kValues>
void expand_all(const std::byte* blocks, int64_t n, float* out) noexcept {
  CHECK(n % kValues == 0);
  for (int64_t i = 0; i < n / kValues; ++i) {
    Block block;
    std::memcpy(&block, blocks + i * static_cast<int64_t>(sizeof(Block)), sizeof(Block));
    expand(block, out + i * kValues);
  }
}

template <float (*kWiden)(uint16_t) noexcept>
void widen_all(const std::byte* values, int64_t n, float* out) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    uint16_t bits = 0;
    std::memcpy(&bits, values + 2 * i, 2);
    out[i] = kWiden(bits);
  }
}

}  // namespace

void dequantize(DType type, const std::byte* blocks, int64_t n, float* out) noexcept {
  switch (type) {
    case DType::kF32:
      if (n > 0) std::memcpy(out, blocks, static_cast<size_t>(n) * sizeof(float));
      return;
    case DType::kF16:
      return widen_all<f32_from_f16>(blocks, n, out);
    case DType::kBF16:
      return widen_all<f32_from_bf16>(blocks, n, out);
    case DType::kQ4_0:
      return expand_all<BlockQ4_0, 32>(blocks, n, out);
    case DType::kQ4_1:
      return expand_all<BlockQ4_1, 32>(blocks, n, out);
    case DType::kQ5_0:
      return expand_all<BlockQ5_0, 32>(blocks, n, out);
    case DType::kQ5_1:
      return expand_all<BlockQ5_1, 32>(blocks, n, out);
    case DType::kQ8_0:
      return expand_all<BlockQ8_0, 32>(blocks, n, out);
    case DType::kQ2K:
      return expand_all<BlockQ2K, 256>(blocks, n, out);
    case DType::kQ3K:
      return expand_all<BlockQ3K, 256>(blocks, n, out);
    case DType::kQ4K:
      return expand_all<BlockQ4K, 256>(blocks, n, out);
    case DType::kQ5K:
      return expand_all<BlockQ5K, 256>(blocks, n, out);
    case DType::kQ6K:
      return expand_all<BlockQ6K, 256>(blocks, n, out);
    case DType::kIq4Nl:
      return expand_all<BlockIq4Nl, 32>(blocks, n, out);
    case DType::kIq4Xs:
      return expand_all<BlockIq4Xs, 256>(blocks, n, out);
    case DType::kMxfp4:
      return expand_all<BlockMxfp4, 32>(blocks, n, out);
  }
  CHECK(false && "a tensor type that require_runnable() refuses");
}

}  // namespace model
