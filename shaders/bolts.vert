#version 460
#extension GL_GOOGLE_include_directive : require
// A bolt is a ribbon that faces the camera, drawn in pieces of kPieceSegments along its path: two
// vertices a joint.
#include "bolt.glsl"
#include "pieces.glsl"

layout(set = 0, binding = kBindJoints, scalar) readonly buffer Joints { Joint joints[]; };

layout(location = 0) noperspective out vec3 across;  // pixels from the middle; t along; brightness
layout(location = 1) flat out vec4 shape;  // radius px, t of the head, dashes, 1 hollow 2 pipe
layout(location = 2) noperspective out vec4 tint;   // rgb; heat 0..1
layout(location = 3) flat out uint record;  // of the bolt, in the buffer
layout(location = 4) noperspective out float halo_px;  // behind the radius
layout(location = 5) flat out float brightest;

void main() {
  uint vertex = uint(gl_VertexIndex);
  uint piece = pieces[vertex / (2u * kPieceJoints)];
  Joint joint = joints[vertex / 2u];
  record = piece_record(piece);
  Bolt bolt = bolts[record];
  Shown s = shown(bolt);
  bool rest = is(bolt, kBoltRest);
  bool fork = is(bolt, kBoltFork);
  bool negative = is(bolt, kBoltNegative);
  bool drain = is(bolt, kBoltDrain);
  bool read = is(bolt, kBoltRead);
  float head = head_of(bolt, s.travelled);
  float width = width_of(bolt);
  float brightness = s.brightness * (fork ? 0.6 : 1.0);

  // Never thinner than a pixel: fade instead.
  float t = piece_t(piece, vertex / 2u % kPieceJoints);
  float pixel = frame.pixel_size * max(dot(joint.at - frame.eye, forward()), 1e-3);
  float taper = fork ? 1.0 - 0.7 * t : 1.0;
  float width_px = width / pixel;
  float radius_px = 0.5 * max(width_px, 1.2);
  // A tower of hundreds of layers would be white else.
  float thin = clamp(width_px / 1.2, 0.25, 1.0);
  brightest = brightness;
  brightness *= thin;
  halo_px = kHaloPx * thin;
  if (negative || drain) radius_px = max(1.5 * radius_px, 1.6);
  float reach_px = 2.6 * radius_px + halo_px;

  float u = (vertex & 1u) == 0u ? -1.0 : 1.0;
  across = vec3(u * reach_px, t, brightness * taper);
  float span = max(distance(placed(bolt.from, bolt.from_column), placed(bolt.to, bolt.to_column)), 1e-5);
  float dashes = rest || drain ? max(floor(span / ((drain ? 9.0 : 6.0) * width)), 3.0) : 0.0;
  shape = vec4(radius_px, head, dashes, drain ? 2.0 : negative ? 1.0 : 0.0);
  // It takes the colour of where it comes from along: a read leaves the cache in the cache's.
  vec3 rgb = frame.channel_color[bolt.channel & 7u].rgb;
  if (bolt.channel == kChannelAttention && bolt.from_column >= 0.0)
    rgb = mix(frame.channel_color[kChannelKv].rgb, rgb, smoothstep(0.0, 0.7, t));
  if (read && !rest) rgb = mix(frame.channel_color[kChannelResidual].rgb, rgb, smoothstep(0.0, 0.6, t));
  if (negative) rgb = cooler(rgb);
  float heat = rest || drain ? 0.0 : (read ? 0.5 : 1.0) * exp(-16.0 * s.old);
  tint = vec4(rgb, heat);
  gl_Position = frame.clip_from_world * vec4(joint.at + joint.side * (u * reach_px * pixel), 1.0);
}
