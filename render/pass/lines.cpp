#include "render/pass/lines.h"

#include "shaders/spirv.h"

namespace render {

LinesPass::LinesPass(PassContext& context)
    : context_(context),
      pipeline_(context, {.vertex = shaders::lines_vert,
                          .fragment = shaders::lines_frag,
                          .blend = gpu::Blend::kPremultiplied,
                          .name = "lines"}) {}

void LinesPass::prepare(std::span<const shaders::Line> lines) {
  count_ = static_cast<uint32_t>(lines.size());
  if (count_ > 0) slice_ = context_.staging.put(lines);
}

void LinesPass::record(VkCommandBuffer commands, const SceneBuffers& scene, VkFormat format) {
  if (count_ == 0) return;
  GPU_SCOPE(context_.timer, commands, "lines");
  pipeline_.bind(commands, format);
  constexpr VkPipelineBindPoint kPoint = VK_PIPELINE_BIND_POINT_GRAPHICS;
  const gpu::PipelineLayout& layout = context_.layout;
  layout.bind_buffer(commands, kPoint, shaders::kBindFrame, scene.frame, scene.frame_offset,
                     sizeof(shaders::Frame));
  layout.bind_buffer(commands, kPoint, shaders::kBindEvents, slice_.buffer, slice_.offset,
                     count_ * sizeof(shaders::Line));
  context_.draw(commands, 6 * count_);
}

}  // namespace render
