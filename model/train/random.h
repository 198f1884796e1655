// Counter-based randomness: a draw is a pure function of (seed, what it is for), so that
// training can stop, resume and split over threads without a generator's state.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace model::train {

// SplitMix64's output function (Steele, Lea & Flood 2014) over a running sum.
inline uint64_t mix(uint64_t seed, uint64_t counter) noexcept {
  uint64_t z = seed + (counter + 1) * 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

// Uniform integer in [0, n), n < 2^63; the bias of the multiply is below n / 2^64.
inline uint64_t below(uint64_t bits, uint64_t n) noexcept {
  const uint64_t high = bits >> 32U;
  const uint64_t low = bits & 0xFFFFFFFFU;
  if (n <= 0xFFFFFFFFU) return (high * n + ((low * n) >> 32U)) >> 32U;
  return bits % n;
}

// Standard normal from 64 random bits (Box & Muller 1958).
inline float normal(uint64_t bits) noexcept {
  const double u = (static_cast<double>(bits >> 32U) + 1.0) / 4294967296.0;
  const double v = static_cast<double>(bits & 0xFFFFFFFFU) / 4294967296.0;
  return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v));
}

}  // namespace model::train
