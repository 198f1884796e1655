// Pass 2: the background and the floor grid, under everything.
#pragma once

#include "render/pass/pass.h"
#include "render/pass/scene_buffers.h"

namespace render {

class SkyPass {
 public:
  SkyPass(PassContext& context, VkSampleCountFlagBits samples);
  void record(VkCommandBuffer commands, const SceneBuffers& scene) const;

 private:
  PassContext& context_;
  gpu::Pipeline pipeline_;
};

}  // namespace render
