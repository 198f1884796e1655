// A bolt at this playhead: what the passes that choose bolts, lay their paths and draw them share.
#include "common.glsl"

layout(set = 0, binding = kBindEvents, scalar) readonly buffer Events { Bolt bolts[]; };

const float kTravel = 0.15;  // share of its own life, not of a lengthened one, that a bolt travels

struct Shown {
  float brightness;  // 0: nothing of it is seen
  float life;        // steps, as it is shown
  float old;         // share of that life since its head arrived
  float travelled;   // 1: the head has arrived
  uint strike;       // how often it has struck again
};

bool is(Bolt bolt, uint flag) { return (bolt.flags & flag) != 0u; }

Shown shown(Bolt bolt) {
  Shown s;
  float merge = max(frame.merge, 1.0);
  float travel = kTravel * bolt.life * merge;
  s.life = max(bolt.life * merge, frame.shortest_life);
  float age = frame.playhead - shown_instant(bolt.instant, merge);
  s.brightness = bolt.value * frame.channel_color[bolt.channel & 7u].w * light_decay(age, s.life);
  if (age < 0.0 || s.brightness < 0.003) s.brightness = 0.0;
  bool calm = frame.reduced_motion != 0u;
  s.old = max(age - travel, 0.0) / s.life;
  s.travelled = age / travel;
  if (calm) {
    // Nothing runs: it fades in as a whole.
    s.brightness *= clamp(s.travelled, 0.0, 1.0);
    s.travelled = 9.0;
  }
  // Two re-strikes while it fades: the finer wiggles jump, the brightness only ever falls.
  s.strike = calm ? 0u : s.old < 0.09 ? 0u : s.old < 0.27 ? 1u : 2u;
  return s;
}

// World units across.
float width_of(Bolt bolt) {
  float width = frame.bolt_width > 0.0 ? frame.bolt_width : 0.075;
  width *= clamp(sqrt(abs(bolt.share)), is(bolt, kBoltDrain) ? 0.4 : 0.12, 1.0);
  return width * (is(bolt, kBoltRead) ? 0.6 : 1.0) * (is(bolt, kBoltFork) ? 0.55 : 1.0);
}

// A fork leaves its parent's channel somewhere.
uint fork_seed(Bolt bolt) { return hash(bolt.seed, 77u + (bolt.flags >> kBoltForkShift)); }
float fork_at(uint seed) { return 0.12 + 0.62 * unit(seed); }

// How far along its path the head is.
float head_of(Bolt bolt, float travelled) {
  return is(bolt, kBoltFork) ? (travelled - fork_at(fork_seed(bolt))) * 2.5 : travelled;
}
