#include "render/ui/letters.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "model/error.h"
#include "render/pass/font.h"
#include "render/scene/shaping.h"
#include "render/scene/text.h"
#include "shaders/shared.h"

namespace ui {

namespace {

// Latin, Greek, Cyrillic, punctuation, arrows and the pictures of control characters.
constexpr ImWchar kRanges[] = {0x20,   0x24F,  0x370,  0x52F,  0x2000, 0x206F, 0x2190, 0x21FF,
                               0x2400, 0x243F, 0x25A0, 0x25FF, 0xFFFD, 0xFFFD, 0};
constexpr char32_t kLastPrivate = 0xF8FF;
constexpr char32_t kReplacement = 0xFFFD;

bool in_fonts(char32_t c) {
  for (size_t i = 0; kRanges[i] != 0; i += 2)
    if (c >= kRanges[i] && c <= kRanges[i + 1]) return true;
  return false;
}

bool is_private(char32_t c) {
  return c >= 0xE000 && c <= kLastPrivate;
}

// Dear ImGui sets it by itself.
bool is_plain(char32_t c) {
  return c < 0x80 || (in_fonts(c) && !scene::is_mark(c) && !scene::is_invisible(c));
}

void put(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0U | c >> 6);
    out += static_cast<char>(0x80U | (c & 0x3FU));
  } else {  // never beyond U+FFFF
    out += static_cast<char>(0xE0U | c >> 12);
    out += static_cast<char>(0x80U | (c >> 6 & 0x3FU));
    out += static_cast<char>(0x80U | (c & 0x3FU));
  }
}

// As Dear ImGui has it: pixels of its font for one at kGlyphPx.
float scale_of(float em_px, bool mono) {
  return em_px / render::FontSet::shared().line_height(mono);
}

render::Setting setting_of(const std::u32string& characters, bool boxed, bool mono) {
  render::FontSet& fonts = render::FontSet::shared();
  if (characters.size() > 1) {
    return fonts.set(std::span(characters.data(), characters.size()), mono);
  }
  const render::GlyphShape& shape =
      boxed ? fonts.boxed(characters[0]) : fonts.glyph(characters[0], mono);
  render::Setting setting;
  setting.items.push_back({0, shape.bearing, &shape});
  setting.width = shape.advance;
  return setting;
}

struct Box {
  glm::vec2 low{0.0F}, high{0.0F};  // pixels from the pen on the baseline, y down
};

Box box_of(const render::Setting& setting, float scale) {
  glm::vec2 low(1e6F);
  glm::vec2 high(-1e6F);
  for (const auto& item : setting.items) {
    if (item.shape->size.x == 0) continue;
    low = glm::min(low, item.offset * scale);
    high = glm::max(high, (item.offset + glm::vec2(item.shape->size)) * scale);
  }
  if (low.x > high.x) return {};
  return {glm::floor(low), glm::ceil(high)};
}

// What Dear ImGui calls otherwise from 1.92 on.
#if IMGUI_VERSION_NUM < 19200
float ascent_of(ImFont& font, float) {
  return font.Ascent;
}

void is_tinted(ImFont&, float) {}

struct Place {
  int x, y, width, height;  // pixels of the atlas
};
Place place_of(ImFontAtlas& atlas, int id) {
  const ImFontAtlasCustomRect& place = *atlas.GetCustomRectByIndex(id);
  return {place.X, place.Y, place.Width, place.Height};
}
#else
float ascent_of(ImFont& font, float em_px) {
  return font.GetFontBaked(em_px)->Ascent;
}

// The glyph that was added last: it is taken for one with colours of its own.
void is_tinted(ImFont& font, float em_px) {
  font.GetFontBaked(em_px)->Glyphs.back().Colored = 0;
}

struct Place {
  int x, y, width, height;
};
Place place_of(ImFontAtlas& atlas, int id) {
  ImFontAtlasRect place;
  return atlas.GetCustomRect(id, &place) ? Place{place.x, place.y, place.w, place.h} : Place{};
}
#endif

}  // namespace

Letters::Letters(float em_px) : em_px_(em_px) {
  ImGuiIO& io = ImGui::GetIO();
  for (const bool mono : {false, true}) {
    const std::string file = render::font_file(mono);
    fonts_[mono ? 1 : 0] = io.Fonts->AddFontFromFileTTF(file.c_str(), em_px, nullptr, kRanges);
    if (fonts_[mono ? 1 : 0] == nullptr) {
      throw fulgurite::Error(fulgurite::ExitCode::kFailed, "cannot be used as a font", file,
                             "install fonts-dejavu-core");
    }
  }
  io.Fonts->Build();
  io.UserData = this;
}

Letters& Letters::current() {
  return *static_cast<Letters*>(ImGui::GetIO().UserData);
}

uint64_t Letters::revision() {
  const auto* letters = static_cast<const Letters*>(ImGui::GetIO().UserData);
  return letters == nullptr ? 0 : letters->revision_;
}

char32_t Letters::stand_in(const Letter& letter) {
  const char32_t first = letter.characters.front();
  if (letter.characters.size() == 1 && !letter.boxed && is_plain(first)) return first;
  if (const auto it = known_.find(letter); it != known_.end()) return it->second;
  const bool itself = letter.characters.size() == 1 && !letter.boxed && first <= 0xFFFF &&
                      !is_private(first) && !in_fonts(first);
  if (!itself && next_ > kLastPrivate) return kReplacement;
  const auto character = itself ? static_cast<uint16_t>(first) : next_++;
  known_.emplace(letter, character);
  added_.push_back({letter, character, {}});
  return character;
}

