#version 460
#extension GL_GOOGLE_include_directive : require
// Which cell of a plate is under the pixel: in a gap the nearest, where there is none nothing.
#include "grid.glsl"

layout(location = 0) in vec3 local;
layout(location = 1) flat in vec4 half_size_and_ghost;
layout(location = 2) flat in uvec2 grid_and_element;
layout(location = 3) flat in uint style;
layout(location = 4) flat in vec4 center_and_reach;
layout(location = 0) out uint result;

void main() {
  Grid grid = grids[grid_and_element.x];
  Box box;
  box.center = center_and_reach.xyz;
  box.half_size = half_size_and_ghost.xyz;
  vec2 at = places_at(grid, groups_at(box, grid, style >> 8, local));
  uvec2 place = uvec2(clamp(at, vec2(0.0), vec2(grid.cols, grid.rows) - 1.0));
  uint element = element_at(grid, place.x, place.y);
  result = element == kNoElement ? 0u : grid_and_element.y + element + 1u;
}
