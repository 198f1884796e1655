#include "render/pass/font.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <fontconfig/fontconfig.h>
#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_OUTLINE_H

#include "model/error.h"
#include "render/label.h"
#include "render/pass/distance.h"
#include "render/scene/shaping.h"
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

// Every font with outlines that has the character: colour pictures and bitmaps are of no use here.
std::vector<FoundFont> fonts_with(char32_t character) {
  FcPattern* pattern = FcPatternCreate();
  FcPatternAddBool(pattern, FC_OUTLINE, FcTrue);
  FcPatternAddBool(pattern, FC_COLOR, FcFalse);
  FcCharSet* characters = FcCharSetCreate();
  FcCharSetAddChar(characters, character);
  FcPatternAddCharSet(pattern, FC_CHARSET, characters);
  FcObjectSet* wanted = FcObjectSetBuild(FC_FILE, FC_INDEX, nullptr);
  FcFontSet* set = FcFontList(nullptr, pattern, wanted);
  std::vector<FoundFont> found;
  for (int i = 0; set != nullptr && i < set->nfont; ++i) {
    FoundFont font;
    FcChar8* file = nullptr;
    if (FcPatternGetString(set->fonts[i], FC_FILE, 0, &file) != FcResultMatch) continue;
    font.file = reinterpret_cast<const char*>(file);
    FcPatternGetInteger(set->fonts[i], FC_INDEX, 0, &font.index);
    found.push_back(std::move(font));
  }
  if (set != nullptr) FcFontSetDestroy(set);
  FcObjectSetDestroy(wanted);
  FcCharSetDestroy(characters);
  FcPatternDestroy(pattern);
  // fontconfig lists in no order that is promised.
  std::sort(found.begin(), found.end(), [](const FoundFont& a, const FoundFont& b) {
    return std::tie(a.file, a.index) < std::tie(b.file, b.index);
  });
  return found;
}

// An outline of FreeType's as straight pieces, a fiftieth of a pixel off at most.
class Flattener {
 public:
  explicit Flattener(glm::vec2 origin) : origin_(origin) {}

  std::vector<Edge> edges(FT_Outline& outline) {
    FT_Outline_Funcs funcs{};
    funcs.move_to = [](const FT_Vector* to, void* self) { return of(self).move(*to); };
    funcs.line_to = [](const FT_Vector* to, void* self) { return of(self).line(*to); };
    funcs.conic_to = [](const FT_Vector* a, const FT_Vector* to, void* self) {
      return of(self).conic(*a, *to);
    };
    funcs.cubic_to = [](const FT_Vector* a, const FT_Vector* b, const FT_Vector* to, void* self) {
      return of(self).cubic(*a, *b, *to);
    };
    if (FT_Outline_Decompose(&outline, &funcs, this) != 0) edges_.clear();
    return std::move(edges_);
  }

 private:
  static constexpr float kOff = 0.02F;  // pixels

  static Flattener& of(void* self) { return *static_cast<Flattener*>(self); }
  glm::vec2 place(const FT_Vector& at) const { return glm::vec2(at.x, -at.y) / 64.0F - origin_; }
  void add(glm::vec2 to) {
    if (to != pen_) edges_.push_back({pen_, to});
    pen_ = to;
  }
  // A parabola bends away from its chord by a quarter of its second difference; n pieces by an
  // n^2-th of that.
  static int pieces(float bend) {
    return std::max(1, static_cast<int>(std::ceil(std::sqrt(0.25F * bend / kOff))));
  }

