// Where labels are pinned: projects what they name, keeps them off it, off each other and off the
// panels, hides those of what stands behind something, and draws leaders to those that stand away.
// Pure: the same camera gives the same board.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include "render/label.h"
#include "render/scene/layout.h"
#include "render/scene/occlusion.h"
#include "render/scene/placement.h"
#include "shaders/shared.h"

namespace render {

enum class Side : uint8_t { kAbove, kBelow, kLeft, kRight };  // of the thing, on the screen

// What stands on the screen beside the scene itself.
struct Annotations {
  std::vector<Label> labels;
  std::vector<shaders::Line> lines;
  // Of each label, for the tests: where it is, and the screen extent of what it names if that is a
  // box.
  std::vector<scene::Rect> rects;
  std::vector<std::optional<scene::Rect>> named;
};

// The eye and the screen's axes that a projection has.
scene::Occluders::View eye_of(const glm::mat4& clip_from_world, float now);

class LabelBoard {
 public:
  // covered: panels, in pixels. size_px: of a normal label.
  // occluders: what labels are hidden by, null: nothing; now: how far the past is there.
  LabelBoard(const glm::mat4& clip_from_world, glm::vec2 viewport, float size_px,
             std::span<const scene::Rect> covered, const scene::Occluders* occluders = nullptr,
             float now = 0.0F);

  // Nothing when it lies behind the eye.
  std::optional<glm::vec2> project(glm::vec3 world) const;
  // Nothing when a part of it lies behind the eye.
  std::optional<scene::Rect> extent(const scene::Box& box) const;
  // How many pixels a length has at a point, if it faces the eye; 0 behind it.
  float pixels(glm::vec3 at, float length) const;

  // Outside of the box, on this side of it. wish: how visible, 0..1. gap_em: between the two.
  // Returns how visible it is. A second place for the same label wishes for what is left.
  // through: it shows whatever stands before the box.
  float beside(const scene::Box& box, Side side, Label label, float wish, float gap_em = 0.3F,
               bool leader = false, bool through = false);
  // What beside() would return.
  float room_beside(const scene::Box& box, Side side, const Label& label, float wish,
                    float gap_em) const;
  // At the label's own anchor and offset. of: what it names, which does not hide it.
  float at(Label label, float wish, const std::optional<scene::Box>& of = {});

  // Calls visit(i) for those of n things along a line that are on the screen and for which
  // pixels(point(i), length(i)) reaches least_px: by halves, so that what is far away or off the
  // screen costs nothing. length(i) is the largest towards 0. reach: world units that a thing
  // extends around its point.
  template <class Point, class Length, class Visit>
  void along(uint32_t n, Point point, Length length, float least_px, Visit visit,
             float reach = 0.0F) const;

  // Where the places of what follows are counted from.
  void stand_at(glm::vec3 origin) { origin_ = origin; }

  float size_px() const { return size_px_; }
  float fade_px() const { return kFadeEm * size_px_; }  // labels nearer than this fade
  glm::vec2 viewport() const { return viewport_; }
  void add_line(const shaders::Line& line) { result_.lines.push_back(line); }
  Annotations take() { return std::move(result_); }

 private:
  static constexpr float kFadeEm = 0.3F;
  // Where a label beside a thing comes.
  struct Spot {
    Label label;
    scene::Rect thing;
    glm::vec2 from, to;  // on the thing's rim; the middle of the label's nearest edge
    float wish;
  };
  std::optional<Spot> spot(const scene::Box& box, Side side, Label label, float wish, float gap_em,
                           bool through) const;
  std::optional<scene::Rect> rect_of(const Label& label) const;
  float put(Label& label, float wish, std::optional<scene::Rect> named);
  // How much of what lies around a point of the world can be seen; own: what it belongs to.
  float seen(glm::vec3 point, const scene::Box& own) const;

  glm::mat4 clip_from_world_;
  glm::vec2 viewport_;
  float size_px_;
  float px_per_unit_;  // of a length at w = 1
  glm::vec3 origin_{0.0F};
  scene::Placement placement_;
  const scene::Occluders* occluders_;
  scene::Occluders::View eye_;
  Annotations result_;
};

// The order in which things in a row are named, so that the ones left where they crowd are round
// numbers: 0, then multiples of the largest power of two, and so on down to the odd ones.
std::vector<uint32_t> by_roundness(std::span<const uint32_t> numbers);

template <class Point, class Length, class Visit>
void LabelBoard::along(uint32_t n, Point point, Length length, float least_px, Visit visit,
                       float reach) const {
  const glm::mat4 rows = glm::transpose(clip_from_world_);
  struct Range {
    uint32_t begin, end;
  };
  std::vector<Range> open;
  if (n > 0) open.push_back({0, n});
  while (!open.empty()) {
    const auto [begin, end] = open.back();
    open.pop_back();
    const glm::vec3 a = point(begin);
    const glm::vec3 b = point(end - 1);
    const glm::vec4 clip_a = clip_from_world_ * glm::vec4(a, 1.0F);
    const glm::vec4 clip_b = clip_from_world_ * glm::vec4(b, 1.0F);
    // Off the screen on the same side, by more than a margin: the straight line between them too.
    bool off = clip_a.w < -reach && clip_b.w < -reach;
    for (int axis = 0; axis < 2; ++axis) {
      const float margin = reach * (1.2F + glm::length(glm::vec3(rows[axis])));
      for (const float sign : {-1.0F, 1.0F}) {
        off = off || (sign * clip_a[axis] > 1.2F * clip_a.w + margin &&
                      sign * clip_b[axis] > 1.2F * clip_b.w + margin);
      }
    }
    if (off) continue;
    const float nearest = std::max(std::min(clip_a.w, clip_b.w) - reach, 1e-3F);
    if (length(begin) * px_per_unit_ / nearest < least_px) continue;
    if (end - begin > 1) {
      const uint32_t middle = begin + (end - begin) / 2;
      open.push_back({middle, end});
      open.push_back({begin, middle});
      continue;
    }
    visit(begin);
  }
}

}  // namespace render
