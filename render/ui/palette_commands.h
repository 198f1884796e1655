// What the command palette offers: every command of the window by its words, to be found by typing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "render/scene/layout.h"

namespace ui {

// One line of the palette. A key of GLFW that does it, or the name of a view (see
// scene::named_pose) or of a node (see scene/node_path.h); what is not used is 0 or empty.
struct Offer {
  std::string words;  // "a layer back"
  std::string keys;   // "Ctrl + Down"; empty: it has none
  int key = 0;
  int mods = 0;
  std::string view = {};
  std::string node = {};
};

// Those in whose words or keys all words that were typed occur, whatever their case, in a fixed
// order; nothing typed: all. What names a node of the layout, or a storey, comes first.
std::vector<Offer> offers(std::string_view typed, const scene::Layout& layout);

}  // namespace ui
