// Pass 2: every node as a shaded box, one draw.
#pragma once

#include "render/pass/pass.h"
#include "render/pass/scene_buffers.h"

namespace render {

class NodesPass {
 public:
  NodesPass(PassContext& context, VkSampleCountFlagBits samples);
  // Once per set of nodes, before the frame's uploads are flushed.
  void reserve(uint32_t node_count) { indices_.reserve(context_, node_count); }
  void record(VkCommandBuffer commands, const SceneBuffers& scene);
  // The draw alone, for the pick pass: the pipeline is bound by the caller.
  void draw(VkCommandBuffer commands, const SceneBuffers& scene) const;

 private:
  PassContext& context_;
  ThemePipeline pipeline_;
  PatternIndices indices_;
};

}  // namespace render
