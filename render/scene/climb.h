// Steps that are shown as one climb, as one script: of what lights up several times the brightest
// light is kept, and bolts and bars are those of the newest step. What the GPU makes of it is what
// it would make of the steps' own scripts (see shaders::shown_instant() and stands()), with as many
// lights as one of them has.
#pragma once

#include <cstdint>
#include <vector>

#include "render/scene/choreography.h"

namespace scene {

class Climb {
 public:
  // Light.node of what is added must be < elements.
  explicit Climb(uint32_t elements) : place_(size_t{2} * elements, 0) {}

  // Steps come in any order, each once. Of one that is not the newest so far only lights that fade
  // are taken.
  void add(uint64_t step, Script script);
  const Script& script() const { return script_; }

 private:
  void add_light(const shaders::Light& light);

  bool any_ = false;
  uint64_t newest_ = 0;
  Script script_;                         // lights that fade, then those that stand
  std::vector<shaders::Light> standing_;  // of the newest step
  std::vector<uint32_t> place_;  // of an element's light towards and against, in the script, + 1
};

}  // namespace scene
