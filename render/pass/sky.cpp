#include "render/pass/sky.h"

#include "shaders/shared.h"
#include "shaders/spirv.h"

namespace render {

SkyPass::SkyPass(PassContext& context, VkSampleCountFlagBits samples)
    : context_(context),
      sky_(context, {.vertex = shaders::sky_vert,
                     .fragment = shaders::sky_frag,
                     .color = kSceneFormat,
                     .depth = kDepthFormat,
                     .depth_test = true,
                     .samples = samples,
                     .name = "sky"}),
      floor_(context, {.vertex = shaders::floor_vert,
                       .fragment = shaders::floor_frag,
                       .color = kSceneFormat,
                       .depth = kDepthFormat,
                       .depth_test = true,
                       .samples = samples,
                       .name = "floor"}) {}

void SkyPass::record(VkCommandBuffer commands, const SceneBuffers& scene, bool floor) {
  GPU_SCOPE(context_.timer, commands, "sky");
  bind_frame(context_.layout, commands, VK_PIPELINE_BIND_POINT_GRAPHICS, scene);
  sky_.bind(commands);
  context_.draw(commands, 6 * shaders::kSkyColumns * shaders::kSkyRows);
  if (!floor) return;
  floor_.bind(commands);
  context_.draw(commands, 6);
}

}  // namespace render
