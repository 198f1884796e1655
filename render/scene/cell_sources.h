// What a value of a tensor is computed from, as parts of other tensors that hang in the scene: the
// row of the matrix and the vector that it is multiplied by, the gain of a norm, the terms of a
// sum. The same block as in scene/dependency.h, one level of detail deeper.
#pragma once

#include <cstdint>
#include <vector>

#include "render/scene/sheets.h"

namespace scene {

// Rows [row, row + rows) x columns [col, col + cols), counted in the whole tensor.
struct CellSource {
  SheetId sheet;
  int64_t row = 0, col = 0;
  int64_t rows = 0, cols = 0;
  bool operator==(const CellSource&) const = default;
};

// position: whose activations are shown; token: the id that was read there, -1 when it is not
// known. A stored weight is computed from nothing. Parts that a model does not have are named as
// well: they have no sheet with numbers.
std::vector<CellSource> cell_sources(const Layout& layout, const CellRef& cell, uint32_t position,
                                     int32_t token);

}  // namespace scene
