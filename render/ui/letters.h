// Letters of every script in the panels. Dear ImGui's own fonts hold Latin, Greek and Cyrillic and
// set one character after the other; what else comes along is ordered, joined and drawn as the
// scene's labels are (render/pass/font.h) and added to its atlas when it is first shown.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "render/scene/editable.h"
#include "render/scene/wrap.h"

struct ImFont;

namespace ui {

class Letters {
 public:
  // Loads the panels' two fonts, of which the second is monospaced, into the atlas of the current
  // context and stays known to it. em_px: Dear ImGui's size of a font. Throws Error (failed) when
  // no font is there.
  explicit Letters(float em_px);
  Letters(const Letters&) = delete;
  Letters& operator=(const Letters&) = delete;

  // Of the current context.
  static Letters& current();

  // A line (UTF-8) as Dear ImGui has to set it, from left to right: a letter that it cannot set is
  // one character, maybe of a private use, with its marks.
  std::string line(std::string_view utf8);
  // The same of line i of several texts, as it stands in its paragraph; what reads from right to
  // left comes in more parts.
  scene::Line line(std::span<const scene::Line> lines, size_t i);
  // Pixels that a line takes in the current font, one of the two.
  float width(const std::string& utf8);
  // For text that is edited, as editable() shows it: its characters stay what they are.
  void want(std::string_view shown);
  scene::Editable& editable() { return editable_; }

  // Between frames: draws what was asked for since the last time; where there is no more room, what
  // was not asked for goes. False: there was nothing.
  bool update();
  // How often that was so in the current context: its atlas is another one. 0 also without letters.
  static uint64_t revision();

 private:
  // A letter with its marks, or one as a box with its number.
  struct Letter {
    std::u32string characters;
    bool boxed = false;
    char32_t at = 0;  // the stand-in for it in a text that is edited; 0: none
    auto operator<=>(const Letter&) const = default;
  };
  // What one covers, 0 to 255, rows from the top.
  struct Bitmap {
    int width = 0, height = 0;
    float left = 0.0F, top = 0.0F;  // pixels from the pen on the baseline, y down
    float advance = 0.0F;
    std::vector<uint8_t> covered;
  };
  struct Added {
    Letter letter;
    uint16_t stands_for_it = 0;
    uint64_t used = 0;                // round in which it was asked for last
    std::array<Bitmap, 2> bitmaps{};  // a font each
    std::array<int, 2> rectangles{};  // of the atlas
  };
  void load_fonts();
  void let_go();
  bool is_plain(char32_t c) const;
  char32_t stand_in(const Letter& letter);
  Bitmap draw(const Letter& letter, bool mono) const;

  scene::Editable editable_;
  float em_px_;
  std::array<ImFont*, 2> fonts_{};
  std::vector<bool> plain_;         // characters below U+10000 that both fonts have
  std::map<Letter, size_t> known_;  // -> added_
  std::vector<Added> added_;
  size_t drawn_ = 0;    // of added_
  bool full_ = false;   // one more was asked for than there is room for
  uint64_t round_ = 0;  // update() between
  uint64_t revision_;   // of the atlas
  std::array<std::unordered_map<std::string, float>, 2> widths_;
};

// As scene/text.h has them, for panels.
std::string visible_text(std::string_view bytes);
std::string readable_text(std::string_view bytes);

}  // namespace ui
