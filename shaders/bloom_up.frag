#version 460
#extension GL_GOOGLE_include_directive : require
// Doubles an image with a 3x3 tent; added onto the next finer level.
#include "common.glsl"

layout(set = 0, binding = kBindTextureA) uniform sampler2D source;
layout(push_constant, scalar) uniform Push { vec2 texel; vec2 scale; float weight; };  // texel of the source; its pixels a target pixel
layout(location = 0) out vec4 color;

vec3 tap(vec2 at) { return textureLod(source, at * texel, 0.0).rgb; }

void main() {
  vec2 p = gl_FragCoord.xy * scale;
  vec3 sum = 4.0 * tap(p);
  sum += 2.0 * (tap(p + vec2(-1, 0)) + tap(p + vec2(1, 0)) + tap(p + vec2(0, -1)) + tap(p + vec2(0, 1)));
  sum += tap(p + vec2(-1, -1)) + tap(p + vec2(1, -1)) + tap(p + vec2(-1, 1)) + tap(p + vec2(1, 1));
  color = vec4(sum * (weight / 16.0), 0.0);
}
