#version 460
#extension GL_GOOGLE_include_directive : require
#include "node.glsl"

layout(location = 0) out vec3 local;  // world units from the centre of the box
layout(location = 1) flat out vec4 half_size_and_ghost;
layout(location = 2) flat out vec2 light;
layout(location = 3) flat out uvec2 id_and_style;  // element + 1 or 0; channel, flags << 8
layout(location = 4) flat out vec3 center;

void main() {
  Node node = nodes[uint(gl_VertexIndex) >> 3];
  Box box = box_of(node);
  // Lines stay a pixel wide from afar.
  if ((node.flags & kNodeLine) != 0u)
    box.half_size = max(box.half_size, 0.7 * frame.pixel_size * max(dot(box.center - frame.eye, forward()), 0.0));
  local = corner_of(box, uint(gl_VertexIndex) & 7u);
  half_size_and_ghost = vec4(box.half_size, clamp((node.birth - frame.playhead) * 8.0, 0.0, 1.0));
  light = box.light;
  center = box.center;
  id_and_style = uvec2((node.flags & kNodeNotPicked) != 0u ? 0u : node.element + 1u,
                       node.channel | node.flags << 8);
  gl_Position = frame.clip_from_world * vec4(box.center + local, 1.0);
  if (absent(node)) gl_Position = kNowhere;
}
