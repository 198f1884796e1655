#version 460
#extension GL_GOOGLE_include_directive : require
// The pieces of the chosen bolts, side by side in the bolts' order: every run gives the same frame.
// One group: each thread takes a part of the bolts.
#include "shared.h"
#define PIECES_ACCESS writeonly
#include "pieces.glsl"

const uint kThreads = 256u;
layout(local_size_x = 256) in;
layout(set = 0, binding = kBindChosen, scalar) readonly buffer Chosen { uint chosen[]; };
layout(push_constant, scalar) uniform Push { uint count; };

shared uint places[kThreads];  // pieces of each part; then where they begin
shared uint lit[kThreads];
shared uint drawn[kThreads];

void main() {
  uint thread = gl_LocalInvocationID.x;
  uint each = (count + kThreads - 1u) / kThreads;
  uint begin = min(thread * each, count);
  uint end = min(begin + each, count);
  uvec3 sum = uvec3(0u);
  for (uint i = begin; i < end; ++i) {
    uint seen = chosen[i] >> 4u & 1u;
    uint number = chosen[i] & 15u;
    sum += uvec3(number, seen, number > 0u ? seen : 0u);
  }
  places[thread] = sum.x;
  lit[thread] = sum.y;
  drawn[thread] = sum.z;
  barrier();
  if (thread == 0u) {
    sum = uvec3(0u);
    for (uint i = 0u; i < kThreads; ++i) {
      uint number = places[i];
      places[i] = sum.x;
      sum += uvec3(number, lit[i], drawn[i]);
    }
    bolt_draw = BoltDraw(sum.x * 6u * kPieceSegments, 1u, 0u, 0u, 0u, uint[3]((sum.x + 63u) / 64u, 1u, 1u),
                         sum.y, sum.z);
  }
  barrier();
  uint at = places[thread];
  for (uint i = begin; i < end; ++i) {
    uint number = chosen[i] & 15u;
    if (number == 0u) continue;
    uint bolt = chosen[i] >> 5u << 5u | uint(findMSB(number)) << 3u;
    for (uint p = 0u; p < number; ++p) pieces[at++] = bolt | p;
  }
}
