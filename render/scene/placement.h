// Which labels fit on the screen. Each is given a visibility between 0 and 1 that depends on where
// it and those before it lie and on nothing else: no memory, and no jumps. As the camera moves, a
// label that comes near a more important one fades, it does not pop.
#pragma once

#include <cstdint>
#include <vector>

#include <glm/glm.hpp>

namespace scene {

struct Rect {  // pixels, y down
  glm::vec2 low{0.0F};
  glm::vec2 high{0.0F};
};

// Pixels between two; negative: how deep they overlap.
float gap_between(const Rect& a, const Rect& b);

class Placement {
 public:
  // fade: pixels over which a label fades.
  Placement(glm::vec2 viewport, float fade);

  // Nothing is placed here: a panel.
  void cover(const Rect& rect);
  // In order of importance. wish: how visible it wants to be, 0..1. Returns how visible it may be;
  // 0 outside of the screen. What is granted stands in the way of those that follow.
  float place(const Rect& rect, float wish);
  // What place() would grant.
  float room(const Rect& rect, float wish) const;

 private:
  struct Taken {
    Rect rect;
    float visible;
  };
  // Indices into cells_ of those that a rectangle may reach.
  template <class Visit>
  void cells(const Rect& rect, Visit visit) const;

  glm::vec2 viewport_;
  float fade_;
  glm::ivec2 size_;                           // in cells
  std::vector<std::vector<uint32_t>> cells_;  // indices into taken_
  std::vector<Taken> taken_;
};

}  // namespace scene
