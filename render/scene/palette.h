// Colours: one per channel, the same everywhere, from a set that colour-blind people can
// tell apart (Okabe & Ito 2008, "Color Universal Design"), and the two themes.
#pragma once

#include <array>
#include <cstdint>

#include <glm/glm.hpp>

#include "shaders/shared.h"

namespace scene {

enum class Theme { kDark, kLight };

struct Palette {
  std::array<glm::vec3, shaders::kChannelCount> channel;  // linear rgb
  glm::vec3 background;                                   // linear rgb, below
  glm::vec3 horizon;                                      // linear rgb, above
  uint32_t text = 0;                                      // sRGB, red in the lowest byte
  uint32_t faint_text = 0;
};

Palette palette(Theme theme);

// A channel's colour for text and panels: sRGB, red in the lowest byte, opaque.
uint32_t channel_rgba(const Palette& palette, uint32_t channel);

const char* channel_name(uint32_t channel);

}  // namespace scene
