// Which sheets a camera is near enough to: what is looked at does not grow with the model's depth.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "render/scene/sheets.h"

namespace scene {

namespace {

// Share of the frame's height at which a group begins to appear, and at which it is all there.
constexpr double kBegins = 0.11;
constexpr double kComplete = 0.2;

// Distance from a point to a sheet's rectangle.
double distance_to(const Sheet& sheet, const glm::dvec3& eye) {
  const glm::dvec3 to = eye - sheet.corner;
  const double u =
      std::clamp(glm::dot(to, sheet.across) / glm::dot(sheet.across, sheet.across), 0.0, 1.0);
  const double v =
      std::clamp(glm::dot(to, sheet.down) / glm::dot(sheet.down, sheet.down), 0.0, 1.0);
  return glm::length(to - sheet.across * u - sheet.down * v);
}

// Farther away than this a group of that size has not begun to appear.
double reach(double size, double pixel_size, double height) {
  return size / (kBegins * pixel_size * height);
}

}  // namespace

float appearance(const Sheet& sheet, const glm::dvec3& eye, double pixel_size, double height) {
  const double distance = std::max(distance_to(sheet, eye), 1e-9);
  const double share = sheet.size / (distance * pixel_size * height);
  return static_cast<float>(glm::smoothstep(kBegins, kComplete, share));
}

std::vector<Sheet> sheets_near(const Layout& layout, const glm::dvec3& eye, double pixel_size,
                               double height) {
  const trace::ModelRecord& m = layout.model();
  std::vector<std::pair<double, std::vector<Sheet>>> groups;
  const auto consider = [&](std::vector<Sheet> group) {
    if (group.empty()) return;
    double distance = std::numeric_limits<double>::max();
    for (const Sheet& sheet : group) distance = std::min(distance, distance_to(sheet, eye));
    if (distance < reach(group[0].size, pixel_size, height)) {
      groups.emplace_back(distance, std::move(group));
    }
  };
  consider(crown_sheets(layout));
  consider(tape_sheets(layout));
  // Storeys within reach.
  const double pitch = double{layout.pitch()};
  const auto storeys = [&](double size) {
    const double far = reach(size, pixel_size, height);
    const auto clamped = [&](double y) {
      return static_cast<uint32_t>(std::clamp(std::floor(y / pitch), 0.0, double(m.layers - 1)));
    };
    const bool any = eye.y + far >= 0.0 && eye.y - far <= pitch * m.layers;
    return any ? std::array<uint32_t, 2>{clamped(eye.y - far), clamped(eye.y + far)}
               : std::array<uint32_t, 2>{1, 0};
  };
  // The nodes of one kind have sheets of one size: from those of one it follows which storeys can
  // have some that appear; boxes are looked at before anything is built.
  const auto each_storey = [&](const std::vector<Sheet>& one, uint32_t from, auto visit) {
    if (one.empty()) return;
    const double far = reach(one[0].size, pixel_size, height);
    const auto [low, high] = storeys(one[0].size);
    for (uint32_t l = std::max(low, from); l <= high; ++l) visit(l, far);
  };
  const auto near = [&](const Box& box, double far) {
    return glm::length(glm::dvec3(box.center) - eye) - glm::length(glm::dvec3(box.half_size)) < far;
  };
  const auto element_near = [&](uint32_t element, double far) {
    const shaders::Node node = layout.node(element);
    return near({node.center, node.half_size}, far);
  };
  const trace::StructureRecord& s = layout.structure();
  const uint32_t mixed = s.experts > 0 ? s.dense_layers : m.layers;  // the first layer with experts
  if (mixed > 0) {
    each_storey(ffn_sheets(layout, 0), 0, [&](uint32_t l, double) {
      if (l < mixed) consider(ffn_sheets(layout, l));
    });
  }
  each_storey(head_sheets(layout, 0, 0), 0, [&](uint32_t l, double far) {
    for (uint32_t h = 0; h < m.heads; ++h) {
      if (element_near(layout.head(l, h), far)) consider(head_sheets(layout, l, h));
    }
  });
  each_storey(lane_sheets(layout, 0, 0), 0, [&](uint32_t l, double far) {
    for (uint32_t k = 0; k < m.kv_heads; ++k) {
      shaders::Node slot = layout.node(layout.slot(l, k, 0));
      slot.center.z = shaders::past_z(-0.5F);
      if (near({slot.center, slot.half_size + 0.21F * layout.pitch()}, far))
        consider(lane_sheets(layout, l, k));
    }
  });
  each_storey(spine_sheets(layout, 0, false), 0, [&](uint32_t l, double far) {
    for (const bool ffn : {false, true}) {
      const shaders::Node part = layout.node(layout.spine(l, ffn, Layout::kSpineParts / 2));
      if (near({part.center, part.half_size * float{Layout::kSpineParts}}, far))
        consider(spine_sheets(layout, l, ffn));
    }
  });
  if (mixed < m.layers) {
    each_storey(router_sheets(layout, mixed), mixed, [&](uint32_t l, double far) {
      if (element_near(layout.router(l), far)) consider(router_sheets(layout, l));
    });
    for (uint32_t e = 0; e <= s.experts; ++e) {
      // The one that always works is of another size.
      if (e > 0 && e < s.experts) continue;
      each_storey(expert_sheets(layout, mixed, e), mixed, [&](uint32_t l, double far) {
        for (uint32_t x = e; x < std::max(s.experts, e + 1); ++x) {
          if (near(layout.expert_plate(l, x), far)) consider(expert_sheets(layout, l, x));
        }
      });
    }
  }
  std::stable_sort(groups.begin(), groups.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Sheet> sheets;
  for (auto& [distance, group] : groups) {
    for (Sheet& sheet : group) sheets.push_back(std::move(sheet));
  }
  return sheets;
}

}  // namespace scene
