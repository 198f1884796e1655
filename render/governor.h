// Chooses how much of a window's scene is drawn, so that frames stay within a time: less as soon as
// they do not, more again when there has been room for a while.
#pragma once

#include <cstddef>
#include <cstdint>

namespace render {

class Governor {
 public:
  struct Step {
    float scale;     // side of the scene's picture, as a share of the target's
    float bolts;     // that may be in flight; the weaker ones are left out
    uint32_t bloom;  // its levels
  };
  // What is seen least goes first. Below half the pixels a side text-sized detail is lost.
  static constexpr Step kSteps[] = {{1.0F, 65536.0F, 5}, {0.85F, 32768.0F, 5}, {0.75F, 16384.0F, 5},
                                    {0.66F, 8192.0F, 5}, {0.58F, 6144.0F, 5},  {0.5F, 4096.0F, 5},
                                    {0.5F, 4096.0F, 3},  {0.5F, 2048.0F, 3}};

  // budget_ms: what a frame may take on the GPU. first: index of the step to begin with.
  explicit Governor(double budget_ms, size_t first = 0) : budget_ms_(budget_ms), at_(first) {}

  // Once a frame with the GPU time of a frame that has retired, and the bolts that could have been
  // seen in it: with few of them leaving some out gains nothing.
  void add(double gpu_ms, uint32_t bolts);
  // Something else changed what a frame takes: the average begins anew.
  void restart();
  const Step& now() const { return kSteps[at_]; }

 private:
  static constexpr int kShortest = 30;

  void move(size_t to);

  double budget_ms_;
  size_t at_;
  double smooth_ms_ = 0.0;    // of the frames since the last change
  int frames_ = 0;            // since the last change
  int roomy_ = 0;             // of them in a row that would have fitted at the next larger step
  int patience_ = kShortest;  // how many of those it takes
};

}  // namespace render
