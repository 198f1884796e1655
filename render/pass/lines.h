// Before the text: straight lines over the finished picture, for outlines and leaders. One draw.
#pragma once

#include <span>

#include "render/pass/pass.h"
#include "render/pass/scene_buffers.h"
#include "shaders/shared.h"

namespace render {

class LinesPass {
 public:
  explicit LinesPass(PassContext& context);
  // Before the frame is recorded.
  void prepare(std::span<const shaders::Line> lines);
  // Inside a rendering over the whole target.
  void record(VkCommandBuffer commands, const SceneBuffers& scene, VkFormat format);

 private:
  PassContext& context_;
  ThemePipeline pipeline_;
  uint32_t count_ = 0;
  gpu::Staging::Slice slice_{};
};

}  // namespace render
