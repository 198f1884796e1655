#include "render/player.h"

#include <algorithm>
#include <cmath>

namespace render {

namespace {

// When stepping, the picture stops where the crown is lit.
constexpr double kStop = 0.88;

double end_of(size_t steps) {
  return static_cast<double>(steps);
}

}  // namespace

bool Player::advance(double seconds, size_t steps) {
  effective_pace_ = pace_;
  if (!playing_) return false;
  const double before = playhead_;
  double pace = pace_;
  // Behind a live model by more than a step: hurry, smoothly and still legibly.
  if (following_) pace = std::max(pace, std::min((end_of(steps) - playhead_) * 0.8, kFastest));
  effective_pace_ = pace;
  playhead_ = std::min(playhead_ + seconds * pace, end_of(steps));
  return playhead_ != before;
}

void Player::set_pace(double steps_per_second) {
  pace_ = std::clamp(steps_per_second, kSlowest, kFastest);
}

void Player::seek(double playhead, size_t steps) {
  playhead_ = std::clamp(playhead, 0.0, end_of(steps));
  following_ = false;
}

void Player::move(double steps_by, size_t steps) {
  seek(playhead_ + steps_by, steps);
}

void Player::step(int by, size_t steps) {
  constexpr double kSame = 1e-6;
  const double from = playhead_ - kStop;
  seek((by > 0 ? std::floor(from + kSame) : std::ceil(from - kSame)) + by + kStop, steps);
  playing_ = false;
}

void Player::home() {
  playhead_ = 0.0;
  following_ = false;
}

void Player::follow(size_t steps) {
  following_ = true;
  playing_ = true;
  playhead_ = std::max(playhead_, end_of(steps) - 1.0);
}

}  // namespace render
