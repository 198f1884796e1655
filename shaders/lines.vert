#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = kBindEvents, scalar) readonly buffer Lines { Line lines[]; };

layout(location = 0) noperspective out vec2 at;  // pixels along and across, from the line's start
layout(location = 1) flat out vec4 rgba;
layout(location = 2) flat out vec2 length_and_radius;

const float kRim = 2.5;  // pixels around it, for the halo

void main() {
  Line line = lines[uint(gl_VertexIndex) / 6u];
  uint v = uint(gl_VertexIndex) % 6u;
  vec2 corner = vec2(v == 1u || v == 2u || v == 4u, v == 2u || v == 4u || v == 5u);
  vec2 along = line.to - line.from;
  float span = length(along);
  along = span > 1e-4 ? along / span : vec2(1.0, 0.0);
  vec2 across = vec2(-along.y, along.x);
  float reach = 0.5 * line.width + kRim;
  at = mix(vec2(-reach), vec2(span + reach, reach), corner);
  rgba = unpackUnorm4x8(line.rgba);
  length_and_radius = vec2(span, 0.5 * line.width);
  vec2 px = line.from + along * at.x + across * at.y;
  gl_Position = vec4(px / frame.viewport * 2.0 - 1.0, 0.0, 1.0);
}
