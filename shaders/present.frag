#version 460
#extension GL_GOOGLE_include_directive : require
// The graded picture, smaller or as large as the target -> the target. Where brightness has an edge
// the picture is averaged along it (after Lottes, FXAA 1, 2009), which also hides the steps that
// enlarging would show.
#include "common.glsl"

layout(set = 0, binding = kBindTextureA) uniform sampler2D graded;  // sRGB-encoded; a: its brightness
layout(push_constant, scalar) uniform Push {
  vec2 inverse_extent;  // of the target
  vec2 texel;           // of the picture
};
layout(location = 0) out vec4 color;

void main() {
  vec2 uv = gl_FragCoord.xy * inverse_extent;
  vec4 here = textureLod(graded, uv, 0.0);
  float nw = textureLod(graded, uv + texel * vec2(-0.5, -0.5), 0.0).a;
  float ne = textureLod(graded, uv + texel * vec2(0.5, -0.5), 0.0).a;
  float sw = textureLod(graded, uv + texel * vec2(-0.5, 0.5), 0.0).a;
  float se = textureLod(graded, uv + texel * vec2(0.5, 0.5), 0.0).a;
  float low = min(min(nw, ne), min(sw, se));
  float high = max(max(nw, ne), max(sw, se));
  // Along the edge: at right angles to the gradient.
  vec2 along = vec2((sw + se) - (nw + ne), (nw + sw) - (ne + se));
  float steep = min(abs(along.x), abs(along.y)) + max(0.03 * (nw + ne + sw + se), 1.0 / 128.0);
  along = clamp(along * (1.0 / steep), -6.0, 6.0) * texel;
  vec4 a = textureLod(graded, uv - along * (1.0 / 6.0), 0.0);
  vec4 b = textureLod(graded, uv + along * (1.0 / 6.0), 0.0);
  vec4 smooth_here = 0.5 * (a + b);
  bool edge = high - low > max(0.03, 0.1 * high);
  color = vec4(edge ? smooth_here.rgb : here.rgb, 1.0);
}
