#version 460
#extension GL_GOOGLE_include_directive : require
// Corners come from the eye, so that a cell of a matrix of thousands is where it is to a pixel.
#include "common.glsl"

layout(set = 0, binding = kBindEvents, scalar) readonly buffer Quads { TileQuad quads[]; };
layout(push_constant, scalar) uniform Push { mat4 clip_from_eye; };

layout(location = 0) out vec2 cell;  // from the quad's first one
layout(location = 1) flat out uint quad_index;

void main() {
  quad_index = uint(gl_VertexIndex) / 6u;
  TileQuad quad = quads[quad_index];
  uint v = uint(gl_VertexIndex) % 6u;
  uint corner = v < 3u ? v : v == 3u ? 0u : v - 2u;  // 0 1 2, 0 2 3
  cell = quad.cells * vec2(corner == 1u || corner == 2u, corner >= 2u);
  gl_Position = clip_from_eye * vec4(quad.corner[corner], 1.0);
}
