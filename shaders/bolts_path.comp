#version 460
#extension GL_GOOGLE_include_directive : require
// Where the joints of every piece lie: a jagged path that is decoration and depends on nothing but the
// bolt; its ends are exact. Once a joint, not once a vertex.
#include "bolt.glsl"
#include "pieces.glsl"

layout(local_size_x = 64) in;
layout(set = 0, binding = kBindJoints, scalar) writeonly buffer Joints { Joint joints[]; };

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

// Onwards and aside from where the parent's channel is left.
Path fork_of(Path parent, uint seed) {
  float at = fork_at(seed);
  vec3 start = point_on(parent, at);
  vec3 onwards = normalize(point_on(parent, at + 0.08) - start);
  vec2 aside = signed_pair(hash(seed, 1u));
  vec3 wander = parent.side * aside.x + cross(parent.side, onwards) * aside.y;
  vec3 direction = normalize(onwards + 0.9 * wander);
  float reach = parent.span * (0.10 + 0.22 * unit(hash(seed, 2u)));
  return path_of(start, start + direction * reach, 0.0, seed, parent.strike, 0.09);
}

void main() {
  uint number = gl_GlobalInvocationID.x;
  if (number >= bolt_draw.index_count / (6u * kPieceSegments)) return;
  uint piece = pieces[number];
  Bolt bolt = bolts[piece_record(piece)];
  bool plain = is(bolt, kBoltRest | kBoltDrain);
  float wildness = plain ? 0.0 : is(bolt, kBoltRead) ? 0.03 : 0.05;
  Path path = path_of(placed(bolt.from, bolt.from_column), placed(bolt.to, bolt.to_column), bolt.arc,
                      bolt.seed, shown(bolt).strike, wildness);
  if (is(bolt, kBoltFork)) path = fork_of(path, fork_seed(bolt));
  float one = piece_step(piece);
  vec3 before = point_on(path, piece_t(piece, 0u) - one);
  vec3 here = point_on(path, piece_t(piece, 0u));
  for (uint joint = 0u; joint < kPieceJoints; ++joint) {
    vec3 after = point_on(path, piece_t(piece, joint) + one);
    vec3 side = cross(normalize(frame.eye - here), after - before);
    float side_length = length(side);
    joints[number * kPieceJoints + joint] =
        Joint(here, side_length < 1e-7 ? frame.right : side / side_length);
    before = here;
    here = after;
  }
}
