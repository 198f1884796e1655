#version 460
#extension GL_GOOGLE_include_directive : require
// A line with round ends, and a soft edge of the background's colour, so that it is seen over
// lightning as well as over paper.
#include "common.glsl"

layout(location = 0) noperspective in vec2 at;
layout(location = 1) flat in vec4 rgba;
layout(location = 2) flat in vec2 length_and_radius;
layout(location = 0) out vec4 color;

void main() {
  float distance = length(vec2(at.x - clamp(at.x, 0.0, length_and_radius.x), at.y));
  float ink = clamp(length_and_radius.y + 0.5 - distance, 0.0, 1.0) * rgba.a;
  float halo = 0.55 * (1.0 - smoothstep(0.0, 2.5, distance - length_and_radius.y)) * rgba.a;
  vec3 behind = light_theme() ? vec3(1.0) : vec3(0.0, 0.004, 0.012);
  color = vec4(rgba.rgb * ink + behind * halo * (1.0 - ink), ink + halo * (1.0 - ink));
}
