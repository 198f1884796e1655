// The words on the sheets: titles with shapes and scales, where the counted lines are, the numbers.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "render/label_board.h"
#include "render/tensor_view.h"

namespace render {

namespace {

std::string short_number(double value, int digits = 3) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return text;
}

// A cell's number: as many digits as fit a float's use, no exponent where none is needed.
std::string cell_number(float value) {
  char text[32];
  const double v = double{value};
  const double a = std::abs(v);
  if (a != 0.0 && (a < 1e-3 || a >= 1e5)) {
    std::snprintf(text, sizeof text, "%.2e", v);
  } else {
    std::snprintf(text, sizeof text, "%.*f", a < 1.0 ? 4 : a < 100.0 ? 3 : 1, v);
  }
  return text;
}

std::string grouped(int64_t n) {
  std::string text = std::to_string(n);
  for (auto i = static_cast<std::ptrdiff_t>(text.size()) - 3; i > 0; i -= 3)
    text.insert(static_cast<size_t>(i), ",");
  return text;
}

}  // namespace

class TensorView::Writer {
 public:
  Writer(const TensorView& view, const Words& words) : view_(view), words_(words) {
    // Labels are projected in single precision: they hang off one point by pixels worked out here.
    reference_ = glm::vec3(view.eye_ + view.ray({0.0F, 0.0F}));
    const glm::vec4 clip = words.clip_from_world * glm::vec4(reference_, 1.0F);
    reference_px_ = (glm::vec2(clip) / clip.w * 0.5F + 0.5F) * view.viewport_;
    eye_ = eye_of(words.clip_from_world, words.now);
    eye_.eye = glm::vec3(view.eye_);
  }

  void put(glm::vec2 px, std::string text, float size, uint32_t rgba, LabelAlign align, float alpha,
           bool mono = false) {
    if (px.x < -200.0F || px.y < -50.0F || px.x > view_.viewport_.x + 200.0F ||
        px.y > view_.viewport_.y + 50.0F)
      return;
    Label label;
    label.anchor = reference_;
    label.offset_px = px - reference_px_;
    label.size_px = size;
    label.rgba = scene::faded(rgba, alpha);
    label.align = align;
    label.mono = mono;
    label.text = std::move(text);
    labels.push_back(std::move(label));
  }

  void sheet(size_t index);
  std::vector<Label> labels;

 private:
  void title(const scene::Sheet& s, float alpha, glm::vec2 top_left, glm::vec2 extent_px);
  void cells(const scene::Sheet& s, float alpha, glm::dvec2 cell_px, const glm::i64vec2& first,
             const glm::i64vec2& last);
  void rulers(const scene::Sheet& s, float alpha, glm::dvec2 cell_px, const glm::i64vec2& first,
              const glm::i64vec2& last);

  // How much of a line beside a sheet is clear of the scene's own words. px: of its left end.
  float room(glm::vec2 px, const std::string& text, float size) const {
    constexpr float kClear = 8.0F;  // pixels
    const glm::vec2 extent = measure_text(text, size, false);
    const scene::Rect line{px - glm::vec2(0.0F, 0.5F * extent.y),
                           px + glm::vec2(extent.x, 0.5F * extent.y)};
    float clear = kClear;
    for (const scene::Rect& word : words_.taken)
      clear = std::min(clear, scene::gap_between(line, word));
    return std::max(clear / kClear, 0.0F);
  }

  // How much of a place on a sheet can be seen past the boxes before it.
  float seen(const glm::dvec3& place) const {
    if (words_.occluders == nullptr) return 1.0F;
    const double px = glm::length(place - view_.eye_) * view_.pixel_size_;
    return words_.occluders->seen(eye_, glm::vec3(place),
                                  static_cast<float>(0.5 * double{words_.size_px} * px), {});
  }

  const TensorView& view_;
  const Words& words_;
  scene::Occluders::View eye_;
  glm::vec3 reference_{0.0F};
  glm::vec2 reference_px_{0.0F};
};

