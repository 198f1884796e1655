// The running 99th percentile of a stream of magnitudes, to within 5 %.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace engine {

// A histogram over log2 |value| with eight bins an octave from 2^-40 to 2^24.
class Percentile {
 public:
  void add(float value) noexcept {
    const float magnitude = std::abs(value);
    if (!(magnitude > 0.0F)) return;  // zeros and NaN say nothing about the scale
    const float bin = (std::log2(magnitude) - kLowest) * kPerOctave;
    ++counts_[static_cast<size_t>(std::fmin(std::fmax(bin, 0.0F), kBins - 1.0F))];
    ++total_;
  }

  // The middle of the bin in which the 99th percentile lies; 1 before there is any value.
  float p99() const noexcept {
    if (total_ == 0) return 1.0F;
    uint64_t above = total_ / 100;  // how many may lie above
    size_t bin = kBins - 1;
    while (bin > 0 && counts_[bin] <= above) above -= counts_[bin--];
    return std::exp2(kLowest + (static_cast<float>(bin) + 0.5F) / kPerOctave);
  }

 private:
  static constexpr float kLowest = -40.0F;
  static constexpr float kPerOctave = 8.0F;
  static constexpr size_t kBins = 512;
  std::array<uint32_t, kBins> counts_{};
  uint64_t total_ = 0;
};

}  // namespace engine