  int move(const FT_Vector& to) {
    pen_ = place(to);
    return 0;
  }
  int line(const FT_Vector& to) {
    add(place(to));
    return 0;
  }
  int conic(const FT_Vector& control, const FT_Vector& end) {
    const glm::vec2 p = pen_, a = place(control), to = place(end);
    const int n = pieces(glm::length(p - 2.0F * a + to));
    for (int i = 1; i <= n; ++i) {
      const float t = static_cast<float>(i) / static_cast<float>(n);
      add(glm::mix(glm::mix(p, a, t), glm::mix(a, to, t), t));
    }
    return 0;
  }
  int cubic(const FT_Vector& first, const FT_Vector& second, const FT_Vector& end) {
    const glm::vec2 p = pen_, a = place(first), b = place(second), to = place(end);
    const float bend = std::max(glm::length(p - 2.0F * a + b), glm::length(a - 2.0F * b + to));
    const int n = pieces(3.0F * bend);
    for (int i = 1; i <= n; ++i) {
      const float t = static_cast<float>(i) / static_cast<float>(n);
      const glm::vec2 ab = glm::mix(a, b, t);
      add(glm::mix(glm::mix(glm::mix(p, a, t), ab, t), glm::mix(ab, glm::mix(b, to, t), t), t));
    }
    return 0;
  }

  glm::vec2 origin_;
  glm::vec2 pen_{};
  std::vector<Edge> edges_;
};

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

// Of Debian and Ubuntu, that has a font for a character; empty: none has.
std::string_view package_with(char32_t c) {
  const auto in = [c](char32_t first, char32_t last) { return c >= first && c <= last; };
  if (in(0x2E80, 0x9FFF) || in(0xA960, 0xA97F) || in(0xAC00, 0xD7FF) || in(0x1100, 0x11FF) ||
      in(0xF900, 0xFAFF) || in(0xFE30, 0xFE4F) || in(0xFF00, 0xFFEF) || in(0x20000, 0x3FFFD))
    return "fonts-noto-cjk";
  if (in(0x2600, 0x27BF) || in(0x1F000, 0x1FAFF)) return "fonts-symbola";
  return in(0x80, 0xDFFF) || in(0xFB00, 0xFDFF) || in(0x10000, 0x1EFFF) ? "fonts-noto-core" : "";
}

struct FontSet::Impl {
  struct Style {
    const char* family;
    std::vector<FT_Face> faces;  // the style's own, then fallbacks as they were needed
    std::unordered_map<char32_t, GlyphShape> glyphs;
    std::unordered_map<char32_t, bool> missing;
  };
  FT_Library library = nullptr;
  std::array<Style, 2> styles = {Style{"DejaVu Sans,sans-serif", {}, {}, {}},
                                 Style{"DejaVu Sans Mono,monospace", {}, {}, {}}};
  std::unordered_map<char32_t, GlyphShape> boxes;
  std::set<std::string_view> told;  // packages
  std::string missing;              // what was not told yet

  // Private characters have no font anywhere.
  void miss(char32_t character) {
    const std::string_view package = package_with(character);
    if (package.empty() || !told.insert(package).second) return;
    missing += missing.empty() ? "letters without a font are boxes: install " : ", ";
    missing += fmt::format("{} (U+{:04X})", package, static_cast<uint32_t>(character));
  }

  FT_Face open(const FoundFont& font) {
    FT_Face face = nullptr;
    if (font.file.empty() || FT_New_Face(library, font.file.c_str(), font.index, &face) != 0)
      return nullptr;
    if (!FT_IS_SCALABLE(face) || FT_Set_Pixel_Sizes(face, 0, static_cast<FT_UInt>(kGlyphPx)) != 0) {
      FT_Done_Face(face);
      return nullptr;
    }
    return face;
  }

  FT_Face open_with(const FoundFont& font, char32_t character) {
    const FT_Face face = open(font);
    if (face != nullptr && FT_Get_Char_Index(face, character) == 0) {
      FT_Done_Face(face);
      return nullptr;
    }
    return face;
  }

  FT_Face face_for(Style& style, char32_t character) {
    for (const FT_Face face : style.faces) {
      if (FT_Get_Char_Index(face, character) != 0) return face;
    }
    FT_Face face = open_with(find_font(style.family, character), character);
    if (face == nullptr) {
      for (const FoundFont& font : fonts_with(character)) {
        face = open_with(font, character);
        if (face != nullptr) break;
      }
    }
    if (face != nullptr) style.faces.push_back(face);
    return face;
  }

