// A piece of text in the scene. No Vulkan here: the scene makes labels, the label pass draws them.
#pragma once

#include <cstdint>
#include <string>

#include <glm/glm.hpp>

namespace render {

enum class LabelAlign : uint8_t { kLeft, kCenter, kRight };  // which end of the text the anchor is

// Every one has a soft dark (light theme: light) edge, so that it reads over lightning.
struct Label {
  glm::vec3 anchor{};           // world units; the label keeps its size on the screen
  glm::vec2 offset_px{};        // from the projected anchor, x right, y down
  float size_px = 14;           // font size (em), in pixels of the target
  uint32_t rgba = 0xffffffffu;  // sRGB, as in ImGui: red in the lowest byte, alpha in the highest
  LabelAlign align = LabelAlign::kCenter;
  bool mono = false;     // DejaVu Sans Mono rather than DejaVu Sans, or what fontconfig finds
  uint32_t element = 0;  // + 1, which a click on the label means; 0: none
  std::string text;      // UTF-8, one line; broken sequences show as U+FFFD
};

// Size of one line in pixels: x advance width, y line height. Finds fonts on first use and caches
// glyphs; main thread. Throws Error (failed) with the package to install when no font is there.
glm::vec2 measure_text(const std::string& text, float size_px, bool mono);

}  // namespace render
