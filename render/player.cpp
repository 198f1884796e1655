#include "render/player.h"

#include <algorithm>
#include <cmath>

#include "render/scene/eyes.h"

namespace render {

namespace {

// When stepping by tokens, the picture stops where the crown is lit.
constexpr double kStop = 0.88;
// How fast it closes in on a live model: the share of the gap a second.
constexpr double kHurry = 0.8;
constexpr double kMostMerged = 128.0;  // 256 steps a second
constexpr double kSame = 1e-6;

double end_of(size_t steps) {
  return static_cast<double>(steps);
}

}  // namespace

double Player::wanted_pace(size_t steps) const {
  // Behind a live model by more than a step: hurry.
  return following_ ? std::max(pace_, (end_of(steps) - playhead_) * kHurry) : pace_;
}

// At the end of a climb: how many steps the next one shows. They must all be there, and groups of
// any size share their ends, so that what has been shown stays in its group.
void Player::choose_merge(double pace, size_t steps, bool reduced_motion) {
  const double at = std::round(playhead_);
  const double behind = end_of(steps) - at;
  double merge = std::min(scene::merge_for_pace(pace, reduced_motion), kMostMerged);
  while (merge > 1.0 && (merge > behind || std::fmod(at, merge) != 0.0)) merge *= 0.5;
  merge_ = merge;
}

bool Player::advance(double seconds, size_t steps, bool reduced_motion) {
  if (!playing_) return false;
  effective_pace_ = pace_;
  const double before = playhead_;
  const double end = end_of(steps);
  double left = seconds;
  // A few climbs at most lie within a frame.
  for (int i = 0; i < 16 && left > 0.0 && playhead_ < end; ++i) {
    const double pace = wanted_pace(steps);
    const double into = playhead_ / merge_ - std::floor(playhead_ / merge_ + kSame);
    if (std::abs(into) < kSame) choose_merge(pace, steps, reduced_motion);
    // Never more climbs a second than eyes can follow.
    effective_pace_ = std::min(pace, merge_ * scene::most_climbs(reduced_motion));
    const double boundary = (std::floor(playhead_ / merge_ + kSame) + 1.0) * merge_;
    const double target = std::min(boundary, end);
    const double reach = playhead_ + left * effective_pace_;
    if (reach < target) {
      playhead_ = reach;
      break;
    }
    left -= (target - playhead_) / effective_pace_;
    playhead_ = target;
  }
  return playhead_ != before;
}

void Player::set_pace(double steps_per_second) {
  pace_ = std::clamp(steps_per_second, kSlowest, kFastest);
}

void Player::faster() {
  set_pace(std::exp2(std::floor(std::log2(pace_) + kSame) + 1.0));
}

void Player::slower() {
  set_pace(std::exp2(std::ceil(std::log2(pace_) - kSame) - 1.0));
}

void Player::seek(double playhead, size_t steps) {
  playhead_ = std::clamp(playhead, 0.0, end_of(steps));
  following_ = false;
  merge_ = 1.0;
  // What is looked at step by step is lit as at the default pace, however fast it was played.
  if (!playing_) effective_pace_ = std::min(pace_, kDefaultPace);
}

void Player::move(double steps_by, size_t steps) {
  seek(playhead_ + steps_by, steps);
}

void Player::step(Stride stride, int by, const scene::Clock& clock, size_t steps) {
  playing_ = false;
  if (stride == Stride::kToken) {
    const double from = playhead_ - kStop;
    seek((by > 0 ? std::floor(from + kSame) : std::ceil(from - kSame)) + by + kStop, steps);
    return;
  }
  // The stops of a step, in order: of every operation, or of embed, each layer's FFN and the fall.
  const bool layers = stride == Stride::kLayer;
  const auto stops = static_cast<double>(layers ? clock.layers() + 2 : clock.operations());
  const auto stop = [&](double index) {
    auto operation = static_cast<uint32_t>(index);
    if (layers) operation = std::min(operation * 3, clock.operations() - 1);
    return static_cast<double>(clock.stop(operation));
  };
  const double whole = std::min(std::floor(playhead_), std::max(end_of(steps) - 1.0, 0.0));
  // How many stops of this step lie before the playhead, and whether it stands on one.
  double passed = 0.0;
  while (passed < stops && whole + stop(passed) < playhead_ - kSame) passed += 1.0;
  const bool on = passed < stops && std::abs(whole + stop(passed) - playhead_) <= kSame;
  double at = whole * stops + passed;
  if (by > 0) {
    at += by - (on ? 0.0 : 1.0);
  } else {
    at += by;
  }
  at = std::clamp(at, 0.0, std::max(end_of(steps) * stops - 1.0, 0.0));
  const double step = std::floor(at / stops);
  seek(step + stop(at - step * stops), steps);
}

void Player::home() {
  playhead_ = 0.0;
  following_ = false;
  merge_ = 1.0;
}

void Player::begin_at(double step, GoesOn why, size_t steps) {
  const bool beyond = why == GoesOn::kElsewhere && playhead_ > step;
  if (step == 0.0 || why == GoesOn::kAsAsked || beyond) seek(step, steps);
}

void Player::follow(size_t steps) {
  following_ = true;
  playing_ = true;
  const double newest = std::max(end_of(steps) - 1.0, 0.0);
  if (newest > playhead_) {
    playhead_ = newest;
    merge_ = 1.0;
  }
}

}  // namespace render
