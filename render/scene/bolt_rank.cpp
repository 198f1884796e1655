#include "render/scene/bolt_rank.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <compare>
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
  // The slice, then the strongest first: bits of floats >= 0 order as the floats do, and those of
  // what is no number have an order, too.
  struct Entry {
    uint64_t key;
    uint32_t bolt;
    auto operator<=>(const Entry&) const = default;
  };
  std::vector<Entry> entries;
  entries.reserve(bolts.size());
  for (uint32_t i = 0; i < bolts.size(); ++i) {
    const auto at = static_cast<uint32_t>(std::max((bolts[i].instant - step) / slice, 0.0F));
    entries.push_back({uint64_t{at} << 32 | ~std::bit_cast<uint32_t>(weight(bolts[i])), i});
  }
  std::sort(entries.begin(), entries.end());
  size_t first = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].key >> 32 != entries[first].key >> 32) first = i;
    bolts[entries[i].bolt].crowd = static_cast<float>(i - first) / slice;
  }
}

}  // namespace scene
