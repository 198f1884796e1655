#version 460
#extension GL_GOOGLE_include_directive : require
// What is behind everything: a gradient and a faint grid on the floor that fades with distance.
#include "common.glsl"

layout(location = 0) out vec4 color;

// Coverage of lines `pitch` apart, one pixel wide whatever the distance, fading where they would
// crowd. footprint: world units that a pixel covers.
float lines(vec2 p, vec2 footprint, float pitch) {
  vec2 off = abs(fract(p * (1.0 / pitch) - 0.5) - 0.5) * pitch;
  vec2 line = clamp(1.2 - off / footprint, 0.0, 1.0) * clamp(1.0 - footprint * (3.0 / pitch), 0.0, 1.0);
  return max(line.x, line.y);
}

void main() {
  vec2 p = (gl_FragCoord.xy - 0.5 * frame.viewport) * frame.pixel_size;
  vec3 ray = forward() + frame.right * p.x - frame.up * p.y;
  float slope = ray.y * inversesqrt(dot(ray, ray));
  vec3 result = sky(slope);
  float height = frame.eye.y - frame.floor_y;
  vec2 at = frame.eye.xz - ray.xz * (height / min(ray.y, -1e-3));
  vec2 footprint = max(fwidth(at), vec2(1e-5));
  if (frame.grid_cell > 0.0 && height > 0.0 && slope < -0.005) {
    float reach = max(1.0 - dot(at, at) / pow(56.0 * frame.grid_cell, 2.0), 0.0);
    reach *= reach * min(-8.0 * slope, 1.0);
    float line = 0.35 * lines(at, footprint, frame.grid_cell);
    line += 0.65 * lines(at, footprint, 8.0 * frame.grid_cell);
    result += (light_theme() ? -0.10 : 0.020) * reach * line * vec3(0.8, 0.9, 1.1);
  }
  color = vec4(max(result, vec3(0.0)), 1.0);
}
