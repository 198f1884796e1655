#include "render/ui/letters.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

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
constexpr char32_t kReplacement = 0xFFFD;

// Characters for private use that stand for letters: those below are scene::Editable's.
constexpr uint16_t kFirst = 0xF000;
// Letters that are kept: the atlas stays small enough for every GPU, at twice the size, too.
constexpr size_t kMost = 1024;
static_assert(kFirst + kMost <= 0xF8FF);
// That a letter may have; texts that heap them up lose the rest.
constexpr size_t kMarks = 8;

bool in_ranges(char32_t c) {
  for (size_t i = 0; kRanges[i] != 0; i += 2)
    if (c >= kRanges[i] && c <= kRanges[i + 1]) return true;
  return false;
}

bool is_private(char32_t c) {
  return c >= 0xE000 && c <= 0xF8FF;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; });
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

std::u32string characters_of(std::span<const scene::Line> lines) {
  std::u32string text;
  for (const scene::Line& line : lines) {
    for (const scene::Run& run : line) {
      for (const char32_t c : render::decode_utf8(run.text)) text += c;
    }
  }
  return text;
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

struct Place {
  int x, y, width, height;  // pixels of the atlas
};

// What Dear ImGui calls otherwise from 1.92 on.
#if IMGUI_VERSION_NUM < 19200
float ascent_of(ImFont& font, float) {
  return font.Ascent;
}

bool has_glyph(ImFont& font, char32_t c) {
  return font.FindGlyphNoFallback(static_cast<ImWchar>(c)) != nullptr;
}

void take_text_colour(ImFont&, float) {}

Place place_of(ImFontAtlas& atlas, int id) {
  const ImFontAtlasCustomRect& place = *atlas.GetCustomRectByIndex(id);
  return {place.X, place.Y, place.Width, place.Height};
}
#else
float ascent_of(ImFont& font, float em_px) {
  return font.GetFontBaked(em_px)->Ascent;
}

bool has_glyph(ImFont& font, char32_t c) {
  return font.IsGlyphInFont(static_cast<ImWchar>(c));
}

// The glyph that was added last: it is taken for one with colours of its own.
void take_text_colour(ImFont& font, float em_px) {
  font.GetFontBaked(em_px)->Glyphs.back().Colored = 0;
}

Place place_of(ImFontAtlas& atlas, int id) {
  ImFontAtlasRect place;
  return atlas.GetCustomRect(id, &place) ? Place{place.x, place.y, place.w, place.h} : Place{};
}
#endif

}  // namespace

namespace {

// Every atlas is another one, also one made anew.
uint64_t next_revision() {
  static uint64_t newest = 0;
  return ++newest;
}

}  // namespace

Letters::Letters(float em_px) : em_px_(em_px), plain_(0x10000), revision_(next_revision()) {
  load_fonts();
  for (char32_t c = 0; c < plain_.size(); ++c) {
    plain_[c] = c >= 0x20 && in_ranges(c) && !scene::is_mark(c) && !scene::is_invisible(c) &&
                has_glyph(*fonts_[0], c) && has_glyph(*fonts_[1], c);
  }
  ImGui::GetIO().UserData = this;
}

void Letters::load_fonts() {
  ImFontAtlas& atlas = *ImGui::GetIO().Fonts;
  atlas.Clear();
  for (const bool mono : {false, true}) {
    const std::string file = render::font_file(mono);
    fonts_[mono ? 1 : 0] = atlas.AddFontFromFileTTF(file.c_str(), em_px_, nullptr, kRanges);
    if (fonts_[mono ? 1 : 0] == nullptr) {
      throw fulgurite::Error(fulgurite::ExitCode::kFailed, "cannot be used as a font", file,
                             "install fonts-dejavu-core");
    }
  }
  atlas.Build();
}

