#include "render/gpu/image.h"

#include <utility>

namespace gpu {

namespace {

VkImageLayout layout_for(VkImageUsageFlags usage) noexcept {
  switch (usage & ~VkImageUsageFlags{VK_IMAGE_USAGE_TRANSIENT_ATTACHMENT_BIT}) {
    case VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT:
      return VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL;
    case VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT:
      return VK_IMAGE_LAYOUT_DEPTH_STENCIL_ATTACHMENT_OPTIMAL;
    default:
      return VK_IMAGE_LAYOUT_GENERAL;
  }
}

}  // namespace

Image::Image(Device& device, const ImageDesc& desc)
    : device_(&device),
      extent_{desc.width, desc.height},
      format_(desc.format),
      layout_(layout_for(desc.usage)) {
  const VkImageCreateInfo info{.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                               .pNext = nullptr,
                               .flags = 0,
                               .imageType = VK_IMAGE_TYPE_2D,
                               .format = desc.format,
                               .extent = {desc.width, desc.height, 1},
                               .mipLevels = 1,
                               .arrayLayers = 1,
                               .samples = desc.samples,
                               .tiling = VK_IMAGE_TILING_OPTIMAL,
                               .usage = desc.usage,
                               .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
                               .queueFamilyIndexCount = 0,
                               .pQueueFamilyIndices = nullptr,
                               .initialLayout = VK_IMAGE_LAYOUT_UNDEFINED};
  VK_CHECK(vkCreateImage(device.handle(), &info, nullptr, &image_));
  VkMemoryRequirements requirements;
  vkGetImageMemoryRequirements(device.handle(), image_, &requirements);
  try {
    const bool transient = (desc.usage & VK_IMAGE_USAGE_TRANSIENT_ATTACHMENT_BIT) != 0;
    allocation_ = device.allocator().allocate(
        requirements, transient ? Memory::kTransient : Memory::kDevice, true);
  } catch (...) {
    vkDestroyImage(device.handle(), image_, nullptr);
    throw;
  }
  VK_CHECK(vkBindImageMemory(device.handle(), image_, allocation_.memory, allocation_.offset));
  const VkImageViewCreateInfo view{.sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                   .pNext = nullptr,
                                   .flags = 0,
                                   .image = image_,
                                   .viewType = VK_IMAGE_VIEW_TYPE_2D,
                                   .format = desc.format,
                                   .components = {},
                                   .subresourceRange = {aspect(), 0, 1, 0, 1}};
  VK_CHECK(vkCreateImageView(device.handle(), &view, nullptr, &view_));
  ++device.count().images;
  device.name_object(VK_OBJECT_TYPE_IMAGE, reinterpret_cast<uint64_t>(image_), desc.name);
}

VkImageAspectFlags Image::aspect() const noexcept {
  return format_ == VK_FORMAT_D32_SFLOAT ? VK_IMAGE_ASPECT_DEPTH_BIT : VK_IMAGE_ASPECT_COLOR_BIT;
}

void Image::swap(Image& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(image_, other.image_);
  std::swap(view_, other.view_);
  std::swap(extent_, other.extent_);
  std::swap(format_, other.format_);
  std::swap(layout_, other.layout_);
  std::swap(allocation_, other.allocation_);
}

void Image::release() noexcept {
  if (image_ == VK_NULL_HANDLE) return;
  device_->retire([device = device_, image = image_, view = view_, allocation = allocation_] {
    vkDestroyImageView(device->handle(), view, nullptr);
    vkDestroyImage(device->handle(), image, nullptr);
    --device->count().images;
    device->allocator().free(allocation);
  });
  image_ = VK_NULL_HANDLE;
}

}  // namespace gpu
