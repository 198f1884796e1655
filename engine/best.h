// The greatest of many values in order, found as they are asked for: a vocabulary of 150,000
// is not sorted for the forty tokens that anyone looks at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace engine {

class Best {
 public:
  // values must outlive the questions. A NaN is never among the best.
  void reset(std::span<const float> values);

  size_t size() const noexcept { return values_.size(); }

  // The index of the i-th greatest, i from 0, ties by index; -1 where only NaNs are left.
  int32_t operator[](size_t i) {
    if (i >= sorted_.size() && !complete_) grow(i + 1);
    return i < sorted_.size() ? sorted_[i] : -1;
  }

 private:
  void grow(size_t n);

  std::span<const float> values_;
  std::vector<float> maxima_;  // of blocks of values
  std::vector<float> scratch_;
  std::vector<int32_t> sorted_;
  bool complete_ = false;  // sorted_ holds all there are
};

}  // namespace engine
