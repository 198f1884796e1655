#version 460
#extension GL_GOOGLE_include_directive : require
// The floor as far as its grid can be seen, under everything: a square around the point below the
// eye, at the far plane whatever its distance.
#include "common.glsl"

layout(location = 0) out vec2 at;    // world x and z
layout(location = 1) out vec3 ray;   // from the eye

void main() {
  uint v = uint(gl_VertexIndex);
  vec2 corner = vec2(v == 1u || v == 2u || v == 4u, v == 2u || v == 4u || v == 5u) * 2.0 - 1.0;
  at = corner * kFloorReach * frame.grid_cell;
  ray = vec3(at.x, frame.floor_y, at.y) - frame.eye;
  gl_Position = frame.clip_from_world * vec4(frame.eye + ray, 1.0);
  gl_Position.z = gl_Position.w;
}
