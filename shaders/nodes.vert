#version 460
#extension GL_GOOGLE_include_directive : require
#include "node.glsl"

layout(location = 0) out vec3 local;  // world units from the centre of the box
layout(location = 1) flat out vec4 half_size_and_ghost;
layout(location = 2) flat out vec2 light;
layout(location = 3) flat out uvec2 index_and_style;  // style: channel, flags << 8
layout(location = 4) flat out vec3 center;

void main() {
  uint index = uint(gl_VertexIndex) >> 3;
  Node node = nodes[index];
  Box box = box_of(index);
  local = corner_of(box, uint(gl_VertexIndex) & 7u);
  half_size_and_ghost = vec4(box.half_size, clamp((node.birth - frame.playhead) * 8.0, 0.0, 1.0));
  light = box.light;
  center = box.center;
  index_and_style = uvec2(index, node.channel | node.flags << 8);
  gl_Position = frame.clip_from_world * vec4(box.center + local, 1.0);
  if (absent(node)) gl_Position = kNowhere;
}
