// A box from one node: the three faces that look at the eye, seven corners, six triangles.
#include "common.glsl"

layout(set = 0, binding = kBindNodes, scalar) readonly buffer Nodes { Node nodes[]; };
layout(set = 0, binding = kBindNodeLights, scalar) readonly buffer NodeLights { uint node_lights[]; };

struct Box {
  vec3 center;
  vec3 half_size;
  vec2 light;  // towards, against
};

const vec4 kNowhere = vec4(0.0, 0.0, -1.0, 1.0);  // clipped

// Hidden, or not written yet in a past that ends at Frame.now.
bool absent(Node node) {
  return (node.flags & kNodeHidden) != 0u || node.column > frame.now + 0.5;
}

vec2 light_of(uint element) {
  if (element == kNoElement) return vec2(0.0);
  return uintBitsToFloat(uvec2(node_lights[2u * element], node_lights[2u * element + 1u]));
}

// How far a thing rises that may, at its light.
float rise_of(float grow, vec2 light) { return grow * min(max(light.x, light.y), 1.5); }

// How deep a column is at an age, as a share of one at the front.
float depth_at(float age) {
  return (past_z(age - 0.5) - past_z(age + 0.5)) / (past_z(-0.5) - past_z(0.5));
}

Box box_of(Node node) {
  Box box;
  box.center = placed(node.center, node.column);
  box.half_size = node.half_size;
  if (node.column >= 0.0) box.half_size.z *= depth_at(frame.now - node.column);
  box.light = light_of(node.element);
  if ((node.flags & kNodeGrows) != 0u) {
    float rise = 0.5 * rise_of(node.grow, box.light);
    box.center.y += rise;
    box.half_size.y += rise;
  }
  return box;
}

// corner 1..7: its bits say on which axes it lies on the side of the eye. 0 is the one that is hidden.
vec3 corner_of(Box box, uint corner) {
  vec3 towards = mix(vec3(-1.0), vec3(1.0), greaterThanEqual(frame.eye, box.center));
  bvec3 near = notEqual(uvec3(corner) & uvec3(1u, 2u, 4u), uvec3(0u));
  return box.half_size * towards * mix(vec3(-1.0), vec3(1.0), near);
}
