#include "render/pass/bloom.h"

#include <algorithm>

#include <glm/glm.hpp>

#include "render/gpu/barrier.h"
#include "shaders/shared.h"
#include "shaders/spirv.h"

namespace render {
namespace {

glm::vec2 size_of(const gpu::Image& image) {
  return {image.extent().width, image.extent().height};
}

}  // namespace

BloomPass::BloomPass(PassContext& context, bool quarter)
    : context_(context),
      quarter_(quarter),
      down_(context.device, context.layout,
            {.vertex = shaders::fullscreen_vert,
             .fragment = shaders::bloom_down_frag,
             .color = kSceneFormat,
             .name = "bloom down"}),
      up_(context.device, context.layout,
          {.vertex = shaders::fullscreen_vert,
           .fragment = shaders::bloom_up_frag,
           .color = kSceneFormat,
           .blend = gpu::Blend::kPremultiplied,
           .name = "bloom up"}) {}

void BloomPass::resize(VkExtent2D scene) {
  uint32_t divisor = quarter_ ? 4 : 2;
  for (gpu::Image& level : levels_) {
    level = gpu::Image(context_.device,
                       {.width = std::max(scene.width / divisor, 1u),
                        .height = std::max(scene.height / divisor, 1u),
                        .format = kSceneFormat,
                        .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_SAMPLED_BIT,
                        .name = "bloom"});
    context_.uploader.prepare(level);
    divisor *= 2;
  }
}

void BloomPass::record(VkCommandBuffer commands, const gpu::Image& scene) const {
  GPU_SCOPE(context_.timer, commands, "bloom");
  const gpu::PipelineLayout& layout = context_.layout;
  const gpu::Image* source = &scene;
  struct {
    glm::vec2 texel;
    uint32_t quarter;
  } down{};
  for (const gpu::Image& level : levels_) {
    gpu::barrier(commands, gpu::kColorWrite, gpu::kFragmentRead);
    const Rendering rendering(commands, {.extent = level.extent(), .color = level.view()});
    down_.bind(commands);
    layout.bind_image(commands, shaders::kBindTextureA, source->view(), context_.linear);
    down.texel = 1.0f / size_of(*source);
    down.quarter = source == &scene && quarter_ ? 1 : 0;
    layout.push(commands, down);
    context_.draw(commands, 3);
    source = &level;
  }
  struct {
    glm::vec2 texel;
    glm::vec2 scale;
    float weight;
  } up{};
  for (size_t i = kLevels - 1; i-- > 0;) {
    // Written as a target before, blended into now; and the coarser one is read.
    gpu::barrier(commands, gpu::kColorWrite,
                 {gpu::kFragmentRead.stage | gpu::kColorWrite.stage,
                  gpu::kFragmentRead.access | gpu::kColorWrite.access});
    const gpu::Image& level = levels_[i];
    const gpu::Image& coarser = levels_[i + 1];
    const Rendering rendering(commands, {.extent = level.extent(),
                                         .color = level.view(),
                                         .color_load = VK_ATTACHMENT_LOAD_OP_LOAD});
    up_.bind(commands);
    layout.bind_image(commands, shaders::kBindTextureA, coarser.view(), context_.linear);
    up.texel = 1.0f / size_of(coarser);
    up.scale = size_of(coarser) / size_of(level);
    up.weight = 0.75f;
    layout.push(commands, up);
    context_.draw(commands, 3);
  }
  gpu::barrier(commands, gpu::kColorWrite, gpu::kFragmentRead);
}

}  // namespace render
