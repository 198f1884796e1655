#version 460
#extension GL_GOOGLE_include_directive : require
// The finest level and what the coarser ones add to it, packed for the composite.
#include "common.glsl"
#include "glow.glsl"

layout(set = 0, binding = kBindTextureA) uniform sampler2D fine;
layout(set = 0, binding = kBindTextureB) uniform sampler2D coarse;
layout(push_constant, scalar) uniform Push {
  vec2 texel;  // of the coarser one
  vec2 scale;  // its pixels a target pixel
  float weight;
};
layout(location = 0) out vec4 color;

void main() {
  vec3 light = texelFetch(fine, ivec2(gl_FragCoord.xy), 0).rgb;
  light += weight * textureLod(coarse, gl_FragCoord.xy * scale * texel, 0.0).rgb;
  color = vec4(pack_glow(light) + (dither(gl_FragCoord.xy) - 0.5) * (1.0 / 255.0), 1.0);
}
