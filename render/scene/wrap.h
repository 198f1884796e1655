// Running text, broken into lines between its words.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace scene {

// A part of a line that comes from one of the texts.
struct Run {
  size_t from = 0;  // index of the text
  std::string text;
  bool operator==(const Run&) const = default;
};
struct Line : std::vector<Run> {
  using std::vector<Run>::vector;
  bool begins = true;  // at the text's own line break; else where the one before it had no room
};

// The texts one after the other, in lines of at most `width` as `measure` says. A word may reach
// over several texts; the space where a line is broken is left out. What is wider than a line is
// broken where the line ends, between characters. texts: valid UTF-8. Always at least one line.
std::vector<Line> wrap(std::span<const std::string> texts, float width,
                       const std::function<float(const std::string&)>& measure);

}  // namespace scene
