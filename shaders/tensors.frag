#version 460
#extension GL_GOOGLE_include_directive : require
// A sheet's cells, in the palette's colours for what lies below zero and above.
// A texel of several cells shows half its mean and a quarter each of its minimum and maximum, so that
// a wide range is bright and a leaning one takes a side. Lines every 1, 16, 256 and 4096 cells.
#include "common.glsl"

layout(set = 0, binding = kBindEvents, scalar) readonly buffer Quads { TileQuad quads[]; };
layout(set = 0, binding = kBindTextureA) uniform sampler2D atlas;  // r minimum, g mean, b maximum

layout(location = 0) in vec2 cell;
layout(location = 1) flat in uint quad_index;
layout(location = 0) out vec4 color;

vec3 sampled(vec2 at, TileQuad quad) {
  return texelFetch(atlas, ivec2(quad.slot + clamp(floor(at), vec2(0.0), quad.last)), 0).rgb;
}

void main() {
  TileQuad quad = quads[quad_index];
  vec2 footprint = max(fwidth(cell), vec2(1e-6));  // cells a pixel
  vec3 result = light_theme() ? vec3(0.90) : vec3(0.012, 0.014, 0.02);
  bool hatched = true;
  if ((quad.flags & kTileKnown) != 0u) {
    // Texels with edges one pixel soft.
    vec2 at = quad.texel + cell * quad.texels_a_cell;
    vec2 soft = clamp(footprint * quad.texels_a_cell, 1e-4, 1.0);
    vec2 low = at - 0.5 * soft;
    vec2 mixed = clamp((fract(low) + soft - 1.0) / soft, 0.0, 1.0);
    vec3 a = mix(sampled(low, quad), sampled(low + vec2(1.0, 0.0), quad), mixed.x);
    vec3 b = mix(sampled(low + vec2(0.0, 1.0), quad), sampled(low + 1.0, quad), mixed.x);
    vec3 texel = mixed.y <= 0.0 ? a : mixed.y >= 1.0 ? b : mix(a, b, mixed.y);
    hatched = isnan(texel.y) && (quad.flags & kTilePartial) != 0u;
    if (!hatched) {
      texel /= quad.scale;
      result = 0.5 * cell_color(quad.below, quad.zero, quad.above, texel.y) +
               0.25 * (cell_color(quad.below, quad.zero, quad.above, texel.x) +
                       cell_color(quad.below, quad.zero, quad.above, texel.z));
      if (isnan(texel.y)) result = vec3(0.8, 0.0, 0.6);  // no number: a damaged file
    }
  }
  vec2 in_grid = quad.first + cell;
  if (hatched) {
    float stripe = fract(dot(gl_FragCoord.xy, vec2(1.0 / 14.0)));
    result *= stripe < 0.5 ? 1.0 : (light_theme() ? 0.93 : 1.7);
  }

  // Lines, where they are some pixels apart; a heavier one takes over from a finer one.
  float period = 1.0;
  for (int i = 0; i < 4; ++i, period *= 16.0) {
    vec2 apart = period / footprint;
    vec2 off = abs(fract(in_grid / period + 0.5) - 0.5) * apart;
    float half_width = 0.5 + 0.25 * float(i);
    float least = i == 0 ? 5.0 : 9.0;
    vec2 line = clamp(half_width + 0.5 - off, 0.0, 1.0) * clamp((apart - least) / 24.0, 0.0, 1.0);
    float weight = max(line.x, line.y);
    vec3 tone = i == 0 ? (light_theme() ? vec3(0.75) : vec3(0.0))
                       : (light_theme() ? vec3(0.12) : vec3(0.75, 0.85, 1.0));
    result = mix(result, tone, weight * (i == 0 ? 0.75 : 0.1 + 0.14 * float(i)));
  }
  // The sheet's own border.
  uint edges = quad.flags / kTileEdges;
  vec4 to_edge = vec4(cell.y, quad.cells.x - cell.x, quad.cells.y - cell.y, cell.x) /
                 vec4(footprint.y, footprint.x, footprint.y, footprint.x);
  float border = 0.0;
  for (uint i = 0u; i < 4u; ++i) {
    if ((edges >> i & 1u) != 0u) border = max(border, clamp(2.0 - to_edge[i], 0.0, 1.0));
  }
  result = mix(result, light_theme() ? vec3(0.1) : vec3(0.5, 0.58, 0.7), border * 0.8);
  // Cells that are pointed at and chosen: a frame inside them, three pixels wide at most.
  for (int i = 0; i < 2; ++i) {
    vec2 inside = cell - (i == 0 ? quad.hovered : quad.selected);
    vec2 inset = min(inside, 1.0 - inside) / footprint;
    float nearest = min(inset.x, inset.y);
    float width = i == 0 ? 1.5 : 2.5;
    float outline = clamp(nearest + 0.5, 0.0, 1.0) * clamp(width + 0.5 - nearest, 0.0, 1.0);
    result = mix(result, light_theme() ? vec3(0.0) : vec3(1.0), outline);
  }
  color = vec4(result * quad.alpha, quad.alpha);
}
