// Which steps are on the GPU: those that a frame shows are choreographed when they come into sight,
// steps that are shown as one climb as one script.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "render/frame.h"
#include "render/scene/climb.h"

namespace render {

// Main thread.
class StepsInSight {
 public:
  using Clock = std::chrono::steady_clock;
  // What a step shows; newest: of its climb (see scene::Telling).
  using ScriptOf = std::function<scene::Script(uint64_t step, bool newest)>;

  StepsInSight(Renderer& renderer, ScriptOf script_of)
      : renderer_(renderer), script_of_(std::move(script_of)) {}

  struct Sight {
    uint64_t first = 0;  // steps
    uint64_t last = 0;   // the newest of its climb
    uint64_t steps = 0;  // that there are
    double merge = 1.0;  // steps that are shown as one climb
    uint32_t elements = 0;
  };
  // Hands over what the frame needs, the newest first, and a little of what comes next. When
  // `until` has passed the newest step is there, and older ones of climbs come with the next
  // frames.
  void show(const Sight& sight, Clock::time_point until);
  // Whether the newest frame showed all of its steps.
  bool complete() const { return complete_; }
  // What was handed over is no longer what the steps show.
  void forget();

 private:
  struct Merged {
    uint64_t next = 0;                  // the first step that is not known yet
    std::vector<uint64_t> missing;      // known, but not yet in the script; ascending
    std::optional<scene::Climb> climb;  // until it is whole
  };
  // A climb of the steps [first, last]; at_most: steps that are choreographed. Whether all are
  // there.
  bool show_climb(const Sight& sight, uint64_t first, uint64_t last, Clock::time_point until,
                  uint64_t at_most);

  Renderer& renderer_;
  ScriptOf script_of_;
  double merge_ = 1.0;
  bool complete_ = true;
  std::map<uint64_t, Merged> merged_;  // by their first step
};

}  // namespace render
