// Pass 7, of a window on a slow device: the graded picture -> the target, enlarged and smoothed.
#pragma once

#include "render/pass/pass.h"

namespace render {

class PresentPass {
 public:
  explicit PresentPass(PassContext& context);
  // Inside a rendering over the whole target; the picture is in GENERAL and ready to be read.
  void record(VkCommandBuffer commands, VkExtent2D extent, VkFormat format,
              const gpu::Image& picture);

 private:
  PassContext& context_;
  ThemePipeline pipeline_;
};

}  // namespace render
