#version 460
#extension GL_GOOGLE_include_directive : require
// Doubles an image, softened by four bilinear taps half a texel off (together a tent of three
// texels); added onto the next finer level.
#include "common.glsl"

layout(set = 0, binding = kBindTextureA) uniform sampler2D source;
layout(push_constant, scalar) uniform Push {
  vec2 texel;  // of the source
  vec2 scale;  // source pixels a target pixel
  float weight;
};
layout(location = 0) out vec4 color;

vec3 tap(vec2 at) { return textureLod(source, at * texel, 0.0).rgb; }

void main() {
  vec2 p = gl_FragCoord.xy * scale;
  vec3 sum = tap(p + vec2(-0.5, -0.5)) + tap(p + vec2(0.5, -0.5));
  sum += tap(p + vec2(-0.5, 0.5)) + tap(p + vec2(0.5, 0.5));
  color = vec4(sum * (0.25 * weight), 0.0);
}