void TensorView::Writer::title(const scene::Sheet& s, float alpha, glm::vec2 top_left,
                               glm::vec2 extent_px) {
  const float em = words_.size_px;
  const float width = extent_px.x;
  const bool vector = s.rows == 1;
  // As much as fits over the sheet.
  const std::string shape =
      vector ? grouped(s.cols)
             : grouped(s.grows ? view_.present(s) : s.rows) + " x " + grouped(s.cols);
  std::string text = s.title;
  const auto fits = [&](const std::string& longer) {
    return measure_text(longer, em, false).x < width;
  };
  const std::string longer = s.title + "  " + shape;
  const std::string longest = longer + "  " + s.name;
  if (fits(longest)) {
    text = longest;
  } else if (fits(longer)) {
    text = longer;
  } else if (measure_text(text, em * 0.9F, false).x > std::max(width * 1.3F, 2.2F * em)) {
    return;
  }
  const uint32_t colour = word_rgba(words_.palette, s.channel);
  // A vector that lies along a matrix has its words on the other side.
  const bool below = vector && !s.transposed;
  const auto line = [&](float lines, const std::string& words, float size, uint32_t rgba) {
    const glm::vec2 px = top_left + glm::vec2(0.0F, below ? extent_px.y + lines * em : -lines * em);
    put(px, words, size, rgba, LabelAlign::kLeft, alpha * room(px, words, size));
  };
  line(0.75F, text, text == s.title ? em * 0.9F : em, colour);
  // Beneath a wide one: what full colour means, or why there is none.
  const SheetFacts* facts = view_.store_.facts(s.id);
  std::string note;
  if (!view_.answered_) {
    note = "numbers need the running model";
  } else if (facts == nullptr) {
    note = "reading ...";
  } else if (facts->read < 1.0F) {
    char percent[48];
    std::snprintf(percent, sizeof percent, "reading ... %.0f %%", double{facts->read} * 100.0);
    note = percent;
  } else {
    note = "full colour " + short_number(double{facts->scale}) + "   min " +
           short_number(double{facts->min}) + "  mean " + short_number(double{facts->mean}) +
           "  max " + short_number(double{facts->max});
    if (!s.stored) note += "   at position " + std::to_string(facts->position);
    if (!fits(note)) note = "full colour " + short_number(double{facts->scale});
  }
  if (fits(note) && (!vector || width > 12.0F * em)) {
    line(2.0F, note, em * 0.85F, words_.palette.faint_text);
  }
}

void TensorView::Writer::cells(const scene::Sheet& s, float alpha, glm::dvec2 cell_px,
                               const glm::i64vec2& first, const glm::i64vec2& last) {
  const double unit = double{words_.size_px} / 13.0;
  if (cell_px.x < 46.0 * unit || cell_px.y < 13.0 * unit) return;
  constexpr int64_t kMost = 900;
  if ((last.x - first.x) * (last.y - first.y) > kMost) return;
  const float fade =
      alpha * static_cast<float>(std::clamp((cell_px.x / unit - 46.0) / 10.0, 0.0, 1.0));
  const float size = static_cast<float>(
      std::min({cell_px.x / 5.6, cell_px.y * 0.62, 1.9 * double{words_.size_px}}));
  for (int64_t y = first.y; y < last.y; ++y) {
    for (int64_t x = first.x; x < last.x; ++x) {
      const auto px =
          view_.pixel(s.at({static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5}));
      // The indices of the lines stand along the frame's edge.
      if (!px || px->x < 3.2F * words_.size_px || px->y < 1.7F * words_.size_px) continue;
      const int64_t row = s.first_row + (s.transposed ? x : y);
      const int64_t col = s.first_col + (s.transposed ? y : x);
      const auto value = view_.store_.value(s, {s.id, row, col});
      if (!value) continue;
      put(*px, cell_number(*value), size, words_.palette.text, LabelAlign::kCenter, fade, true);
    }
  }
}

// The index of every counted line, along the upper and the left side of what is visible.
void TensorView::Writer::rulers(const scene::Sheet& s, float alpha, glm::dvec2 cell_px,
                                const glm::i64vec2& first, const glm::i64vec2& last) {
  const float em = words_.size_px;
  const auto period = [&](double px) {
    for (const int64_t p : {1, 16, 256, 4096}) {
      if (px * static_cast<double>(p) > 4.5 * double{em}) return p;
    }
    return int64_t{0};
  };
  const auto at_line = [&](int64_t n, int64_t p) { return (n + p - 1) / p * p; };
  const int64_t px = period(cell_px.x);
  const int64_t py = period(cell_px.y);
  if (px > 0 && s.cells_across() > px) {
    const int64_t base = s.transposed ? s.first_row : s.first_col;
    for (int64_t x = at_line(first.x, px); x < last.x; x += px) {
      const double middle = static_cast<double>(x) + (px == 1 ? 0.5 : 0.0);
      auto at = view_.pixel(s.at({middle, static_cast<double>(first.y)}));
      if (!at) continue;
      at->y = std::max(at->y, 0.0F) + 0.7F * em;
      put(*at, std::to_string(base + x), 0.75F * em, words_.palette.faint_text, LabelAlign::kCenter,
          alpha);
    }
  }
  if (py > 0 && s.cells_down() > py) {
    const int64_t base = s.transposed ? s.first_col : s.first_row;
    for (int64_t y = at_line(first.y, py); y < last.y; y += py) {
      const double middle = static_cast<double>(y) + (py == 1 ? 0.5 : 0.0);
      auto at = view_.pixel(s.at({static_cast<double>(first.x), middle}));
      if (!at) continue;
      at->x = std::max(at->x, 0.0F) + 0.3F * em;
      put(*at, std::to_string(base + y), 0.75F * em, words_.palette.faint_text, LabelAlign::kLeft,
          alpha);
    }
  }
}

