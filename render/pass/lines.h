// Before the text: straight lines over the finished picture, for outlines and leaders. One draw.
#pragma once

#include <span>

#include "render/pass/frame_records.h"

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
  FrameRecords<shaders::Line> lines_;
};

}  // namespace render
