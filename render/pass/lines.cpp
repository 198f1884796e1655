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
  lines_.put(context_, lines);
}

void LinesPass::record(VkCommandBuffer commands, const SceneBuffers& scene, VkFormat format) {
  if (lines_.empty()) return;
  GPU_SCOPE(context_.timer, commands, "lines");
  pipeline_.bind(commands, format);
  lines_.draw(context_, commands, scene);
}

}  // namespace render
