#version 460
#extension GL_GOOGLE_include_directive : require
// Makes an image smaller. To half: 13 taps in five overlapping boxes (Jimenez, "Next generation post
// processing in Call of Duty: Advanced Warfare", SIGGRAPH 2014). Cheaper: the corners of a square, to
// a quarter (every pixel counts once) or to half (a tent over four).
#include "common.glsl"

layout(set = 0, binding = kBindTextureA) uniform sampler2D source;
layout(push_constant, scalar) uniform Push {
  vec2 texel;     // of the source
  float scale;    // source pixels a target pixel
};
layout(constant_id = 1) const bool kFourTaps = false;
layout(location = 0) out vec4 color;

vec3 tap(vec2 at) { return textureLod(source, at * texel, 0.0).rgb; }

// The corners of a square with sides 2 r.
vec3 corners(vec2 p, float r) {
  return tap(p + vec2(-r, -r)) + tap(p + vec2(r, -r)) + tap(p + vec2(-r, r)) + tap(p + vec2(r, r));
}

void main() {
  vec2 p = gl_FragCoord.xy * scale;
  if (kFourTaps) {
    color = vec4(0.25 * corners(p, 1.0), 1.0);
    return;
  }
  vec3 sides = tap(p + vec2(0, -2)) + tap(p + vec2(-2, 0)) + tap(p + vec2(2, 0)) + tap(p + vec2(0, 2));
  vec3 sum = 0.125 * (corners(p, 1.0) + tap(p)) + 0.03125 * corners(p, 2.0) + 0.0625 * sides;
  color = vec4(sum, 1.0);
}
