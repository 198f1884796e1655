// Colours: one per channel, the same everywhere, from sets that colour-blind people can tell apart,
// each for the dark and the light theme. tests/render/scene/palette_test.cpp looks at them as
// people with protanopia, deuteranopia and tritanopia do.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <glm/glm.hpp>

#include "shaders/shared.h"

namespace scene {

enum class Theme { kDark, kLight };

enum class PaletteName : uint8_t {
  kDefault,   // after Okabe & Ito 2008, "Color Universal Design"
  kViridis,   // the channels along viridis (van der Walt & Smith 2015)
  kContrast,  // far apart and strong
  kMono,      // greys only: what is left on a black-and-white printer
};
inline constexpr size_t kPaletteCount = 4;

// What the cells of tensors are painted with: shaders::cell_color().
struct CellColours {
  glm::vec3 below, zero, above;  // linear rgb
  std::string_view words;        // "blue below zero, orange above, black at zero"
};

struct Palette {
  std::array<glm::vec3, shaders::kChannelCount> channel;  // linear rgb
  glm::vec3 background;                                   // linear rgb, below
  glm::vec3 horizon;                                      // linear rgb, above
  CellColours cells;
  uint32_t text = 0;  // sRGB, red in the lowest byte
  uint32_t faint_text = 0;
};

Palette palette(Theme theme, PaletteName name = PaletteName::kDefault);

// "default", "viridis", "contrast", "mono", in the order of PaletteName.
std::span<const std::string_view> palette_names();
std::optional<PaletteName> palette_of(std::string_view name);

// For text and panels: sRGB, red in the lowest byte, opaque. A channel's colour; the same for its
// words, on a light ground so dark that they can be read (contrast 4.5: WCAG 2.1, 1.4.3); any.
uint32_t channel_rgba(const Palette& palette, uint32_t channel);
uint32_t word_rgba(const Palette& palette, uint32_t channel);
uint32_t rgba_of(glm::vec3 linear_rgb);
// The same colour with a share, 0..1, of its alpha.
uint32_t faded(uint32_t rgba, float share);

const char* channel_name(uint32_t channel);

// Which channels a person has switched on and how strong they are: gain 1 is as measured.
struct Channels {
  static constexpr float kMostGain = 4.0F;
  std::array<bool, shaders::kChannelCount> on = {true, true, true, true, true, true, true, true};
  std::array<float, shaders::kChannelCount> gain = {1, 1, 1, 1, 1, 1, 1, 1};

  float effective(uint32_t channel) const { return on[channel] ? gain[channel] : 0.0F; }
  bool operator==(const Channels&) const = default;
};

// Words on a command line: "residual", "attention", "kv", "ffn", "candidates", "tokens", "rest",
// "drain". All of them when nothing is wrong, else what is wrong: "there is no channel 'x'".
// only: "attention,ffn" switches all others off; gains: "ffn=2,kv=0.5", each 0 to kMostGain.
std::optional<std::string> choose_channels(std::string_view only, std::string_view gains,
                                           Channels& channels);

}  // namespace scene
