#include "render/pass/lights.h"

#include <algorithm>

#include "render/gpu/barrier.h"
#include "shaders/shared.h"
#include "shaders/spirv.h"

namespace render {

LightsPass::LightsPass(PassContext& context)
    : context_(context),
      scatter_(context.device, context.layout, shaders::lights_comp, "lights"),
      plates_(context.device, context.layout, shaders::plates_comp, "lights of plates") {}

uint32_t LightsPass::prepare(const StepStore& steps, uint64_t first, uint64_t last,
                             const shaders::Frame& frame) {
  ranges_ = steps.lights(first, last, frame);
  uint32_t count = 0;
  for (const RecordRange range : ranges_) count += range.count;
  return count;
}

void LightsPass::record(VkCommandBuffer commands, const SceneBuffers& scene,
                        const StepStore& steps) const {
  GPU_SCOPE(context_.timer, commands, "lights");
  gpu::barrier(commands, gpu::kAnything, gpu::kTransferWrite);
  vkCmdFillBuffer(commands, scene.node_lights, 0, VK_WHOLE_SIZE, 0);
  vkCmdFillBuffer(commands, scene.blocks, 0, VK_WHOLE_SIZE, 0);
  constexpr VkDrawIndirectCommand kNothing{0, 1, 0, 0};
  vkCmdUpdateBuffer(commands, scene.raised, 0, sizeof kNothing, &kNothing);
  gpu::barrier(commands, gpu::kTransferWrite, gpu::kComputeAtomic);
  const gpu::PipelineLayout& layout = context_.layout;
  constexpr VkPipelineBindPoint kPoint = VK_PIPELINE_BIND_POINT_COMPUTE;
  bind_frame(layout, commands, kPoint, scene);
  layout.bind_buffer(commands, kPoint, shaders::kBindNodes, scene.nodes);
  layout.bind_buffer(commands, kPoint, shaders::kBindNodeLights, scene.node_lights);
  layout.bind_buffer(commands, kPoint, shaders::kBindGrids, scene.grids);
  layout.bind_buffer(commands, kPoint, shaders::kBindBlocks, scene.blocks);
  layout.bind_buffer(commands, kPoint, shaders::kBindRaised, scene.raised);
  layout.bind_buffer(commands, kPoint, shaders::kBindEvents, steps.light_buffer());
  struct Push {
    RecordRange range;
    uint32_t grid_count;
  };
  const auto dispatch = [&](const gpu::Pipeline& pipeline) {
    pipeline.bind(commands);
    constexpr uint32_t kMostRecords = 65535 * 64;  // of one dispatch, on every device
    for (RecordRange left : ranges_) {
      while (left.count > 0) {
        const RecordRange now{left.first, std::min(left.count, kMostRecords)};
        layout.push(commands, Push{now, scene.grid_count});
        vkCmdDispatch(commands, (now.count + 63) / 64, 1, 1);
        left = {left.first + now.count, left.count - now.count};
      }
    }
  };
  // Maxima of several dispatches commute, but each must see whole words.
  dispatch(scatter_);
  if (scene.grid_count > 0 && !ranges_.empty()) {
    gpu::barrier(commands, gpu::kComputeAtomic, gpu::kComputeAtomic);
    dispatch(plates_);
  }
  gpu::barrier(commands, gpu::kComputeAtomic, gpu::kSceneRead);
}

}  // namespace render
