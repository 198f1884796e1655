#version 460
#extension GL_GOOGLE_include_directive : require
// The finished picture of the scene, enlarged.
#include "shared.h"

layout(set = 0, binding = kBindTextureA) uniform sampler2D picture;  // sRGB-encoded
layout(push_constant, scalar) uniform Push { vec2 texel; };         // of the target
layout(location = 0) out vec4 color;

void main() { color = textureLod(picture, gl_FragCoord.xy * texel, 0.0); }