void TensorView::Writer::sheet(size_t index) {
  const scene::Sheet& s = view_.sheets_[index];
  // Where enough of the sheet is there to be seen, its words can be read.
  float alpha = glm::smoothstep(0.3F, 0.5F, view_.appearance_[index]);
  if (alpha <= 0.0F) return;
  const auto top_left = view_.pixel(s.corner);
  const auto top_right = view_.pixel(s.corner + s.across);
  const auto bottom_left = view_.pixel(s.corner + s.down);
  if (top_left && top_right && bottom_left) {
    title(s, alpha * seen(s.corner), *top_left,
          {glm::length(*top_right - *top_left), glm::length(*bottom_left - *top_left)});
  }
  // The part that is visible: where the frame's corners and edges look at, on the sheet's plane.
  glm::dvec2 low(1e18);
  glm::dvec2 high(-1e18);
  const glm::dvec3 normal = glm::cross(s.across, s.down);
  double nearest = 1e18;
  for (int i = 0; i < 9; ++i) {
    const glm::dvec3 ray =
        view_.ray({static_cast<float>(i % 3 - 1), static_cast<float>(i / 3 - 1)});
    const double towards = glm::dot(ray, normal);
    const double distance = towards != 0.0 ? glm::dot(s.corner - view_.eye_, normal) / towards : -1;
    if (distance <= 0.0) return;  // seen from the edge: no place for numbers
    const glm::dvec3 on = view_.eye_ + ray * distance - s.corner;
    const glm::dvec2 cell(
        glm::dot(on, s.across) / glm::dot(s.across, s.across) *
            static_cast<double>(s.cells_across()),
        glm::dot(on, s.down) / glm::dot(s.down, s.down) * static_cast<double>(s.cells_down()));
    low = glm::min(low, cell);
    high = glm::max(high, cell);
    nearest = std::min(nearest, distance);
  }
  const glm::dvec2 all(static_cast<double>(s.cells_across()),
                       static_cast<double>(view_.present(s)));
  const glm::i64vec2 first(glm::clamp(glm::floor(low), glm::dvec2(0.0), all));
  const glm::i64vec2 last(glm::clamp(glm::ceil(high), glm::dvec2(0.0), all));
  if (first.x >= last.x || first.y >= last.y) return;
  const glm::dvec2 cell_px = s.cell_size() / (nearest * view_.pixel_size_);
  alpha *= seen(s.at(0.5 * glm::dvec2(first + last)));
  if (alpha <= 0.0F) return;
  cells(s, alpha, cell_px, first, last);
  if (glm::length(s.across) / (nearest * view_.pixel_size_) > 260.0) {
    rulers(s, alpha, cell_px, first, last);
  }
}

std::optional<TensorView::Place> TensorView::place(
    const scene::Layout& layout, const std::optional<scene::CellRef>& selected) const {
  const auto hit = under({0.0F, 0.0F});
  if (!hit || appearance_[hit->sheet] < 1.0F) return {};
  const scene::Sheet& s = sheets_[hit->sheet];
  const double down_px = glm::length(s.down) / (hit->distance * pixel_size_);
  if (down_px < 0.8 * double{viewport_.y}) return {};
  const scene::CellRef cell = selected && selected->sheet == s.id ? *selected : hit->cell;
  Place at;
  at.cell = scene::path(layout, cell);
  if (const auto value = store_.value(s, cell)) at.cell += " = " + short_number(double{*value}, 6);
  at.tensor = s.name + "  " + (s.rows == 1 ? "" : grouped(s.rows) + " x ") + grouped(s.cols);
  if (s.rows > 1 && s.transposed) at.tensor += ", its rows across";
  if (const SheetFacts* facts = store_.facts(s.id)) {
    at.tensor += "   " + facts->formula + "   full colour " + short_number(double{facts->scale});
    if (!s.stored) at.tensor += "   at position " + std::to_string(facts->position);
  }
  if (!answered_) at.tensor += "   numbers need the running model";
  return at;
}

std::vector<Label> TensorView::labels(const Words& words) const {
  Writer writer(*this, words);
  for (size_t i = 0; i < sheets_.size(); ++i) writer.sheet(i);
  return std::move(writer.labels);
}

}  // namespace render
