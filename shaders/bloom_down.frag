#version 460
#extension GL_GOOGLE_include_directive : require
// Halves an image with 13 taps in five overlapping boxes (Jimenez, "Next generation post processing
// in Call of Duty: Advanced Warfare", SIGGRAPH 2014), or quarters it with four taps between pixels.
#include "common.glsl"

layout(set = 0, binding = kBindTextureA) uniform sampler2D source;
layout(push_constant, scalar) uniform Push { vec2 texel; uint quarter; };  // texel of the source
layout(location = 0) out vec4 color;

vec3 tap(vec2 at) { return textureLod(source, at * texel, 0.0).rgb; }

// The corners of a square with sides 2 r.
vec3 corners(vec2 p, float r) {
  return tap(p + vec2(-r, -r)) + tap(p + vec2(r, -r)) + tap(p + vec2(-r, r)) + tap(p + vec2(r, r));
}

void main() {
  if (quarter != 0u) {
    color = vec4(0.25 * corners(gl_FragCoord.xy * 4.0, 1.0), 1.0);
    return;
  }
  vec2 p = gl_FragCoord.xy * 2.0;
  vec3 sides = tap(p + vec2(0, -2)) + tap(p + vec2(-2, 0)) + tap(p + vec2(2, 0)) + tap(p + vec2(0, 2));
  vec3 sum = 0.125 * (corners(p, 1.0) + tap(p)) + 0.03125 * corners(p, 2.0) + 0.0625 * sides;
  color = vec4(sum, 1.0);
}
