// The one header that C++ and GLSL share: what the scene hands to the GPU.
// Scalar block layout on both sides; the sizes are asserted below.
// No Vulkan and no trace here, so that render/scene stays testable without a driver.
#ifndef FULGURITE_SHADERS_SHARED_H
#define FULGURITE_SHADERS_SHARED_H

#ifdef __cplusplus
#include <cmath>
#include <cstdint>
#include <glm/glm.hpp>
namespace shaders {
using glm::mat4;
using glm::vec2;
using glm::vec3;
using glm::vec4;
using uint = uint32_t;
#define SHARED_CONST constexpr uint
#else
#extension GL_EXT_scalar_block_layout : require
#define SHARED_CONST const uint
#endif

// Channels: what kind of number a light stands for. Index of Frame.channel_color.
SHARED_CONST kChannelResidual = 0u;
SHARED_CONST kChannelAttention = 1u;
SHARED_CONST kChannelKv = 2u;
SHARED_CONST kChannelFfn = 3u;
SHARED_CONST kChannelCrown = 4u;
SHARED_CONST kChannelTape = 5u;
SHARED_CONST kChannelRest = 6u;
SHARED_CONST kChannelCount = 8u;

// Node.flags
SHARED_CONST kNodeHidden = 1u;     // not drawn, not picked
SHARED_CONST kNodeGrows = 2u;      // rises along +y with its light, up to Node.grow
SHARED_CONST kNodeNotPicked = 4u;  // scenery
SHARED_CONST kNodeFlat = 8u;       // no bevel: cells of a plate

// Bolt.flags
SHARED_CONST kBoltNegative = 1u;  // a share that works against the sum: hollow, cooler
SHARED_CONST kBoltRest = 2u;      // what is not drawn one by one: straight and dotted
SHARED_CONST kBoltFork = 4u;      // a branch of its parent: decoration, named so in the legend.
                                  // A copy of the parent (same ends, seed, arc, instant) with this flag;
                                  // flags >> kBoltForkShift numbers the branches of one parent
SHARED_CONST kBoltForkShift = 8u;
SHARED_CONST kBoltSegments = 32u;  // of the ribbon that draws one

// Bindings: one layout for every pipeline. Up to kBindTextureA they are buffers.
SHARED_CONST kBindFrame = 0u;
SHARED_CONST kBindNodes = 1u;
SHARED_CONST kBindNodeLights = 2u;  // uint[2] per node: bits of the light towards and against
SHARED_CONST kBindEvents = 3u;      // Light or Bolt records of the steps; glyphs; UI vertices
SHARED_CONST kBindTextureA = 4u;
SHARED_CONST kBindTextureB = 5u;
SHARED_CONST kBindCount = 6u;

// One box. Its light is not here: compute shader lights.comp fills one pair per node
// from the token's Light records and the playhead.
struct Node {
  vec3 center;     // world units
  float birth;     // playhead (steps) at which it exists; before that it is drawn as a ghost
  vec3 half_size;  // world units
  float grow;      // world units of rise at full light
  uint channel;
  uint flags;
  float column;    // >= 0: it lies in the past, at z = past_z(Frame.now - column), not center.z
};

// A node lights up: written once when the token arrives.
struct Light {
  uint node;      // index into the node buffer
  float value;    // scaled intensity, >= 0 towards the sum, < 0 against it; 1 = the channel's scale
  float instant;  // playhead (steps)
  float life;     // steps until it is dark, at the default pace; < 0: see light_left()
};

// A term of a signed sum on its way.
struct Bolt {
  vec3 from;
  float instant;  // playhead (steps) at which its head leaves `from`
  vec3 to;
  float share;    // signed share of the sum that it is part of; |share| sets the width
  float value;    // scaled intensity, >= 0
  float life;     // steps from instant to dark, at the default pace
  float arc;      // world units that the path rises above the straight line
  uint channel;
  uint flags;
  uint seed;       // from (token, layer, head, position): the same trace gives the same sky
  uint from_node;  // index into the node buffer, for hover
  uint to_node;
  float from_column;  // as Node.column: >= 0 when that end moves with the past
  float to_column;
};

// One character of a label on the screen.
struct Glyph {
  vec2 at;            // pixels, top left
  vec2 texel;         // top left in the atlas
  vec2 texel_size;
  float px_per_texel;
  float halo;         // 0..1
  uint rgba;          // sRGB, red in the lowest byte
};
SHARED_CONST kGlyphAtlas = 1024u;  // texels a side
SHARED_CONST kGlyphSpread = 8u;    // texels from the outline at which distances saturate

// Cells of the grid whose corners carry the sky's colour.
SHARED_CONST kSkyColumns = 32u;
SHARED_CONST kSkyRows = 18u;

// Everything that changes from frame to frame.
struct Frame {
  mat4 clip_from_world;  // Vulkan's clip space: y down, depth 0 near .. 1 far
  vec3 eye;
  float playhead;      // steps
  vec3 right;          // camera axes in world space, unit length
  float shortest_life; // steps: no light lives less, so that it decays over at least 400 ms
  vec3 up;
  float pixel_size;    // world units per pixel at distance 1 from the eye
  vec2 viewport;       // pixels
  float exposure;
  float bloom;         // 0..1
  vec4 channel_color[kChannelCount];  // linear rgb; w = gain of the channel, 0 switches it off
  vec4 background;     // linear rgb of the sky below; w = 1 for the light theme (ink, not light)
  vec4 horizon;        // linear rgb of the sky above; w = fog density per world unit
  uint hovered;        // node index + 1; 0: none
  uint selected;       // node index + 1; 0: none
  uint reduced_motion; // 1: no jitter, no flicker
  uint node_count;
  float bolt_width;    // world units across a bolt that carries the whole sum; 0: 0.075
  float floor_y;       // world height of the floor grid
  float grid_cell;     // world units between its lines, a heavier one every 8; 0: no grid
  float now;           // column at the front; columns behind it lie at past_z(now - column)
};

// What is left of a light of unit value at an age (steps) when it lives for `life` (steps, already
// lengthened to Frame.shortest_life): full at its instant, then monotonically down to 0. Nothing before.
#ifdef __cplusplus
constexpr
#endif
float light_decay(float age, float life) {
  if (age < 0.0f || age >= life) return 0.0f;
  float left = 1.0f - age / life;
  return left * left;
}

// The same for a Light as it is stored: a negative life stands still for that long, then ends,
// so that a height can be read off.
#ifdef __cplusplus
constexpr
#endif
float light_left(float age, float life, float shortest_life) {
  if (life < 0.0f) return age >= 0.0f && age < -life ? 1.0f : 0.0f;
  return light_decay(age, life > shortest_life ? life : shortest_life);
}

// Where a column lies that is `age` columns old: evenly spaced at first, ever closer far back,
// so that a long past stays in the picture.
#ifdef __cplusplus
inline
#endif
float past_z(float age) {
  const float spacing = 0.34f;
  const float reach = 16.0f;
#ifdef __cplusplus
  return -spacing * reach * std::asinh(age / reach);
#else
  return -spacing * reach * asinh(age / reach);
#endif
}

#ifdef __cplusplus
static_assert(sizeof(Node) == 44);
static_assert(sizeof(Light) == 16);
static_assert(sizeof(Bolt) == 72);
static_assert(sizeof(Frame) == 64 + 16 * 3 + 16 + 16 * 8 + 32 + 16 + 16);
}  // namespace shaders
#endif
#undef SHARED_CONST
#endif
