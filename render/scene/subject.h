// One of several models side by side, with a trace of its own. Its lights and bolts are made as if
// it stood alone, at the origin, and moved to where it stands in the layout that all share:
// elements of a model follow each other there in the same order.
#pragma once

#include <cstdint>

#include "engine/trace/reader.h"
#include "render/scene/choreography.h"
#include "render/scene/layout.h"

namespace scene {

struct Subject {
  const trace::Reader* reader = nullptr;
  const Layout* layout = nullptr;  // of it alone
  uint32_t first_element = 0;      // in the shared layout
  float x = 0.0F;                  // of its spine there, world units

  // An element or a bolt of the shared layout, as the model's own one has it.
  uint32_t own(uint32_t element) const { return element - first_element; }
  shaders::Bolt own(const shaders::Bolt& bolt) const;
};

// What a step of it looks like in the shared layout, behind what is there already. A trace that has
// no such step adds nothing.
void add_script(const Subject& subject, size_t step, Telling telling, Script& script);

}  // namespace scene
