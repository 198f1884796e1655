#version 460
#extension GL_GOOGLE_include_directive : require
// A plate: the cell under the pixel with its gaps, bevel and light. Where several cells fall into one
// pixel it shows what they are together: their mean, and a part of the largest, so that one lit
// cell among many dark ones can still be seen from afar.
#include "grid.glsl"
#include "shade.glsl"

layout(set = 0, binding = kBindBlocks, scalar) readonly buffer Blocks { Block blocks[]; };

layout(location = 0) in vec3 local;
layout(location = 1) flat in vec4 half_size_and_ghost;
layout(location = 2) flat in uvec2 grid_and_element;
layout(location = 3) flat in uint style;
layout(location = 4) flat in vec4 center_and_reach;
layout(location = 0) out vec4 color;

const float kMostWeight = 0.3;  // of the largest light, where cells are shown together

// The light of the cells around a place on a level; 0 is the cell itself.
vec2 light_on(Grid grid, uint first, uvec2 at, uint level) {
  if (level == 0u) {
    uint element = element_at(grid, at.x, at.y);
    return element == kNoElement ? vec2(0.0) : light_of(first + element);
  }
  uint plate = (first - grid.first_element) / grid.elements;
  Block block = blocks[grid.first_block + plate * grid.blocks + block_at(grid, at.x, at.y, level)];
  // A block at the edge has fewer places.
  uint side = 1u << (2u * level);
  uvec2 begin = at >> (2u * level) << (2u * level);
  uvec2 places = min(uvec2(side), uvec2(grid.cols, grid.rows) - begin);
  vec2 mean = vec2(block.sum[0], block.sum[1]) / float(kBlockOne * places.x * places.y);
  return mix(mean, uintBitsToFloat(uvec2(block.most[0], block.most[1])), kMostWeight);
}

// The same between two levels, at a place that is not on the plate's edge.
vec2 light_near(Grid grid, uint first, vec2 at, float level) {
  uvec2 place = uvec2(clamp(at, vec2(0.0), vec2(grid.cols, grid.rows) - 1.0));
  uint finer = uint(level);
  vec2 light = light_on(grid, first, place, finer);
  float coarse = fract(level);
  if (coarse > 0.0) light = mix(light, light_on(grid, first, place, finer + 1u), coarse);
  return light;
}

