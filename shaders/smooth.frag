#version 460
#extension GL_GOOGLE_include_directive : require
// Where brightness has an edge, the picture is averaged along it (after Lottes, FXAA 1, 2009).
#include "shared.h"

layout(set = 0, binding = kBindTextureA) uniform sampler2D graded;  // sRGB-encoded; a: its brightness
layout(push_constant, scalar) uniform Push { vec2 texel; };
layout(location = 0) out vec4 color;

void main() {
  vec2 uv = gl_FragCoord.xy * texel;
  float nw = textureLod(graded, uv + texel * vec2(-0.5, -0.5), 0.0).a;
  float ne = textureLod(graded, uv + texel * vec2(0.5, -0.5), 0.0).a;
  float sw = textureLod(graded, uv + texel * vec2(-0.5, 0.5), 0.0).a;
  float se = textureLod(graded, uv + texel * vec2(0.5, 0.5), 0.0).a;
  // Along the edge: at right angles to the gradient. No edge: no way to go, and both are this pixel.
  vec2 along = vec2((sw + se) - (nw + ne), (nw + sw) - (ne + se));
  float steep = min(abs(along.x), abs(along.y)) + 0.03 * (nw + ne + sw + se) + 1.0 / 128.0;
  along = clamp(along / steep, -5.0, 5.0);
  along *= step(0.05, max(abs(along.x), abs(along.y))) * texel * 0.3;
  color = 0.5 * (textureLod(graded, uv - along, 0.0) + textureLod(graded, uv + along, 0.0));
}
