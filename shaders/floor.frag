#version 460
#extension GL_GOOGLE_include_directive : require
// A faint grid that fades with distance, over the sky's gradient.
#include "common.glsl"

layout(location = 0) in vec2 at;
layout(location = 1) in vec3 ray;
layout(location = 0) out vec4 color;

// Coverage of lines `pitch` apart, one pixel wide whatever the distance, fading where they would
// crowd. footprint: world units that a pixel covers.
float lines(vec2 p, vec2 footprint, float pitch) {
  vec2 off = abs(fract(p * (1.0 / pitch) - 0.5) - 0.5) * pitch;
  vec2 line = clamp(1.2 - off / footprint, 0.0, 1.0) * clamp(1.0 - footprint * (3.0 / pitch), 0.0, 1.0);
  return max(line.x, line.y);
}

void main() {
  float slope = ray.y * inversesqrt(dot(ray, ray));
  vec2 footprint = max(fwidth(at), vec2(1e-5));
  float reach = max(1.0 - dot(at, at) / pow(kFloorReach * frame.grid_cell, 2.0), 0.0);
  reach *= reach * clamp(-8.0 * slope, 0.0, 1.0);
  float line = 0.35 * lines(at, footprint, frame.grid_cell);
  line += 0.65 * lines(at, footprint, 8.0 * frame.grid_cell);
  vec3 tint = (light_theme() ? -0.10 : 0.020) * vec3(0.8, 0.9, 1.1);
  color = vec4(max(sky(slope) + tint * (reach * line), vec3(0.0)), 1.0);
}
