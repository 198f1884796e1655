// Pass 5: a restrained glow. No threshold: five levels down, added together on the way up.
#pragma once

#include <array>

#include "render/pass/pass.h"

namespace render {

class BloomPass {
 public:
  // quarter: the finest level has a quarter of the scene's size instead of half.
  BloomPass(PassContext& context, bool quarter);
  void resize(VkExtent2D scene);
  // scene is in GENERAL and was just written; result() is ready for fragment shaders afterwards.
  void record(VkCommandBuffer commands, const gpu::Image& scene) const;
  VkImageView result() const { return levels_[0].view(); }

 private:
  static constexpr size_t kLevels = 5;
  PassContext& context_;
  bool quarter_;
  gpu::Pipeline down_;
  gpu::Pipeline up_;
  std::array<gpu::Image, kLevels> levels_;
};

}  // namespace render
