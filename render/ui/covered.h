// What the panels cover.
#pragma once

#include <vector>

#include "render/scene/placement.h"

struct ImDrawData;

namespace render {

// A rectangle a window, in pixels; none when there is no user interface.
std::vector<scene::Rect> covered_by(const ImDrawData* ui);

}  // namespace render
