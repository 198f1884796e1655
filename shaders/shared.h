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
#define SHARED_CONSTEXPR constexpr
#define PRECISE
#else
#extension GL_EXT_scalar_block_layout : require
#define SHARED_CONST const uint
#define SHARED_CONSTEXPR
// Two shaders that compute it must agree to the last bit.
#define PRECISE precise
#endif

// Channels: what kind of number a light stands for. Index of Frame.channel_color.
SHARED_CONST kChannelResidual = 0u;
SHARED_CONST kChannelAttention = 1u;
SHARED_CONST kChannelKv = 2u;
SHARED_CONST kChannelFfn = 3u;
SHARED_CONST kChannelCrown = 4u;
SHARED_CONST kChannelTape = 5u;
SHARED_CONST kChannelRest = 6u;
SHARED_CONST kChannelDrain = 7u;  // reads of a first position that swallows a head's attention
SHARED_CONST kChannelCount = 8u;

// Node.flags
SHARED_CONST kNodeHidden = 1u;     // not drawn, not picked
SHARED_CONST kNodeGrows = 2u;      // rises along +y with its light, up to Node.grow
SHARED_CONST kNodeNotPicked = 4u;  // scenery
SHARED_CONST kNodeFlat = 8u;       // no bevel
SHARED_CONST kNodePlate = 16u;     // shows the cells of a Grid; plates come first in the node buffer
SHARED_CONST kNodeLine = 32u;      // lettering: in the plain colour of its channel
SHARED_CONST kNodeAtRest = 64u;    // a plate whose past does not move: all of it is there
SHARED_CONST kNoElement = 0xffffffffu;  // Node.element of what has no light and no name

// Bolt.flags
SHARED_CONST kBoltNegative = 1u;  // a share that works against the sum: hollow, cooler
SHARED_CONST kBoltRest = 2u;      // what is not drawn one by one: straight and dotted
SHARED_CONST kBoltFork = 4u;      // a branch of its parent: decoration, named so in the legend.
                                  // A copy of the parent (same ends, seed, arc, instant) with this flag;
                                  // flags >> kBoltForkShift numbers the branches of one parent
SHARED_CONST kBoltDrain = 8u;     // a sink's read: a smooth pipe with beads, low over the shelf
SHARED_CONST kBoltRead = 16u;     // what goes into a node rather than what it adds: thinner, cooler
SHARED_CONST kBoltForkShift = 8u;
// The ribbon that draws a bolt is made of pieces of so many straight segments; of 1, 2, 4 or, at full
// quality and from near, 8 pieces.
SHARED_CONST kPieceSegments = 4u;
SHARED_CONST kPieceJoints = kPieceSegments + 1u;
SHARED_CONST kBoltPieces = 8u;

// Bindings: one layout for every pipeline. Up to kBindTextureA they are buffers.
SHARED_CONST kBindFrame = 0u;
SHARED_CONST kBindNodes = 1u;
SHARED_CONST kBindNodeLights = 2u;  // uint[2] per element: bits of the light towards and against
SHARED_CONST kBindEvents = 3u;      // Light or Bolt records of the steps; glyphs; UI vertices
SHARED_CONST kBindGrids = 4u;
SHARED_CONST kBindBlocks = 5u;      // Block: lights of plates, of many cells together
SHARED_CONST kBindRaised = 6u;      // elements of plates that stand out of them now: see plates.comp
SHARED_CONST kBindChosen = 7u;      // of this frame's bolts, how many pieces: see bolts_choose.comp
SHARED_CONST kBindPieces = 8u;      // BoltDraw and its pieces: see bolts_gather.comp
SHARED_CONST kBindJoints = 9u;      // Joint[kPieceJoints] a piece
SHARED_CONST kBindTextureA = 10u;
SHARED_CONST kBindTextureB = 11u;
SHARED_CONST kBindCount = 12u;

// An element is a thing with a light and an id, the index of its light. A node is a box that is drawn:
// it shows one element, or, as a plate, all the cells of a Grid.
// Lights are not here: lights.comp fills one pair per element from the token's Light records and
// the playhead.
struct Node {
  vec3 center;     // world units
  float birth;     // playhead (steps) at which it exists; before that it is drawn as a ghost
  vec3 half_size;  // world units
  float grow;      // world units of rise at full light
  uint channel;
  uint flags;
  float column;    // >= 0: it lies in the past, at z = past_z(Frame.now - column), not center.z
  uint element;    // whose light it shows and what it is picked as; of a plate: its first cell
  uint grid;       // of a plate: index into the grids
  float reach;     // of a plate of the past: columns that are still read, older ones are dim; 0: all.
                   // Of another plate: world units from storey to storey
};

// How the cells of plates of one kind lie. Cells are square places on the plate; groups of
// group_cols x group_rows cells (the experts of a mixture) stand apart from each other.
struct Grid {
  uint first_element;   // of the first plate's first cell
  uint elements;        // of one plate; plates follow each other
  uint first_node;      // the first plate, index into the node buffer
  uint plates;
  uint cols;            // cells across and down the whole plate
  uint rows;
  uint group_cols;      // cells across and down a group
  uint group_rows;
  uint group_elements;  // of a group, row after row; places that are left over stay bare
  uint past;            // 1: rows are columns of the past, from the oldest, and elements follow
                        // each other along them; the plate lies flat
  uint first_block;     // of the first plate's first level
  uint blocks;          // of one plate, over all levels
  vec2 gap;             // share of a cell's pitch that separates it from the next, across and down
  vec2 group_gap;       // the same of groups
};

