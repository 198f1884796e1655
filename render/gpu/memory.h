// Device memory in blocks of 32 MiB: buffers and images take ranges of them.
#pragma once

#include <memory>
#include <vector>

#include <vulkan/vulkan.h>

#include "render/gpu/range_allocator.h"

namespace gpu {

enum class Memory : uint8_t {
  kDevice,     // fastest for the GPU
  kTransient,  // of transient attachments: none at all where the device needs none
  kUpload,     // written by the CPU once, mapped
  kReadBack,   // read by the CPU, mapped, cached where the device can
};

struct MemoryBlock;

struct Allocation {
  MemoryBlock* block = nullptr;
  VkDeviceMemory memory = VK_NULL_HANDLE;
  VkDeviceSize offset = 0;
  VkDeviceSize size = 0;
  std::byte* mapped = nullptr;  // null for kDevice
};

class Allocator {
 public:
  Allocator(VkPhysicalDevice physical, VkDevice device);
  ~Allocator();
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;

  // tiled: an image in optimal tiling; such never share a block with buffers
  // (bufferImageGranularity). Throws Error (failed) when the device is out of memory.
  Allocation allocate(const VkMemoryRequirements& requirements, Memory kind, bool tiled);
  void free(const Allocation& allocation) noexcept;

  size_t blocks() const noexcept { return blocks_.size(); }

 private:
  uint32_t type_for(uint32_t allowed, Memory kind) const;

  VkDevice device_;
  VkPhysicalDeviceMemoryProperties properties_{};
  std::vector<std::unique_ptr<MemoryBlock>> blocks_;
};

}  // namespace gpu
