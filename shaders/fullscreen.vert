#version 460
// One triangle that covers the target.
layout(location = 0) out vec2 uv;
void main() {
  vec2 corner = vec2(gl_VertexIndex & 1, gl_VertexIndex >> 1);
  uv = corner*2.0;
  gl_Position = vec4(corner * 4.0 - 1.0, 1.0, 1.0);
}
