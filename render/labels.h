// The words in the scene: what stands where, the tokens, the candidates, the numbers of heads and
// neurons where they are near. What is named follows what is large on the screen, not how large
// the model is.
#pragma once

#include "engine/trace/reader.h"
#include "render/label_board.h"
#include "render/scene/palette.h"
#include "render/scene/subject.h"

namespace render {

struct LabelInput {
  const trace::Reader& reader;
  const scene::Layout& layout;
  const scene::Palette& palette;
  double playhead = 0.0;
  double merge = 1.0;  // steps that are shown as one
  float now = 0.0F;    // column at the front
  glm::mat4 clip_from_world{1.0F};
  glm::vec2 viewport{1.0F};                // pixels
  float size_px = 14.0F;                   // of a normal label
  std::span<const scene::Rect> covered{};  // by panels, pixels
  uint32_t selected = 0;                   // element + 1; 0: none
  // What labels are hidden by, of this layout; null: nothing.
  const scene::Occluders* occluders = nullptr;
  std::span<const scene::Subject> subjects{};  // the first is the reader's and the layout's own
  bool lens = false;                           // readings are shown
};

// Positions that are there at the playhead: what glides to the front already is.
uint32_t written(const LabelInput& in);

// Of a candidate, in as few digits as tell it.
std::string percent_text(float probability);

// What a click on an element's word means. Of models that stand beside the first, elements have
// other numbers: their words mean none.
uint32_t meant(const LabelInput& in, uint32_t element);

// In order of importance; see LabelBoard and scene/placement.h for what gives way to what.
Annotations make_labels(const LabelInput& input);

// The parts of it, most important first.
void label_selected(const LabelInput& in, LabelBoard& board);
void label_muted(const LabelInput& in, LabelBoard& board);
void label_notes(const LabelInput& in, LabelBoard& board);
void label_candidates(const LabelInput& in, LabelBoard& board);
void label_tape(const LabelInput& in, LabelBoard& board);
void label_lens(const LabelInput& in, LabelBoard& board);
void label_wings(const LabelInput& in, LabelBoard& board);
void label_experts(const LabelInput& in, LabelBoard& board);
void label_layers(const LabelInput& in, LabelBoard& board);
void label_heads(const LabelInput& in, LabelBoard& board);
void label_slots(const LabelInput& in, LabelBoard& board);
void label_cells(const LabelInput& in, LabelBoard& board);

}  // namespace render
