// Pass 6: linear light and its glow -> sRGB pixels, of the target or of a picture on the way to it.
#pragma once

#include "render/pass/pass.h"
#include "render/pass/scene_buffers.h"

namespace render {

class CompositePass {
 public:
  // packed: the glow comes packed (shaders/glow.glsl).
  CompositePass(PassContext& context, bool packed);
  // Inside a rendering over the whole of `extent`; both views are in GENERAL.
  void record(VkCommandBuffer commands, const SceneBuffers& scene, VkExtent2D extent,
              VkFormat format, VkImageView light, VkImageView glow);

 private:
  PassContext& context_;
  ThemePipeline pipeline_;
};

}  // namespace render
