#version 460
#extension GL_GOOGLE_include_directive : require
#include "node.glsl"

layout(location = 0) flat out uint id;

void main() {
  uint index = uint(gl_VertexIndex) >> 3;
  Box box = box_of(index);
  id = index + 1u;
  gl_Position = frame.clip_from_world * vec4(box.center + corner_of(box, uint(gl_VertexIndex) & 7u), 1.0);
  // Scenery is looked through.
  if ((nodes[index].flags & (kNodeHidden | kNodeNotPicked)) != 0u || nodes[index].column > frame.now + 0.5) gl_Position = vec4(0.0, 0.0, -1.0, 1.0);
}
