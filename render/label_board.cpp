#include "render/label_board.h"

#include <bit>

#include "render/scene/palette.h"

namespace render {

using scene::Rect;

std::vector<uint32_t> by_roundness(std::span<const uint32_t> numbers) {
  std::vector<uint32_t> order(numbers.begin(), numbers.end());
  const auto zeros = [](uint32_t n) { return n == 0 ? 32 : std::countr_zero(n); };
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return zeros(a) != zeros(b) ? zeros(a) > zeros(b) : a < b;
  });
  return order;
}

scene::Occluders::View eye_of(const glm::mat4& clip_from_world, float now) {
  const glm::mat4 rows = glm::transpose(clip_from_world);
  // The eye is where x, y and w of clip space are all 0.
  const glm::mat3 through{glm::vec3(rows[0]), glm::vec3(rows[1]), glm::vec3(rows[3])};
  const glm::vec3 offset(rows[0].w, rows[1].w, rows[3].w);
  return {.eye = -(glm::inverse(glm::transpose(through)) * offset),
          .right = glm::normalize(glm::vec3(rows[0])),
          .down = glm::normalize(glm::vec3(rows[1])),
          .now = now};
}

LabelBoard::LabelBoard(const glm::mat4& clip_from_world, glm::vec2 viewport, float size_px,
                       std::span<const Rect> covered, const scene::Occluders* occluders, float now)
    : clip_from_world_(clip_from_world),
      viewport_(viewport),
      size_px_(size_px),
      placement_(viewport, kFadeEm * size_px),
      occluders_(occluders),
      eye_(eye_of(clip_from_world, now)) {
  // The second row of a projection times a rotation is as long as the projection's own entry.
  const glm::vec3 row(clip_from_world[0][1], clip_from_world[1][1], clip_from_world[2][1]);
  px_per_unit_ = glm::length(row) * 0.5F * viewport.y;
  for (const Rect& rect : covered) placement_.cover(rect);
}

std::optional<glm::vec2> LabelBoard::project(glm::vec3 world) const {
  const glm::vec4 clip = clip_from_world_ * glm::vec4(origin_ + world, 1.0F);
  if (!(clip.w > 0.0F) || clip.z < 0.0F) return {};
  return (glm::vec2(clip) / clip.w * 0.5F + 0.5F) * viewport_;
}

std::optional<Rect> LabelBoard::extent(const scene::Box& box) const {
  Rect rect{glm::vec2(1e9F), glm::vec2(-1e9F)};
  for (int corner = 0; corner < 8; ++corner) {
    const glm::vec3 sign((corner & 1) != 0 ? 1.0F : -1.0F, (corner & 2) != 0 ? 1.0F : -1.0F,
                         (corner & 4) != 0 ? 1.0F : -1.0F);
    const auto at = project(box.center + box.half_size * sign);
    if (!at) return {};
    rect.low = glm::min(rect.low, *at);
    rect.high = glm::max(rect.high, *at);
  }
  return rect;
}

float LabelBoard::pixels(glm::vec3 at, float length) const {
  const float w = (clip_from_world_ * glm::vec4(origin_ + at, 1.0F)).w;
  return w > 0.0F ? length * px_per_unit_ / w : 0.0F;
}

std::optional<Rect> LabelBoard::rect_of(const Label& label) const {
  const auto anchor = project(label.anchor);
  if (!anchor) return {};
  const glm::vec2 size = measure_text(label.text, label.size_px, label.mono);
  const float shift = label.align == LabelAlign::kLeft     ? 0.0F
                      : label.align == LabelAlign::kCenter ? 0.5F
                                                           : 1.0F;
  const glm::vec2 low = *anchor + label.offset_px - glm::vec2(size.x * shift, size.y * 0.5F);
  return Rect{low, low + size};
}

float LabelBoard::put(Label& label, float wish, std::optional<Rect> named) {
  const auto rect = rect_of(label);
  if (!rect || !(wish > 0.0F)) return 0.0F;
  const float visible = placement_.place(*rect, wish);
  constexpr float kLeast = 0.03F;  // fainter is not worth drawing
  if (visible < kLeast) return 0.0F;
  label.rgba = scene::faded(label.rgba, visible);
  result_.labels.push_back(label);
  result_.labels.back().anchor += origin_;
  result_.rects.push_back(*rect);
  result_.named.push_back(named);
  return visible;
}

