// Where a frame goes: a window's swapchain or an image that is read back. The renderer sees only
// this.
#pragma once

#include <cstdint>

#include <vulkan/vulkan.h>

namespace render {

// The image of one frame. It is in VK_IMAGE_LAYOUT_UNDEFINED when acquired and must be in
// COLOR_ATTACHMENT_OPTIMAL when handed to finish(). Values are stored as they are: UNORM, so the
// last pass encodes sRGB itself.
struct TargetImage {
  VkImage image = VK_NULL_HANDLE;
  VkImageView view = VK_NULL_HANDLE;
  VkSemaphore ready = VK_NULL_HANDLE;  // binary: wait for it before writing; may be null
  VkSemaphore done = VK_NULL_HANDLE;   // binary: signal it with the frame; may be null
};

class Target {
 public:
  virtual ~Target() = default;
  // Before a frame is laid out: its extent is known then. False as of acquire().
  virtual bool prepare() { return true; }
  virtual VkExtent2D extent() const = 0;
  virtual VkFormat format() const = 0;
  // False: there is nothing to draw on now (minimised, being resized); try again next frame.
  virtual bool acquire(TargetImage& out) = 0;
  // Records what brings the drawn image where it goes: the last commands of the frame.
  virtual void finish(VkCommandBuffer commands) = 0;
  // The frame was submitted under this number of the device's timeline.
  virtual void submitted(uint64_t submission) = 0;
};

}  // namespace render
