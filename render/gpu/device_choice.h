// Which of the machine's devices draws, and why the others do not.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <vulkan/vulkan.h>

namespace gpu {

struct Candidate {
  VkPhysicalDevice physical = VK_NULL_HANDLE;
  VkPhysicalDeviceProperties properties{};
  std::string name;
  uint32_t family = 0;   // a queue family for graphics, compute and, if asked, presenting
  std::string rejected;  // why it cannot be used; empty: it can
};

std::vector<Candidate> inspect_devices(
    VkInstance instance,
    const std::function<bool(VkInstance, VkPhysicalDevice, uint32_t family)>& can_present);

// Index of the best one: discrete, integrated, virtual, CPU. filter: part of a name (any case) or
// an index; empty: any. Throws Error (no_vulkan) that lists every device with its reason.
size_t choose_device(const std::vector<Candidate>& candidates, const std::string& filter);

// The features that the renderer uses: as a chain to query, or with all of them on.
struct RequiredFeatures {
  explicit RequiredFeatures(bool on);
  RequiredFeatures(const RequiredFeatures&) = delete;
  RequiredFeatures& operator=(const RequiredFeatures&) = delete;
  std::string missing() const;  // the first that is off; empty: none

  VkPhysicalDeviceFeatures2 features2{};
  VkPhysicalDeviceVulkan12Features vulkan12{};
  VkPhysicalDeviceVulkan13Features vulkan13{};
};

std::vector<const char*> device_extensions(bool surface);

}  // namespace gpu
