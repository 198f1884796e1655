// Pass 1, compute: what is happening now -> the light of every element, of cells together, and what
// stands out of its plate.
#pragma once

#include "render/pass/scene_buffers.h"
#include "render/pass/step_store.h"

namespace render {

class LightsPass {
 public:
  explicit LightsPass(PassContext& context);
  // Which lights may be seen in this frame; their number.
  uint32_t prepare(const StepStore& steps, uint64_t first, uint64_t last,
                   const shaders::Frame& frame);
  void record(VkCommandBuffer commands, const SceneBuffers& scene, const StepStore& steps) const;

 private:
  PassContext& context_;
  gpu::Pipeline scatter_;
  gpu::Pipeline plates_;
  std::vector<RecordRange> ranges_;  // of this frame
};

}  // namespace render
