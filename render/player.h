// Where the playhead is and how it moves. Time comes in as seconds; no clock of its own.
#pragma once

#include <cstddef>

#include "render/scene/clock.h"

namespace render {

// What one press of a stepping key goes on by.
enum class Stride { kToken, kLayer, kOperation };

class Player {
 public:
  // Steps a second at pace 1: slow enough to read.
  static constexpr double kDefaultPace = 1.0;
  static constexpr double kSlowest = 1.0 / 16.0;
  static constexpr double kFastest = 8.0;

  double playhead() const { return playhead_; }
  bool playing() const { return playing_; }
  bool following() const { return following_; }
  double pace() const { return pace_; }  // steps a second
  // What it really moves at: faster than pace() while it catches up with a live model.
  double effective_pace() const { return effective_pace_; }
  // How many steps are shown as one climb, >= 1: a power of two. More than one when steps come
  // faster than the eye can follow.
  double merge() const { return merge_; }

  // Moves on by so many seconds; never past the end of the last complete step.
  // True when the playhead moved.
  bool advance(double seconds, size_t steps, bool reduced_motion = false);

  void toggle() { playing_ = !playing_; }
  // From the start; for a story that is over and has been shown to its end.
  void again() {
    home();
    playing_ = true;
  }
  bool at_end(size_t steps) const { return steps > 0 && playhead_ >= static_cast<double>(steps); }
  void play(bool on) { playing_ = on; }
  void set_pace(double steps_per_second);
  // To the next power of two, up or down.
  void faster();
  void slower();
  // By a share of a step or by whole steps. Stops following.
  void move(double steps_by, size_t steps);
  // To the same instant of the previous or next token, or to where the previous or next layer or
  // operation is seen best; and pauses.
  void step(Stride stride, int by, const scene::Clock& clock, size_t steps);
  void seek(double playhead, size_t steps);
  void home();
  // Goes to the newest step and stays with it.
  void follow(size_t steps);
  // A conversation begins or goes on at that step, and where it does so anew it is seen from there:
  // at its beginning, where it goes on as somebody asked for, and where the playhead is beyond what
  // there is of one that goes on elsewhere. One that is run again as it was is not passed over.
  enum class GoesOn { kAsItWas, kAsAsked, kElsewhere };
  void begin_at(double step, GoesOn why, size_t steps);

 private:
  double wanted_pace(size_t steps) const;
  void choose_merge(double pace, size_t steps, bool reduced_motion);

  double playhead_ = 0.0;
  double pace_ = kDefaultPace;
  double effective_pace_ = kDefaultPace;
  double merge_ = 1.0;
  bool playing_ = true;
  bool following_ = false;
};

}  // namespace render
