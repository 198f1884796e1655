#version 460
#extension GL_GOOGLE_include_directive : require
// The slots that stand out of their plate, as boxes: what plates.comp has listed.
#include "grid.glsl"

layout(set = 0, binding = kBindRaised, scalar) readonly buffer Raised {
  uint vertex_count, instance_count, first_vertex, first_instance;
  uint raised[];
};
layout(push_constant, scalar) uniform Range { uint grid_count; };

layout(location = 0) out vec3 local;  // as nodes.vert
layout(location = 1) flat out vec4 half_size_and_ghost;
layout(location = 2) flat out vec2 light;
layout(location = 3) flat out uvec2 id_and_style;
layout(location = 4) flat out vec3 center;

const uint kCorners[18] = {1, 3, 7, 1, 7, 5, 2, 3, 7, 2, 7, 6, 4, 5, 7, 4, 7, 6};

void main() {
  uint element = raised[uint(gl_VertexIndex) / 18u];
  uint g = 0u;
  while (g + 1u < grid_count &&
         element - grids[g].first_element >= grids[g].elements * grids[g].plates)
    ++g;
  Grid grid = grids[g];
  uint plate = (element - grid.first_element) / grid.elements;
  uint cell = (element - grid.first_element) % grid.elements;
  Node node = nodes[grid.first_node + plate];
  float age = frame.now - float(row_at(grid, cell));
  float pitch = 2.0 * node.half_size.x / float(grid.cols);

  Box box;
  box.light = light_of(element);
  float rise = rise_of(node.grow, box.light);
  box.center = vec3(node.center.x + node.half_size.x - (float(column_at(grid, cell)) + 0.5) * pitch,
                    node.center.y + 0.5 * rise, past_z(age));
  float depth = past_z(-0.5) - past_z(0.5);
  box.half_size = vec3(0.5 * pitch * (1.0 - grid.gap.x), node.half_size.y + 0.5 * rise,
                       0.5 * depth * (1.0 - grid.gap.y) * depth_at(age));
  local = corner_of(box, kCorners[uint(gl_VertexIndex) % 18u]);
  half_size_and_ghost = vec4(box.half_size, 0.0);
  light = box.light;
  center = box.center;
  id_and_style = uvec2(element + 1u, node.channel | node.flags << 8);
  gl_Position = frame.clip_from_world * vec4(box.center + local, 1.0);
}
