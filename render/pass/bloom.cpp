#include "render/pass/bloom.h"

#include <algorithm>
#include <span>

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

BloomPass::BloomPass(PassContext& context, bool cheap) : context_(context), cheap_(cheap) {
  const std::array<uint32_t, 2> constants = {0, cheap ? 1U : 0U};
  gpu::Device& device = context.device;
  down_ = gpu::Pipeline(device, context.layout,
                        {.vertex = shaders::fullscreen_vert,
                         .fragment = shaders::bloom_down_frag,
                         .color = kSceneFormat,
                         .constants = constants,
                         .name = "bloom down"});
  up_ = gpu::Pipeline(device, context.layout,
                      {.vertex = shaders::fullscreen_vert,
                       .fragment = shaders::bloom_up_frag,
                       .color = kSceneFormat,
                       .blend = gpu::Blend::kPremultiplied,
                       .name = "bloom up"});
  if (!cheap) return;
  pack_ = gpu::Pipeline(device, context.layout,
                        {.vertex = shaders::fullscreen_vert,
                         .fragment = shaders::bloom_pack_frag,
                         .color = kGradedFormat,
                         .name = "bloom pack"});
}

void BloomPass::resize(VkExtent2D scene) {
  uint32_t divisor = cheap_ ? 4 : 2;
  const auto image = [&](VkFormat format) {
    gpu::Image made(context_.device,
                    {.width = std::max(scene.width / divisor, 1U),
                     .height = std::max(scene.height / divisor, 1U),
                     .format = format,
                     .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_SAMPLED_BIT,
                     .name = "bloom"});
    context_.uploader.prepare(made);
    return made;
  };
  if (cheap_) packed_ = image(kGradedFormat);
  for (gpu::Image& level : levels_) {
    level = image(kSceneFormat);
    divisor *= 2;
  }
}

void BloomPass::down(VkCommandBuffer commands, const gpu::Image& scene, size_t levels) {
  struct {
    glm::vec2 texel;
    float scale;
  } push{};
  const gpu::Image* source = &scene;
  for (const gpu::Image& level : std::span(levels_).first(levels)) {
    gpu::barrier(commands, gpu::kColorWrite, gpu::kFragmentRead);
    const Rendering rendering(commands, {.extent = level.extent(), .color = level.view()});
    down_.bind(commands);
    context_.layout.bind_image(commands, shaders::kBindTextureA, source->view(), context_.linear);
    push.texel = 1.0f / size_of(*source);
    push.scale = source == &scene && cheap_ ? 4.0f : 2.0f;
    context_.layout.push(commands, push);
    context_.draw(commands, 3);
    source = &level;
  }
}

void BloomPass::record(VkCommandBuffer commands, const gpu::Image& scene, size_t levels) {
  GPU_SCOPE(context_.timer, commands, "bloom");
  if (context_.light_theme) return;  // ink does not glow
  down(commands, scene, levels);
  struct {
    glm::vec2 texel;
    glm::vec2 scale;
    float weight;
  } push{};
  push.weight = 0.75f;
  for (size_t i = levels - 1; i-- > 0;) {
    // Written as a target before, blended into now; and the coarser one is read.
    gpu::barrier(commands, gpu::kColorWrite,
                 {gpu::kFragmentRead.stage | gpu::kColorWrite.stage,
                  gpu::kFragmentRead.access | gpu::kColorWrite.access});
    const bool pack = cheap_ && i == 0;
    const gpu::Image& level = levels_[i];
    const gpu::Image& coarser = levels_[i + 1];
    const gpu::PipelineLayout& layout = context_.layout;
    const Rendering rendering(commands, {.extent = level.extent(),
                                         .color = pack ? packed_.view() : level.view(),
                                         .color_load = pack ? VK_ATTACHMENT_LOAD_OP_DONT_CARE
                                                            : VK_ATTACHMENT_LOAD_OP_LOAD});
    (pack ? pack_ : up_).bind(commands);
    if (pack) {
      layout.bind_image(commands, shaders::kBindTextureA, level.view(), context_.nearest);
      layout.bind_image(commands, shaders::kBindTextureB, coarser.view(), context_.linear);
    } else {
      layout.bind_image(commands, shaders::kBindTextureA, coarser.view(), context_.linear);
    }
    push.texel = 1.0f / size_of(coarser);
    push.scale = size_of(coarser) / size_of(level);
    layout.push(commands, push);
    context_.draw(commands, 3);
  }
  gpu::barrier(commands, gpu::kColorWrite, gpu::kFragmentRead);
}

}  // namespace render
