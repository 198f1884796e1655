// A move-only buffer. When it dies, its memory lives on until the frames that used it have retired.
#pragma once

#include <span>

#include "render/gpu/device.h"
#include "render/gpu/memory.h"

namespace gpu {

class Buffer {
 public:
  Buffer() = default;
  // bytes of 0 are taken as 1. usage: VkBufferUsageFlags. Throws Error (failed) when memory is out.
  Buffer(Device& device, VkDeviceSize bytes, VkBufferUsageFlags usage, Memory memory,
         const char* name);
  ~Buffer() { release(); }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      release();
      swap(other);
    }
    return *this;
  }

  VkBuffer handle() const noexcept { return buffer_; }
  VkDeviceSize bytes() const noexcept { return bytes_; }
  explicit operator bool() const noexcept { return buffer_ != VK_NULL_HANDLE; }

  template <typename T>
  std::span<T> mapped() const {  // kUpload and kReadBack
    return {reinterpret_cast<T*>(allocation_.mapped), static_cast<size_t>(bytes_) / sizeof(T)};
  }

 private:
  void swap(Buffer& other) noexcept;
  void release() noexcept;

  Device* device_ = nullptr;
  VkBuffer buffer_ = VK_NULL_HANDLE;
  VkDeviceSize bytes_ = 0;
  Allocation allocation_{};
};

}  // namespace gpu
