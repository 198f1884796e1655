#include "render/scene/wrap.h"

#include <algorithm>
#include <utility>

namespace scene {

namespace {

class Lines {
 public:
  Lines(float width, const std::function<float(const std::string&)>& measure)
      : width_(width), measure_(measure) {}

  // Spaces and what follows them: a word, the end of one, or spaces alone.
  void add(size_t from, std::string text) {
    if (text[0] == ' ') end_word();
    const float w = measure_(text);
    if (word_width_ + w > width_) end_word();
    if (w > width_) text = fill_lines(from, std::move(text));
    word_width_ += text.empty() ? 0.0F : measure_(text);
    word_.push_back({from, std::move(text)});
  }

  void end_word() {
    if (x_ > 0.0F && x_ + word_width_ > width_) end_line();
    for (Run& run : word_) {
      if (x_ == 0.0F && lines_.size() > 1 && !begun_) run.text.erase(0, spaces(run.text));
      if (run.text.empty()) continue;
      x_ += measure_(run.text);
      lines_.back().push_back(std::move(run));
    }
    word_.clear();
    word_width_ = 0.0F;
  }

  // begun: by the text's own line break, where spaces stay.
  void end_line(bool begun = false) {
    lines_.emplace_back();
    lines_.back().begins = begun;
    x_ = 0.0F;
    begun_ = begun;
  }

  std::vector<Line> take() {
    end_word();
    return std::move(lines_);
  }

 private:
  static size_t spaces(const std::string& text) {
    return std::min(text.find_first_not_of(' '), text.size());
  }

  // Fills what is left of this line and then whole ones; returns what is left of the text.
  std::string fill_lines(size_t from, std::string text) {
    size_t begin = 0;  // of the line
    float used = x_;
    for (size_t at = 0; at < text.size();) {
      size_t next = at;
      do ++next;
      while (next < text.size() && (text[next] & 0xC0) == 0x80);
      const float wide = measure_(text.substr(at, next - at));
      // A line holds one character at least.
      if (used > 0.0F && used + wide > width_) {
        if (at > begin) lines_.back().push_back({from, text.substr(begin, at - begin)});
        end_line();
        begin = at;
        used = 0.0F;
      }
      used += wide;
      at = next;
    }
    return text.substr(begin);
  }

  float width_;
  const std::function<float(const std::string&)>& measure_;
  std::vector<Line> lines_ = std::vector<Line>(1);
  float x_ = 0.0F;
  bool begun_ = true;
  Line word_;
  float word_width_ = 0.0F;
};

}  // namespace

std::vector<Line> wrap(std::span<const std::string> texts, float width,
                       const std::function<float(const std::string&)>& measure) {
  Lines lines(width, measure);
  for (size_t from = 0; from < texts.size(); ++from) {
    const std::string& text = texts[from];
    for (size_t i = 0; i < text.size();) {
      if (text[i] == '\n') {
        lines.end_word();
        lines.end_line(true);
        ++i;
        continue;
      }
      const size_t word = std::min(text.find_first_not_of(' ', i), text.size());
      const size_t end = std::min(text.find_first_of(" \n", word), text.size());
      lines.add(from, text.substr(i, end - i));
      i = end;
    }
  }
  return lines.take();
}

}  // namespace scene
