#include "render/pass/sky.h"

#include "shaders/shared.h"
#include "shaders/spirv.h"

namespace render {

SkyPass::SkyPass(PassContext& context, VkSampleCountFlagBits samples)
    : context_(context),
      pipeline_(context,
                {.vertex = shaders::fullscreen_vert,
                 .fragment = shaders::sky_frag,
                 .color = kSceneFormat,
                 .depth = kDepthFormat,
                 .depth_test = true,
                 .samples = samples,
                 .name = "sky"}) {}

void SkyPass::record(VkCommandBuffer commands, const SceneBuffers& scene) {
  GPU_SCOPE(context_.timer, commands, "sky");
  pipeline_.bind(commands);
  context_.layout.bind_buffer(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, shaders::kBindFrame,
                              scene.frame, scene.frame_offset, sizeof(shaders::Frame));
  context_.draw(commands, 3);
}

}  // namespace render
