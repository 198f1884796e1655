#include "render/pass/composite.h"

#include <glm/glm.hpp>

#include "shaders/shared.h"
#include "shaders/spirv.h"

namespace render {

CompositePass::CompositePass(PassContext& context, bool packed)
    : context_(context),
      pipeline_(context,
                {.vertex = shaders::fullscreen_vert,
                 .fragment = shaders::composite_frag,
                 .name = "composite"},
                packed ? 1 : 0) {}

void CompositePass::record(VkCommandBuffer commands, const SceneBuffers& scene, VkExtent2D extent,
                           VkFormat format, VkImageView light, VkImageView glow) {
  GPU_SCOPE(context_.timer, commands, "composite");
  pipeline_.bind(commands, format);
  const gpu::PipelineLayout& layout = context_.layout;
  bind_frame(layout, commands, VK_PIPELINE_BIND_POINT_GRAPHICS, scene);
  layout.bind_image(commands, shaders::kBindTextureA, light, context_.nearest);
  layout.bind_image(commands, shaders::kBindTextureB, glow, context_.linear);
  layout.push(commands, glm::vec2(1.0f / static_cast<float>(extent.width),
                                  1.0f / static_cast<float>(extent.height)));
  context_.draw(commands, 3);
}

}  // namespace render
