#version 460
#extension GL_GOOGLE_include_directive : require
// A bolt is a ribbon that faces the camera: kBoltSegments pieces along a jagged path, two vertices
// a joint.
// The path is decoration and depends on nothing but the bolt; its ends are exact.
#include "common.glsl"

layout(set = 0, binding = kBindEvents, scalar) readonly buffer Events { Bolt bolts[]; };

layout(location = 0) noperspective out vec3 across;  // pixels from the middle; t along; brightness
layout(location = 1) flat out vec4 shape;  // radius px, t of the head, dashes, 1 hollow 2 pipe
layout(location = 2) noperspective out vec4 tint;   // rgb; heat 0..1
layout(location = 3) flat out uint record;  // of the bolt, in the buffer

const float kTravel = 0.15;  // share of its own life, not of a lengthened one, that a bolt travels

struct Path {
  vec3 from, to;
  vec3 side;  // across the plane of the arc, unit length
  float arc, amplitude, span;
  float fine;  // of the two finer octaves: short paths have no room for them
  uint seed, strike;
};

Path path_of(vec3 from, vec3 to, float arc, uint seed, uint strike, float wildness) {
  Path path;
  path.from = from;
  path.to = to;
  path.arc = arc;
  vec3 along = to - from;
  path.span = max(length(along), 1e-5);
  along /= path.span;
  vec3 other = abs(along.y) < 0.9 ? vec3(0.0, 1.0, 0.0) : vec3(1.0, 0.0, 0.0);
  path.side = normalize(cross(along, other));
  path.amplitude = wildness * (path.span + abs(arc));
  path.fine = clamp(0.8 * path.span, 0.1, 1.0);
  path.seed = seed;
  path.strike = strike;
  return path;
}

// Displacements at the joints of ever finer pieces, straight between them: what midpoint displacement
// gives, but at any t on its own. A re-strike changes the finer two only: the channel stays.
vec3 point_on(Path path, float t) {
  t = clamp(t, 0.0, 1.0);
  vec2 offset = vec2(0.0);
  float amplitude = 1.0;
  float pieces = 4.0;
  for (uint octave = 0u; octave < 4u; ++octave) {
    float x = t * pieces;
    uint joint = uint(min(x, pieces - 1.0));
    uint seed = path.seed + 0x9e37u * octave + (octave >= 2u ? path.strike * 0x51edu : 0u);
    vec2 a = signed_pair(hash(seed, joint));
    vec2 b = signed_pair(hash(seed, joint + 1u));
    offset += amplitude * (octave >= 2u ? path.fine : 1.0) * mix(a, b, x - float(joint));
    amplitude *= 0.52;
    pieces *= 2.0;
  }
  float bow = 4.0 * t * (1.0 - t);
  offset *= path.amplitude * min(1.6 * bow, 1.0);
  // Across the arc where we are on it, so that no wiggle runs back along the path.
  vec3 ahead = path.to - path.from + vec3(0.0, path.arc * 4.0 * (1.0 - 2.0 * t), 0.0);
  vec3 lift = normalize(cross(path.side, ahead));
  vec3 on_arc = mix(path.from, path.to, t) + vec3(0.0, path.arc * bow, 0.0);
  return on_arc + path.side * offset.x + lift * offset.y;
}

