#version 460
#extension GL_GOOGLE_include_directive : require
#include "grid.glsl"

layout(location = 0) out vec3 local;  // world units from the centre of the plate
layout(location = 1) flat out vec4 half_size_and_ghost;
layout(location = 2) flat out uvec2 grid_and_element;  // the first cell's
layout(location = 3) flat out uint style;              // channel, flags << 8
layout(location = 4) flat out vec4 center_and_reach;

void main() {
  Node node = nodes[uint(gl_VertexIndex) >> 3];
  Box box = plate_of(node, grids[node.grid]);
  local = corner_of(box, uint(gl_VertexIndex) & 7u);
  half_size_and_ghost = vec4(box.half_size, clamp((node.birth - frame.playhead) * 8.0, 0.0, 1.0));
  grid_and_element = uvec2(node.grid, node.element);
  style = node.channel | node.flags << 8;
  center_and_reach = vec4(box.center, node.reach);
  gl_Position = frame.clip_from_world * vec4(box.center + local, 1.0);
  if ((node.flags & kNodeHidden) != 0u || (grids[node.grid].past != 0u && now_of(node.flags, grids[node.grid]) < -0.5))
    gl_Position = kNowhere;
}
