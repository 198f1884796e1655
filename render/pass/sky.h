// Pass 3: the background and the floor grid, where no node is.
#pragma once

#include "render/pass/pass.h"
#include "render/pass/scene_buffers.h"

namespace render {

class SkyPass {
 public:
  SkyPass(PassContext& context, VkSampleCountFlagBits samples);
  // floor: there is a grid, and the eye is above it.
  void record(VkCommandBuffer commands, const SceneBuffers& scene, bool floor);

 private:
  PassContext& context_;
  ThemePipeline sky_;
  ThemePipeline floor_;
};

}  // namespace render
