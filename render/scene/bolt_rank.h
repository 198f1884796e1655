// Which bolts count most, when not all of them can be drawn.
//
// A bolt's weight is measured: its width times its brightness. Bolts are compared with those that
// leave at about the same time, and each carries what came out (Bolt.crowd). So a bolt is drawn for
// all of its life or not at all: crowd times that life is how many stronger ones are in flight with
// it, and neither factor changes from frame to frame. Pure functions.
#pragma once

#include <span>

#include "shaders/shared.h"

namespace scene {

// Width, as a share of a bolt's that carries the whole sum, times brightness at its instant.
float weight(const shaders::Bolt& bolt);

// Fills in Bolt.crowd of a step's bolts: the stronger ones that leave in the same slice of the
// step, by the slices in a step. Of equals the first counts as stronger, and a fork never more than
// its parent. slice: in steps, > 0; within it bolts are compared whatever their order.
void rank(std::span<shaders::Bolt> bolts, float step, float slice);

}  // namespace scene
