// What the shaders share among themselves: the frame, hashing, the sky.
#include "shared.h"

layout(set = 0, binding = kBindFrame, scalar) uniform FrameBlock { Frame frame; };

// 0 dark, 1 light: known to a ThemePipeline's shaders when they are compiled. 2: ask the frame.
layout(constant_id = 0) const uint kTheme = 2u;
bool light_theme() { return kTheme == 2u ? frame.background.w > 0.5 : kTheme == 1u; }

// PCG output permutation (O'Neill 2014) over one LCG step: every bit of the result depends on all of x.
uint hash(uint x) {
  uint state = x * 747796405u + 2891336453u;
  uint word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}
uint hash(uint a, uint b) { return hash(a ^ hash(b)); }

// [0, 1)
float unit(uint h) { return float(h >> 8) * (1.0 / 16777216.0); }
// [-1, 1]^2
vec2 signed_pair(uint h) { return vec2(h & 0xffffu, h >> 16) * (2.0 / 65535.0) - 1.0; }

// 0..1, evenly spread among neighbouring pixels (Jimenez' interleaved gradient noise, SIGGRAPH 2014).
float dither(vec2 pixel) {
  return fract(52.9829189 * fract(dot(pixel, vec2(0.06711056, 0.00583715))));
}

// Where a point is that may lie in the past: see Node.column.
vec3 placed(vec3 at, float column) {
  return column < 0.0 ? at : vec3(at.xy, past_z(frame.now - column));
}

// What is left of a light at this playhead, with its sign; the same bits in every shader.
float light_now(Light light) {
  float merge = max(frame.merge, 1.0);
  if (light.life < 0.0 && !stands(light.instant, merge, frame.newest)) return 0.0;
  precise float age = frame.playhead - shown_instant(light.instant, merge);
  precise float now = light.value * light_left(age, light.life * merge, frame.shortest_life);
  return now;
}

const float kHaloPx = 3.0;       // pixels of a bolt behind its radius
const float kFloorReach = 56.0;  // grid cells from the origin to where the floor ends

// The colour of a share against the sum: cooler; of a grey, darker.
vec3 cooler(vec3 rgb) {
  return abs(rgb.r - rgb.g) + abs(rgb.g - rgb.b) < 1e-4 ? 0.6 * rgb : mix(rgb, vec3(0.25, 0.55, 1.0), 0.55);
}

vec3 forward() { return cross(frame.up, frame.right); }

// The sky in a direction whose unit vector rises by `slope`: lightest just above the horizon.
vec3 sky(float slope) {
  float t = clamp(slope < 0.1 ? slope * 1.6 + 0.84 : 1.0 - 0.75 * (slope - 0.1), 0.0, 1.0);
  return mix(frame.background.rgb, frame.horizon.rgb, t * t * (3.0 - 2.0 * t));
}
