// Functions of sixteen floats at once, for *_isa.cpp only.
#pragma once

#include "model/kernels/simd.h"

namespace model::FULGURITE_ISA {

inline constexpr float kRoundToInteger = 12582912.0F;  // 1.5 * 2^23: adding it rounds, to even

// mask: integers as wide as V, of all bits or none.
template <class M, class V>
FULGURITE_INLINE V choose(const M& mask, const V& yes, const V& no) noexcept {
  return (V)((mask & (M)yes) | (~mask & (M)no));
}

FULGURITE_INLINE I32x8 larger(const I32x8& a, const I32x8& b) noexcept {
#if defined(__AVX2__)
  return (I32x8)_mm256_max_epi32((__m256i)a, (__m256i)b);
#else
  return choose(a > b, a, b);
#endif
}

// a > b ? a : b, and a < b ? a : b: where one is NaN, b.
FULGURITE_INLINE I32x16 larger(const I32x16& a, const I32x16& b) noexcept {
#if defined(__AVX512F__)
  return (I32x16)_mm512_max_epi32((__m512i)a, (__m512i)b);
#else
  return choose(a > b, a, b);
#endif
}
FULGURITE_INLINE I32x16 smaller(const I32x16& a, const I32x16& b) noexcept {
#if defined(__AVX512F__)
  return (I32x16)_mm512_min_epi32((__m512i)a, (__m512i)b);
#else
  return choose(a < b, a, b);
#endif
}
FULGURITE_INLINE F32x16 larger(const F32x16& a, const F32x16& b) noexcept {
#if defined(__AVX512F__)
  return (F32x16)_mm512_max_ps((__m512)a, (__m512)b);
#else
  return choose(a > b, a, b);
#endif
}
FULGURITE_INLINE F32x16 smaller(const F32x16& a, const F32x16& b) noexcept {
#if defined(__AVX512F__)
  return (F32x16)_mm512_min_ps((__m512)a, (__m512)b);
#else
  return choose(a < b, a, b);
#endif
}

// To the nearest whole number, to even ones between two; |x| < 2^22.
FULGURITE_INLINE I32x8 round_to_int(const F32x8& x) noexcept {
#if defined(__AVX2__)
  return (I32x8)_mm256_cvtps_epi32((__m256)x);
#else
  return to_int((x + kRoundToInteger) - kRoundToInteger);
#endif
}

// e^x = 2^k e^r with r = x - k ln 2 in [-ln2/2, ln2/2].
struct ExpParts {
  F32x16 power;  // 2^k
  F32x16 rest;   // e^r - 1
};

// For |x| <= 87. The series of e^r - 1 to r^8: its error is below 2^-27.
FULGURITE_INLINE ExpParts exp_parts(const F32x16& x) noexcept {
  const F32x16 shifted = x * 1.44269504F + kRoundToInteger;
  const F32x16 k = shifted - kRoundToInteger;
  const F32x16 r = (x - k * 0.693145752F) - k * 1.42860677e-6F;  // ln 2 in two parts
  F32x16 p = r * (1.0F / 5040.0F) + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  return {(F32x16)((to_int(k) + 127) << 23), p * (r * r) + r};
}

FULGURITE_INLINE F32x16 clamp(const F32x16& x, float low, float high) noexcept {
  return smaller(F32x16{} + high, larger(F32x16{} + low, x));
}

// e^x within 3e-7 of it; 0 below -87, e^88 above 88; NaN stays.
FULGURITE_INLINE F32x16 exp(const F32x16& x) noexcept {
  const F32x16 tame = choose(x == x, clamp(x, -87.0F, 88.0F), F32x16{});
  const ExpParts parts = exp_parts(tame);
  const F32x16 y = parts.power * parts.rest + parts.power;
  return choose(x == x, choose(x < -87.0F, F32x16{}, y), x);
}

// (e^2z - 1) / (e^2z + 1), with e^2z - 1 free of cancellation.
FULGURITE_INLINE F32x16 tanh(const F32x16& z) noexcept {
  const F32x16 tame = choose(z == z, clamp(z, -10.0F, 10.0F), F32x16{});
  const I32x16 sign = (I32x16)tame & INT32_MIN;
  const ExpParts parts = exp_parts((F32x16)((I32x16)tame ^ sign) * 2.0F);
  const F32x16 minus_one = parts.power * parts.rest + (parts.power - 1.0F);
  const F32x16 y = minus_one / (minus_one + 2.0F);
  return choose(z == z, (F32x16)((I32x16)y | sign), z);
}

// x / (1 + e^-k x)
FULGURITE_INLINE F32x16 times_sigmoid(const F32x16& x, const F32x16& of) noexcept {
  return x / (exp(-of) + 1.0F);
}

}  // namespace model::FULGURITE_ISA
