#version 460
#extension GL_GOOGLE_include_directive : require
// After lights.comp: what cells of a plate are together, and which slots stand out of the shelf.
// The work follows what is lit, not how large the model is.
#include "grid.glsl"

layout(local_size_x = 64) in;
layout(set = 0, binding = kBindEvents, scalar) readonly buffer Events { Light events[]; };
layout(set = 0, binding = kBindBlocks, scalar) buffer Blocks { Block blocks[]; };
// The arguments of the draw and the elements that it draws.
layout(set = 0, binding = kBindRaised, scalar) buffer Raised {
  uint vertex_count, instance_count, first_vertex, first_instance;
  uint raised[];
};
layout(push_constant, scalar) uniform Range { uint first; uint count; uint grid_count; };

const float kSeen = 0.6;  // pixels that a slot has to rise

void main() {
  if (gl_GlobalInvocationID.x >= count) return;
  Light light = events[first + gl_GlobalInvocationID.x];
  uint side = light.value < 0.0 ? 1u : 0u;
  float value = abs(light_now(light));
  // Of several lights on one element the largest counts, once.
  if (value <= 0.0 || light.node >= frame.element_count ||
      node_lights[2u * light.node + side] != floatBitsToUint(value))
    return;
  for (uint g = 0u; g < grid_count; ++g) {
    Grid grid = grids[g];
    uint local = light.node - grid.first_element;  // wraps where it lies before
    if (local >= grid.elements * grid.plates) continue;
    uint plate = local / grid.elements;
    local %= grid.elements;
    uint x = column_at(grid, local);
    uint y = row_at(grid, local);
    for (uint level = 1u; level <= kBlockLevels; ++level) {
      uint block = grid.first_block + plate * grid.blocks + block_at(grid, x, y, level);
      atomicMax(blocks[block].most[side], floatBitsToUint(value));
      atomicAdd(blocks[block].sum[side], uint(min(value, 3.0) * float(kBlockOne) + 0.5));
    }
    Node node = nodes[grid.first_node + plate];
    if ((node.flags & kNodeGrows) == 0u || (node.flags & kNodeHidden) != 0u ||
        float(y) > frame.now + 0.5)
      return;
    vec3 at = vec3(node.center.xy, past_z(frame.now - float(y)));
    vec4 clip = frame.clip_from_world * vec4(at, 1.0);
    float margin = clip.w + 2.0 * node.half_size.x + node.grow;
    float rise_px = rise_of(node.grow, vec2(value, 0.0)) / (frame.pixel_size * max(clip.w, 1e-3));
    if (rise_px < kSeen || clip.w < 0.0 || abs(clip.x) > 2.0 * margin || abs(clip.y) > 2.0 * margin)
      return;
    raised[atomicAdd(vertex_count, 18u) / 18u] = light.node;
    return;
  }
}
