// A move-only 2D image of one level with its view. Dies as gpu::Buffer does.
#pragma once

#include "render/gpu/device.h"
#include "render/gpu/memory.h"

namespace gpu {

struct ImageDesc {
  uint32_t width = 0;
  uint32_t height = 0;
  VkFormat format = VK_FORMAT_UNDEFINED;
  VkImageUsageFlags usage = 0;
  VkSampleCountFlagBits samples = VK_SAMPLE_COUNT_1_BIT;
  const char* name = "";
};

class Image {
 public:
  Image() = default;
  // In layout UNDEFINED. Throws Error (failed) when memory is out.
  Image(Device& device, const ImageDesc& desc);
  ~Image() { release(); }
  Image(Image&& other) noexcept { swap(other); }
  Image& operator=(Image&& other) noexcept {
    if (this != &other) {
      release();
      swap(other);
    }
    return *this;
  }

  VkImage handle() const noexcept { return image_; }
  VkImageView view() const noexcept { return view_; }
  VkExtent2D extent() const noexcept { return extent_; }
  VkFormat format() const noexcept { return format_; }
  VkImageAspectFlags aspect() const noexcept;
  // Where it rests: what nothing but attachments are made of in their own, which some devices keep
  // compressed, others in GENERAL.
  VkImageLayout layout() const noexcept { return layout_; }
  explicit operator bool() const noexcept { return image_ != VK_NULL_HANDLE; }

 private:
  void swap(Image& other) noexcept;
  void release() noexcept;

  Device* device_ = nullptr;
  VkImage image_ = VK_NULL_HANDLE;
  VkImageView view_ = VK_NULL_HANDLE;
  VkExtent2D extent_{};
  VkFormat format_ = VK_FORMAT_UNDEFINED;
  VkImageLayout layout_ = VK_IMAGE_LAYOUT_GENERAL;
  Allocation allocation_{};
};

}  // namespace gpu