void main() {
  vec3 half_size = half_size_and_ghost.xyz;
  Grid grid = grids[grid_and_element.x];
  Box box;
  box.center = center_and_reach.xyz;
  box.half_size = half_size;
  vec3 on = face_at(local, half_size);
  vec3 outward = sign(local);

  Surface s;
  s.position = box.center + local;
  s.normal = normalize(on * outward);
  s.channel = style & 7u;
  s.ghost = half_size_and_ghost.w;
  s.light = vec2(0.0);
  s.line = s.border = 0.0;
  s.id = 0u;

  vec2 groups = groups_at(box, grid, style >> 8, local);
  vec2 at = places_at(grid, groups);
  bool shown = grid.past != 0u ? on.y > 0.5 : on.z > 0.5;
  if (shown) {
    // Places that a pixel covers: its corners, moved onto the plate along their rays. (Derivatives of
    // the rasteriser are wrong at the seam of a face's two triangles.)
    vec3 ray = s.position - frame.eye;
    float along = dot(ray, forward());
    vec3 slide = ray * (frame.pixel_size * along / dot(ray, s.normal));
    vec3 across = abs(frame.right * (frame.pixel_size * along) - slide * dot(frame.right, s.normal));
    vec3 down = abs(frame.up * (frame.pixel_size * along) - slide * dot(frame.up, s.normal));
    vec3 covers = across + down;
    vec2 footprint = grid.past != 0u ? covers.xz * vec2(0.5 / half_size.x, 1.0 / past_pitch(now_of(style >> 8, grid) - at.y + 0.5))
                                     : covers.xy * 0.5 / half_size.xy;
    footprint *= grid.past != 0u ? vec2(grid.cols, 1.0) : vec2(grid.cols, grid.rows) / (1.0 - grid.group_gap);
    footprint = clamp(footprint, 1e-5, 1e5);

    uvec2 place = uvec2(clamp(at, vec2(0.0), vec2(grid.cols, grid.rows) - 1.0));
    uint element = element_at(grid, place.x, place.y);

    // Near: which part of the cell this is. Far: how much of a cell is cell.
    vec2 middle = fract(at) - 0.5;
    vec2 inset = 0.5 - 0.5 * grid.gap - abs(middle);         // places, to the cell's edge
    vec2 inset_px = inset / footprint;
    vec2 size_px = (1.0 - grid.gap) / footprint;
    float smallest_px = min(size_px.x, size_px.y);
    vec2 near = 1.0 - smoothstep(0.3, 0.8, footprint);
    vec2 covered = mix(1.0 - grid.gap, clamp(inset_px + 0.5, 0.0, 1.0), near);
    vec2 in_group = 0.5 - 0.5 * grid.group_gap - abs(fract(groups) - 0.5);
    covered *= clamp(in_group * vec2(grid.group_cols, grid.group_rows) / footprint + 0.5, 0.0, 1.0);
    // Plates of experts stand apart.
    vec2 apart_px = in_group * vec2(grid.group_cols, grid.group_rows) / footprint;
    if (min(apart_px.x, apart_px.y) < -0.5) discard;
    float cell = element == kNoElement ? 0.0 : covered.x * covered.y;

    float edge_px = min(inset_px.x, inset_px.y);
    s.line = clamp(1.6 - edge_px, 0.0, 1.0) * clamp(0.22 * 0.5 * smallest_px - 0.5, 0.0, 1.0);
    s.border = max(s.line, 1.0 - smoothstep(0.10, 0.28, 2.0 * edge_px / smallest_px));
    s.border *= clamp(0.25 * smallest_px - 0.5, 0.0, 1.0);
    // So that cells can be counted: a line every 16, every 256 and every 4096.
    for (float every = 16.0; every < 5000.0; every *= 16.0) {
      vec2 nearest = round(at / every) * every;
      vec2 rule = clamp(1.2 - abs(at - nearest) / footprint, 0.0, 1.0);
      rule *= clamp(0.06 * every / footprint - 0.5, 0.0, 1.0) * step(0.5, nearest);
      rule *= step(nearest + 0.5, vec2(grid.cols, grid.rows));
      s.line = max(s.line, 0.45 * max(rule.x, rule.y));
      cell = max(cell, max(rule.x, rule.y));
    }
    if ((style >> 8 & kNodeFlat) == 0u) {
      vec2 lean = sign(middle) * clamp(1.0 - inset_px / (0.08 * smallest_px), 0.0, 1.0);
      lean *= 0.7 * clamp(smallest_px / 8.0 - 0.5, 0.0, 1.0);
      s.normal += grid.past != 0u ? vec3(-lean.x, 0.0, lean.y) : vec3(lean.x, -lean.y, 0.0);
      s.normal = normalize(s.normal);
    }

    // Samples along the longer side of the pixel, on the level of the shorter one.
    float longer = max(footprint.x, footprint.y);
    float shorter = min(footprint.x, footprint.y);
    float count = clamp(ceil(longer / max(shorter, 1.0)), 1.0, 6.0);
    float level = clamp(0.5 * log2(max(max(shorter, longer / count), 1.0)), 0.0, float(kBlockLevels));
    vec2 step_along = (footprint.x > footprint.y ? vec2(footprint.x, 0.0) : vec2(0.0, footprint.y)) / count;
    vec2 mean = vec2(0.0);
    vec2 most = vec2(0.0);
    for (float i = 0.5 - 0.5 * count; i < 0.5 * count; i += 1.0) {
      vec2 light = light_near(grid, grid_and_element.y, at + i * step_along, level);
      mean += light / count;
      most = max(most, light);
    }
    s.light = mix(mean, most, kMostWeight) * cell;
    if (center_and_reach.w > 0.0 && grid.past != 0u) {
      // Behind the window nothing is read.
      float age = now_of(style >> 8, grid) - at.y + 0.5;
      s.ghost = max(s.ghost, 0.85 * smoothstep(-0.5, 0.5, age - center_and_reach.w));
    }
    if (element != kNoElement) s.id = grid_and_element.y + element + 1u;
    // Between the cells: the plate's body, in shadow.
    s.ghost = max(s.ghost, 0.8 - 0.8 * cell);
    s.line *= cell;
    s.border *= cell;
  }
  color = vec4(shade(s), 1.0);
}
