#version 460
#extension GL_GOOGLE_include_directive : require
// Text from signed distances, so that any size is sharp, and a halo from the same distances.
#include "common.glsl"

layout(set = 0, binding = kBindTextureA) uniform sampler2D atlas;
layout(location = 0) noperspective in vec2 texel;
layout(location = 1) flat in vec4 rgba;
layout(location = 2) flat in vec2 scale_and_halo;
layout(location = 0) out vec4 color;

void main() {
  // FreeType: 128 on the outline, spread of kGlyphSpread texels to 0 and 255.
  float texels = (textureLod(atlas, texel / float(kGlyphAtlas), 0.0).r - 0.5) * 2.0 * float(kGlyphSpread);
  float px = texels * scale_and_halo.x;  // > 0 inside
  float ink = clamp(px + 0.55, 0.0, 1.0) * rgba.a;
  float reach = min(float(kGlyphSpread) * scale_and_halo.x, 4.0);
  float halo = smoothstep(-reach, 0.0, px) * scale_and_halo.y * rgba.a;
  vec3 behind = light_theme() ? vec3(1.0) : vec3(0.0, 0.004, 0.012);
  color = vec4(rgba.rgb * ink + behind * halo * (1.0 - ink), ink + halo * (1.0 - ink));
}
