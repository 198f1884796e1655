#include "render/governor.h"

#include <algorithm>
#include <iterator>

namespace render {

namespace {

constexpr int kSettle = 4;       // frames in flight when the scale changes, and one more
constexpr double kNewest = 0.2;  // weight of the newest frame in the average
constexpr double kRoom = 0.85;   // share of the budget that may be used after going up
constexpr int kLongest = 960;    // frames of patience at most

}  // namespace

void Governor::add(double gpu_ms) {
  if (!(gpu_ms > 0.0)) return;
  ++frames_;
  if (frames_ <= kSettle) return;
  smooth_ms_ = frames_ == kSettle + 1 ? gpu_ms : smooth_ms_ + kNewest * (gpu_ms - smooth_ms_);
  if (frames_ < 2 * kSettle) return;
  // A part of a frame's time goes with its pixels, the rest stays: scale as if all of it did when
  // going up, so as not to come back at once.
  if (smooth_ms_ > budget_ms_ && at_ + 1 < std::size(kScales)) {
    size_t to = at_ + 1;
    const auto fits = [&](size_t i) {
      const double share = static_cast<double>(kScales[i] / kScales[at_]);
      return smooth_ms_ * share * share <= budget_ms_;
    };
    while (to + 1 < std::size(kScales) && !fits(to)) ++to;
    // It was too much a moment ago already: wait longer before the next attempt.
    patience_ = std::min(patience_ * 2, kLongest);
    move(to);
    return;
  }
  if (at_ == 0) return;
  const double share = static_cast<double>(kScales[at_ - 1] / kScales[at_]);
  roomy_ = smooth_ms_ * share * share < kRoom * budget_ms_ ? roomy_ + 1 : 0;
  if (roomy_ >= patience_) move(at_ - 1);
}

void Governor::restart() {
  frames_ = 0;
  roomy_ = 0;
}

void Governor::move(size_t to) {
  at_ = to;
  restart();
}

}  // namespace render
