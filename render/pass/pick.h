// Pass 9, only when asked: which node is under a pixel. Draws node numbers into a few pixels around
// it.
#pragma once

#include <array>
#include <optional>

#include <glm/glm.hpp>

#include "render/pass/nodes.h"

namespace render {

class PickPass {
 public:
  explicit PickPass(PassContext& context);
  // The node lights of this frame are written and readable; extent: of the picture that was drawn.
  void record(VkCommandBuffer commands, const SceneBuffers& scene, const NodesPass& nodes,
              glm::ivec2 pixel, VkExtent2D extent);
  struct Answer {
    glm::ivec2 pixel;
    uint32_t node;  // index + 1; 0: none
  };
  // The newest answer that has arrived and was not taken.
  std::optional<Answer> take();

 private:
  static constexpr uint32_t kSide = 9;  // pixels; odd
  struct Slot {
    gpu::Buffer ids;
    glm::ivec2 pixel{};
    uint64_t submission = 0;  // 0: free
  };
  PassContext& context_;
  NodePipelines pipelines_;
  gpu::Image ids_;
  gpu::Image depth_;
  std::array<Slot, 3> slots_;
  size_t next_ = 0;
};

}  // namespace render
