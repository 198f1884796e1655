#include "engine/best.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "engine/softmax.h"

namespace engine {

void Best::reset(std::span<const float> values) {
  values_ = values;
  maxima_.resize(logit_blocks(values.size()));
  block_maxima(values, maxima_.data());
  sorted_.clear();
  complete_ = false;
}

void Best::grow(size_t n) {
  constexpr size_t kFirst = 64;
  n = std::max({n, kFirst, sorted_.size() * 4});
  // The n greatest block maxima are n values, so the n greatest values are at least as great as
  // the least of them, and lie in blocks whose maximum is.
  float least = -std::numeric_limits<float>::infinity();
  if (n < maxima_.size()) {
    scratch_ = maxima_;
    std::nth_element(scratch_.begin(), scratch_.begin() + static_cast<std::ptrdiff_t>(n - 1),
                     scratch_.end(), std::greater<>());
    least = scratch_[n - 1];
  }
  sorted_.clear();
  for (size_t block = 0; block < maxima_.size(); ++block) {
    if (maxima_[block] < least) continue;
    const size_t end = std::min(values_.size(), (block + 1) * kLogitBlock);
    for (size_t i = block * kLogitBlock; i < end; ++i) {
      if (values_[i] >= least) sorted_.push_back(static_cast<int32_t>(i));
    }
  }
  const auto before = [this](int32_t a, int32_t b) {
    const float x = values_[static_cast<size_t>(a)];
    const float y = values_[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  };
  if (n < sorted_.size()) {
    const auto end = sorted_.begin() + static_cast<std::ptrdiff_t>(n);
    std::nth_element(sorted_.begin(), end, sorted_.end(), before);
    sorted_.resize(n);
  } else if (n >= values_.size() || n >= maxima_.size()) {
    complete_ = true;
  }
  std::sort(sorted_.begin(), sorted_.end(), before);
}

}  // namespace engine
