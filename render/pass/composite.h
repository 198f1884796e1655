// Pass 6: linear light and its glow -> the target's sRGB pixels.
#pragma once

#include "render/pass/pass.h"
#include "render/pass/scene_buffers.h"

namespace render {

class CompositePass {
 public:
  explicit CompositePass(PassContext& context) : context_(context) {}
  // Inside a rendering over the whole target; both views are in GENERAL.
  void record(VkCommandBuffer commands, const SceneBuffers& scene, VkExtent2D extent,
              VkFormat format, VkImageView light, VkImageView bloom);

 private:
  PassContext& context_;
  gpu::Pipeline pipeline_;
  VkFormat format_ = VK_FORMAT_UNDEFINED;  // that the pipeline was made for
};

}  // namespace render
