// Characters -> what stands where on one line, before any font is asked: right-to-left runs in
// the order in which they are seen, Arabic letters joined, marks on their base, Indic vowel signs
// before it where they belong there, and what is invisible by nature named by its number, so that
// no token looks empty.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace scene {

struct Drawn {
  char32_t character = 0;
  bool mark = false;   // sits on the last one that is no mark, without a width of its own
  bool boxed = false;  // drawn as a box with its number: it has no shape
  size_t from = 0;     // which character of the text it is drawn for, the first where it is several
  bool operator==(const Drawn&) const = default;
};

// Whether some of it reads from right to left; and whether its last letter does.
bool turns(std::span<const char32_t> text);
bool ends_turned(std::span<const char32_t> text);

// What of its paragraph stands before a line and behind it.
struct Around {
  std::span<const char32_t> before{};
  std::span<const char32_t> after{};
};

// A line, from left to right as it is drawn. The paragraph's direction is that of its first letter
// (Unicode Annex 9).
std::vector<Drawn> shape_line(std::span<const char32_t> text, const Around& around = {});

// Combining marks, as far as they are drawn above or below their base.
bool is_mark(char32_t c);
// Characters that steer others or stand for nothing that can be seen: joiners, direction marks,
// variation selectors, controls.
bool is_invisible(char32_t c);

}  // namespace scene
