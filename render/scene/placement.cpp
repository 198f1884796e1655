#include "render/scene/placement.h"

#include <algorithm>

namespace scene {

namespace {

constexpr float kCell = 96.0F;  // pixels

}  // namespace

float gap_between(const Rect& a, const Rect& b) {
  const glm::vec2 gap = glm::max(a.low - b.high, b.low - a.high);
  return std::max(gap.x, gap.y);
}

Placement::Placement(glm::vec2 viewport, float fade)
    : viewport_(viewport), fade_(fade), size_(glm::max(glm::ivec2(viewport / kCell) + 1, 1)) {
  cells_.resize(static_cast<size_t>(size_.x) * static_cast<size_t>(size_.y));
}

template <class Visit>
void Placement::cells(const Rect& rect, Visit visit) const {
  const auto cell = [&](glm::vec2 at) {
    return glm::ivec2(glm::clamp(at / kCell, glm::vec2(0.0F), glm::vec2(size_ - 1)));
  };
  const glm::ivec2 low = cell(rect.low - fade_);
  const glm::ivec2 high = cell(rect.high + fade_);
  for (int y = low.y; y <= high.y; ++y) {
    for (int x = low.x; x <= high.x; ++x) visit(static_cast<size_t>(y * size_.x + x));
  }
}

void Placement::cover(const Rect& rect) {
  const auto index = static_cast<uint32_t>(taken_.size());
  taken_.push_back({rect, 1.0F});
  cells(rect, [&](size_t cell) { cells_[cell].push_back(index); });
}

float Placement::room(const Rect& rect, float wish) const {
  // Whole or not at all: half a word at the rim of the screen is noise.
  const glm::vec2 inside = glm::min(rect.low, viewport_ - rect.high);
  float visible =
      std::clamp(wish, 0.0F, 1.0F) * glm::smoothstep(-fade_, 0.0F, std::min(inside.x, inside.y));
  if (!(visible > 0.0F)) return 0.0F;
  cells(rect, [&](size_t cell) {
    for (const uint32_t index : cells_[cell]) {
      const Taken& other = taken_[index];
      const float near = 1.0F - glm::smoothstep(0.0F, fade_, gap_between(rect, other.rect));
      // The lesser one is gone before the greater one is half there.
      visible = std::min(visible, 1.0F - near * glm::smoothstep(0.0F, 0.5F, other.visible));
    }
  });
  return visible;
}

float Placement::place(const Rect& rect, float wish) {
  const float visible = room(rect, wish);
  if (visible > 0.0F) {
    const auto index = static_cast<uint32_t>(taken_.size());
    taken_.push_back({rect, visible});
    cells(rect, [&](size_t cell) { cells_[cell].push_back(index); });
  }
  return visible;
}

}  // namespace scene
