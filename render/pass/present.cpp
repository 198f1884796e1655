#include "render/pass/present.h"

#include <glm/glm.hpp>

#include "shaders/shared.h"
#include "shaders/spirv.h"

namespace render {

PresentPass::PresentPass(PassContext& context)
    : context_(context),
      pipeline_(context, {.vertex = shaders::fullscreen_vert,
                          .fragment = shaders::present_frag,
                          .name = "present"}) {}

void PresentPass::record(VkCommandBuffer commands, VkExtent2D extent, VkFormat format,
                         const gpu::Image& picture) {
  GPU_SCOPE(context_.timer, commands, "present");
  pipeline_.bind(commands, format);
  context_.layout.bind_image(commands, shaders::kBindTextureA, picture.view(), context_.linear);
  struct {
    glm::vec2 inverse_extent;
    glm::vec2 texel;
  } push{};
  push.inverse_extent = 1.0F / glm::vec2(extent.width, extent.height);
  push.texel = 1.0F / glm::vec2(picture.extent().width, picture.extent().height);
  context_.layout.push(commands, push);
  context_.draw(commands, 3);
}

}  // namespace render
