// Of a window whose scene is smaller than itself or has no multisampling: the graded
// picture, its edges smoothed, its size the target's.
#pragma once

#include "render/pass/pass.h"

namespace render {

class PresentPass {
 public:
  // smooth: edges are to be smoothed; otherwise the picture is only enlarged.
  PresentPass(PassContext& context, bool smooth);
  void resize(VkExtent2D scene);
  // Outside a rendering; the picture is in GENERAL and was just written.
  void smooth(VkCommandBuffer commands, const gpu::Image& graded);
  // Inside a rendering over the whole target.
  void enlarge(VkCommandBuffer commands, VkExtent2D extent, VkFormat format,
               const gpu::Image& graded);

 private:
  PassContext& context_;
  bool smooth_;
  ThemePipeline smoother_;
  ThemePipeline enlarger_;
  gpu::Image smoothed_;
};

}  // namespace render
