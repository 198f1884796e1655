#include "render/scene/zoom.h"

#include <algorithm>
#include <cmath>

#include "model/error.h"

namespace scene {

Pose cell_pose(const Layout& layout, const CellRef& cell, float aspect) {
  const std::optional<Sheet> sheet = find_sheet(layout, cell.sheet);
  CHECK(sheet);
  const glm::dvec2 size = sheet->cell_size();
  // At least 7 cells across and 9 down.
  const double height = std::max(7.0 * size.x / double{aspect}, 9.0 * size.y);
  Pose pose;
  pose.target = glm::vec3(sheet->at(place(*sheet, cell) + 0.5));
  pose.yaw = 0.0F;
  pose.pitch = 0.0F;
  pose.distance = static_cast<float>(height / (2.0 * std::tan(double{Camera::kFovY} * 0.5)));
  return pose;
}

Pose on_the_way(const Pose& from, const Pose& to, float share) {
  const float t = std::clamp(share, 0.0F, 1.0F);
  // Constant speed but for a tenth of the way at either end.
  constexpr float kRamp = 0.1F;
  constexpr float kSpeed = 1.0F / (1.0F - kRamp);
  float moved = kSpeed * (t - 0.5F * kRamp);
  if (t < kRamp) moved = kSpeed * t * t / (2.0F * kRamp);
  if (t > 1.0F - kRamp) moved = 1.0F - kSpeed * (1.0F - t) * (1.0F - t) / (2.0F * kRamp);
  return blend(from, to, moved);
}

}  // namespace scene
