#version 460
// What is behind everything: a gradient.
layout(location = 0) noperspective in vec3 light;
layout(location = 0) out vec4 color;

void main() { color = vec4(light, 1.0); }
