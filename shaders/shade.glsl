// What a lit thing looks like, box or cell: its material at rest, its own light, its outline.

struct Surface {
  vec3 position;  // world units
  vec3 normal;
  uint channel;
  vec2 light;     // towards, against
  float ghost;    // 1: not yet born
  float line;     // coverage of the outline
  float border;   // coverage of the wider rim that shows hollow and selected things
  uint id;        // element + 1
};

// So much ink on a ground: a parabola through both and, at half, their geometric mean, as of filters that
// lie on each other, so that what is lit a little has the ink's hue and is not grey. Where they are very
// far apart half is a quarter of both.
vec3 inked(vec3 ground, vec3 ink, float much) {
  vec3 bend = max(2.0 * sqrt(ground * ink) - 0.5 * (ground + ink), 0.0);
  return mix(mix(ground, bend, much), mix(bend, ink, much), much);
}

vec3 shade(Surface s) {
  vec4 channel = frame.channel_color[s.channel];
  vec3 tint = channel.rgb;
  vec3 to_eye = frame.eye - s.position;
  float distance_to_eye = length(to_eye);
  vec3 view = to_eye / distance_to_eye;

  const vec3 key = normalize(vec3(-0.45, 0.75, 0.5));
  float diffuse = 0.5 + 0.5 * dot(s.normal, key);
  diffuse = 0.22 + 0.95 * diffuse * diffuse;
  float rim = 1.0 - clamp(dot(s.normal, view), 0.0, 1.0);
  rim *= rim;
  rim *= rim;
  float shine = max(dot(s.normal, normalize(key + view)), 0.0);
  shine *= shine * shine;  // to the 24th
  shine *= shine;
  shine *= shine;
  shine *= shine;

  float towards = s.light.x * channel.w;
  float against = s.light.y * channel.w;
  bool hovered = s.id != 0u && s.id == frame.hovered;
  bool selected = s.id != 0u && s.id == frame.selected;
  // A share against the sum: the thing is hollow, only its border glows, in a cooler colour.
  vec3 cool = cooler(tint);
  vec3 result;
  if (light_theme()) {
    // A pastel of the hue; greys have none.
    float most = max(tint.r, max(tint.g, tint.b));
    float least = min(tint.r, min(tint.g, tint.b));
    vec3 hue = mix(tint, tint / max(most, 0.25), (most - least) / max(most, 1e-6));
    vec3 paper = 0.94 * mix(vec3(1.0), hue, 0.3);
    result = paper * (0.76 + 0.26 * diffuse);
    result = mix(result, tint * 0.6, 0.45 * s.line);
    result = mix(result, sky(-view.y), s.ghost * 0.8 * (1.0 - 0.6 * s.line));
    float ink = 1.0 - exp(-2.4 * towards);
    result = inked(result, tint * (0.75 + 0.35 * diffuse) * (1.0 - 0.4 * s.line), ink);
    float hollow = 1.0 - exp(-2.4 * against);
    result = mix(result, mix(vec3(0.97), cool * 0.6, s.border), hollow);
    if (hovered || selected) result = mix(result, selected ? vec3(0.02) : tint * 0.3, s.border);
  } else {
    vec3 rest = tint * 0.055 * diffuse + tint * 0.05 * rim + vec3(0.010) * shine;
    rest += (tint * 0.16 + 0.008) * s.line * (0.3 + 0.7 * diffuse);
    // Not yet born: a trace of its outline.
    result = mix(rest, rest * 0.22 + tint * 0.03 * s.line, s.ghost);
    // A lit one is a clear exception: its own light, still modelled by the key light, hot when strong.
    float glow = towards * (0.55 + 1.1 * towards / (0.4 + towards));
    vec3 hot = mix(tint, vec3(1.0), 0.6 * smoothstep(0.5, 1.5, towards));
    result += hot * glow * (0.45 + 0.5 * diffuse) * (1.0 - 0.3 * s.line);
    result += hot * s.line * min(towards, 1.0) * 0.8;
    result += cool * against * 1.5 * s.border;
    result *= 1.0 - 0.6 * min(against, 1.0) * (1.0 - s.border);
    if (selected) result = mix(result, vec3(1.6), s.border * 0.9) + tint * 0.06;
    else if (hovered) result = mix(result, vec3(0.9) + tint, s.border * 0.75) + tint * 0.05;
  }
  float fog = 1.0 - exp(-frame.horizon.w * distance_to_eye);
  return mix(result, sky(-view.y), fog);
}

// The face of a box on which a point lies: 1 on the axis along which it lies farthest out.
vec3 face_at(vec3 local, vec3 half_size) {
  vec3 q = abs(local) / half_size;
  vec3 on = step(q.yzx, q) * step(q.zxy, q);
  return on / max(on.x + on.y + on.z, 1.0);
}
