#include "render/ui/palette_commands.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>

#include <sstream>

#include "render/scene/node_path.h"
#include "render/scene/palette.h"
#include "render/scene/text.h"
#include "shaders/shared.h"

namespace ui {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = scene::lower_ascii(c);
  return out;
}

std::vector<Offer> all_offers() {
  constexpr int kControl = GLFW_MOD_CONTROL;
  std::vector<Offer> all = {
      {"play or pause", "Space", GLFW_KEY_SPACE},
      {"a little back", "Left", GLFW_KEY_LEFT},
      {"a little on", "Right", GLFW_KEY_RIGHT},
      {"a token back", "Ctrl + Left", GLFW_KEY_LEFT, kControl},
      {"a token on", "Ctrl + Right", GLFW_KEY_RIGHT, kControl},
      {"a layer back", "Ctrl + Down", GLFW_KEY_DOWN, kControl},
      {"a layer on", "Ctrl + Up", GLFW_KEY_UP, kControl},
      {"an operation back", ",", GLFW_KEY_COMMA},
      {"an operation on", ".", GLFW_KEY_PERIOD},
      {"to the start", "Home", GLFW_KEY_HOME},
      {"follow the newest token", "End", GLFW_KEY_END},
      {"faster", "+", GLFW_KEY_EQUAL},
      {"slower", "-", GLFW_KEY_MINUS},
      {"pace of one step a second", "0", GLFW_KEY_0},
      {"mute what is selected, or let it speak again", "X", GLFW_KEY_X},
      {"let all speak again that is muted", "Shift + X", GLFW_KEY_X, GLFW_MOD_SHIFT},
      {"logit lens: what the model would say behind each layer", "R", GLFW_KEY_R},
      {"all bolts that are listed, or the strongest", "B", GLFW_KEY_B},
      {"write a prompt", "P", GLFW_KEY_P},
      {"sampling: temperature, top-k, top-p, penalties, seed, tokens", "O", GLFW_KEY_O},
      {"next bolt of what is selected", "N", GLFW_KEY_N},
      {"bolt before it", "Shift + N", GLFW_KEY_N, GLFW_MOD_SHIFT},
      {"inspector: next tensor", "I", GLFW_KEY_I},
      {"inspector: tensor before it", "Shift + I", GLFW_KEY_I, GLFW_MOD_SHIFT},
      {"stop the model, or let it go on", "G", GLFW_KEY_G},
      {"open a model or a trace", "Ctrl + O", GLFW_KEY_O, kControl},
      {"focus on what is selected", "F", GLFW_KEY_F},
      {"select the same a layer up", "Page Up", GLFW_KEY_PAGE_UP},
      {"select the same a layer down", "Page Down", GLFW_KEY_PAGE_DOWN},
      {"select the next beside it", "Shift + Page Up", GLFW_KEY_PAGE_UP, GLFW_MOD_SHIFT},
      {"select the one before it", "Shift + Page Down", GLFW_KEY_PAGE_DOWN, GLFW_MOD_SHIFT},
      {"back: close a message, help or times, or select nothing", "Esc", GLFW_KEY_ESCAPE},
      {"home view", "H", GLFW_KEY_H},
  };
  for (const char* view : {"front", "left", "right", "back", "top", "close", "crown", "tape"})
    all.push_back({std::string("view: ") + view, "", 0, 0, view});
  for (int i = 1; i <= 9; ++i) {
    const std::string number = std::to_string(i);
    all.push_back({"go to bookmark " + number, "Alt + " + number, GLFW_KEY_0 + i, GLFW_MOD_ALT});
    all.push_back({"set bookmark " + number, "Ctrl + " + number, GLFW_KEY_0 + i, kControl});
  }
  for (uint32_t c = 0; c < shaders::kChannelCount; ++c) {
    all.push_back({std::string("channel: ") + scene::channel_name(c) + " on or off",
                   std::to_string(c + 1), GLFW_KEY_1 + static_cast<int>(c)});
    for (const bool more : {true, false}) {
      all.push_back(
          {std::string("channel: ") + scene::channel_name(c) + (more ? " stronger" : " weaker"),
           (more ? "Shift + " : "Ctrl + Shift + ") + std::to_string(c + 1),
           GLFW_KEY_1 + static_cast<int>(c), more ? GLFW_MOD_SHIFT : GLFW_MOD_SHIFT | kControl});
    }
  }
  const std::vector<Offer> looks = {
      {"dark or light theme", "T", GLFW_KEY_T},
      {"next palette of colours", "V", GLFW_KEY_V},
      {"labels", "L", GLFW_KEY_L},
      {"reduced motion", "M", GLFW_KEY_M},
      {"larger text", "Ctrl + +", GLFW_KEY_EQUAL, kControl},
      {"smaller text", "Ctrl + -", GLFW_KEY_MINUS, kControl},
      {"hide or show the panels", "Tab", GLFW_KEY_TAB},
      {"full screen", "F11", GLFW_KEY_F11},
      {"film the window, or end the film", "F9", GLFW_KEY_F9},
      {"save a picture of this view", "F12", GLFW_KEY_F12},
      {"help: all keys", "F1", GLFW_KEY_F1},
      {"times of the passes", "F2", GLFW_KEY_F2},
      {"quit", "Ctrl + Q", GLFW_KEY_Q, kControl},
  };
  all.insert(all.end(), looks.begin(), looks.end());
  return all;
}

}  // namespace

std::vector<Offer> offers(std::string_view typed, const scene::Layout& layout) {
  std::vector<Offer> out;
  std::string name(typed);  // of a node: capital letters
  std::erase(name, ' ');
  for (char& c : name) c = scene::upper_ascii(c);
  if (const auto element = scene::find_node(name, layout)) {
    Offer node{"select " + layout.path(layout.ref(*element)), ""};
    node.node = name;
    out.push_back(node);
  }
  if (const auto storey = scene::find_storey(name, layout)) {
    Offer view{"view: layer " + std::to_string(*storey), ""};
    view.view = name;
    out.push_back(view);
  }
  for (const Offer& offer : all_offers()) {
    const std::string searched = lower(offer.words + " " + offer.keys);
    std::istringstream words(lower(typed));
    bool found = true;
    for (std::string word; words >> word;)
      found = found && searched.find(word) != std::string::npos;
    if (found) out.push_back(offer);
  }
  return out;
}

}  // namespace ui
