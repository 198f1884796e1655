#include "render/scene/palette.h"

#include <algorithm>
#include <cmath>

namespace scene {

namespace {

float linear(int byte) {
  const float s = static_cast<float>(byte) / 255.0F;
  return s <= 0.04045F ? s / 12.92F : std::pow((s + 0.055F) / 1.055F, 2.4F);
}

// From the sRGB notation that people know, 0xRRGGBB.
glm::vec3 rgb(int hex) {
  return {linear(hex >> 16), linear(hex >> 8 & 255), linear(hex & 255)};
}

}  // namespace

Palette palette(Theme theme) {
  Palette p{};
  if (theme == Theme::kDark) {
    p.channel = {rgb(0xE8ECF4), rgb(0x4FB3F0), rgb(0xB482E6), rgb(0xF0A030),
                 rgb(0x2FC59A), rgb(0xD8D2C4), rgb(0x8A93A6), rgb(0xFFFFFF)};
    p.background = rgb(0x05060B);
    p.horizon = rgb(0x0B1120);
    p.text = 0xFFF0E8E4;
    p.faint_text = 0xFFA89890;
  } else {
    p.channel = {rgb(0x4A5060), rgb(0x0072B2), rgb(0x7B3FA8), rgb(0xC96A00),
                 rgb(0x00805C), rgb(0x6A6456), rgb(0x8A93A6), rgb(0x000000)};
    p.background = rgb(0xF2F3F6);
    p.horizon = rgb(0xFFFFFF);
    p.text = 0xFF2A221E;
    p.faint_text = 0xFF807268;
  }
  return p;
}

uint32_t channel_rgba(const Palette& palette, uint32_t channel) {
  uint32_t out = 0xFF000000U;
  for (int i = 0; i < 3; ++i) {
    const float c = palette.channel[channel][i];
    const float s = c <= 0.0031308F ? c * 12.92F : 1.055F * std::pow(c, 1.0F / 2.4F) - 0.055F;
    out |= static_cast<uint32_t>(std::lround(std::clamp(s, 0.0F, 1.0F) * 255.0F)) << (8 * i);
  }
  return out;
}

const char* channel_name(uint32_t channel) {
  constexpr std::array names = {"residual stream", "attention", "KV cache", "FFN",
                                "candidates",      "tokens",    "rest",     ""};
  return names[channel];
}

}  // namespace scene