// Dear ImGui sets it by itself.
bool Letters::is_plain(char32_t c) const {
  return c < 0x80 || (c < plain_.size() && plain_[c]);
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
  const bool single = letter.characters.size() == 1 && !letter.boxed && letter.at == 0;
  if (single && is_plain(first)) return first;
  if (const auto it = known_.find(letter); it != known_.end()) {
    added_[it->second].used = round_;
    return added_[it->second].stands_for_it;
  }
  if (added_.size() == kMost) {
    full_ = true;
    return kReplacement;
  }
  const bool itself = single && first <= 0xFFFF && !is_private(first) && !in_ranges(first);
  const char32_t own = letter.at != 0 ? letter.at : first;
  const auto character =
      static_cast<uint16_t>(itself || letter.at != 0 ? own : kFirst + added_.size());
  known_.emplace(letter, added_.size());
  added_.push_back({letter, character, round_, {}, {}});
  return character;
}

float Letters::width(const std::string& utf8) {
  constexpr size_t kKept = 1U << 14;
  if (is_ascii(utf8)) return ImGui::CalcTextSize(utf8.c_str()).x;
  auto& widths = widths_[ImGui::GetFont() == fonts_[1] ? 1 : 0];
  if (const auto it = widths.find(utf8); it != widths.end()) return it->second;
  if (widths.size() >= kKept) widths.clear();
  return widths[utf8] = ImGui::CalcTextSize(line(utf8).c_str()).x;
}

std::string Letters::line(std::string_view utf8) {
  if (is_ascii(utf8)) return std::string(utf8);
  const scene::Line one{{0, std::string(utf8)}};
  const scene::Line parts = line({&one, 1}, 0);
  return parts.empty() ? std::string() : parts.front().text;
}

scene::Line Letters::line(std::span<const scene::Line> lines, size_t i) {
  const scene::Line& line = lines[i];
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
  size_t first = i;
  while (first > 0 && !lines[first].begins) --first;
  size_t end = i + 1;
  while (end < lines.size() && !lines[end].begins) ++end;
  const std::u32string before = characters_of(lines.subspan(first, i - first));
  const std::u32string after = characters_of(lines.subspan(i + 1, end - i - 1));
  if (plain && !scene::turns(before) && !scene::turns(after)) return line;
  scene::Line out;
  const std::vector<scene::Drawn> drawn = scene::shape_line(text, {before, after});
  for (size_t d = 0; d < drawn.size();) {
    Letter letter{{drawn[d].character}, drawn[d].boxed};
    const size_t of = from[drawn[d].from];
    for (++d; d < drawn.size() && drawn[d].mark; ++d)
      if (letter.characters.size() <= kMarks) letter.characters += drawn[d].character;
    if (out.empty() || out.back().from != of) out.push_back({of, {}});
    out.back().text += scene::encode_utf8(stand_in(letter));
  }
  return out;
}

void Letters::want(std::string_view shown) {
  if (is_ascii(shown)) return;
  for (const char32_t c : render::decode_utf8(shown)) {
    if (is_plain(c) || c > 0xFFFF) continue;
    if (!is_private(c)) {
      stand_in({{c}});
      continue;
    }
    const auto meant = render::decode_utf8(editable_.meant(scene::encode_utf8(c)));
    if (meant.size() == 1) stand_in({{meant[0]}, scene::is_invisible(meant[0]), c});
  }
}

// What nobody asked for in this round.
void Letters::let_go() {
  std::erase_if(added_, [&](const Added& one) { return one.used != round_; });
  load_fonts();
  drawn_ = 0;
  known_.clear();
  for (Added& one : added_) {
    const size_t index = known_.size();
    if (one.stands_for_it >= kFirst && is_private(one.stands_for_it))
      one.stands_for_it = static_cast<uint16_t>(kFirst + index);
    known_.emplace(one.letter, index);
  }
}

