#version 460
#extension GL_GOOGLE_include_directive : require
// Light -> pixels: bloom, exposure, a tone curve that keeps hues, vignette, sRGB, dither.
#include "common.glsl"
#include "glow.glsl"

layout(set = 0, binding = kBindTextureA) uniform sampler2D scene;
layout(set = 0, binding = kBindTextureB) uniform sampler2D bloom;
layout(push_constant, scalar) uniform Push { vec2 inverse_extent; };
layout(constant_id = 1) const bool kPackedGlow = false;
layout(location = 0) out vec4 color;

const float kGlow = 0.17;  // of the light, spread over the levels, at Frame.bloom 1

// Compresses the peak of rgb and mixes in white as it does: the hue stays, what is very bright turns
// white (the shape of Khronos' PBR Neutral tone mapper, without its Fresnel offset).
vec3 tone_map(vec3 c) {
  const float kStart = 0.72;
  const float d = 1.0 - kStart;
  float peak = max(c.r, max(c.g, c.b));
  float over = max(peak, kStart) - kStart;
  float mapped = peak - over * over / (over + d);  // 1 - d^2 / (over + d) above the start
  float white = 1.0 - 1.0 / (0.16 * (peak - mapped) + 1.0);
  return mix(c * (mapped / max(peak, 1e-6)), vec3(mapped), white);
}

// IEC 61966-2-1; its power as a polynomial of the square root, at most 0.2 / 255 off: software devices
// pay for powers.
vec3 srgb(vec3 c) {
  vec3 s = sqrt(c);
  vec3 curve = (((-0.309801 * s + 0.843308) * s - 0.945252) * s + 1.448011) * s - 0.037014;
  return mix(curve, 12.92 * c, lessThan(c, vec3(0.0031308)));
}

void main() {
  vec2 uv = gl_FragCoord.xy * inverse_extent;
  vec3 c = texelFetch(scene, ivec2(gl_FragCoord.xy), 0).rgb;
  vec2 off = uv - 0.5;
  float vignette = 1.0 - dot(off, off) * 0.5;
  if (!light_theme()) {
    vec3 glow = textureLod(bloom, uv, 0.0).rgb;
    if (kPackedGlow) glow = unpack_glow(glow);
    c = tone_map((c + glow * (frame.bloom * kGlow)) * (frame.exposure * vignette * vignette));
  } else {
    c = min(c * (0.9 + 0.1 * vignette), vec3(1.0));
  }
  c = srgb(c);
  color = vec4(c + (dither(gl_FragCoord.xy) - 0.5) * (1.0 / 255.0), dot(c, vec3(0.3, 0.59, 0.11)));
}
