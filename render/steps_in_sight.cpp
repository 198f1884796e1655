#include "render/steps_in_sight.h"

#include <cmath>
#include <limits>

#include "render/scene/clock.h"

namespace render {
namespace {

constexpr uint64_t kAhead = 4;  // steps that are handed over before they are shown, a frame

}  // namespace

void StepsInSight::forget() {
  renderer_.drop_steps();
  merged_.clear();
  complete_ = true;
}

void StepsInSight::show(const Sight& sight, Clock::time_point until) {
  if (merge_ != sight.merge) forget();
  merge_ = sight.merge;
  complete_ = true;
  // As shaders::climb_of() and moment_of() have it.
  const auto number = [&](uint64_t step) {
    return std::floor((static_cast<double>(step) + 0.5) / sight.merge + 2e-5);
  };
  const auto climb = [&](double n) {
    return scene::moment_of((n + 0.5) * sight.merge, sight.merge, sight.steps);
  };
  const double newest = number(sight.last), oldest = number(sight.first);
  for (double n = newest; n >= oldest; n -= 1.0) {
    const scene::Moment steps = climb(n);
    const bool whole =
        show_climb(sight, steps.first, steps.last, until, std::numeric_limits<uint64_t>::max());
    complete_ = whole && complete_;
  }
  // What will be shown as one with others is taken in little by little before.
  const scene::Moment next = climb(newest + 1.0);
  std::erase_if(merged_, [&](const auto& one) {  // a whole one is still on the GPU, and known to be
    return one.second.climb && (one.first < climb(oldest).first || one.first > next.first);
  });
  if (next.first > sight.last && Clock::now() < until)
    show_climb(sight, next.first, next.last, until, kAhead);
}

bool StepsInSight::show_climb(const Sight& sight, uint64_t first, uint64_t last,
                              Clock::time_point until, uint64_t at_most) {
  if (first == last) {
    if (renderer_.has_step(last)) return true;
    const scene::Script script = script_of_(last, true);
    renderer_.put_step(last, script.lights, script.bolts);
    return true;
  }
  Merged& merged = merged_[first];
  const bool begun = merged.next > first;
  if (!merged.climb && (!begun || !renderer_.has_step(last)))
    merged = {.next = first, .missing = {}, .climb = scene::Climb(sight.elements)};
  const bool grows = merged.next <= last;
  if (!grows && merged.missing.empty() && renderer_.has_step(last)) return true;
  for (; merged.next <= last; ++merged.next) merged.missing.push_back(merged.next);
  uint64_t done = 0;
  if (grows) {
    merged.climb->add(last, script_of_(last, true));
    merged.missing.pop_back();
    ++done;
  }
  for (; !merged.missing.empty() && done < at_most && Clock::now() < until; ++done) {
    merged.climb->add(merged.missing.back(), script_of_(merged.missing.back(), false));
    merged.missing.pop_back();
  }
  renderer_.drop_steps(first, last);
  renderer_.put_step(last, merged.climb->script().lights, merged.climb->script().bolts);
  const bool whole = merged.missing.empty();
  if (whole && last + 1 < sight.steps) merged.climb.reset();
  return whole;
}

}  // namespace render
