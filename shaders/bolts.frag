#version 460
#extension GL_GOOGLE_include_directive : require
// Across the ribbon: a thin hot core, a coloured body, a small halo.
#include "common.glsl"

layout(location = 0) noperspective in vec3 across;
layout(location = 1) flat in vec4 shape;
layout(location = 2) noperspective in vec4 tint_between;
layout(location = 4) noperspective in float halo_px;
layout(location = 5) flat in float brightest;
layout(location = 0) out vec4 color;

void main() {
  // On the edge of a ribbon that is finer than a pixel, what is interpolated leaves its range.
  float x = abs(across.x);
  float t = clamp(across.y, 0.0, 1.0);
  float brightness = min(across.z, brightest);
  vec4 tint = clamp(tint_between, 0.0, 1.0);
  float radius = shape.x;
  float head = shape.y;
  // The part behind the head shows, its front edge soft and white-hot.
  float shown = clamp((head - t) * 40.0 + 1.0, 0.0, 1.0) * step(0.0, head);
  float front = head < 1.15 ? exp(-14.0 * max(head - t, 0.0)) * shown : 0.0;
  bool pipe = shape.w > 1.5;
  float dash = 1.0;
  float bead = 0.0;
  if (shape.z > 0.0) {
    float along = abs(fract(t * shape.z) - 0.5);
    if (pipe) bead = smoothstep(0.24, 0.12, along) * clamp(1.3 - x / radius, 0.0, 1.0);
    else dash = smoothstep(0.30, 0.42, along);
  }

  // The core is the inner third, but never less than a pixel; the body fades out over the radius.
  float core = clamp(max(0.36 * radius, 0.45) + 0.5 - x, 0.0, 1.0);
  float body = clamp(1.0 - x / (radius + 1.0), 0.0, 1.0);
  body *= body * (3.0 - 2.0 * body);
  if (shape.w > 0.5) {  // hollow: two bright edges
    core = 0.7 * clamp(1.1 - abs(x - radius), 0.0, 1.0);
    body *= 0.18;
  }
  if (pipe) {  // beads between two rails
    core = 0.35 * core + 0.5 * bead;
    body = 0.18 * body + 0.8 * bead;
  }
  float halo = max(1.0 - x / (2.6 * radius + clamp(halo_px, 0.0, kHaloPx)), 0.0);
  halo *= halo;
  float strength = brightness * shown * dash;
  // Where a ribbon passes behind the eye, what is interpolated means nothing; no number passes this.
  if (!(strength > 0.0 && strength < 1e3 && x < 1e5)) discard;

  if (light_theme()) {
    float cover = clamp(core * 0.6 + body * 0.75, 0.0, 1.0) * (1.0 - exp(-3.0 * strength));
    color = vec4(tint.rgb * mix(0.9, 0.4, front) * cover, cover);
    return;
  }
  float heat = clamp(0.75 * tint.w + front, 0.0, 1.0);
  vec3 hot = mix(tint.rgb, vec3(1.0), 0.18 + 0.72 * heat);
  vec3 light = hot * core * (1.25 + 1.0 * tint.w + 2.6 * front);
  light += tint.rgb * (body * (0.9 + 0.9 * front) + halo * 0.17);
  color = vec4(light * strength, 0.0);
}
