// The light of every element by the formulas of shaders/shared.h, step by step.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include <glm/glm.hpp>

#include "shaders/shared.h"

namespace tests {

struct Seen {
  float playhead = 0.0F;
  float shortest_life = 0.0F;
  float merge = 1.0F;
  float newest = 0.0F;
};

// Adds what these records leave on their elements: (towards, against).
inline void add_lights(std::span<const shaders::Light> records, const Seen& seen,
                       std::vector<glm::vec2>& elements) {
  for (const shaders::Light& light : records) {
    if (light.life < 0.0F && !shaders::stands(light.instant, seen.merge, seen.newest)) continue;
    const float age = seen.playhead - shaders::shown_instant(light.instant, seen.merge);
    const float value =
        light.value * shaders::light_left(age, light.life * seen.merge, seen.shortest_life);
    glm::vec2& element = elements[light.node];
    element.x = std::max(element.x, value);
    element.y = std::max(element.y, -value);
  }
}

}  // namespace tests