bool Letters::update() {
  const auto used = [&](const Added& one) { return one.used == round_; };
  const bool anew = std::exchange(full_, false) && !std::all_of(added_.begin(), added_.end(), used);
  if (anew) let_go();
  ++round_;
  if (!anew && drawn_ == added_.size()) return false;
  ImFontAtlas& atlas = *ImGui::GetIO().Fonts;
  for (; drawn_ < added_.size(); ++drawn_) {
    Added& added = added_[drawn_];
    for (size_t f = 0; f < fonts_.size(); ++f) {
      Bitmap& bitmap = added.bitmaps[f];
      if (bitmap.covered.empty()) bitmap = draw(added.letter, f == 1);
      const float baseline = std::round(ascent_of(*fonts_[f], em_px_));
      added.rectangles[f] =
          atlas.AddCustomRectFontGlyph(fonts_[f], added.stands_for_it, bitmap.width, bitmap.height,
                                       bitmap.advance, ImVec2(bitmap.left, baseline + bitmap.top));
      take_text_colour(*fonts_[f], em_px_);
    }
  }
  atlas.Build();
  unsigned char* pixels = nullptr;  // of what is uploaded: RGBA
  int width = 0;
  int height = 0;
  atlas.GetTexDataAsRGBA32(&pixels, &width, &height);
  for (const Added& added : added_) {
    for (size_t f = 0; f < fonts_.size(); ++f) {
      const Place to = place_of(atlas, added.rectangles[f]);
      if (to.x + to.width > width || to.y + to.height > height) continue;  // it had no room
      const uint8_t* covered = added.bitmaps[f].covered.data();
      for (int y = 0; y < to.height; ++y) {
        uint8_t* pixel = pixels + 4 * (static_cast<size_t>(to.y + y) * static_cast<size_t>(width) +
                                       static_cast<size_t>(to.x));
        for (int x = 0; x < to.width; ++x, pixel += 4) {
          std::fill_n(pixel, 3, uint8_t{255});
          pixel[3] = *covered++;
        }
      }
    }
  }
  atlas.SetTexID(ImTextureID{});  // whoever draws uploads it
  for (auto& widths : widths_) widths.clear();
  revision_ = next_revision();
  return true;
}

// The mean over a pixel of what the letter covers.
Letters::Bitmap Letters::draw(const Letter& letter, bool mono) const {
  constexpr int kSamples = 4;  // a side
  constexpr float kPxPerStep = static_cast<float>(shaders::kGlyphSpread) / 128.0F;
  const float scale = scale_of(em_px_, mono);
  const render::Setting setting = setting_of(letter.characters, letter.boxed, mono);
  const Box box = box_of(setting, scale);
  const glm::ivec2 most(static_cast<int>(4.0F * em_px_));
  const glm::ivec2 size = glm::clamp(glm::ivec2(box.high - box.low), glm::ivec2(1), most);
  Bitmap bitmap{size.x, size.y, box.low.x, box.low.y, setting.width * scale, {}};
  for (int i = 0; i < size.x * size.y; ++i) {
    float sum = 0.0F;
    for (int s = 0; s < kSamples * kSamples; ++s) {
      const glm::vec2 sub(s % kSamples, s / kSamples);
      const glm::vec2 in_pixel = (sub + 0.5F) / static_cast<float>(kSamples);
      const glm::vec2 at = (box.low + glm::vec2(i % size.x, i / size.x) + in_pixel) / scale;
      float covered = 0.0F;
      for (const auto& item : setting.items) {
        const glm::ivec2 pixel = glm::floor(at - item.offset);
        const glm::ivec2 shape = item.shape->size;
        if (pixel.x < 0 || pixel.y < 0 || pixel.x >= shape.x || pixel.y >= shape.y) continue;
        const auto index = static_cast<size_t>(pixel.y * shape.x + pixel.x);
        const float distance =
            (static_cast<float>(item.shape->distance[index]) - 128.0F) * kPxPerStep;
        covered = std::max(covered, std::clamp(0.5F + distance, 0.0F, 1.0F));
      }
      sum += covered;
    }
    bitmap.covered.push_back(
        static_cast<uint8_t>(std::lround(255.0F * sum / static_cast<float>(kSamples * kSamples))));
  }
  return bitmap;
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
