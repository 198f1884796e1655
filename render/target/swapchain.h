// A GLFW window's swapchain: FIFO, survives resizing, minimising and going out of date.
// glfwInit, the window and its end belong to the caller; the window outlives this.
#pragma once

#include <vector>

#include "render/gpu/device.h"
#include "render/target/target.h"

struct GLFWwindow;

namespace render {

class Swapchain final : public Target {
 public:
  // What the device needs for a window; glfwInit was called. Throws Error (no_vulkan).
  static void device_options(gpu::DeviceOptions& options, GLFWwindow* window);

  Swapchain(gpu::Device& device, GLFWwindow* window);
  ~Swapchain() override;

  VkExtent2D extent() const override { return extent_; }
  VkFormat format() const override { return format_.format; }
  bool prepare() override;
  bool acquire(TargetImage& out) override;
  void finish(VkCommandBuffer commands) override;
  void submitted(uint64_t submission) override;  // presents

 private:
  void create();
  void destroy_images();

  gpu::Device& device_;
  GLFWwindow* window_;
  VkSurfaceKHR surface_ = VK_NULL_HANDLE;
  VkSurfaceFormatKHR format_{};
  VkSwapchainKHR swapchain_ = VK_NULL_HANDLE;
  VkExtent2D extent_{};
  std::vector<VkImage> images_;
  std::vector<VkImageView> views_;
  std::vector<VkSemaphore> done_;     // one per image
  std::vector<VkSemaphore> ready_;    // one per frame in flight and one spare, used in turn
  std::vector<uint64_t> ready_used_;  // the submission that waited on it
  size_t turn_ = 0;
  uint32_t image_ = 0;
  bool stale_ = true;
};

}  // namespace render
