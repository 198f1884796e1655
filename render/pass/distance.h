// Outlines -> signed distances. No FreeType here.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <glm/glm.hpp>

namespace render {

// A straight piece of a closed outline; pixels, y down.
struct Edge {
  glm::vec2 from;
  glm::vec2 to;
};

// At the middle of every pixel, rows from the top: 128 on the outline, more inside (by the non-zero
// rule) and less outside, `spread` pixels from it 255 and 0. The work goes with what lies within
// spread of an edge.
std::vector<uint8_t> distances(std::span<const Edge> edges, glm::uvec2 size, float spread);

}  // namespace render
