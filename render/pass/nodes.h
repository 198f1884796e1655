// Pass 2: what stands in the scene as shaded boxes, in three draws: plates with their cells, what
// stands out of them, and all other boxes.
#pragma once

#include "render/pass/pass.h"
#include "render/pass/scene_buffers.h"

namespace render {

// How the three are drawn.
struct NodePipelines {
  NodePipelines(PassContext& context, VkFormat color, VkSampleCountFlagBits samples,
                std::span<const uint32_t> box_fragment, std::span<const uint32_t> plate_fragment);
  ThemePipeline plates;
  ThemePipeline raised;
  ThemePipeline boxes;
};

class NodesPass {
 public:
  NodesPass(PassContext& context, VkSampleCountFlagBits samples);
  // Once per set of nodes, before the frame's uploads are flushed.
  void reserve(uint32_t node_count) { indices_.reserve(context_, node_count); }
  void record(VkCommandBuffer commands, const SceneBuffers& scene);
  // The draws alone, for the pick pass.
  void draw(VkCommandBuffer commands, const SceneBuffers& scene, NodePipelines& pipelines) const;

 private:
  PassContext& context_;
  NodePipelines pipelines_;
  PatternIndices indices_;
};

}  // namespace render
