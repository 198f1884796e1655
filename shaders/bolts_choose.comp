#version 460
#extension GL_GOOGLE_include_directive : require
// Which bolts of a run are drawn in this frame, and in how many pieces. Left out are those that show
// nothing: dark, not yet on their way, or outside the picture; and in a window that cannot keep up the
// weak ones (Bolt.crowd), each for all of its life.
#include "bolt.glsl"

layout(local_size_x = 64) in;
// Record << 5 | 16 when it is lit and no fork | pieces.
layout(set = 0, binding = kBindChosen, scalar) writeonly buffer Chosen { uint chosen[]; };
layout(push_constant, scalar) uniform Push {
  uint first;
  uint count;
  uint at;       // of the run's first one in `chosen`
  uint finest;   // 1: every bolt in as many pieces as there are
  float budget;  // bolts that may be in flight
};

// Sizes on the screen, in pixels, below which the wiggles that go missing with 1, 2 and 4 pieces stay
// below a pixel: bolts.vert's octaves.
const vec3 kEnough = vec3(24.0, 60.0, 180.0);

uint pieces_of(Bolt bolt) {
  Shown s = shown(bolt);
  if (s.brightness <= 0.0 || head_of(bolt, s.travelled) <= 0.0) return 0u;
  vec3 from = placed(bolt.from, bolt.from_column);
  vec3 to = placed(bolt.to, bolt.to_column);
  // A ball around the path with its wiggles and forks, and around the ribbon.
  float size = length(to - from) + abs(bolt.arc);
  vec4 middle = vec4(0.5 * (from + to) + vec3(0.0, 0.5 * bolt.arc, 0.0), 1.0);
  float depth = dot(middle.xyz - frame.eye, forward());
  float radius = 1.05 * size + 3.0 * width_of(bolt);
  float nearest = depth - radius;
  radius += 8.0 * frame.pixel_size * max(depth + radius, 0.0);
  mat4 rows = transpose(frame.clip_from_world);
  vec4 sides[4] = {rows[3] + rows[0], rows[3] - rows[0], rows[3] + rows[1], rows[3] - rows[1]};
  for (uint i = 0u; i < 4u; ++i) {
    if (dot(sides[i], middle) < -radius * length(sides[i].xyz)) return 0u;
  }
  uint lit = is(bolt, kBoltFork) ? 0u : 16u;
  if (bolt.crowd * s.life >= budget * max(frame.merge, 1.0)) return lit;
  float size_px = size / (frame.pixel_size * max(nearest, 1e-3));
  if (is(bolt, kBoltFork)) size_px *= 0.4;
  uint more = uint(size_px > kEnough.x) + uint(size_px > kEnough.y) + uint(size_px > kEnough.z);
  return lit | (finest != 0u ? kBoltPieces : 1u << more);
}

void main() {
  uint i = gl_GlobalInvocationID.x;
  if (i < count) chosen[at + i] = (first + i) << 5u | pieces_of(bolts[first + i]);
}
