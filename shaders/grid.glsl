// The plates of a past and of an FFN: which place of a plate, and which of its elements, is where.
#include "node.glsl"

layout(set = 0, binding = kBindGrids, scalar) readonly buffer Grids { Grid grids[]; };

// The column at the front of a plate, and the last one that is written.
float now_of(uint flags, Grid grid) {
  return (flags & kNodeAtRest) != 0u ? float(grid.rows) - 1.0 : frame.now;
}
float last_column(float now, Grid grid) { return min(float(grid.rows) - 1.0, floor(now + 0.5)); }

// A plate of the past ends where the newest column does.
Box plate_of(Node node, Grid grid) {
  Box box;
  box.center = node.center;
  box.half_size = node.half_size;
  box.light = vec2(0.0);
  if (grid.past != 0u) {
    float now = now_of(node.flags, grid);
    float front = past_z(now - last_column(now, grid) - 0.5 * (1.0 - grid.gap.y));
    float back = past_z(now + 0.5 * (1.0 - grid.gap.y));
    box.center.z = 0.5 * (front + back);
    box.half_size.z = 0.5 * (front - back);
  } else if (node.reach > 0.0) {
    // Storeys that are a few pixels apart close their gaps: they would make a pattern of their own.
    float storey_px = node.reach / (frame.pixel_size * max(dot(box.center - frame.eye, forward()), 1e-3));
    box.half_size.y = mix(0.5 * node.reach, box.half_size.y, smoothstep(2.0, 5.0, storey_px));
  }
  return box;
}

// A point of the plate's face -> places across and down, all groups and gaps included: 0 .. groups.
vec2 groups_at(Box box, Grid grid, uint flags, vec3 local) {
  vec2 groups = vec2(grid.cols / grid.group_cols, grid.rows / grid.group_rows);
  vec3 share = 0.5 + 0.5 * local / box.half_size;
  if (grid.past == 0u) return vec2(share.x, 1.0 - share.y) * groups;
  // Lanes go outwards, from the spine to the left; columns are counted at the middle of a place.
  float column = now_of(flags, grid) - past_age(box.center.z + local.z);
  return vec2(1.0 - share.x, (column + 0.5) / float(grid.rows)) * groups;
}

// ... -> places without the gaps between groups, which belong to the nearest cell.
vec2 places_at(Grid grid, vec2 at) {
  vec2 group = floor(at);
  vec2 inside = clamp((at - group - 0.5) / (1.0 - grid.group_gap) + 0.5, 0.0, 0.9999);
  return (group + inside) * vec2(grid.group_cols, grid.group_rows);
}
