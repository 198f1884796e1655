// Pass 4: lightning. Before the scene is drawn, which bolts are and along which paths; then all of
// them in one draw, in the order of their steps and scripts.
#pragma once

#include <limits>

#include "render/pass/scene_buffers.h"
#include "render/pass/step_store.h"

namespace render {

// How much of the lightning is drawn. Left as it is, all of it and every bend.
struct BoltDetail {
  bool finest = true;  // else a bolt that is small on the screen has fewer segments
  float budget = std::numeric_limits<float>::max();  // bolts in flight; weaker ones are left out
};

class BoltsPass {
 public:
  BoltsPass(PassContext& context, VkSampleCountFlagBits samples);
  // Before the frame's uploads are flushed.
  void reserve(const StepStore& steps, uint64_t first, uint64_t last, const shaders::Frame& frame);
  uint32_t count() const noexcept { return count_; }  // of this frame, before any is left out
  // Outside of a rendering, before what draws. answer, unless it is null: gets BoltDraw.lit and
  // .drawn, readable by the host when the commands have run.
  void choose(VkCommandBuffer commands, const SceneBuffers& scene, const StepStore& steps,
              const BoltDetail& detail, VkBuffer answer = VK_NULL_HANDLE);
  void record(VkCommandBuffer commands, const SceneBuffers& scene, const StepStore& steps);
  // The draw alone, for the pick pass.
  void draw(VkCommandBuffer commands, const SceneBuffers& scene, const StepStore& steps) const;

 private:
  void bind(VkCommandBuffer commands, VkPipelineBindPoint point, const SceneBuffers& scene,
            const StepStore& steps) const;

  PassContext& context_;
  ThemePipeline pipeline_;
  gpu::Pipeline choose_;
  gpu::Pipeline gather_;
  gpu::Pipeline path_;
  PatternIndices indices_;
  uint32_t capacity_ = 0;  // bolts that the three have room for
  gpu::Buffer chosen_;
  gpu::Buffer pieces_;
  gpu::Buffer joints_;
  std::vector<RecordRange> ranges_;  // of this frame
  uint32_t count_ = 0;
};

}  // namespace render
