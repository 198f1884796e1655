#include "render/scene/palette.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

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

constexpr std::array<std::string_view, kPaletteCount> kPaletteNames = {"default", "viridis",
                                                                       "contrast", "mono"};

// [palette][dark, light][channel]: residual, attention, KV, FFN, candidates, tokens, rest, drain.
// Moved from the colours that they are called after as little as it takes for any two to be
// DeltaE 16 apart (CIE 1976; mono 8) in the eyes of everybody.
constexpr int kColours[kPaletteCount][2][shaders::kChannelCount] = {
    {{0xC9D8E3, 0x45ABEC, 0x9165E4, 0xF3A332, 0x31DC9F, 0xF8ECD8, 0x8A98AD, 0xEC7C64},
     {0x343C46, 0x2273B0, 0x572794, 0xB87400, 0x3BA977, 0x726B68, 0x8C94A9, 0x8D3F36}},
    {{0xFCFBF4, 0x7395CD, 0x8355BC, 0xFDE727, 0x33B779, 0xBFD4B6, 0x8E96A7, 0x067A70},
     {0x2F2F2F, 0x387BA4, 0x420053, 0x9B8D00, 0x53B37E, 0x56674D, 0x8E8F92, 0x175464}},
    {{0xFEFFFF, 0x2CB6F8, 0xBA4CFF, 0xFFB300, 0x60FF95, 0xA9CEAC, 0x86889B, 0xDC7658},
     {0x000000, 0x2D65F7, 0x6700AB, 0xA86000, 0x2F9460, 0x4B4120, 0x767B8F, 0x730E48}},
    {{0xFFFFFF, 0xB8B8B8, 0x868686, 0xD0D0D0, 0xE8E8E8, 0x9F9F9F, 0x6E6E6E, 0x575757},
     {0x000000, 0x4B4B4B, 0x7A7A7A, 0x343434, 0x1E1E1E, 0x626262, 0xAAAAAA, 0x919191}}};

// [palette][dark, light], linear rgb. Two hues that nobody takes for each other, on both sides of
// the ground; a printer without colours has lightness alone, so that zero is grey there.
constexpr CellColours kCells[kPaletteCount][2] = {
    {{{0.0214F, 0.1399F, 0.3658F},
      {0.006F, 0.007F, 0.011F},
      {0.3872F, 0.1281F, 0.0088F},
      "blue below zero, orange above, black at zero"},
     {{0.0459F, 0.2997F, 0.7839F},
      {0.92F, 0.92F, 0.92F},
      {0.8298F, 0.2745F, 0.0189F},
      "blue below zero, orange above, white at zero"}},
    {{{0.0500F, 0.0600F, 0.4000F},
      {0.006F, 0.007F, 0.011F},
      {0.7000F, 0.5500F, 0.0F},
      "indigo below zero, yellow above, black at zero"},
     {{0.0100F, 0.1200F, 0.6000F},
      {0.92F, 0.92F, 0.92F},
      {0.6200F, 0.4400F, 0.0F},
      "blue below zero, yellow above, white at zero"}},
    {{{0.0100F, 0.2200F, 0.7000F},
      {0.0F, 0.0F, 0.0F},
      {0.7500F, 0.3300F, 0.0F},
      "blue below zero, orange above, black at zero"},
     {{0.0F, 0.2000F, 0.9000F},
      {1.0F, 1.0F, 1.0F},
      {0.4500F, 0.1200F, 0.0F},
      "blue below zero, brown above, white at zero"}},
    {{{0.0F, 0.0F, 0.0F},
      {0.2F, 0.2F, 0.2F},
      {0.72F, 0.72F, 0.72F},
      "black below zero, white above, grey at zero"},
     {{0.0F, 0.0F, 0.0F},
      {0.35F, 0.35F, 0.35F},
      {1.0F, 1.0F, 1.0F},
      "black below zero, white above, grey at zero"}}};

bool number(std::string_view text, float& out) {
  const std::string copy(text);
  char* end = nullptr;
  out = std::strtof(copy.c_str(), &end);
  return !copy.empty() && end == copy.c_str() + copy.size() && std::isfinite(out);
}

// Calls f with every piece between commas until f says what is wrong.
template <class F>
std::optional<std::string> each(std::string_view list, F&& f) {
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    if (auto wrong = f(list.substr(0, end))) return wrong;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return {};
}

constexpr std::array<std::string_view, shaders::kChannelCount> kWords = {
    "residual", "attention", "kv", "ffn", "candidates", "tokens", "rest", "drain"};

std::optional<uint32_t> channel_of(std::string_view word) {
  const auto at = std::find(kWords.begin(), kWords.end(), word);
  if (at == kWords.end()) return {};
  return static_cast<uint32_t>(at - kWords.begin());
}