// Cells together: on level n squares of 4^n x 4^n places. The largest light towards and against,
// and their sums in units of 1 / kBlockOne.
struct Block {
  uint most[2];  // bits of floats >= 0
  uint sum[2];
};
SHARED_CONST kBlockLevels = 4u;
SHARED_CONST kBlockOne = 16384u;  // 4^8 cells of light 3 stay below 2^32

// A node lights up: written once when the token arrives.
struct Light {
  uint node;      // the element that lights up
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
  uint from_node;  // elements, for hover
  uint to_node;
  float from_column;  // as Node.column: >= 0 when that end moves with the past
  float to_column;
  float crowd;        // stronger bolts that leave around it, a step: scene/bolt_rank.h
};

// What a frame draws of its bolts: arguments of an indexed draw and of a dispatch over the pieces.
struct BoltDraw {
  uint index_count, instance_count, first_index, vertex_offset, first_instance;
  uint groups[3];
  uint lit;    // bolts that could be seen in this frame; forks are not counted
  uint drawn;  // of them
};
// Where a ribbon's path is, and the unit vector across it.
struct Joint {
  vec3 at;
  vec3 side;
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
// A straight line over the picture: outlines, and from a label to what it names.
struct Line {
  vec2 from;    // pixels
  vec2 to;
  float width;  // pixels
  uint rgba;    // as Glyph.rgba
};
SHARED_CONST kGlyphAtlas = 2048u;  // texels a side
SHARED_CONST kGlyphSpread = 8u;    // texels from the outline at which distances saturate

// A piece of a tensor's sheet: a plane quad whose cells take their numbers from a slot of the tile
// atlas, where a texel holds minimum, mean and maximum of the cells that it stands for.
struct TileQuad {
  vec3 corner[4];      // world axes, from the eye: top left, top right, bottom right, bottom left
  vec2 cells;          // that it spans, across and down
  vec2 first;          // its first cell, modulo kTileGrid
  vec2 slot;           // first texel of its slot in the atlas; the two below count from there, so
                       // that a picture does not depend on the slot to the last bit
  vec2 texel;          // of its top left
  vec2 texels_a_cell;
  vec2 last;           // texel that holds something for it
  vec2 hovered;        // a cell, counted from the first one; far outside: none
  vec2 selected;
  vec3 below;          // linear rgb of full colour below zero, at zero and above: see cell_color()
  vec3 zero;
  vec3 above;
  float scale;         // value of full colour
  float alpha;         // how far it has appeared
  uint flags;
};
SHARED_CONST kTileKnown = 1u;     // the slot holds numbers; else nobody has answered yet
SHARED_CONST kTilePartial = 2u;   // they are still being read: NaN is not read yet
SHARED_CONST kTileEdges = 4u;     // << 0 top, 1 right, 2 bottom, 3 left: the sheet ends there
SHARED_CONST kTileAtlas = 1024u;  // texels a side
SHARED_CONST kTileSide = 64u;     // of a slot
SHARED_CONST kTileGrid = 4096u;   // cells between the heaviest lines; lines lie 1, 16, 256, 4096 apart

// Cells of the grid whose corners carry the sky's colour.
SHARED_CONST kSkyColumns = 32u;
SHARED_CONST kSkyRows = 18u;

// What the pick target holds: an element + 1, or this and a bolt's place in the buffer.
SHARED_CONST kPickedBolt = 0x80000000u;

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
  uint hovered;        // element + 1; 0: none
  uint selected;       // element + 1; 0: none
  uint reduced_motion; // 1: no jitter, no flicker
  uint element_count;
  float bolt_width;    // world units across a bolt that carries the whole sum; 0: 0.075
  float floor_y;       // world height of the floor grid
  float grid_cell;     // world units between its lines, a heavier one every 8; 0: no grid
  float now;           // column at the front; columns behind it lie at past_z(now - column)
  float merge;         // steps that are shown as one climb, >= 1; 0: 1. See shown_instant()
  float newest;        // step under the playhead: the newest of its climb
};

// When something is seen that happened at `instant` (steps) while `merge` steps are shown as one climb:
// group k holds the steps whose middle lies in [k merge, (k + 1) merge), and all of them happen
// together, stretched over the time that they would have taken one after the other.
#ifdef __cplusplus
using std::floor;
using std::sqrt;
inline
#endif
float climb_of(float step, float merge) {
  PRECISE float climb = (step + 0.5f) / merge + 2e-5f;  // devices may divide a little too low
  return floor(climb);
}
#ifdef __cplusplus
inline
#endif
float shown_instant(float instant, float merge) {
  if (merge <= 1.0f) return instant;
  float step = floor(instant);
  PRECISE float shown = (climb_of(step, merge) + (instant - step)) * merge;
  return shown;
}