  // px: the em's size in pixels.
  GlyphShape render(FT_Face face, char32_t character, FT_UInt px) const {
    GlyphShape shape;
    FT_Set_Pixel_Sizes(face, 0, px);
    const bool loaded = FT_Load_Glyph(face, FT_Get_Char_Index(face, character),
                                      FT_LOAD_NO_HINTING | FT_LOAD_NO_BITMAP) == 0;
    const FT_GlyphSlot slot = face->glyph;
    if (loaded) shape.advance = static_cast<float>(slot->linearHoriAdvance) / 65536.0f;
    if (loaded && slot->outline.n_points != 0) {
      constexpr float kSpread = shaders::kGlyphSpread;
      FT_BBox box;
      FT_Outline_Get_CBox(&slot->outline, &box);
      const glm::vec2 low = glm::floor(glm::vec2(box.xMin, -box.yMax) / 64.0F) - kSpread;
      const glm::vec2 high = glm::ceil(glm::vec2(box.xMax, -box.yMin) / 64.0F) + kSpread;
      shape.bearing = low;
      shape.size = glm::uvec2(high - low);
      shape.distance = distances(Flattener(low).edges(slot->outline), shape.size, kSpread);
    }
    FT_Set_Pixel_Sizes(face, 0, static_cast<FT_UInt>(kGlyphPx));
    return shape;
  }
};

