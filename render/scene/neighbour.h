// From node to node without a pointer.
#pragma once

#include <cstdint>

#include "render/scene/layout.h"

namespace scene {

// The element of the node so many layers further up, or so many places further along in its layer:
// the next head, cell, token of a slot's lane or of the tape, candidate; of the residual stream
// from attention to FFN and on to the next layer. Where there is none, the last one on the way.
// Models that stand beside the first and scenery have none: the element itself. positions: that
// there are.
uint32_t neighbour(const Layout& layout, uint32_t element, int layers, int along,
                   uint32_t positions);

}  // namespace scene
