// Pass 9, only when asked: what is under a pixel. Draws the numbers of elements and bolts into a
// few pixels around it; the answer is read when the GPU has it, from a ring of small buffers.
#pragma once

#include <array>
#include <optional>

#include <glm/glm.hpp>

#include "render/pass/bolts.h"
#include "render/pass/nodes.h"
#include "render/pick_result.h"

namespace render {

class PickPass {
 public:
  explicit PickPass(PassContext& context);
  // The node lights of this frame are written and readable; extent: of the picture that was drawn.
  void record(VkCommandBuffer commands, const SceneBuffers& scene, const NodesPass& nodes,
              const BoltsPass& bolts, const StepStore& steps, glm::ivec2 pixel, VkExtent2D extent);
  // The newest answer that has arrived and was not taken.
  std::optional<PickResult> take();

 private:
  static constexpr uint32_t kSide = 9;  // pixels; odd
  struct Slot {
    gpu::Buffer ids;
    glm::ivec2 pixel{};
    uint64_t submission = 0;  // 0: free
    // Where the bolts of the steps lay that were drawn.
    std::vector<StepStore::Place> places;
  };
  PassContext& context_;
  NodePipelines pipelines_;
  gpu::Pipeline bolts_;
  gpu::Image ids_;
  gpu::Image depth_;
  std::array<Slot, 3> slots_;
  size_t next_ = 0;
};

}  // namespace render