void main() {
  const uint kJoints = kBoltSegments + 1u;
  uint bolt_index = uint(gl_VertexIndex) / (2u * kJoints);
  uint vertex = uint(gl_VertexIndex) % (2u * kJoints);
  Bolt bolt = bolts[bolt_index];
  record = bolt_index;
  gl_Position = vec4(0.0, 0.0, -1.0, 1.0);
  across = vec3(0.0);
  shape = vec4(0.0);
  tint = vec4(0.0);

  float merge = max(frame.merge, 1.0);
  float travel = kTravel * bolt.life * merge;
  float life = max(bolt.life * merge, frame.shortest_life);
  float age = frame.playhead - shown_instant(bolt.instant, merge);
  vec4 channel = frame.channel_color[bolt.channel & 7u];
  float brightness = bolt.value * channel.w * light_decay(age, life);
  if (age < 0.0 || brightness < 0.003) return;

  bool rest = (bolt.flags & kBoltRest) != 0u;
  bool fork = (bolt.flags & kBoltFork) != 0u;
  bool negative = (bolt.flags & kBoltNegative) != 0u;
  bool drain = (bolt.flags & kBoltDrain) != 0u;
  bool read = (bolt.flags & kBoltRead) != 0u;
  bool calm = frame.reduced_motion != 0u;
  float old = max(age - travel, 0.0) / life;  // since it arrived
  float travelled = age / travel;             // 1: the head has arrived
  if (calm) {
    // Nothing runs: it fades in as a whole.
    brightness *= clamp(travelled, 0.0, 1.0);
    travelled = 9.0;
  }
  // Two re-strikes while it fades: the finer wiggles jump, the brightness only ever falls.
  uint strike = calm ? 0u : old < 0.09 ? 0u : old < 0.27 ? 1u : 2u;

  vec3 from = placed(bolt.from, bolt.from_column);
  vec3 to = placed(bolt.to, bolt.to_column);
  Path path = path_of(from, to, bolt.arc, bolt.seed, strike, rest || drain ? 0.0 : read ? 0.03 : 0.05);
  float width = frame.bolt_width > 0.0 ? frame.bolt_width : 0.075;
  width *= clamp(sqrt(abs(bolt.share)), drain ? 0.4 : 0.12, 1.0) * (read ? 0.6 : 1.0);
  float head = travelled;
  if (fork) {
    // Leaves its parent's channel somewhere, onwards and aside, and thins out.
    uint seed = hash(bolt.seed, 77u + (bolt.flags >> kBoltForkShift));
    float at = 0.12 + 0.62 * unit(seed);
    vec3 start = point_on(path, at);
    vec3 onwards = normalize(point_on(path, at + 0.08) - start);
    vec2 aside = signed_pair(hash(seed, 1u));
    vec3 wander = path.side * aside.x + cross(path.side, onwards) * aside.y;
    vec3 direction = normalize(onwards + 0.9 * wander);
    float reach = path.span * (0.10 + 0.22 * unit(hash(seed, 2u)));
    path = path_of(start, start + direction * reach, 0.0, seed, strike, 0.09);
    head = (travelled - at) * 2.5;
    if (head <= 0.0) return;
    width *= 0.55;
    brightness *= 0.6;
  }

  float t = float(vertex >> 1) / float(kBoltSegments);
  float step_t = 1.0 / float(kBoltSegments);
  vec3 here = point_on(path, t);
  vec3 before = point_on(path, t - step_t);
  vec3 after = point_on(path, t + step_t);
  vec3 to_eye = frame.eye - here;
  float pixel = frame.pixel_size * max(dot(-to_eye, forward()), 1e-3);
  vec3 view = normalize(to_eye);
  vec3 side = cross(view, after - before);
  float side_length = length(side);
  side = side_length < 1e-7 ? frame.right : side / side_length;

  // Never thinner than a pixel: fade instead.
  float taper = fork ? 1.0 - 0.7 * t : 1.0;
  float width_px = width / pixel;
  float radius_px = 0.5 * max(width_px, 1.2);
  brightness *= 0.35 + 0.65 * min(width_px / 1.2, 1.0);
  if (negative || drain) radius_px = max(1.5 * radius_px, 1.6);
  float reach_px = 2.6 * radius_px + 3.0;

  float u = (vertex & 1u) == 0u ? -1.0 : 1.0;
  across = vec3(u * reach_px, t, brightness * taper);
  float dashes = rest || drain ? max(floor(path.span / ((drain ? 9.0 : 6.0) * width)), 3.0) : 0.0;
  shape = vec4(radius_px, head, dashes, drain ? 2.0 : negative ? 1.0 : 0.0);
  // It takes the colour of where it comes from along: a read leaves the cache in the cache's.
  vec3 rgb = channel.rgb;
  if (bolt.channel == kChannelAttention && bolt.from_column >= 0.0)
    rgb = mix(frame.channel_color[kChannelKv].rgb, rgb, smoothstep(0.0, 0.7, t));
  if (read && !rest) rgb = mix(frame.channel_color[kChannelResidual].rgb, rgb, smoothstep(0.0, 0.6, t));
  if (negative) rgb = cooler(rgb);
  float heat = rest || drain ? 0.0 : (read ? 0.5 : 1.0) * exp(-16.0 * old);
  tint = vec4(rgb, heat);
  gl_Position = frame.clip_from_world * vec4(here + side * (u * reach_px * pixel), 1.0);
}
