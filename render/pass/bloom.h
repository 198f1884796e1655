// Pass 5: a restrained glow. No threshold: some levels down, added together on the way up.
#pragma once

#include <array>

#include "render/pass/pass.h"

namespace render {

class BloomPass {
 public:
  static constexpr size_t kLevels = 5;

  // cheap: the finest level has a quarter of the scene's size instead of half, each is made with a
  // third of the taps, and the result is packed (shaders/glow.glsl).
  BloomPass(PassContext& context, bool cheap);
  void resize(VkExtent2D scene);
  // scene is in GENERAL and was just written; result() is ready for fragment shaders afterwards.
  // levels: 2 to kLevels; with fewer the glow does not reach as far.
  void record(VkCommandBuffer commands, const gpu::Image& scene, size_t levels);
  VkImageView result() const { return cheap_ ? packed_.view() : levels_[0].view(); }

 private:
  void down(VkCommandBuffer commands, const gpu::Image& scene, size_t levels);

  PassContext& context_;
  bool cheap_;
  gpu::Pipeline down_;
  gpu::Pipeline up_;
  gpu::Pipeline pack_;
  std::array<gpu::Image, kLevels> levels_;
  gpu::Image packed_;  // as large as the finest level
};

}  // namespace render
