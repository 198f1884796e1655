// Which pieces of which sheets a camera needs, and at which level of detail: a quad-tree a sheet,
// cut by size on the screen. Pure functions of sheets and camera.
#pragma once

#include <cstdint>
#include <vector>

#include <glm/glm.hpp>

#include "render/scene/sheets.h"

namespace scene {

inline constexpr uint32_t kTileTexels = 64;  // a side

// On level l a texel spans 2^l cells in the direction in which cells are smaller on the screen, and
// so many fewer in the other that it is about square. On the top level one tile holds the whole
// sheet.
struct Pyramid {
  explicit Pyramid(const Sheet& sheet);

  int levels = 1;                     // 0 .. levels - 1
  glm::ivec2 shift(int level) const;  // log2 of a texel's cells, across and down
  glm::uvec2 tiles(int level) const;  // across and down

  glm::i64vec2 cells{1, 1};
  glm::ivec2 less{0, 0};  // levels by which a direction lags behind
};

struct TileKey {
  SheetId sheet;
  int level = 0;
  glm::uvec2 at{0};  // across and down, in tiles

  bool operator==(const TileKey&) const = default;
  bool operator<(const TileKey& other) const;
};

// Cells [first, last) that a tile holds, across and down.
struct CellRange {
  glm::i64vec2 first{0}, last{0};
};
CellRange range_of(const Pyramid& pyramid, int level, glm::uvec2 at);

struct TileView {
  glm::dvec3 eye{0.0};
  glm::mat4 clip_from_eye{1.0F};  // world axes, from the eye
  double pixel_size = 1e-3;       // world units a pixel at distance 1
  // A texel is at least so many pixels large; a finer level is not asked for.
  double texel_px = 1.6;
};

struct WantedTile {
  size_t sheet = 0;  // index into the sheets
  int level = 0;
  glm::uvec2 at{0};
};

struct Wanted {
  std::vector<WantedTile> draw;  // the cut: covers what is visible of every sheet
  // All that should be there, the coarsest first: the cut and its ancestors.
  std::vector<WantedTile> keep;
};

inline constexpr size_t kMostTiles = 96;  // in the cut

// At most kMostTiles in the cut: where there would be more, all of it is coarser.
Wanted wanted_tiles(const std::vector<Sheet>& sheets, const TileView& view);

}  // namespace scene
