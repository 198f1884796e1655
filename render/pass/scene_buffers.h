// The buffers that several passes read, as of one frame.
#pragma once

#include <vulkan/vulkan.h>

namespace render {

struct SceneBuffers {
  VkBuffer frame = VK_NULL_HANDLE;  // shaders::Frame
  VkDeviceSize frame_offset = 0;
  VkBuffer nodes = VK_NULL_HANDLE;        // shaders::Node[node_count]
  VkBuffer node_lights = VK_NULL_HANDLE;  // uint[2] per node
  uint32_t node_count = 0;
};

}  // namespace render
