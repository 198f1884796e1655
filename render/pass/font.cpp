#include "render/pass/font.h"

#include <array>
#include <string>
#include <unordered_map>

#include <fontconfig/fontconfig.h>
#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_MODULE_H

#include "model/error.h"
#include "render/label.h"
#include "shaders/shared.h"

namespace render {
namespace {

struct FoundFont {
  std::string file;
  int index = 0;
};

// The best font for a style and, unless it is 0, a character.
FoundFont find_font(const char* family, char32_t character) {
  FcPattern* pattern = FcNameParse(reinterpret_cast<const FcChar8*>(family));
  FcPatternAddBool(pattern, FC_SCALABLE, FcTrue);
  FcCharSet* characters = nullptr;
  if (character != 0) {
    characters = FcCharSetCreate();
    FcCharSetAddChar(characters, character);
    FcPatternAddCharSet(pattern, FC_CHARSET, characters);
  }
  FcConfigSubstitute(nullptr, pattern, FcMatchPattern);
  FcDefaultSubstitute(pattern);
  FcResult result = FcResultNoMatch;
  FcPattern* match = FcFontMatch(nullptr, pattern, &result);
  FoundFont found;
  FcChar8* file = nullptr;
  if (match != nullptr && FcPatternGetString(match, FC_FILE, 0, &file) == FcResultMatch) {
    found.file = reinterpret_cast<const char*>(file);
    FcPatternGetInteger(match, FC_INDEX, 0, &found.index);
  }
  if (match != nullptr) FcPatternDestroy(match);
  if (characters != nullptr) FcCharSetDestroy(characters);
  FcPatternDestroy(pattern);
  return found;
}

}  // namespace

std::string font_file(bool mono) {
  const FoundFont found = find_font(mono ? "DejaVu Sans Mono" : "DejaVu Sans", 0);
  if (found.file.empty()) {
    throw fulgurite::Error(fulgurite::ExitCode::kFailed, "no font was found", "fontconfig",
                           "install fonts-dejavu-core");
  }
  return found.file;
}

std::vector<char32_t> decode_utf8(std::string_view text) {
  constexpr char32_t kBroken = 0xfffd;
  std::vector<char32_t> out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    if (lead < 0x80) {
      out.push_back(lead);
      continue;
    }
    const int more = lead >= 0xf0 && lead < 0xf5 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc2 ? 1 : 0;
    if (more == 0 || lead >= 0xf5) {
      out.push_back(kBroken);
      continue;
    }
    char32_t value = lead & (0x3fu >> more);
    int taken = 0;
    while (taken < more && i < text.size() &&
           (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) {
      value = value << 6 | (static_cast<unsigned char>(text[i++]) & 0x3f);
      ++taken;
    }
    constexpr std::array<char32_t, 4> kLeast = {0, 0x80, 0x800, 0x10000};
    const bool whole = taken == more && value >= kLeast[static_cast<size_t>(more)] &&
                       value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
    out.push_back(whole ? value : kBroken);
  }
  return out;
}

struct FontSet::Impl {
  struct Style {
    const char* family;
    std::vector<FT_Face> faces;  // the style's own, then fallbacks as they were needed
    std::unordered_map<char32_t, GlyphShape> glyphs;
  };
  FT_Library library = nullptr;
  std::array<Style, 2> styles = {Style{"DejaVu Sans,sans-serif", {}, {}},
                                 Style{"DejaVu Sans Mono,monospace", {}, {}}};

  FT_Face open(const FoundFont& font) {
    FT_Face face = nullptr;
    if (font.file.empty() || FT_New_Face(library, font.file.c_str(), font.index, &face) != 0)
      return nullptr;
    if (FT_Set_Pixel_Sizes(face, 0, static_cast<FT_UInt>(kGlyphPx)) != 0) {
      FT_Done_Face(face);
      return nullptr;
    }
    return face;
  }

  FT_Face face_for(Style& style, char32_t character) {
    for (const FT_Face face : style.faces) {
      if (FT_Get_Char_Index(face, character) != 0) return face;
    }
    const FT_Face face = open(find_font(style.family, character));
    if (face == nullptr) return nullptr;
    if (FT_Get_Char_Index(face, character) == 0) {
      FT_Done_Face(face);
      return nullptr;
    }
    style.faces.push_back(face);
    return face;
  }
};

FontSet::FontSet() : impl_(std::make_unique<Impl>()) {
  using fulgurite::Error;
  using fulgurite::ExitCode;
  if (FT_Init_FreeType(&impl_->library) != 0)
    throw Error(ExitCode::kFailed, "FreeType does not start");
  FT_Int spread = shaders::kGlyphSpread;
  FT_Property_Set(impl_->library, "sdf", "spread", &spread);
  for (Impl::Style& style : impl_->styles) {
    const FT_Face face = impl_->open(find_font(style.family, 0));
    if (face == nullptr)
      throw Error(ExitCode::kFailed, "no font was found", style.family,
                  "install fonts-dejavu-core");
    style.faces.push_back(face);
  }
}

FontSet::~FontSet() {
  FT_Done_FreeType(impl_->library);  // its faces with it
}

FontSet& FontSet::shared() {
  static FontSet fonts;
  return fonts;
}

const GlyphShape& FontSet::glyph(char32_t character, bool mono) {
  Impl::Style& style = impl_->styles[mono ? 1 : 0];
  const auto [it, fresh] = style.glyphs.try_emplace(character);
  GlyphShape& shape = it->second;
  if (!fresh) return shape;
  FT_Face face = impl_->face_for(style, character);
  if (face == nullptr) {
    if (character != 0xfffd) return shape = glyph(0xfffd, mono);
    face = style.faces.front();  // its own box for what it lacks
  }
  if (FT_Load_Glyph(face, FT_Get_Char_Index(face, character),
                    FT_LOAD_NO_HINTING | FT_LOAD_NO_BITMAP) != 0)
    return shape;
  const FT_GlyphSlot slot = face->glyph;
  shape.advance = static_cast<float>(slot->linearHoriAdvance) / 65536.0f;
  if (slot->outline.n_points == 0 || FT_Render_Glyph(slot, FT_RENDER_MODE_SDF) != 0) return shape;
  const FT_Bitmap& bitmap = slot->bitmap;
  shape.bearing = {static_cast<float>(slot->bitmap_left), -static_cast<float>(slot->bitmap_top)};
  shape.size = {bitmap.width, bitmap.rows};
  for (unsigned y = 0; y < bitmap.rows; ++y) {
    const uint8_t* row = bitmap.buffer + static_cast<ptrdiff_t>(y) * bitmap.pitch;
    shape.distance.insert(shape.distance.end(), row, row + bitmap.width);
  }
  return shape;
}

glm::vec2 FontSet::measure(std::string_view utf8, float size_px, bool mono) {
  float width = 0;
  for (const char32_t character : decode_utf8(utf8)) width += glyph(character, mono).advance;
  return glm::vec2(width, line_height(mono)) * (size_px / kGlyphPx);
}

float FontSet::line_height(bool mono) const {
  return static_cast<float>(impl_->styles[mono ? 1 : 0].faces.front()->size->metrics.height) /
         64.0f;
}

glm::vec2 measure_text(const std::string& text, float size_px, bool mono) {
  return FontSet::shared().measure(text, size_px, mono);
}

}  // namespace render
