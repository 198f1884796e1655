// What stands in the scene, on the GPU: nodes and grids, uploaded once, and room for their lights.
#pragma once

#include <span>

#include "render/pass/pass.h"
#include "render/pass/scene_buffers.h"
#include "shaders/shared.h"

namespace render {

class SceneStore {
 public:
  explicit SceneStore(PassContext& context);

  // nodes: plates first. grids: in the order of their elements and blocks.
  void set(std::span<const shaders::Node> nodes, std::span<const shaders::Grid> grids,
           uint32_t elements);
  // Room for so many lit things that stand out of their plates; before the frame is recorded.
  void reserve_raised(uint32_t count);

  // The frame's own members are left to the caller.
  SceneBuffers buffers() const;
  uint32_t node_count() const noexcept { return node_count_; }
  uint32_t element_count() const noexcept { return element_count_; }

 private:
  PassContext& context_;
  uint32_t node_count_ = 0;
  uint32_t plate_count_ = 0;
  uint32_t grid_count_ = 0;
  uint32_t element_count_ = 0;
  uint32_t raised_ = 0;
  gpu::Buffer nodes_;
  gpu::Buffer lights_;
  gpu::Buffer grids_;
  gpu::Buffer blocks_;
  gpu::Buffer raised_buffer_;
};

}  // namespace render
