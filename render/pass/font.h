// Fonts: fontconfig finds them, FreeType turns characters into signed distances. No Vulkan here.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <glm/glm.hpp>

namespace render {

// One character at kGlyphPx, in pixels of that size; scales linearly.
struct GlyphShape {
  float advance = 0;
  glm::vec2 bearing{};  // from the pen to the top left of the bitmap, y down
  glm::uvec2 size{};    // of the bitmap; 0: nothing to draw
  std::vector<uint8_t>
      distance;  // rows from the top; 128 on the outline, kGlyphSpread px to 0 and 255
};

inline constexpr float kGlyphPx = 40;  // em

// A line of text: which glyphs stand where, in pixels at kGlyphPx.
struct Setting {
  struct Item {
    uint64_t key = 0;    // the same for the same shape
    glm::vec2 offset{};  // of the glyph's bitmap from the line's start on the baseline, y down
    const GlyphShape* shape = nullptr;
  };
  std::vector<Item> items;
  float width = 0;
};

class FontSet {
 public:
  // Throws Error (failed) naming the package when fontconfig knows no scalable font.
  FontSet();
  ~FontSet();

  // From the first font that has the character: the style's own, then what fontconfig falls back
  // to; when none has it, its number in a box. The reference stays valid.
  const GlyphShape& glyph(char32_t character, bool mono);
  // The number of a character in a box, whatever fonts there are.
  const GlyphShape& boxed(char32_t character);
  // Right-to-left runs, joined letters and marks as scene/shaping.h orders them.
  Setting set(std::string_view utf8, bool mono);
  Setting set(std::span<const char32_t> text, bool mono);
  glm::vec2 measure(std::string_view utf8, float size_px, bool mono);
  float line_height(bool mono) const;  // at kGlyphPx
  // A sentence about characters that were asked for and that no font has, and what to install for
  // them. Empty: there is none that was not told before.
  std::string take_missing();

  static FontSet& shared();  // made on first use, main thread

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Path of the font that fontconfig prefers. Throws Error (failed) naming the package.
std::string font_file(bool mono);

// UTF-8 -> code points; a broken sequence yields U+FFFD.
std::vector<char32_t> decode_utf8(std::string_view text);

}  // namespace render
