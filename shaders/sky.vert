#version 460
#extension GL_GOOGLE_include_directive : require
// A grid over the whole target at the far plane: the sky's gradient is smooth enough to be straight
// within a cell, and a pixel then costs next to nothing.
#include "common.glsl"

layout(location = 0) noperspective out vec3 light;

void main() {
  const uvec2 kCells = uvec2(kSkyColumns, kSkyRows);
  uint cell = uint(gl_VertexIndex) / 6u;
  uint v = uint(gl_VertexIndex) % 6u;
  uvec2 corner = uvec2(v == 1u || v == 2u || v == 4u, v == 2u || v == 4u || v == 5u);
  vec2 at = vec2(uvec2(cell % kCells.x, cell / kCells.x) + corner) / vec2(kCells);
  vec2 p = (at - 0.5) * frame.viewport * frame.pixel_size;
  light = sky(normalize(forward() + frame.right * p.x - frame.up * p.y).y);
  gl_Position = vec4(at * 2.0 - 1.0, 1.0, 1.0);
}
