#include "render/governor.h"

#include <algorithm>
#include <iterator>

namespace render {

namespace {

constexpr int kSettle = 4;       // frames in flight when the step changes, and one more
constexpr double kNewest = 0.2;  // weight of the newest frame in the average
constexpr double kRoom = 0.85;   // share of the budget that may be used after going up
constexpr int kLongest = 960;    // frames of patience at most

// What a frame takes, to compare steps by: as if all of it went with the pixels and with the bolts.
// A part of it stays, so that this promises too much on the way down, where the next frames tell,
// and asks for too much on the way up, so as not to come back at once.
double cost(const Governor::Step& step, uint32_t bolts) {
  const double pixels = double{step.scale} * double{step.scale};
  return pixels * std::min(double{step.bolts}, std::max(static_cast<double>(bolts), 1.0));
}

}  // namespace

void Governor::add(double gpu_ms, uint32_t bolts) {
  if (!(gpu_ms > 0.0)) return;
  ++frames_;
  if (frames_ <= kSettle) return;
  smooth_ms_ = frames_ == kSettle + 1 ? gpu_ms : smooth_ms_ + kNewest * (gpu_ms - smooth_ms_);
  if (frames_ < 2 * kSettle) return;
  // A step that has held for so long: what was too much once need not be so for ever.
  if (frames_ % kLongest == 0) patience_ = std::max(patience_ / 2, kShortest);
  const double here = cost(kSteps[at_], bolts);
  const auto expected_ms = [&](size_t step) {
    return smooth_ms_ * cost(kSteps[step], bolts) / here;
  };
  if (smooth_ms_ > budget_ms_ && at_ + 1 < std::size(kSteps)) {
    size_t to = at_ + 1;
    while (to + 1 < std::size(kSteps) && expected_ms(to) > budget_ms_) ++to;
    // It was too much a moment ago already: wait longer before the next attempt.
    patience_ = std::min(patience_ * 2, kLongest);
    move(to);
    return;
  }
  if (at_ == 0) return;
  roomy_ = expected_ms(at_ - 1) < kRoom * budget_ms_ ? roomy_ + 1 : 0;
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
