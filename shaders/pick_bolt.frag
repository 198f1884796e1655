#version 460
#extension GL_GOOGLE_include_directive : require
// Which bolt is under the pixel: its core and body, not its halo.
#include "shared.h"

layout(location = 0) noperspective in vec3 across;
layout(location = 1) flat in vec4 shape;
layout(location = 3) flat in uint record;
layout(location = 0) out uint result;

void main() {
  float head = shape.y;
  if (!(abs(across.x) <= shape.x + 0.5) || across.y > head || !(across.z > 0.02)) discard;
  result = kPickedBolt | record;
}
