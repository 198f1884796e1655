#version 460
#extension GL_GOOGLE_include_directive : require
// Halves an image with 13 taps in five overlapping boxes (Jimenez, "Next generation post processing in
// Call of Duty: Advanced Warfare", SIGGRAPH 2014), or quarters it with four taps between pixels.
#include "common.glsl"

layout(set = 0, binding = kBindTextureA) uniform sampler2D source;
layout(push_constant, scalar) uniform Push { vec2 texel; uint quarter; };  // texel of the source
layout(location = 0) out vec4 color;

vec3 tap(vec2 at) { return textureLod(source, at * texel, 0.0).rgb; }

void main() {
  if (quarter != 0u) {
    vec2 p = gl_FragCoord.xy * 4.0;
    color = vec4(0.25 * (tap(p + vec2(-1, -1)) + tap(p + vec2(1, -1)) + tap(p + vec2(-1, 1)) + tap(p + vec2(1, 1))), 1);
    return;
  }
  vec2 p = gl_FragCoord.xy * 2.0;
  vec3 inner = tap(p + vec2(-1, -1)) + tap(p + vec2(1, -1)) + tap(p + vec2(-1, 1)) + tap(p + vec2(1, 1));
  vec3 corners = tap(p + vec2(-2, -2)) + tap(p + vec2(2, -2)) + tap(p + vec2(-2, 2)) + tap(p + vec2(2, 2));
  vec3 sides = tap(p + vec2(0, -2)) + tap(p + vec2(-2, 0)) + tap(p + vec2(2, 0)) + tap(p + vec2(0, 2));
  color = vec4(0.125 * inner + 0.03125 * corners + 0.0625 * sides + 0.125 * tap(p), 1.0);
}
