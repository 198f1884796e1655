// The running 99th percentile of a stream of magnitudes, to within 4 %.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace engine {

// A histogram over |value| with sixteen equal bins an octave from 2^-40 to 2^24: the exponent
// and the upper four bits of a float's mantissa are the number of its bin.
class Percentile {
 public:
  void add(float value) noexcept {
    const uint32_t bits = std::bit_cast<uint32_t>(value) & 0x7FFFFFFFU;
    if (bits == 0 || bits > 0x7F800000U) return;  // zeros and NaN say nothing about the scale
    const uint32_t bin = std::clamp(bits >> kShift, kLowest, kLowest + kBins - 1) - kLowest;
    ++counts_[bin];
    ++total_;
  }

  // The middle of the bin in which the 99th percentile lies; 1 before there is any value.
  float p99() const noexcept {
    if (total_ == 0) return 1.0F;
    uint64_t above = total_ / 100;  // how many may lie above
    uint32_t bin = kBins - 1;
    while (bin > 0 && counts_[bin] <= above) above -= counts_[bin--];
    return std::bit_cast<float>(((kLowest + bin) << kShift) + (1U << (kShift - 1)));
  }

 private:
  static constexpr uint32_t kShift = 19;
  static constexpr uint32_t kLowest = (127 - 40) << 4;
  static constexpr uint32_t kBins = 64 << 4;
  std::array<uint32_t, kBins> counts_{};
  uint64_t total_ = 0;
};

}  // namespace engine
