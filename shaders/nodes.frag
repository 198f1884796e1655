#version 460
#extension GL_GOOGLE_include_directive : require
// Shading of a box without a mesh: the face, its bevel and its edges follow from where on it we are.
#include "common.glsl"

layout(location = 0) in vec3 local;
layout(location = 1) flat in vec4 half_size_and_ghost;
layout(location = 2) flat in vec2 light;
layout(location = 3) flat in uvec2 index_and_style;
layout(location = 4) flat in vec3 center;
layout(location = 0) out vec4 color;

void main() {
  vec3 half_size = half_size_and_ghost.xyz;
  float ghost = half_size_and_ghost.w;
  uint style = index_and_style.y;
  vec4 channel = frame.channel_color[style & 7u];

  // The face is the axis on which we lie farthest out.
  vec3 q = abs(local) / half_size;
  vec3 on = step(q.yzx, q) * step(q.zxy, q);
  on /= max(on.x + on.y + on.z, 1.0);
  vec3 outward = sign(local);
  vec3 normal = normalize(on * outward);

  vec3 position = center + local;
  vec3 to_eye = frame.eye - position;
  float distance_to_eye = length(to_eye);
  vec3 view = to_eye / distance_to_eye;
  float pixel = frame.pixel_size * distance_to_eye;  // world units

  // Distance to the nearest edge of this face, in pixels, and how large the face is.
  vec3 inset = half_size - abs(local) + on * 1e9;
  float edge = min(inset.x, min(inset.y, inset.z));
  vec3 extent = half_size + on * 1e9;
  float smallest = min(extent.x, min(extent.y, extent.z));
  float facing = max(abs(dot(normal, view)), 0.15);
  float edge_px = edge / pixel;
  float size_px = smallest / pixel * facing;

  // Bevel: the normal leans outwards near an edge.
  bool flat_cell = (style >> 8 & kNodeFlat) != 0u;
  float bevel = flat_cell ? 0.0 : 0.16 * smallest;
  if (bevel > 0.0) {
    vec3 lean = clamp(1.0 - inset / bevel, 0.0, 1.0) * (1.0 - on) * outward;
    normal = normalize(normal + 0.7 * lean * clamp(size_px / 4.0 - 0.5, 0.0, 1.0));
  }
  float line_width = 1.1;
  float line = clamp(line_width + 0.5 - edge_px * facing, 0.0, 1.0);
  line *= clamp(0.22 * size_px - 0.5, 0.0, 1.0);  // none where they would crowd

  const vec3 key = normalize(vec3(-0.45, 0.75, 0.5));
  float diffuse = 0.5 + 0.5 * dot(normal, key);
  diffuse = 0.22 + 0.95 * diffuse * diffuse;
  float rim = pow(1.0 - clamp(dot(normal, view), 0.0, 1.0), 4.0);
  float shine = pow(max(dot(normal, normalize(key + view)), 0.0), 24.0);

  float towards = light.x * channel.w;
  float against = light.y * channel.w;
  vec3 tint = channel.rgb;
  vec3 result;
  uint index = index_and_style.x + 1u;
  bool hovered = index == frame.hovered;
  bool selected = index == frame.selected;
  // A share against the sum: the box is hollow, only its border glows, in a cooler colour.
  vec3 cool = mix(tint.rgb, vec3(0.25, 0.55, 1.0), 0.55);
  float border = max(line, 1.0 - smoothstep(0.10, 0.28, edge / smallest));

  if (light_theme()) {
    vec3 paper = mix(vec3(0.94), tint, 0.24);
    result = paper * (0.76 + 0.26 * diffuse);
    result = mix(result, tint * 0.6, 0.45 * line);
    result = mix(result, sky(-view.y), ghost * 0.8 * (1.0 - 0.6 * line));
    float ink = 1.0 - exp(-2.4 * towards);
    result = mix(result, tint * (0.75 + 0.35 * diffuse) * (1.0 - 0.4 * line), ink);
    float hollow = 1.0 - exp(-2.4 * against);
    result = mix(result, mix(vec3(0.97), cool * 0.6, border), hollow);
    if (hovered || selected) result = mix(result, selected ? vec3(0.02) : tint * 0.3, border);
  } else {
    vec3 rest = tint * 0.055 * diffuse + tint * 0.05 * rim + vec3(0.010) * shine;
    rest += (tint * 0.16 + 0.008) * line * (0.3 + 0.7 * diffuse);
    // Not yet born: a trace of its outline.
    result = mix(rest, rest * 0.22 + tint * 0.03 * line, ghost);
    // A lit one is a clear exception: its own light, still modelled by the key light, hot when strong.
    float glow = towards * (0.55 + 1.1 * towards / (0.4 + towards));
    vec3 hot = mix(tint, vec3(1.0), 0.6 * smoothstep(0.5, 1.5, towards));
    result += hot * glow * (0.45 + 0.5 * diffuse) * (1.0 - 0.3 * line);
    result += hot * line * min(towards, 1.0) * 0.8;
    result += cool * against * 1.5 * border;
    result *= 1.0 - 0.6 * min(against, 1.0) * (1.0 - border);
    if (selected) result = mix(result, vec3(1.6), border * 0.9) + tint * 0.06;
    else if (hovered) result = mix(result, vec3(0.9) + tint, border * 0.75) + tint * 0.05;
  }
  float fog = 1.0 - exp(-frame.horizon.w * distance_to_eye);
  result = mix(result, sky(-view.y), fog);
  color = vec4(result, 1.0);
}