// Whether a light that stands still (see light_left) is of the newest step of its climb: of what stands
// at the crown only one step's numbers are shown, not the largest of several. The last climb may be
// without its later steps: `newest` is then the last that there is.
#ifdef __cplusplus
inline
#endif
bool stands(float instant, float merge, float newest) {
  float step = floor(instant);
  return merge <= 1.0f || step == newest || climb_of(step + 1.0f, merge) != climb_of(step, merge);
}

// What is left of a light of unit value at an age (steps) when it lives for `life` (steps, already
// lengthened to Frame.shortest_life): full at its instant, then monotonically down to 0. Nothing before.
#ifdef __cplusplus
constexpr
#endif
float light_decay(float age, float life) {
  if (age < 0.0f || age >= life) return 0.0f;
  PRECISE float left = 1.0f - age / life;
  PRECISE float light = left * left;
  return light;
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

// How far apart columns of that age lie.
#ifdef __cplusplus
inline
#endif
float past_pitch(float age) {
  const float spacing = 0.34f;
  const float reach = 16.0f;
#ifdef __cplusplus
  return spacing / std::sqrt(1.0f + age / reach * (age / reach));
#else
  return spacing * inversesqrt(1.0 + age / reach * (age / reach));
#endif
}

// The age that lies at a z: the inverse of past_z.
#ifdef __cplusplus
inline
#endif
float past_age(float z) {
  const float spacing = 0.34f;
  const float reach = 16.0f;
#ifdef __cplusplus
  return reach * std::sinh(-z / (spacing * reach));
#else
  return reach * sinh(-z / (spacing * reach));
#endif
}

// The colour of a cell: full at -1 and 1, by the root, which lifts small values; what is larger still
// goes on away from zero, to white or black.
#ifdef __cplusplus
inline
#endif
vec3 cell_color(vec3 below, vec3 zero, vec3 above, float value) {
  float size = value < 0.0f ? -value : value;
  vec3 end = value < 0.0f ? below : above;
  float a = sqrt(size < 1.0f ? size : 1.0f);
  float beyond = 0.2f * (size - 1.0f);
  beyond = beyond > 0.0f ? (beyond < 0.5f ? beyond : 0.5f) : 0.0f;
  float farthest = end.x + end.y + end.z > zero.x + zero.y + zero.z ? 1.0f : 0.0f;
  vec3 full = zero * (1.0f - a) + end * a;
  return full * (1.0f - beyond) + vec3(farthest) * beyond;
}

// A place on a plate -> which of the plate's elements lies there; kNoElement: none.
SHARED_CONSTEXPR uint element_at(Grid grid, uint x, uint y) {
  if (x >= grid.cols || y >= grid.rows) return kNoElement;
  if (grid.past != 0u) return x * grid.rows + y;
  uint group = y / grid.group_rows * (grid.cols / grid.group_cols) + x / grid.group_cols;
  uint inside = y % grid.group_rows * grid.group_cols + x % grid.group_cols;
  uint element = group * grid.group_elements + inside;
  return inside < grid.group_elements && element < grid.elements ? element : kNoElement;
}
// The inverse.
SHARED_CONSTEXPR uint column_at(Grid grid, uint element) {
  if (grid.past != 0u) return element / grid.rows;
  return element / grid.group_elements % (grid.cols / grid.group_cols) * grid.group_cols +
         element % grid.group_elements % grid.group_cols;
}
SHARED_CONSTEXPR uint row_at(Grid grid, uint element) {
  if (grid.past != 0u) return element % grid.rows;
  return element / grid.group_elements / (grid.cols / grid.group_cols) * grid.group_rows +
         element % grid.group_elements / grid.group_cols;
}
// Blocks across or down a plate of so many places, on a level from 1.
SHARED_CONSTEXPR uint blocks_at(uint places, uint level) {
  return (places + (1u << (2u * level)) - 1u) >> (2u * level);
}
// Where the block of a place lies among the blocks of its plate.
SHARED_CONSTEXPR uint block_at(Grid grid, uint x, uint y, uint level) {
  uint before = 0u;
  for (uint finer = 1u; finer < level; ++finer)
    before += blocks_at(grid.cols, finer) * blocks_at(grid.rows, finer);
  return before + (y >> (2u * level)) * blocks_at(grid.cols, level) + (x >> (2u * level));
}

#ifdef __cplusplus
static_assert(sizeof(Node) == 56 && sizeof(Grid) == 64 && sizeof(Block) == 16);
static_assert(sizeof(Light) == 16);
static_assert(sizeof(Bolt) == 76 && sizeof(BoltDraw) == 40 && sizeof(Joint) == 24);
static_assert(sizeof(TileQuad) == 48 + 8 * 4 + 16 + 16 + 36 + 12);
static_assert(sizeof(Glyph) == 36 && sizeof(Line) == 24);
static_assert(sizeof(Frame) == 64 + 16 * 3 + 16 + 16 * 8 + 32 + 16 + 24);
}  // namespace shaders
#endif
#undef SHARED_CONST
#undef SHARED_CONSTEXPR
#endif
