// The buffers that several passes read, as of one frame.
#pragma once

#include <vulkan/vulkan.h>

#include <cstdint>

#include "render/gpu/pipeline.h"
#include "shaders/shared.h"

namespace render {

struct SceneBuffers {
  VkBuffer frame = VK_NULL_HANDLE;  // shaders::Frame
  VkDeviceSize frame_offset = 0;
  VkBuffer nodes = VK_NULL_HANDLE;        // shaders::Node[node_count], plates first
  VkBuffer node_lights = VK_NULL_HANDLE;  // uint[2] per element
  VkBuffer grids = VK_NULL_HANDLE;        // shaders::Grid[grid_count]
  VkBuffer blocks = VK_NULL_HANDLE;       // shaders::Block, of all plates
  VkBuffer raised = VK_NULL_HANDLE;       // VkDrawIndirectCommand, then elements
  uint32_t node_count = 0;
  uint32_t plate_count = 0;
  uint32_t grid_count = 0;
};

// Frame, for the next draws or dispatches of this kind.
inline void bind_frame(const gpu::PipelineLayout& layout, VkCommandBuffer commands,
                       VkPipelineBindPoint point, const SceneBuffers& scene) {
  layout.bind_buffer(commands, point, shaders::kBindFrame, scene.frame, scene.frame_offset,
                     sizeof(shaders::Frame));
}

}  // namespace render
