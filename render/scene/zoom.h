// Flying to one value of a tensor: the whole way from the model to the cell is one movement.
#pragma once

#include "render/scene/camera.h"
#include "render/scene/sheets.h"

namespace scene {

// From the front, so near that the cell's number can be read among its neighbours'.
Pose cell_pose(const Layout& layout, const CellRef& cell, float aspect);

// share 0..1 of the way: eases in and out; every doubling of size takes as long as any other.
Pose on_the_way(const Pose& from, const Pose& to, float share);

}  // namespace scene
