// What is under a pixel of the picture.
#pragma once

#include <cstdint>
#include <optional>

#include <glm/glm.hpp>

namespace render {

// A bolt, by the step that it was put with and its place there.
struct BoltRef {
  uint64_t step = 0;
  uint32_t index = 0;
  bool operator==(const BoltRef&) const = default;
};

struct PickResult {
  glm::ivec2 pixel;
  uint32_t node;                // element + 1; 0: nothing there
  std::optional<BoltRef> bolt;  // nearer than any node, which then is 0
};

}  // namespace render
