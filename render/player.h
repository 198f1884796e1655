// Where the playhead is and how it moves. Time comes in as seconds; no clock of its own.
#pragma once

#include <cstddef>

namespace render {

class Player {
 public:
  // Steps a second at pace 1: slow enough to read.
  static constexpr double kDefaultPace = 1.0;
  static constexpr double kSlowest = 0.02;
  static constexpr double kFastest = 30.0;

  double playhead() const { return playhead_; }
  bool playing() const { return playing_; }
  bool following() const { return following_; }
  double pace() const { return pace_; }  // steps a second
  // What it really moves at: faster than pace() while it catches up with a live model.
  double effective_pace() const { return effective_pace_; }

  // Moves on by so many seconds; never past the end of the last complete step.
  // True when the playhead moved.
  bool advance(double seconds, size_t steps);

  void toggle() { playing_ = !playing_; }
  void play(bool on) { playing_ = on; }
  void set_pace(double steps_per_second);
  // By a share of a step or by whole steps; stops following when it goes back.
  void move(double steps_by, size_t steps);
  // To the instant `share` of the previous or next step, and pauses.
  void step(int by, size_t steps);
  void seek(double playhead, size_t steps);
  void home();
  // Goes to the newest step and stays with it.
  void follow(size_t steps);

 private:
  double playhead_ = 0.0;
  double pace_ = kDefaultPace;
  double effective_pace_ = kDefaultPace;
  bool playing_ = true;
  bool following_ = false;
};

}  // namespace render
