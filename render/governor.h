// Chooses how many pixels the scene of a window is rendered at, so that frames stay within a time:
// fewer as soon as they do not, more again when there has been room for a while.
#pragma once

#include <cstddef>

namespace render {

class Governor {
 public:
  // Sides of the scene's picture, as shares of the target's. Below 0.5 text-sized detail is lost.
  static constexpr float kScales[] = {1.0F, 0.85F, 0.75F, 0.66F, 0.58F, 0.5F};

  // budget_ms: what a frame may take on the GPU. first: index of the scale to begin with.
  explicit Governor(double budget_ms, size_t first = 0) : budget_ms_(budget_ms), at_(first) {}

  // Once a frame with the GPU time of a frame that has retired.
  void add(double gpu_ms);
  // Something else changed what a frame takes: the average begins anew.
  void restart();
  float scale() const { return kScales[at_]; }

 private:
  void move(size_t to);

  double budget_ms_;
  size_t at_;
  double smooth_ms_ = 0.0;  // of the frames since the last change
  int frames_ = 0;          // since the last change
  int roomy_ = 0;           // of them in a row that would have fitted at the next larger scale
  int patience_ = 30;       // how many of those it takes
};

}  // namespace render
