#version 460
#extension GL_GOOGLE_include_directive : require
// Scatters what happens in a few steps onto the elements: the largest light towards the sum and the
// largest against it. The bits of floats >= 0 order as the floats do, so a maximum of bits needs no
// loop and no order: every run gives the same frame.
#include "common.glsl"

layout(local_size_x = 64) in;
layout(set = 0, binding = kBindNodeLights, scalar) buffer NodeLights { uint node_lights[]; };
layout(set = 0, binding = kBindEvents, scalar) readonly buffer Events { Light events[]; };
layout(push_constant, scalar) uniform Range { uint first; uint count; };

void main() {
  if (gl_GlobalInvocationID.x >= count) return;
  Light light = events[first + gl_GlobalInvocationID.x];
  float value = abs(light_now(light));
  if (value > 0.0 && light.node < frame.element_count) {
    atomicMax(node_lights[2u * light.node + (light.value < 0.0 ? 1u : 0u)], floatBitsToUint(value));
  }
}
