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
                          .name = "smooth"}) {}

void PresentPass::resize(VkExtent2D scene) {
  if (!smooth_) return;
  smoothed_ = gpu::Image(context_.device, {.width = scene.width,
                                           .height = scene.height,
                                           .format = kGradedFormat,
                                           .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT |
                                                    VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
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

// A copy that filters, not a draw: software devices have a way of their own for it.
void PresentPass::enlarge(VkCommandBuffer commands, VkExtent2D extent, VkImage target,
                          const gpu::Image& graded) {
  GPU_SCOPE(context_.timer, commands, "present");
  const gpu::Image& picture = smooth_ ? smoothed_ : graded;
  gpu::barrier(commands, gpu::kColorWrite, gpu::kTransferRead);
  const auto corner = [](VkExtent2D size) {
    return VkOffset3D{static_cast<int32_t>(size.width), static_cast<int32_t>(size.height), 1};
  };
  VkImageBlit region{};
  region.srcSubresource = region.dstSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1};
  region.srcOffsets[1] = corner(picture.extent());
  region.dstOffsets[1] = corner(extent);
  vkCmdBlitImage(commands, picture.handle(), VK_IMAGE_LAYOUT_GENERAL, target,
                 VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1, &region, VK_FILTER_LINEAR);
}

}  // namespace render
