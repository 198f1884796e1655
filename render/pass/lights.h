// Pass 1, compute: what is happening now -> the light of every element, of cells together, and what
// stands out of its plate.
#pragma once

#include "render/pass/scene_buffers.h"
#include "render/pass/step_store.h"

namespace render {

class LightsPass {
 public:
  explicit LightsPass(PassContext& context);
  void record(VkCommandBuffer commands, const SceneBuffers& scene, const StepStore& steps,
              uint64_t first, uint64_t last) const;

 private:
  PassContext& context_;
  gpu::Pipeline scatter_;
  gpu::Pipeline plates_;
};

}  // namespace render
