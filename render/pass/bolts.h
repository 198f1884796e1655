// Pass 4: lightning. One draw for each run of steps that lie side by side in the store.
#pragma once

#include "render/pass/scene_buffers.h"
#include "render/pass/step_store.h"

namespace render {

class BoltsPass {
 public:
  BoltsPass(PassContext& context, VkSampleCountFlagBits samples);
  // Before the frame's uploads are flushed.
  void reserve(const StepStore& steps, uint64_t first, uint64_t last, const shaders::Frame& frame);
  uint32_t count() const noexcept { return count_; }  // of this frame
  void record(VkCommandBuffer commands, const SceneBuffers& scene, const StepStore& steps);
  // The draws alone, for the pick pass.
  void draw(VkCommandBuffer commands, const SceneBuffers& scene, const StepStore& steps) const;

 private:
  PassContext& context_;
  ThemePipeline pipeline_;
  PatternIndices indices_;
  std::vector<RecordRange> ranges_;  // of this frame
  uint32_t count_ = 0;
};

}  // namespace render
