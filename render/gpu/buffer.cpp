#include "render/gpu/buffer.h"

#include <algorithm>
#include <utility>

namespace gpu {

Buffer::Buffer(Device& device, VkDeviceSize bytes, VkBufferUsageFlags usage, Memory memory,
               const char* name)
    : device_(&device), bytes_(std::max<VkDeviceSize>(bytes, 1)) {
  const VkBufferCreateInfo info{.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                .pNext = nullptr,
                                .flags = 0,
                                .size = bytes_,
                                .usage = usage,
                                .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
                                .queueFamilyIndexCount = 0,
                                .pQueueFamilyIndices = nullptr};
  VK_CHECK(vkCreateBuffer(device.handle(), &info, nullptr, &buffer_));
  VkMemoryRequirements requirements;
  vkGetBufferMemoryRequirements(device.handle(), buffer_, &requirements);
  try {
    allocation_ = device.allocator().allocate(requirements, memory, false);
  } catch (...) {
    vkDestroyBuffer(device.handle(), buffer_, nullptr);
    throw;
  }
  VK_CHECK(vkBindBufferMemory(device.handle(), buffer_, allocation_.memory, allocation_.offset));
  ++device.count().buffers;
  device.name_object(VK_OBJECT_TYPE_BUFFER, reinterpret_cast<uint64_t>(buffer_), name);
}

void Buffer::swap(Buffer& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(buffer_, other.buffer_);
  std::swap(bytes_, other.bytes_);
  std::swap(allocation_, other.allocation_);
}

void Buffer::release() noexcept {
  if (buffer_ == VK_NULL_HANDLE) return;
  device_->retire([device = device_, buffer = buffer_, allocation = allocation_] {
    vkDestroyBuffer(device->handle(), buffer, nullptr);
    --device->count().buffers;
    device->allocator().free(allocation);
  });
  buffer_ = VK_NULL_HANDLE;
}

}  // namespace gpu
