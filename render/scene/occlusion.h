// What stands before what, for words: how much of a small disc around a point can be seen past the
// boxes of the scene. Pure: no depth is read back, and nothing is remembered from frame to frame.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <glm/glm.hpp>

#include "render/scene/layout.h"

namespace scene {

class Occluders {
 public:
  // Heads, plates, shelves, the residual stream: what is drawn solid and as large as its box.
  // Once a layout, which must outlive it.
  explicit Occluders(const Layout& layout);

  struct View {
    glm::vec3 eye{0.0F};
    glm::vec3 right{1.0F, 0.0F, 0.0F};  // unit vectors of the screen, in the world
    glm::vec3 down{0.0F, -1.0F, 0.0F};
    float now = 0.0F;  // column at the front: how far shelves and tape are there
  };
  // The share of the disc, 0..1: 1 before everything, 0 where all of it lies behind something.
  // radius: world units, at the point. own: what the point belongs to; boxes that it touches stand
  // in nobody's way. The work grows with the logarithm of the number of boxes.
  float seen(const View& view, glm::vec3 point, float radius, const std::optional<Box>& own) const;

 private:
  struct Extent {
    glm::vec3 low{1e30F};
    glm::vec3 high{-1e30F};
  };
  // A node of the tree: of leaves `boxes` says how many, from `first` on.
  struct Branch {
    Extent extent;
    uint32_t first = 0;  // a leaf's first box, another's second child; its first is the next node
    uint32_t boxes = 0;
  };
  struct Solid {
    Extent extent;
    bool past = false;  // a plate of columns, of which some are there
    float last = 0.0F;  // its newest column where it does not move, else negative
  };

  uint32_t grow(uint32_t first, uint32_t end);

  std::vector<Solid> solids_;
  std::vector<Branch> branches_;
};

}  // namespace scene
