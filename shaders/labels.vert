#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = kBindEvents, scalar) readonly buffer Glyphs { Glyph glyphs[]; };

layout(location = 0) noperspective out vec2 texel;
layout(location = 1) flat out vec4 rgba;
layout(location = 2) flat out vec2 scale_and_halo;

void main() {
  Glyph glyph = glyphs[uint(gl_VertexIndex) / 6u];
  uint v = uint(gl_VertexIndex) % 6u;
  vec2 corner = vec2(v == 1u || v == 2u || v == 4u, v == 2u || v == 4u || v == 5u);
  texel = glyph.texel + corner * glyph.texel_size;
  rgba = unpackUnorm4x8(glyph.rgba);
  scale_and_halo = vec2(glyph.px_per_texel, glyph.halo);
  vec2 px = glyph.at + corner * glyph.texel_size * glyph.px_per_texel;
  gl_Position = vec4(px / frame.viewport * 2.0 - 1.0, 0.0, 1.0);
}
