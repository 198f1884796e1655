#version 460
#extension GL_GOOGLE_include_directive : require
#include "shared.h"

layout(set = 0, binding = kBindTextureA) uniform sampler2D image;
layout(location = 0) noperspective in vec2 uv;
layout(location = 1) noperspective in vec4 rgba;
layout(location = 0) out vec4 color;

void main() { color = rgba * textureLod(image, uv, 0.0); }
