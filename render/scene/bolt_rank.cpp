#include "render/scene/bolt_rank.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace scene {

float weight(const shaders::Bolt& bolt) {
  const bool drain = (bolt.flags & shaders::kBoltDrain) != 0;
  const bool read = (bolt.flags & shaders::kBoltRead) != 0;
  const bool fork = (bolt.flags & shaders::kBoltFork) != 0;
  // As shaders/bolt.glsl: width_of(); and as dim as a fork is drawn.
  const float width = std::clamp(std::sqrt(std::abs(bolt.share)), drain ? 0.4F : 0.12F, 1.0F);
  return width * bolt.value * (read ? 0.6F : 1.0F) * (fork ? 0.33F : 1.0F);
}

void rank(std::span<shaders::Bolt> bolts, float step, float slice) {
  struct Entry {
    int32_t slice;
    float weight;
    uint32_t bolt;
  };
  std::vector<Entry> entries;
  entries.reserve(bolts.size());
  for (uint32_t i = 0; i < bolts.size(); ++i) {
    entries.push_back(
        {static_cast<int32_t>(std::floor((bolts[i].instant - step) / slice)), weight(bolts[i]), i});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    if (a.slice != b.slice) return a.slice < b.slice;
    return a.weight != b.weight ? a.weight > b.weight : a.bolt < b.bolt;
  });
  size_t first = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].slice != entries[first].slice) first = i;
    bolts[entries[i].bolt].crowd = static_cast<float>(i - first) / slice;
  }
}

}  // namespace scene