float LabelBoard::seen(glm::vec3 point, const scene::Box& own) const {
  constexpr float kRadiusEm = 0.5F;
  if (occluders_ == nullptr) return 1.0F;
  const float w = (clip_from_world_ * glm::vec4(origin_ + point, 1.0F)).w;
  return occluders_->seen(eye_, origin_ + point, kRadiusEm * size_px_ * w / px_per_unit_,
                          scene::Box{origin_ + own.center, own.half_size});
}

float LabelBoard::at(Label label, float wish, const std::optional<scene::Box>& of) {
  if (!(wish > 0.0F) || !project(label.anchor)) return 0.0F;
  return put(label, wish * seen(label.anchor, of ? *of : scene::Box{label.anchor, {}}), {});
}

std::optional<LabelBoard::Spot> LabelBoard::spot(const scene::Box& box, Side side, Label label,
                                                 float wish, float gap_em, bool through) const {
  const std::optional<Rect> thing = extent(box);
  label.anchor = box.center;
  const auto anchor = project(label.anchor);
  if (!thing || !anchor) return {};
  const float gap = gap_em * size_px_;
  const float half = 0.5F * measure_text(label.text, label.size_px, label.mono).y;
  const glm::vec2 middle = 0.5F * (thing->low + thing->high);
  glm::vec2 to = middle;
  glm::vec2 from = middle;  // on the thing's rim
  switch (side) {
    case Side::kAbove:
      from.y = thing->low.y;
      to.y = from.y - gap - half;
      label.align = LabelAlign::kCenter;
      break;
    case Side::kBelow:
      from.y = thing->high.y;
      to.y = from.y + gap + half;
      label.align = LabelAlign::kCenter;
      break;
    case Side::kLeft:
      from.x = thing->low.x;
      to.x = from.x - gap;
      label.align = LabelAlign::kRight;
      break;
    case Side::kRight:
      from.x = thing->high.x;
      to.x = from.x + gap;
      label.align = LabelAlign::kLeft;
      break;
  }
  label.offset_px = to - *anchor;
  if (!through && wish > 0.0F) {
    // The place on the rim, as far from the eye as the thing's middle.
    const float w = (clip_from_world_ * glm::vec4(origin_ + box.center, 1.0F)).w;
    const glm::vec2 off = (from - *anchor) * (w / px_per_unit_);
    wish *= seen(box.center + eye_.right * off.x + eye_.down * off.y, box);
  }
  return Spot{std::move(label), *thing, from, to, wish};
}

float LabelBoard::room_beside(const scene::Box& box, Side side, const Label& label, float wish,
                              float gap_em) const {
  if (!(wish > 0.0F)) return 0.0F;
  const auto at = spot(box, side, label, wish, gap_em, false);
  const auto rect = at ? rect_of(at->label) : std::nullopt;
  return rect ? placement_.room(*rect, at->wish) : 0.0F;
}

float LabelBoard::beside(const scene::Box& box, Side side, Label label, float wish, float gap_em,
                         bool leader, bool through) {
  if (!(wish > 0.0F)) return 0.0F;
  auto at = spot(box, side, std::move(label), wish, gap_em, through);
  if (!at) return 0.0F;
  const float visible = put(at->label, at->wish, at->thing);
  if (!leader || visible == 0.0F) return visible;
  const glm::vec2 towards = glm::normalize(at->to - at->from);
  const bool over = side == Side::kAbove || side == Side::kBelow;
  const float half = 0.5F * measure_text(at->label.text, at->label.size_px, at->label.mono).y;
  const float inset = over ? half : 3.0F;
  result_.lines.push_back({.from = at->from,
                           .to = at->to - towards * inset,
                           .width = std::max(0.08F * size_px_, 1.0F),
                           .rgba = scene::faded(at->label.rgba, 0.7F)});
  return visible;
}

}  // namespace render
