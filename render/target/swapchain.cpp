#include "render/target/swapchain.h"

#include <algorithm>

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>

#include "model/error.h"
#include "render/gpu/barrier.h"

namespace render {
namespace {

constexpr size_t kReady = 4;  // more than the frames in flight
constexpr uint64_t kAcquireNs = 100'000'000;
constexpr int kSmallestPx = 16;

VkSemaphore make_semaphore(VkDevice device) {
  const VkSemaphoreCreateInfo info{
      .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = nullptr, .flags = 0};
  VkSemaphore semaphore = VK_NULL_HANDLE;
  VK_CHECK(vkCreateSemaphore(device, &info, nullptr, &semaphore));
  return semaphore;
}

// UNORM, because the last pass encodes sRGB itself and the UI blends in it. Screens of 30 bits may
// have the last two alone.
VkSurfaceFormatKHR choose_format(VkPhysicalDevice physical, VkSurfaceKHR surface) {
  uint32_t count = 0;
  VK_CHECK(vkGetPhysicalDeviceSurfaceFormatsKHR(physical, surface, &count, nullptr));
  std::vector<VkSurfaceFormatKHR> formats(count);
  VK_CHECK(vkGetPhysicalDeviceSurfaceFormatsKHR(physical, surface, &count, formats.data()));
  for (const VkFormat wanted :
       {VK_FORMAT_B8G8R8A8_UNORM, VK_FORMAT_R8G8B8A8_UNORM, VK_FORMAT_A2B10G10R10_UNORM_PACK32,
        VK_FORMAT_A2R10G10B10_UNORM_PACK32}) {
    for (const VkSurfaceFormatKHR& format : formats) {
      if (format.colorSpace == VK_COLOR_SPACE_SRGB_NONLINEAR_KHR && format.format == wanted)
        return format;
    }
  }
  throw fulgurite::Error(fulgurite::ExitCode::kNoVulkan,
                         "the window has no sRGB surface of 8 or 10 bits", "vulkan",
                         "--headless draws without a window");
}

VkCompositeAlphaFlagBitsKHR choose_alpha(VkCompositeAlphaFlagsKHR supported) {
  for (const auto wanted : {VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR, VK_COMPOSITE_ALPHA_INHERIT_BIT_KHR,
                            VK_COMPOSITE_ALPHA_PRE_MULTIPLIED_BIT_KHR}) {
    if ((supported & wanted) != 0) return wanted;
  }
  return VK_COMPOSITE_ALPHA_POST_MULTIPLIED_BIT_KHR;
}

// Whether devices of this kind show this window: GLFW alone knows of no surface.
bool shows(VkInstance instance, VkPhysicalDevice physical, uint32_t family, GLFWwindow* window) {
  if (glfwGetPhysicalDevicePresentationSupport(instance, physical, family) == GLFW_FALSE)
    return false;
  VkSurfaceKHR surface = VK_NULL_HANDLE;
  if (glfwCreateWindowSurface(instance, window, nullptr, &surface) != VK_SUCCESS) return false;
  VkBool32 supported = VK_FALSE;
  const VkResult asked =
      vkGetPhysicalDeviceSurfaceSupportKHR(physical, family, surface, &supported);
  vkDestroySurfaceKHR(instance, surface, nullptr);
  return asked == VK_SUCCESS && supported == VK_TRUE;
}

}  // namespace

void Swapchain::device_options(gpu::DeviceOptions& options, GLFWwindow* window) {
  uint32_t count = 0;
  const char** names =
      glfwVulkanSupported() == GLFW_TRUE ? glfwGetRequiredInstanceExtensions(&count) : nullptr;
  if (names == nullptr) {
    throw fulgurite::Error(fulgurite::ExitCode::kNoVulkan,
                           "no Vulkan driver that can show a window", {},
                           "install mesa-vulkan-drivers, or use --headless");
  }
  options.instance_extensions.assign(names, names + count);
  options.can_present = [window](VkInstance instance, VkPhysicalDevice physical, uint32_t family) {
    return shows(instance, physical, family, window);
  };
}

Swapchain::Swapchain(gpu::Device& device, GLFWwindow* window) : device_(device), window_(window) {
  VK_CHECK(glfwCreateWindowSurface(device.instance(), window, nullptr, &surface_));
  format_ = choose_format(device.physical(), surface_);
  for (size_t i = 0; i < kReady; ++i) ready_.push_back(make_semaphore(device.handle()));
  ready_used_.assign(kReady, 0);
}

Swapchain::~Swapchain() {
  vkDeviceWaitIdle(device_.handle());
  destroy_images();
  for (const VkSemaphore semaphore : ready_)
    vkDestroySemaphore(device_.handle(), semaphore, nullptr);
  vkDestroySwapchainKHR(device_.handle(), swapchain_, nullptr);
  vkDestroySurfaceKHR(device_.instance(), surface_, nullptr);
}

void Swapchain::destroy_images() {
  for (const VkImageView view : views_) vkDestroyImageView(device_.handle(), view, nullptr);
  for (const VkSemaphore semaphore : done_)
    vkDestroySemaphore(device_.handle(), semaphore, nullptr);
  device_.count().images -= static_cast<uint32_t>(views_.size());
  device_.count().semaphores -= static_cast<uint32_t>(done_.size());
  views_.clear();
  done_.clear();
}

void Swapchain::create() {
  int width = 0, height = 0;
  glfwGetFramebufferSize(window_, &width, &height);
  VkSurfaceCapabilitiesKHR surface;
  VK_CHECK(vkGetPhysicalDeviceSurfaceCapabilitiesKHR(device_.physical(), surface_, &surface));
  VkExtent2D extent = surface.currentExtent;
  if (extent.width == UINT32_MAX) {  // Wayland: the swapchain decides
    extent.width = std::clamp(static_cast<uint32_t>(width), surface.minImageExtent.width,
                              surface.maxImageExtent.width);
    extent.height = std::clamp(static_cast<uint32_t>(height), surface.minImageExtent.height,
                               surface.maxImageExtent.height);
  }
  extent_ = extent;
  if (extent.width == 0 || extent.height == 0) return;

  VK_CHECK(vkDeviceWaitIdle(device_.handle()));
  destroy_images();
  const VkSwapchainKHR old = swapchain_;
  VkSwapchainCreateInfoKHR info{};
  info.sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR;
  info.surface = surface_;
  info.minImageCount = surface.maxImageCount == 0
                           ? surface.minImageCount + 1
                           : std::min(surface.minImageCount + 1, surface.maxImageCount);
  info.imageFormat = format_.format;
  info.imageColorSpace = format_.colorSpace;
  info.imageExtent = extent;
  info.imageArrayLayers = 1;
  info.imageUsage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT;
  info.preTransform = (surface.supportedTransforms & VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR) != 0
                          ? VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR
                          : surface.currentTransform;
  info.compositeAlpha = choose_alpha(surface.supportedCompositeAlpha);
  info.presentMode = VK_PRESENT_MODE_FIFO_KHR;
  info.clipped = VK_TRUE;
  info.oldSwapchain = old;
  VK_CHECK(vkCreateSwapchainKHR(device_.handle(), &info, nullptr, &swapchain_));
  vkDestroySwapchainKHR(device_.handle(), old, nullptr);

  uint32_t count = 0;
  VK_CHECK(vkGetSwapchainImagesKHR(device_.handle(), swapchain_, &count, nullptr));
  images_.resize(count);
  VK_CHECK(vkGetSwapchainImagesKHR(device_.handle(), swapchain_, &count, images_.data()));
  for (const VkImage image : images_) {
    const VkImageViewCreateInfo view{.sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                     .pNext = nullptr,
                                     .flags = 0,
                                     .image = image,
                                     .viewType = VK_IMAGE_VIEW_TYPE_2D,
                                     .format = format_.format,
                                     .components = {},
                                     .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1}};
    VK_CHECK(vkCreateImageView(device_.handle(), &view, nullptr, &views_.emplace_back()));
    done_.push_back(make_semaphore(device_.handle()));
    ++device_.count().images;
    ++device_.count().semaphores;
  }
  stale_ = false;
}

