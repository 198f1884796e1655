#version 460
#extension GL_GOOGLE_include_directive : require
#include "node.glsl"

layout(location = 0) flat out uint id;

void main() {
  uint index = uint(gl_VertexIndex) >> 3;
  Box box = box_of(index);
  id = index + 1u;
  vec3 at = box.center + corner_of(box, uint(gl_VertexIndex) & 7u);
  gl_Position = frame.clip_from_world * vec4(at, 1.0);
  Node node = nodes[index];
  // Scenery is looked through.
  if (absent(node) || (node.flags & kNodeNotPicked) != 0u) gl_Position = kNowhere;
}
