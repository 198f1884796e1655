#version 460
#extension GL_GOOGLE_include_directive : require
// Shading of a box without a mesh: the face, its bevel and its edges follow from where on it we are.
#include "common.glsl"
#include "shade.glsl"

layout(location = 0) in vec3 local;
layout(location = 1) flat in vec4 half_size_and_ghost;
layout(location = 2) flat in vec2 light;
layout(location = 3) flat in uvec2 id_and_style;
layout(location = 4) flat in vec3 center;
layout(location = 0) out vec4 color;

void main() {
  vec3 half_size = half_size_and_ghost.xyz;
  vec3 on = face_at(local, half_size);
  vec3 outward = sign(local);
  Surface s;
  s.normal = normalize(on * outward);
  s.position = center + local;
  s.channel = id_and_style.y & 7u;
  s.light = light;
  s.ghost = half_size_and_ghost.w;
  s.id = id_and_style.x;

  vec3 to_eye = frame.eye - s.position;
  float distance_to_eye = length(to_eye);
  float pixel = frame.pixel_size * distance_to_eye;  // world units

  // Distance to the nearest edge of this face, in pixels, and how large the face is.
  vec3 inset = half_size - abs(local) + on * 1e9;
  float edge = min(inset.x, min(inset.y, inset.z));
  vec3 extent = half_size + on * 1e9;
  float smallest = min(extent.x, min(extent.y, extent.z));
  float facing = max(abs(dot(s.normal, to_eye / distance_to_eye)), 0.15);
  float size_px = smallest / pixel * facing;

  // Bevel: the normal leans outwards near an edge.
  if ((id_and_style.y >> 8 & kNodeFlat) == 0u) {
    vec3 lean = clamp(1.0 - inset / (0.16 * smallest), 0.0, 1.0) * (1.0 - on) * outward;
    s.normal = normalize(s.normal + 0.7 * lean * clamp(size_px / 4.0 - 0.5, 0.0, 1.0));
  }
  s.line = clamp(1.6 - edge / pixel * facing, 0.0, 1.0);
  s.line *= clamp(0.22 * size_px - 0.5, 0.0, 1.0);  // none where they would crowd
  s.border = max(s.line, 1.0 - smoothstep(0.10, 0.28, edge / smallest));
  if ((id_and_style.y >> 8 & kNodeLine) != 0u) s.light = vec2(0.3 / max(frame.channel_color[s.channel].w, 0.3), 0.0);
  color = vec4(shade(s), 1.0);
}
