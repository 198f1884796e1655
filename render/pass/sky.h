// Pass 3: the background and the floor grid, where no node is.
#pragma once

#include "render/pass/pass.h"
#include "render/pass/scene_buffers.h"

namespace render {

class SkyPass {
 public:
  SkyPass(PassContext& context, VkSampleCountFlagBits samples);
  void record(VkCommandBuffer commands, const SceneBuffers& scene);

 private:
  PassContext& context_;
  ThemePipeline pipeline_;
};

}  // namespace render
