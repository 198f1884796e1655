#include "model/kernels/plain_block.h"

#include <bit>
#include <cstring>

#include "model/block_formats.h"
#include "model/error.h"

namespace model {
namespace {

// 2^(e - 127) / 2; the two smallest are subnormal.
float half_of_e8m0(uint8_t e) noexcept {
  return std::bit_cast<float>(e < 2 ? 0x00200000U << e : (e - 1U) << 23U);
}

// Stored blocks need not be aligned in a file.
template <class Block>
Block block_at(const std::byte* row, int64_t i) noexcept {
  Block block;
  std::memcpy(&block, row + i * static_cast<int64_t>(sizeof(Block)), sizeof(Block));
  return block;
}

int32_t nibble(const uint8_t* qs, int i) noexcept {
  return i < 16 ? qs[i] & 15 : qs[i - 16] >> 4;
}

int32_t fifth_bit(const uint8_t* qh, int i) noexcept {
  return ((qh[i / 8] >> (i % 8)) & 1) << 4;
}

PlainBlock q4_0(const BlockQ4_0& in) noexcept {
  PlainBlock out;
  for (int i = 0; i < 32; ++i) out.w[i] = nibble(in.qs, i) - 8;
  out.d = f32_from_f16(in.d);
  return out;
}

PlainBlock q4_1(const BlockQ4_1& in) noexcept {
  PlainBlock out;
  for (int i = 0; i < 32; ++i) out.w[i] = nibble(in.qs, i);
  out.d = f32_from_f16(in.d);
  out.m = f32_from_f16(in.m);
  out.min[0] = out.min[1] = -1;
  return out;
}

PlainBlock q5_0(const BlockQ5_0& in) noexcept {
  PlainBlock out;
  for (int i = 0; i < 32; ++i) out.w[i] = (nibble(in.qs, i) | fifth_bit(in.qh, i)) - 16;
  out.d = f32_from_f16(in.d);
  return out;
}

PlainBlock q5_1(const BlockQ5_1& in) noexcept {
  PlainBlock out;
  for (int i = 0; i < 32; ++i) out.w[i] = nibble(in.qs, i) | fifth_bit(in.qh, i);
  out.d = f32_from_f16(in.d);
  out.m = f32_from_f16(in.m);
  out.min[0] = out.min[1] = -1;
  return out;
}

PlainBlock q8_0(const BlockQ8_0& in) noexcept {
  PlainBlock out;
  for (int i = 0; i < 32; ++i) out.w[i] = in.qs[i];
  out.d = f32_from_f16(in.d);
  return out;
}

PlainBlock iq4_nl(const BlockIq4Nl& in) noexcept {
  PlainBlock out;
  for (int i = 0; i < 32; ++i) out.w[i] = kIq4Values[nibble(in.qs, i)];
  out.d = f32_from_f16(in.d);
  return out;
}

PlainBlock mxfp4(const BlockMxfp4& in) noexcept {
  PlainBlock out;
  for (int i = 0; i < 32; ++i) out.w[i] = kMxfp4Values[nibble(in.qs, i)];
  out.d = half_of_e8m0(in.e);
  return out;
}

PlainBlock q2_k(const BlockQ2K& in, int b) noexcept {
  PlainBlock out;
  for (int i = 0; i < 32; ++i) out.w[i] = (in.qs[32 * (b / 4) + i] >> (2 * (b % 4))) & 3;
  for (int h = 0; h < 2; ++h) {
    out.scale[h] = in.scales[2 * b + h] & 15;
    out.min[h] = in.scales[2 * b + h] >> 4;
  }
  out.d = f32_from_f16(in.d);
  out.m = f32_from_f16(in.dmin);
  return out;
}

PlainBlock q3_k(const BlockQ3K& in, int b) noexcept {
  PlainBlock out;
  for (int i = 0; i < 32; ++i) {
    const int low = (in.qs[32 * (b / 4) + i] >> (2 * (b % 4))) & 3;
    out.w[i] = (low | ((in.hmask[i] >> b) & 1) << 2) - 4;
  }
  for (int h = 0; h < 2; ++h) {
    const int k = 2 * b + h;
    const int low = k < 8 ? in.scales[k] & 15 : in.scales[k - 8] >> 4;
    const int high = (in.scales[8 + k % 4] >> (2 * (k / 4))) & 3;
    out.scale[h] = (low | high << 4) - 32;
  }
  out.d = f32_from_f16(in.d);
  return out;
}

// The eight 6-bit scales and minima of Q4_K and Q5_K.
void scale_and_min(const uint8_t* s, int b, PlainBlock& out) noexcept {
  const int scale = b < 4 ? s[b] & 63 : (s[b + 4] & 15) | (s[b - 4] >> 6) << 4;
  const int min = b < 4 ? s[b + 4] & 63 : (s[b + 4] >> 4) | (s[b] >> 6) << 4;
  out.scale[0] = out.scale[1] = scale;
  out.min[0] = out.min[1] = min;
}

PlainBlock q4_k(const BlockQ4K& in, int b) noexcept {
  PlainBlock out;
  for (int i = 0; i < 32; ++i) out.w[i] = (in.qs[32 * (b / 2) + i] >> (4 * (b % 2))) & 15;
  scale_and_min(in.scales, b, out);
  out.d = f32_from_f16(in.d);
  out.m = f32_from_f16(in.dmin);
  return out;
}

PlainBlock q5_k(const BlockQ5K& in, int b) noexcept {
  PlainBlock out;
  for (int i = 0; i < 32; ++i) {
    const int low = (in.qs[32 * (b / 2) + i] >> (4 * (b % 2))) & 15;
    out.w[i] = low | ((in.qh[i] >> b) & 1) << 4;
  }
  scale_and_min(in.scales, b, out);
  out.d = f32_from_f16(in.d);
  out.m = f32_from_f16(in.dmin);
  return out;
}

PlainBlock q6_k(const BlockQ6K& in, int b) noexcept {
  PlainBlock out;
  const int half = b / 4;
  const int quarter = b % 4;
  for (int i = 0; i < 32; ++i) {
    const int low = (in.ql[64 * half + 32 * (quarter % 2) + i] >> (4 * (quarter / 2))) & 15;
    const int high = (in.qh[32 * half + i] >> (2 * quarter)) & 3;
    out.w[i] = (low | high << 4) - 32;
  }
  for (int h = 0; h < 2; ++h) out.scale[h] = in.scales[2 * b + h];
  out.d = f32_from_f16(in.d);
  return out;
}

PlainBlock iq4_xs(const BlockIq4Xs& in, int b) noexcept {
  PlainBlock out;
  for (int i = 0; i < 32; ++i) out.w[i] = kIq4Values[nibble(in.qs + 16 * b, i)];
  const int low = (in.scales_l[b / 2] >> (4 * (b % 2))) & 15;
  const int high = (in.scales_h >> (2 * b)) & 3;
  out.scale[0] = out.scale[1] = (low | high << 4) - 32;
  out.d = f32_from_f16(in.d);
  return out;
}

}  // namespace

PlainBlock plain_block(DType type, const std::byte* row, int64_t b) noexcept {
  const int64_t super = b / 8;
  const int sub = static_cast<int>(b % 8);
  switch (type) {
    case DType::kQ4_0:
      return q4_0(block_at<BlockQ4_0>(row, b));
    case DType::kQ4_1:
      return q4_1(block_at<BlockQ4_1>(row, b));
    case DType::kQ5_0:
      return q5_0(block_at<BlockQ5_0>(row, b));
    case DType::kQ5_1:
      return q5_1(block_at<BlockQ5_1>(row, b));
    case DType::kQ8_0:
      return q8_0(block_at<BlockQ8_0>(row, b));
    case DType::kIq4Nl:
      return iq4_nl(block_at<BlockIq4Nl>(row, b));
    case DType::kMxfp4:
      return mxfp4(block_at<BlockMxfp4>(row, b));
    case DType::kQ2K:
      return q2_k(block_at<BlockQ2K>(row, super), sub);
    case DType::kQ3K:
      return q3_k(block_at<BlockQ3K>(row, super), sub);
    case DType::kQ4K:
      return q4_k(block_at<BlockQ4K>(row, super), sub);
    case DType::kQ5K:
      return q5_k(block_at<BlockQ5K>(row, super), sub);
    case DType::kQ6K:
      return q6_k(block_at<BlockQ6K>(row, super), sub);
    case DType::kIq4Xs:
      return iq4_xs(block_at<BlockIq4Xs>(row, super), sub);
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      break;
  }
  CHECK(false && "a format of blocks");
  return {};
}

bool has_min(DType type) noexcept {
  return type == DType::kQ4_1 || type == DType::kQ5_1 || type == DType::kQ2K ||
         type == DType::kQ4K || type == DType::kQ5K;
}

}  // namespace model
