// The plates of a past and of an FFN: which place of a plate, and which of its elements, is where.
#include "node.glsl"

layout(set = 0, binding = kBindGrids, scalar) readonly buffer Grids { Grid grids[]; };

// The columns of the past that a plate shows: those that are written.
float last_column(Grid grid) { return min(float(grid.rows) - 1.0, floor(frame.now + 0.5)); }

// A plate of the past ends where the newest column does.
Box plate_of(Node node, Grid grid) {
  Box box;
  box.center = node.center;
  box.half_size = node.half_size;
  box.light = vec2(0.0);
  if (grid.past != 0u) {
    float front = past_z(frame.now - last_column(grid) - 0.5 * (1.0 - grid.gap.y));
    float back = past_z(frame.now + 0.5 * (1.0 - grid.gap.y));
    box.center.z = 0.5 * (front + back);
    box.half_size.z = 0.5 * (front - back);
  }
  return box;
}

// A point of the plate's face -> places across and down, all groups and gaps included: 0 .. groups.
vec2 groups_at(Box box, Grid grid, vec3 local) {
  vec2 groups = vec2(grid.cols / grid.group_cols, grid.rows / grid.group_rows);
  vec3 share = 0.5 + 0.5 * local / box.half_size;
  if (grid.past == 0u) return vec2(share.x, 1.0 - share.y) * groups;
  // Lanes go outwards, from the spine to the left; columns are counted at the middle of a place.
  float column = frame.now - past_age(box.center.z + local.z);
  return vec2(1.0 - share.x, (column + 0.5) / float(grid.rows)) * groups;
}

// ... -> places without the gaps between groups, which belong to the nearest cell.
vec2 places_at(Grid grid, vec2 at) {
  vec2 group = floor(at);
  vec2 inside = clamp((at - group - 0.5) / (1.0 - grid.group_gap) + 0.5, 0.0, 0.9999);
  return (group + inside) * vec2(grid.group_cols, grid.group_rows);
}