bool Swapchain::prepare() {
  int width = 0, height = 0;
  glfwGetFramebufferSize(window_, &width, &height);
  // Minimised, or too small to show anything: Mesa 22.3 on X11 never recovers from presenting
  // an image of one pixel.
  if (width < kSmallestPx || height < kSmallestPx) return false;
  if (static_cast<uint32_t>(width) != extent_.width ||
      static_cast<uint32_t>(height) != extent_.height)
    stale_ = true;
  if (stale_) create();
  return !stale_ && extent_.width > 0 && extent_.height > 0;
}

bool Swapchain::acquire(TargetImage& out) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!prepare()) return false;
    turn_ = (turn_ + 1) % ready_.size();
    device_.wait(ready_used_[turn_]);
    const VkResult result = vkAcquireNextImageKHR(device_.handle(), swapchain_, kAcquireNs,
                                                  ready_[turn_], VK_NULL_HANDLE, &image_);
    if (result == VK_SUCCESS || result == VK_SUBOPTIMAL_KHR) {
      out = {images_[image_], views_[image_], ready_[turn_], done_[image_]};
      return true;
    }
    if (result == VK_TIMEOUT || result == VK_NOT_READY) return false;
    if (result != VK_ERROR_OUT_OF_DATE_KHR) VK_CHECK(result);
    stale_ = true;
  }
  return false;
}

void Swapchain::finish(VkCommandBuffer commands) {
  gpu::image_barrier(commands, images_[image_], VK_IMAGE_ASPECT_COLOR_BIT, gpu::kColorWrite,
                     gpu::kColorWrite, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                     VK_IMAGE_LAYOUT_PRESENT_SRC_KHR);
}

void Swapchain::submitted(uint64_t submission) {
  ready_used_[turn_] = submission;
  const VkPresentInfoKHR info{.sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
                              .pNext = nullptr,
                              .waitSemaphoreCount = 1,
                              .pWaitSemaphores = &done_[image_],
                              .swapchainCount = 1,
                              .pSwapchains = &swapchain_,
                              .pImageIndices = &image_,
                              .pResults = nullptr};
  const VkResult result = vkQueuePresentKHR(device_.queue(), &info);
  if (result == VK_ERROR_OUT_OF_DATE_KHR || result == VK_SUBOPTIMAL_KHR) {
    stale_ = true;
  } else {
    VK_CHECK(result);
  }
}

}  // namespace render
