// The words in the scene: what stands where, the tokens on the tape, the candidates.
#pragma once

#include <vector>

#include "engine/trace/reader.h"
#include "render/label.h"
#include "render/scene/layout.h"
#include "render/scene/palette.h"

namespace render {

struct LabelInput {
  const trace::Reader& reader;
  const scene::Layout& layout;
  const scene::Palette& palette;
  double playhead = 0.0;
  double merge = 1.0;  // steps that are shown as one
  float now = 0.0F;    // column at the front
  glm::mat4 clip_from_world{1.0F};
  glm::vec2 viewport{1.0F};  // pixels
  float size_px = 14.0F;     // of a normal label
};

// Labels that overlap one placed before them are left out; they are placed in order of
// importance. Labels outside the frame are left out too.
std::vector<Label> make_labels(const LabelInput& input);

}  // namespace render
