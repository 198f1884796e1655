// The glow in 8 bits a channel, for devices that filter those much faster: the square root of up to
// kGlowRange. Blurred light has no detail that could show it, and dither hides the steps.
const float kGlowRange = 4.0;

vec3 pack_glow(vec3 light) { return sqrt(clamp(light * (1.0 / kGlowRange), 0.0, 1.0)); }
vec3 unpack_glow(vec3 packed_light) { return packed_light * packed_light * kGlowRange; }
