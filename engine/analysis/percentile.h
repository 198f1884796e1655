// The running 99th percentile of a stream of magnitudes, to within 4 %. Values below a 64th of it
// count as that 64th: where the percentile falls so far, it is told too large, never too small.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "model/kernels/ops.h"

namespace engine {

// A histogram over |value| with sixteen equal bins an octave from 2^-40 to 2^24: the exponent
// and the upper four bits of a float's mantissa are the number of its bin.
class Percentile {
 public:
  void add(float value) noexcept {
    const int32_t bits = magnitude(value);
    if (!counts(bits)) return;
    ++total_;
    ++count_of(bits >= floor_ ? bits : below_floor());
  }

  // Values far below the percentile so far are taken for as large as they might be at most, which
  // goes by vectors.
  void add(std::span<const float> values) noexcept {
    const auto floor = std::bit_cast<float>(floor_);
    const auto [counted, high] =
        model::tally(values.data(), static_cast<int64_t>(values.size()), floor);
    total_ += static_cast<uint64_t>(counted);
    if (counted > high) count_of(below_floor()) += static_cast<uint32_t>(counted - high);
    if (high > 0) count(values, floor);
    const int32_t found = bin_of_p99();
    floor_ = found > kApart ? (kLowest + found - kApart) << kShift : 0;
  }

  // The middle of the bin in which the 99th percentile lies; 1 before there is any value.
  float p99() const noexcept {
    if (total_ == 0) return 1.0F;
    return std::bit_cast<float>(((kLowest + bin_of_p99()) << kShift) + (1 << (kShift - 1)));
  }

 private:
  static constexpr int kShift = 19;
  static constexpr int32_t kLowest = (127 - 40) << 4;
  static constexpr int32_t kBins = 64 << 4;
  static constexpr int32_t kApart = 6 << 4;  // six octaves

  int32_t below_floor() const noexcept { return std::max(floor_ - 1, 0); }

  static int32_t magnitude(float value) noexcept {
    return std::bit_cast<int32_t>(value) & 0x7FFFFFFF;
  }
  // Zeros and NaN say nothing about the scale.
  static bool counts(int32_t bits) noexcept { return bits > 0 && bits <= 0x7F800000; }

  void count(std::span<const float> values, float floor) noexcept {
    constexpr size_t kPart = 512;
    std::array<int16_t, kPart> bins;
    for (; !values.empty(); values = values.subspan(std::min(kPart, values.size()))) {
      const size_t n = std::min(kPart, values.size());
      model::bins_of(values.data(), static_cast<int64_t>(n), {kShift, kLowest, kBins}, floor,
                     bins.data());
      for (size_t i = 0; i < n; ++i) ++counts_[static_cast<size_t>(bins[i])];
      int32_t highest = highest_;
      for (size_t i = 0; i < n; ++i) highest = std::max(highest, bins[i] < kBins ? bins[i] : 0);
      highest_ = highest;
    }
  }

  uint32_t& count_of(int32_t bits) noexcept {
    const int32_t bin = std::clamp(bits >> kShift, kLowest, kLowest + kBins - 1) - kLowest;
    highest_ = std::max(highest_, bin);
    return counts_[static_cast<size_t>(bin)];
  }

  int32_t bin_of_p99() const noexcept {
    uint64_t above = total_ / 100;  // how many may lie above
    int32_t bin = highest_;
    while (bin > 0 && counts_[static_cast<size_t>(bin)] <= above) {
      above -= counts_[static_cast<size_t>(bin--)];
    }
    return bin;
  }

  std::array<uint32_t, kBins + 16> counts_{};  // the last 16: of what does not count
  uint64_t total_ = 0;
  int32_t highest_ = 0;  // bin that holds a value
  int32_t floor_ = 0;    // magnitudes below are in the bin below it
};

}  // namespace engine
