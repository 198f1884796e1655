// What eyes can bear and follow. WCAG 2.2, success criterion 2.3.1 (three flashes or below
// threshold): nothing large may flash more than three times in any second, whatever the rate at
// which tokens come. Here that holds by construction: at most kClimbs times a second does light run
// up the tower, because steps that come faster are shown as one, all at the same time; what was lit
// fades for at least kShortestLife, so that the lights of one climb melt into one rise and one
// fall. A pure function of the pace and of how many steps there are: no state, no look at the
// picture.
#pragma once

#include <algorithm>
#include <cmath>

namespace scene {

inline constexpr double kClimbs = 2.0;        // a second, at most; any second then sees three rises
inline constexpr double kCalmClimbs = 1.0;    // ... with reduced motion
inline constexpr double kShortestLife = 0.4;  // seconds that a light takes to fade, at least

inline double most_climbs(bool reduced_motion) {
  return reduced_motion ? kCalmClimbs : kClimbs;
}

// How many steps are shown as one when a whole conversation of `steps` is played in `seconds`,
// >= 1. So many that the groups fill the conversation: the last one ends with it.
inline double merge_for(double steps, double seconds, bool reduced_motion) {
  const double climbs = std::max(std::floor(seconds * most_climbs(reduced_motion)), 1.0);
  return std::max(steps / climbs, 1.0);
}

// The same for a pace without an end, as a power of two, so that groups of different sizes share
// their ends.
inline double merge_for_pace(double steps_per_second, bool reduced_motion) {
  const double least = steps_per_second / most_climbs(reduced_motion);
  return least <= 1.0 ? 1.0 : std::exp2(std::ceil(std::log2(least) - 1e-9));
}

// A light's shortest life in steps at a pace.
inline double shortest_life(double steps_per_second) {
  return kShortestLife * steps_per_second;
}

}  // namespace scene
