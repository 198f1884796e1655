// Which tile lies in which slot of a bounded store: the least recently used goes first, but never
// one that this frame needs. Book-keeping only: the texels are the caller's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "render/scene/tiles.h"

namespace scene {

class TileCache {
 public:
  explicit TileCache(uint32_t slots) : owner_(slots) {}

  // A new frame begins: what is used from here on is kept in it.
  void begin_frame() { ++frame_; }
  // The slot of a tile, which counts as used; nothing when it is not there.
  std::optional<uint32_t> use(const TileKey& key);
  bool holds(const TileKey& key) const { return slot_of_.contains(key); }
  // Its slot, without using it.
  std::optional<uint32_t> find(const TileKey& key) const;
  // A slot for a new tile, or its own again. Nothing when every slot is in use in this frame.
  std::optional<uint32_t> place(const TileKey& key);
  size_t size() const { return slot_of_.size(); }

 private:
  struct Owner {
    std::optional<TileKey> key;
    uint64_t used = 0;  // frame
  };
  std::vector<Owner> owner_;  // by slot
  std::map<TileKey, uint32_t> slot_of_;
  uint64_t frame_ = 1;
};

}  // namespace scene
