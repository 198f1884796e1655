#version 460
#extension GL_GOOGLE_include_directive : require
// Vertices of Dear ImGui, pulled: position, texture coordinate, colour.
#include "shared.h"

struct UiVertex {
  vec2 position;
  vec2 uv;
  uint rgba;
};
layout(set = 0, binding = kBindEvents, scalar) readonly buffer Vertices { UiVertex vertices[]; };
layout(push_constant, scalar) uniform Push { vec2 scale; vec2 offset; };

layout(location = 0) noperspective out vec2 uv;
layout(location = 1) noperspective out vec4 rgba;

void main() {
  UiVertex vertex = vertices[gl_VertexIndex];
  uv = vertex.uv;
  rgba = unpackUnorm4x8(vertex.rgba);
  gl_Position = vec4(vertex.position * scale + offset, 0.0, 1.0);
}