std::string no_channel(std::string_view word) {
  return "there is no channel '" + std::string(word) + "'";
}

}  // namespace

Palette palette(Theme theme, PaletteName name) {
  Palette p{};
  const bool dark = theme == Theme::kDark;
  const auto& row = kColours[static_cast<size_t>(name)][dark ? 0 : 1];
  for (size_t c = 0; c < shaders::kChannelCount; ++c) p.channel[c] = rgb(row[c]);
  p.cells = kCells[static_cast<size_t>(name)][dark ? 0 : 1];
  const bool contrast = name == PaletteName::kContrast;
  if (dark) {
    p.background = contrast ? rgb(0x000000) : rgb(0x05060B);
    p.horizon = contrast ? rgb(0x06080C) : rgb(0x0B1120);
    p.text = contrast ? 0xFFFFFFFF : 0xFFF0E8E4;
    p.faint_text = contrast ? 0xFFD0C8C4 : 0xFFA89890;
  } else {
    p.background = contrast ? rgb(0xFFFFFF) : rgb(0xF2F3F6);
    p.horizon = rgb(0xFFFFFF);
    p.text = contrast ? 0xFF000000 : 0xFF2A221E;
    p.faint_text = contrast ? 0xFF403830 : 0xFF5E524A;
  }
  if (name == PaletteName::kMono) {
    p.background = glm::vec3(p.background.g);
    p.horizon = glm::vec3(p.horizon.g);
  }
  return p;
}

std::span<const std::string_view> palette_names() {
  return kPaletteNames;
}

std::optional<PaletteName> palette_of(std::string_view name) {
  for (size_t i = 0; i < kPaletteCount; ++i) {
    if (kPaletteNames[i] == name) return static_cast<PaletteName>(i);
  }
  return {};
}

uint32_t channel_rgba(const Palette& palette, uint32_t channel) {
  return rgba_of(palette.channel[channel]);
}

uint32_t word_rgba(const Palette& palette, uint32_t channel) {
  const auto luminance = [](glm::vec3 c) {
    return glm::dot(c, glm::vec3(0.2126F, 0.7152F, 0.0722F));
  };
  const glm::vec3 colour = palette.channel[channel];
  constexpr float kFlare = 0.05F;
  constexpr float kReadable = 4.55F;  // what rounding to bytes may take is over
  const float ground = luminance(palette.background);
  if (ground < 0.5F) {  // lighter, towards white
    const float least = (ground + kFlare) * kReadable - kFlare;
    const float share = (least - luminance(colour)) / (1.0F - luminance(colour));
    return rgba_of(share > 0.0F ? glm::mix(colour, glm::vec3(1.0F), share) : colour);
  }
  const float most = (ground + kFlare) / kReadable - kFlare;
  if (luminance(colour) <= most) return rgba_of(colour);
  return rgba_of(colour * (most / luminance(colour)));
}

uint32_t rgba_of(glm::vec3 linear_rgb) {
  uint32_t out = 0xFF000000U;
  for (int i = 0; i < 3; ++i) {
    const float c = linear_rgb[i];
    const float s = c <= 0.0031308F ? c * 12.92F : 1.055F * std::pow(c, 1.0F / 2.4F) - 0.055F;
    out |= static_cast<uint32_t>(std::lround(std::clamp(s, 0.0F, 1.0F) * 255.0F)) << (8 * i);
  }
  return out;
}

uint32_t faded(uint32_t rgba, float share) {
  const float alpha = static_cast<float>(rgba >> 24) * std::clamp(share, 0.0F, 1.0F);
  return (rgba & 0x00FFFFFFU) | static_cast<uint32_t>(std::lround(alpha)) << 24;
}

const char* channel_name(uint32_t channel) {
  constexpr std::array names = {"residual stream", "attention", "KV cache", "FFN",
                                "candidates",      "tokens",    "rest",     "drain"};
  return names[channel];
}

std::optional<std::string> choose_channels(std::string_view only, std::string_view gains,
                                           Channels& channels) {
  if (!only.empty()) {
    channels.on.fill(false);
    auto wrong = each(only, [&](std::string_view word) -> std::optional<std::string> {
      const auto channel = channel_of(word);
      if (!channel) return no_channel(word);
      channels.on[*channel] = true;
      return {};
    });
    if (wrong) return wrong;
  }
  return each(gains, [&](std::string_view pair) -> std::optional<std::string> {
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto channel = channel_of(pair.substr(0, equals));
    if (!channel) return no_channel(pair.substr(0, equals));
    float gain = 0.0F;
    if (equals == pair.size() || !number(pair.substr(equals + 1), gain) || gain < 0.0F ||
        gain > Channels::kMostGain) {
      return "'" + std::string(pair) + "' is no gain from 0 to 4";
    }
    channels.gain[*channel] = gain;
    return {};
  });
}

}  // namespace scene
