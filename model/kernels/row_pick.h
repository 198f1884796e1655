// Sixteen chosen weights of a row at once, for *_isa.cpp only: the same products as one() of the
// formats, for those that are most in use.
#pragma once

#include "model/kernels/row_terms.h"
#include "model/kernels/simd_math.h"

namespace model::FULGURITE_ISA {

#if defined(__AVX512F__)

using U32x16 = uint32_t __attribute__((vector_size(64)));

struct RowPick {
  const std::byte* row;
  int64_t bytes;  // of the row

  // Bytes at .. of each lane in the low ones of 32 bits. Nothing behind the row is read.
  FULGURITE_INLINE I32x16 bytes_at(const I32x16& at) const noexcept {
    const auto last = (I32x16)_mm512_set1_epi32(static_cast<int>(bytes) - 4);
    const auto from = (I32x16)_mm512_min_epi32((__m512i)at, (__m512i)last);
    const auto four = (U32x16)_mm512_i32gather_epi32((__m512i)from, row, 1);
    return (I32x16)(four >> (U32x16)((at - from) * 8));
  }
  FULGURITE_INLINE static F32x16 half(const I32x16& low) noexcept {
    return (F32x16)_mm512_cvtph_ps(_mm512_cvtepi32_epi16((__m512i)low));
  }
  FULGURITE_INLINE static F32x16 to_float(const I32x16& v) noexcept {
    return (F32x16)_mm512_cvtepi32_ps((__m512i)v);
  }
};

template <class F>
FULGURITE_INLINE F32x16 pick_sixteen(const RowPick& p, const I32x16& c) noexcept {
  alignas(64) float out[16];
  alignas(64) int32_t columns[16];
  store(columns, c);
  for (int k = 0; k < 16; ++k) out[k] = F::one(p.row, columns[k]);
  return load<F32x16>(out);
}

template <>
FULGURITE_INLINE F32x16 pick_sixteen<BlockRow<FormatQ8_0>>(const RowPick& p,
                                                           const I32x16& c) noexcept {
  const I32x16 block = (c >> 5) * 34;
  const I32x16 q = p.bytes_at(block + 2 + (c & 31)) << 24 >> 24;
  return p.half(p.bytes_at(block)) * p.to_float(q);
}

template <>
FULGURITE_INLINE F32x16 pick_sixteen<BlockRow<FormatQ4_0>>(const RowPick& p,
                                                           const I32x16& c) noexcept {
  const I32x16 block = (c >> 5) * 18;
  const I32x16 q = p.bytes_at(block + 2 + (c & 15)) >> (c >> 2 & 4) & 15;
  return p.half(p.bytes_at(block)) * p.to_float(q - 8);
}

template <>
FULGURITE_INLINE F32x16 pick_sixteen<BlockRow<FormatQ4K>>(const RowPick& p,
                                                          const I32x16& c) noexcept {
  const I32x16 at = (c >> 8) * 144;
  const I32x16 b = c >> 5 & 7;
  const I32x16 d = p.bytes_at(at);
  const I32x16 low = p.bytes_at(at + 4 + (b & 3));
  const I32x16 middle = p.bytes_at(at + 8 + (b & 3));
  const I32x16 high = p.bytes_at(at + 12 + (b & 3));
  const I32x16 upper = b > 3;
  const I32x16 scale = choose(upper, (high & 15) | (low >> 6 & 3) << 4, low & 63);
  const I32x16 min = choose(upper, (high >> 4 & 15) | (middle >> 6 & 3) << 4, middle & 63);
  const I32x16 q = p.bytes_at(at + 16 + 32 * (b >> 1) + (c & 31)) >> (b & 1) * 4 & 15;
  return p.half(d) * p.to_float(scale) * p.to_float(q) -
         p.half((I32x16)((U32x16)d >> 16)) * p.to_float(min);
}

template <>
FULGURITE_INLINE F32x16 pick_sixteen<BlockRow<FormatQ6K>>(const RowPick& p,
                                                          const I32x16& c) noexcept {
  const I32x16 at = (c >> 8) * 210;
  const I32x16 b = c >> 5 & 7;
  const I32x16 i = c & 31;
  const I32x16 low = p.bytes_at(at + 64 * (b >> 2) + 32 * (b & 1) + i) >> (b & 2) * 2 & 15;
  const I32x16 high = p.bytes_at(at + 128 + 32 * (b >> 2) + i) >> (b & 3) * 2 & 3;
  const I32x16 scale = p.bytes_at(at + 192 + (c >> 4 & 15)) << 24 >> 24;
  return p.half(p.bytes_at(at + 208)) * p.to_float(scale) * p.to_float((low | high << 4) - 32);
}

#endif

}  // namespace model::FULGURITE_ISA