FontSet::FontSet() : impl_(std::make_unique<Impl>()) {
  using fulgurite::Error;
  using fulgurite::ExitCode;
  if (FT_Init_FreeType(&impl_->library) != 0)
    throw Error(ExitCode::kFailed, "FreeType does not start");
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

std::string FontSet::take_missing() {
  return std::exchange(impl_->missing, {});
}

const GlyphShape& FontSet::glyph(char32_t character, bool mono) {
  Impl::Style& style = impl_->styles[mono ? 1 : 0];
  if (const auto it = style.glyphs.find(character); it != style.glyphs.end()) return it->second;
  if (style.missing.contains(character)) return boxed(character);
  const FT_Face face = impl_->face_for(style, character);
  if (face == nullptr) {
    style.missing[character] = true;
    impl_->miss(character);
    return boxed(character);
  }
  return style.glyphs[character] = impl_->render(face, character, static_cast<FT_UInt>(kGlyphPx));
}

// Two rows of small digits in a frame. What is nearest to any of the parts is nearest to the whole:
// distances to a union are the largest of its parts' (inside positive).
const GlyphShape& FontSet::boxed(char32_t character) {
  const auto [it, fresh] = impl_->boxes.try_emplace(character);
  GlyphShape& shape = it->second;
  if (!fresh) return shape;
  constexpr unsigned kDigitPx = 15;
  constexpr int kSpread = shaders::kGlyphSpread;
  constexpr float kStroke = 1.2f;  // half the frame's line, pixels
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const int columns = character > 0xFFFF ? 3 : 2;
  std::string digits;
  for (int i = 2 * columns - 1; i >= 0; --i) digits += kHex[(character >> (4 * i)) & 15];

  const FT_Face face = impl_->styles[1].faces.front();
  const float advance = impl_->render(face, U'0', kDigitPx).advance;
  const glm::ivec2 frame(static_cast<int>(std::ceil(advance * static_cast<float>(columns))) + 8,
                         34);
  const glm::ivec2 size = frame + 2 * kSpread;
  std::vector<float> distance(static_cast<size_t>(size.x) * static_cast<size_t>(size.y));
  for (int y = 0; y < size.y; ++y) {
    for (int x = 0; x < size.x; ++x) {
      const glm::vec2 p = glm::vec2(x, y) + 0.5f - glm::vec2(size) * 0.5f;
      const glm::vec2 out = glm::abs(p) - glm::vec2(frame) * 0.5f + kStroke;
      const float to_frame =
          glm::length(glm::max(out, 0.0f)) + std::min(std::max(out.x, out.y), 0.0f);
      distance[static_cast<size_t>(y * size.x + x)] = kStroke - std::abs(to_frame);
    }
  }
  for (size_t i = 0; i < digits.size(); ++i) {
    const GlyphShape digit = impl_->render(face, static_cast<char32_t>(digits[i]), kDigitPx);
    const auto column = static_cast<float>(i % static_cast<size_t>(columns));
    const float row = i < static_cast<size_t>(columns) ? 0.0f : 1.0f;
    const glm::ivec2 at(
        static_cast<int>(std::lround(4.0f + kSpread + column * advance + digit.bearing.x)),
        static_cast<int>(std::lround(16.0f + kSpread + row * 14.0f + digit.bearing.y)));
    for (unsigned y = 0; y < digit.size.y; ++y) {
      for (unsigned x = 0; x < digit.size.x; ++x) {
        const glm::ivec2 to = at + glm::ivec2(x, y);
        if (to.x < 0 || to.y < 0 || to.x >= size.x || to.y >= size.y) continue;
        float& here = distance[static_cast<size_t>(to.y * size.x + to.x)];
        const float value = (static_cast<float>(digit.distance[y * digit.size.x + x]) - 128.0f) *
                            static_cast<float>(kSpread) / 128.0f;
        here = std::max(here, value);
      }
    }
  }
  for (const float d : distance) {
    shape.distance.push_back(static_cast<uint8_t>(
        std::lround(std::clamp(128.0f + d * 128.0f / static_cast<float>(kSpread), 0.0f, 255.0f))));
  }
  shape.size = size;
  shape.bearing = glm::vec2(2.0f, -31.0f) - static_cast<float>(kSpread);
  shape.advance = static_cast<float>(frame.x) + 4.0f;
  return shape;
}

Setting FontSet::set(std::string_view utf8, bool mono) {
  return set(decode_utf8(utf8), mono);
}

Setting FontSet::set(std::span<const char32_t> text, bool mono) {
  Setting setting;
  const float low_letter = 0.57f * kGlyphPx;  // marks are drawn for letters of about this height
  const GlyphShape* base = nullptr;
  float base_x = 0;
  float top = 0;  // of the base and the marks on it, above the baseline
  constexpr float kSpread = shaders::kGlyphSpread;
  for (const scene::Drawn& drawn : scene::shape_line(text)) {
    const GlyphShape& shape = drawn.boxed ? boxed(drawn.character) : glyph(drawn.character, mono);
    const uint64_t key =
        uint64_t{drawn.character} << 2 | (drawn.boxed ? 2U : 0U) | (mono ? 1U : 0U);
    if (!drawn.mark || base == nullptr) {
      base = &shape;
      base_x = setting.width;
      top = -shape.bearing.y - kSpread;
      setting.items.push_back({key, {setting.width + shape.bearing.x, shape.bearing.y}, &shape});
      setting.width += shape.advance;
      continue;
    }
    // Over or under the middle of its base; over a tall one higher. Bitmaps have a rim of kSpread.
    const float center = base->size.x > 0
                             ? base->bearing.x + 0.5f * static_cast<float>(base->size.x)
                             : 0.5f * base->advance;
    glm::vec2 at(base_x + center - 0.5f * static_cast<float>(shape.size.x), shape.bearing.y);
    const float bottom = -(shape.bearing.y + static_cast<float>(shape.size.y)) + kSpread;
    if (bottom > 0.35f * kGlyphPx) {
      at.y -= std::max(top - low_letter, 0.0f);
      top = std::max(top, low_letter) + static_cast<float>(shape.size.y) - 2.0f * kSpread + 2.0f;
    }
    setting.items.push_back({key, at, &shape});
  }
  return setting;
}

glm::vec2 FontSet::measure(std::string_view utf8, float size_px, bool mono) {
  return glm::vec2(set(utf8, mono).width, line_height(mono)) * (size_px / kGlyphPx);
}

float FontSet::line_height(bool mono) const {
  return static_cast<float>(impl_->styles[mono ? 1 : 0].faces.front()->size->metrics.height) /
         64.0f;
}

glm::vec2 measure_text(const std::string& text, float size_px, bool mono) {
  return FontSet::shared().measure(text, size_px, mono);
}

}  // namespace render
