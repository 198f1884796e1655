// What the picture's lights mean at this moment, in words: what a legend must say to be true.
// A pure function, so that what is said can be tested.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/trace/reader.h"
#include "render/scene/choreography.h"
#include "render/scene/layout.h"
#include "render/scene/palette.h"

namespace scene {

struct LegendInput {
  const trace::Reader& reader;
  const Layout& layout;
  double playhead = 0.0;
  double merge = 1.0;
  Channels channels{};
  PaletteName palette = PaletteName::kDefault;
  Telling telling{};
  bool reduced_motion = false;
  // Bolts in the picture, and of them those that are drawn.
  uint32_t bolts_lit = 0;
  uint32_t bolts_drawn = 0;
  Theme theme = Theme::kDark;
  bool sheets = false;  // tensors are in sight
  // Steps a second; 0: the playhead stands. What would be gone before it is read is not said.
  double pace = 0.0;
  bool lens = false;  // words at the storeys are shown
};

struct LegendRow {
  uint32_t channel = 0;
  bool on = true;
  float gain = 1.0F;
  std::string measure;  // of its nodes: "relative update |da|/|x|"
  std::string scale;    // "full at 0.641"; empty where brightness is the number itself
  std::string bolts;    // what its bolts' width is a share of; empty: it has none of its own
};

struct Legend {
  std::vector<LegendRow> rows;        // one a channel
  std::string without;                // what the model runs without; empty: nothing
  std::string who;                    // "position 17, "e"": whose step is in flight; empty: none
  std::string now;                    // "layer 4: heads add to the residual stream"
  std::vector<std::string> notes;     // the rest of the truth at this moment, a line each
  std::vector<std::string> meanings;  // what the signs mean, at any moment
};

Legend legend(const LegendInput& input);

}  // namespace scene