std::string Letters::line(std::string_view utf8) {
  const scene::Line parts = line(scene::Line{{0, std::string(utf8)}});
  return parts.empty() ? std::string() : parts.front().text;
}

scene::Line Letters::line(const scene::Line& line) {
  std::u32string text;
  std::vector<size_t> from;  // of every character
  bool plain = true;
  for (const scene::Run& run : line) {
    for (const char32_t c : render::decode_utf8(run.text)) {
      text += c;
      from.push_back(run.from);
      plain = plain && is_plain(c);
    }
  }
  if (plain) return line;
  scene::Line out;
  const std::vector<scene::Drawn> drawn = scene::shape_line(std::span(text.data(), text.size()));
  for (size_t i = 0; i < drawn.size();) {
    Letter letter{{drawn[i].character}, drawn[i].boxed};
    const size_t of = from[drawn[i].from];
    for (++i; i < drawn.size() && drawn[i].mark; ++i) letter.characters += drawn[i].character;
    if (out.empty() || out.back().from != of) out.push_back({of, {}});
    put(out.back().text, stand_in(letter));
  }
  return out;
}

void Letters::want(std::string_view utf8) {
  for (const char32_t c : render::decode_utf8(utf8))
    if (!is_plain(c) && c <= 0xFFFF && !is_private(c)) stand_in({{c}, false});
}

bool Letters::update() {
  if (drawn_ == added_.size()) return false;
  ImFontAtlas& atlas = *ImGui::GetIO().Fonts;
  for (size_t i = drawn_; i < added_.size(); ++i) {
    for (size_t f = 0; f < fonts_.size(); ++f) {
      const float scale = scale_of(em_px_, f == 1);
      const render::Setting setting =
          setting_of(added_[i].letter.characters, added_[i].letter.boxed, f == 1);
      const Box box = box_of(setting, scale);
      const glm::vec2 size = glm::max(box.high - box.low, 1.0F);
      added_[i].rectangles[f] = atlas.AddCustomRectFontGlyph(
          fonts_[f], added_[i].stands_for_it, static_cast<int>(size.x), static_cast<int>(size.y),
          setting.width * scale,
          ImVec2(box.low.x, std::round(ascent_of(*fonts_[f], em_px_)) + box.low.y));
      is_tinted(*fonts_[f], em_px_);
    }
  }
  drawn_ = added_.size();
  atlas.Build();
  for (const Added& added : added_)
    for (size_t f = 0; f < fonts_.size(); ++f) draw(added, f);
  atlas.SetTexID(ImTextureID{});  // whoever draws uploads it
  ++revision_;
  return true;
}

// The mean over a pixel of what the letter covers.
void Letters::draw(const Added& added, size_t font) const {
  constexpr int kSamples = 4;  // a side
  constexpr float kPxPerStep = static_cast<float>(shaders::kGlyphSpread) / 128.0F;
  const float scale = scale_of(em_px_, font == 1);
  const render::Setting setting =
      setting_of(added.letter.characters, added.letter.boxed, font == 1);
  const Box box = box_of(setting, scale);
  ImFontAtlas& atlas = *ImGui::GetIO().Fonts;
  unsigned char* pixels = nullptr;  // of what is uploaded: RGBA
  int width = 0;
  int height = 0;
  atlas.GetTexDataAsRGBA32(&pixels, &width, &height);
  const Place to = place_of(atlas, added.rectangles[font]);
  if (to.x + to.width > width || to.y + to.height > height) return;  // it had no room
  for (int y = 0; y < to.height; ++y) {
    for (int x = 0; x < to.width; ++x) {
      float sum = 0.0F;
      for (int s = 0; s < kSamples * kSamples; ++s) {
        const glm::vec2 sub(s % kSamples, s / kSamples);
        const glm::vec2 at =
            (box.low + glm::vec2(x, y) + (sub + 0.5F) / static_cast<float>(kSamples)) / scale;
        float covered = 0.0F;
        for (const auto& item : setting.items) {
          const glm::ivec2 pixel = glm::floor(at - item.offset);
          const glm::ivec2 size = item.shape->size;
          if (pixel.x < 0 || pixel.y < 0 || pixel.x >= size.x || pixel.y >= size.y) continue;
          const float distance =
              (static_cast<float>(
                   item.shape->distance[static_cast<size_t>(pixel.y * size.x + pixel.x)]) -
               128.0F) *
              kPxPerStep;
          covered = std::max(covered, std::clamp(0.5F + distance, 0.0F, 1.0F));
        }
        sum += covered;
      }
      uint8_t* pixel = pixels + 4 * (static_cast<size_t>((to.y + y) * width + to.x + x));
      std::fill_n(pixel, 3, uint8_t{255});
      pixel[3] =
          static_cast<uint8_t>(std::lround(255.0F * sum / static_cast<float>(kSamples * kSamples)));
    }
  }
}

std::string visible_text(std::string_view bytes) {
  return Letters::current().line(scene::visible_text(bytes));
}

std::string readable_text(std::string_view bytes) {
  const std::string text = scene::readable_text(bytes);
  std::string out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    out += Letters::current().line(std::string_view(text).substr(begin, end - begin));
    if (end < text.size()) out += '\n';
    begin = end + 1;
  }
  return out;
}

}  // namespace ui
