#include "render/pass/present.h"

#include <glm/glm.hpp>

#include "render/gpu/barrier.h"
#include "shaders/shared.h"
#include "shaders/spirv.h"

namespace render {
namespace {

glm::vec2 texel_of(VkExtent2D extent) {
  return 1.0F / glm::vec2(extent.width, extent.height);
}

}  // namespace

PresentPass::PresentPass(PassContext& context, bool smooth)
    : context_(context),
      smooth_(smooth),
      smoother_(context, {.vertex = shaders::fullscreen_vert,
                          .fragment = shaders::smooth_frag,
                          .color = kGradedFormat,
                          .name = "smooth"}),
      enlarger_(context, {.vertex = shaders::fullscreen_vert,
                          .fragment = shaders::present_frag,
                          .name = "present"}) {}

void PresentPass::resize(VkExtent2D scene) {
  if (!smooth_) return;
  smoothed_ = gpu::Image(context_.device,
                         {.width = scene.width,
                          .height = scene.height,
                          .format = kGradedFormat,
                          .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_SAMPLED_BIT,
                          .name = "smoothed"});
  context_.uploader.prepare(smoothed_);
}

void PresentPass::smooth(VkCommandBuffer commands, const gpu::Image& graded) {
  gpu::barrier(commands, gpu::kColorWrite, gpu::kFragmentRead);
  if (!smooth_) return;
  GPU_SCOPE(context_.timer, commands, "smooth");
  {
    const Rendering rendering(commands, {.extent = graded.extent(), .color = smoothed_.view()});
    smoother_.bind(commands);
    context_.layout.bind_image(commands, shaders::kBindTextureA, graded.view(), context_.linear);
    context_.layout.push(commands, texel_of(graded.extent()));
    context_.draw(commands, 3);
  }
  gpu::barrier(commands, gpu::kColorWrite, gpu::kFragmentRead);
}

void PresentPass::enlarge(VkCommandBuffer commands, VkExtent2D extent, VkFormat format,
                          const gpu::Image& graded) {
  GPU_SCOPE(context_.timer, commands, "present");
  enlarger_.bind(commands, format);
  context_.layout.bind_image(commands, shaders::kBindTextureA,
                             (smooth_ ? smoothed_ : graded).view(), context_.linear);
  context_.layout.push(commands, texel_of(extent));
  context_.draw(commands, 3);
}

}  // namespace render
