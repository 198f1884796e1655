#include "render/scene/tile_cache.h"

#include <algorithm>

namespace scene {

std::optional<uint32_t> TileCache::find(const TileKey& key) const {
  const auto found = slot_of_.find(key);
  return found == slot_of_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<uint32_t> TileCache::use(const TileKey& key) {
  const auto found = slot_of_.find(key);
  if (found == slot_of_.end()) return {};
  owner_[found->second].used = frame_;
  return found->second;
}

std::optional<uint32_t> TileCache::place(const TileKey& key) {
  if (const auto own = use(key)) return own;
  const auto oldest = std::min_element(
      owner_.begin(), owner_.end(), [](const Owner& a, const Owner& b) { return a.used < b.used; });
  if (oldest == owner_.end() || oldest->used >= frame_) return {};
  if (oldest->key) slot_of_.erase(*oldest->key);
  *oldest = {key, frame_};
  const auto slot = static_cast<uint32_t>(oldest - owner_.begin());
  slot_of_[key] = slot;
  return slot;
}

}  // namespace scene
