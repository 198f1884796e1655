#include "render/scene/occlusion.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace scene {

namespace {

constexpr uint32_t kLeaf = 4;      // boxes
constexpr int kRays = 16;          // to places spread evenly over the disc
constexpr float kBefore = 0.999F;  // of the way: what stands at the point itself is not before it

// Sunflower seeds: even, and no straight edge meets two of them at once.
const std::array<glm::vec2, kRays>& disc() {
  static const std::array<glm::vec2, kRays> places = [] {
    std::array<glm::vec2, kRays> out;
    for (int i = 0; i < kRays; ++i) {
      const float far = std::sqrt((static_cast<float>(i) + 0.5F) / kRays);
      const float turn = 2.3999632F * static_cast<float>(i);
      out[static_cast<size_t>(i)] = far * glm::vec2(std::cos(turn), std::sin(turn));
    }
    return out;
  }();
  return places;
}

struct Ray {
  glm::vec3 from;
  glm::vec3 per_step;  // 1 / direction
};

bool meets(const Ray& ray, glm::vec3 low, glm::vec3 high) {
  const glm::vec3 a = (low - ray.from) * ray.per_step;
  const glm::vec3 b = (high - ray.from) * ray.per_step;
  const glm::vec3 in = glm::min(a, b);
  const glm::vec3 out = glm::max(a, b);
  const float begin = std::max({in.x, in.y, in.z, 0.0F});
  return begin < kBefore && begin <= std::min({out.x, out.y, out.z});
}

}  // namespace

Occluders::Occluders(const Layout& layout) {
  for (const shaders::Node& node : layout.boxes()) {
    const bool plate = (node.flags & shaders::kNodePlate) != 0;
    const bool bar = !plate && (node.flags & shaders::kNodeGrows) != 0;
    if ((node.flags & (shaders::kNodeNotPicked | shaders::kNodeLine)) != 0 || bar) continue;
    Solid solid{{node.center - node.half_size, node.center + node.half_size}};
    if (plate && layout.grids()[node.grid].past != 0) {
      const auto columns = static_cast<float>(layout.grids()[node.grid].rows);
      solid.past = true;
      solid.last = (node.flags & shaders::kNodeAtRest) != 0 ? columns - 1.0F : -1.0F;
      solid.extent.low.z = shaders::past_z(columns - 0.5F);
      solid.extent.high.z = shaders::past_z(-0.5F);
    }
    solids_.push_back(solid);
  }
  if (!solids_.empty()) grow(0, static_cast<uint32_t>(solids_.size()));
}

// The node of these boxes and all below it; halves by the longest side.
uint32_t Occluders::grow(uint32_t first, uint32_t end) {
  const auto at = static_cast<uint32_t>(branches_.size());
  branches_.push_back({});
  Extent all;
  for (uint32_t i = first; i < end; ++i) {
    all.low = glm::min(all.low, solids_[i].extent.low);
    all.high = glm::max(all.high, solids_[i].extent.high);
  }
  uint32_t second = first;
  if (end - first > kLeaf) {
    const glm::vec3 size = all.high - all.low;
    const int axis = size.x > size.y && size.x > size.z ? 0 : size.y > size.z ? 1 : 2;
    second = first + (end - first) / 2;
    std::nth_element(solids_.begin() + first, solids_.begin() + second, solids_.begin() + end,
                     [&](const Solid& a, const Solid& b) {
                       return a.extent.low[axis] + a.extent.high[axis] <
                              b.extent.low[axis] + b.extent.high[axis];
                     });
    grow(first, second);
    second = grow(second, end);
  }
  const bool leaf = second == first;
  branches_[at] = {all, second, leaf ? end - first : 0};
  return at;
}

float Occluders::seen(const View& view, glm::vec3 point, float radius,
                      const std::optional<Box>& own) const {
  if (branches_.empty()) return 1.0F;
  std::array<Ray, kRays> rays;
  const Ray middle{view.eye, 1.0F / (point - view.eye)};
  for (size_t i = 0; i < kRays; ++i) {
    const glm::vec2 place = radius * disc()[i];
    const glm::vec3 to = point + view.right * place.x + view.down * place.y;
    rays[i] = {view.eye, 1.0F / (to - view.eye)};
  }
  // No ray strays farther from the middle one: what that one misses, so much larger, all miss.
  const auto missed = [&](const Extent& extent) {
    return !meets(middle, extent.low - radius, extent.high + radius);
  };
  const auto apart = [](const Extent& a, glm::vec3 low, glm::vec3 high) {
    return glm::any(glm::lessThan(a.high, low)) || glm::any(glm::lessThan(high, a.low));
  };
  uint32_t hidden = 0;  // a bit a ray
  const auto test = [&](Solid solid) {
    if (solid.past) {
      const float last = solid.last >= 0.0F ? solid.last : view.now;
      if (last < -0.5F) return;
      solid.extent.low.z = std::max(solid.extent.low.z, shaders::past_z(last + 0.5F));
    }
    if (missed(solid.extent)) return;
    if (own) {
      const glm::vec3 reach = own->half_size + 0.01F * (own->half_size + 0.5F);
      if (!apart(solid.extent, own->center - reach, own->center + reach)) return;
    }
    for (uint32_t i = 0; i < kRays; ++i) {
      if (meets(rays[i], solid.extent.low, solid.extent.high)) hidden |= 1U << i;
    }
  };
  const auto visit = [&](const auto& self, uint32_t index) -> void {
    constexpr uint32_t kAll = (1U << kRays) - 1;
    const Branch& branch = branches_[index];
    if (hidden == kAll || missed(branch.extent)) return;
    for (uint32_t i = 0; i < branch.boxes; ++i) test(solids_[branch.first + i]);
    if (branch.boxes > 0) return;
    self(self, index + 1);
    self(self, branch.first);
  };
  visit(visit, 0);
  int free = kRays;
  for (uint32_t bits = hidden; bits != 0; bits &= bits - 1) --free;
  return static_cast<float>(free) / kRays;
}

}  // namespace scene
