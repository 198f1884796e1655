#include "render/pass/lights.h"

#include "render/gpu/barrier.h"
#include "shaders/spirv.h"

namespace render {

LightsPass::LightsPass(PassContext& context)
    : context_(context), scatter_(context.device, context.layout, shaders::lights_comp, "lights") {}

void LightsPass::record(VkCommandBuffer commands, const SceneBuffers& scene, const StepStore& steps,
                        uint64_t first, uint64_t last) const {
  GPU_SCOPE(context_.timer, commands, "lights");
  gpu::barrier(commands, gpu::kAnything, gpu::kTransferWrite);
  vkCmdFillBuffer(commands, scene.node_lights, 0, VK_WHOLE_SIZE, 0);
  gpu::barrier(commands, gpu::kTransferWrite, gpu::kComputeAtomic);
  scatter_.bind(commands);
  const gpu::PipelineLayout& layout = context_.layout;
  constexpr VkPipelineBindPoint kPoint = VK_PIPELINE_BIND_POINT_COMPUTE;
  layout.bind_buffer(commands, kPoint, shaders::kBindFrame, scene.frame, scene.frame_offset,
                     sizeof(shaders::Frame));
  layout.bind_buffer(commands, kPoint, shaders::kBindNodeLights, scene.node_lights);
  layout.bind_buffer(commands, kPoint, shaders::kBindEvents, steps.light_buffer());
  for (const RecordRange range : steps.lights(first, last)) {
    layout.push(commands, range);
    vkCmdDispatch(commands, (range.count + 63) / 64, 1, 1);
  }
  // Maxima of several dispatches commute, but each must see whole words.
  gpu::barrier(commands, gpu::kComputeAtomic, gpu::kVertexRead);
}

}  // namespace render
