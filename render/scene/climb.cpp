#include "render/scene/climb.h"

#include <cmath>
#include <utility>

namespace scene {
namespace {

using shaders::Light;

// Of a step: what its instants are apart by rounding alone, for traces of up to 16,384 steps.
constexpr float kSameInstant = 2e-3F;

bool stands(const Light& light) {
  return light.life < 0.0F;
}

// Whether two lights of one element are seen at the same time, when their steps are one climb.
bool together(const Light& a, const Light& b) {
  const auto share = [](const Light& light) { return light.instant - std::floor(light.instant); };
  return a.life == b.life && std::abs(share(a) - share(b)) < kSameInstant;
}

}  // namespace

void Climb::add(uint64_t step, Script script) {
  const bool is_newest = !any_ || step > newest_;
  script_.lights.resize(script_.lights.size() - standing_.size());
  if (is_newest) {
    any_ = true;
    newest_ = step;
    script_.bolts = std::move(script.bolts);
    standing_.clear();
  }
  for (const Light& light : script.lights) {
    if (!stands(light)) {
      add_light(light);
    } else if (is_newest) {
      standing_.push_back(light);
    }
  }
  script_.lights.insert(script_.lights.end(), standing_.begin(), standing_.end());
}

void Climb::add_light(const Light& light) {
  uint32_t& place = place_[size_t{2} * light.node + (light.value < 0.0F ? 1 : 0)];
  if (place != 0) {
    Light& known = script_.lights[place - 1];
    if (together(known, light)) {
      if (!(std::abs(light.value) <= std::abs(known.value)) && !std::isnan(light.value))
        known = light;
      return;
    }
  }
  script_.lights.push_back(light);
  place = static_cast<uint32_t>(script_.lights.size());
}

}  // namespace scene
