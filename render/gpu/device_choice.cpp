#include "render/gpu/device_choice.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "model/error.h"
#include "render/gpu/device.h"
#include "render/scene/text.h"
#include "shaders/shared.h"

namespace gpu {
namespace {

// Of the one layout that all pipelines share: see shaders/shared.h.
constexpr uint32_t kStorageBuffers = shaders::kBindTextureA - shaders::kBindFrame - 1;

int rank(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return 4;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return 3;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
      return 2;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return 1;
    default:
      return 0;
  }
}

std::string lower(std::string text) {
  for (char& c : text) c = scene::lower_ascii(c);
  return text;
}

// Whether it is the number of one of so many devices.
bool is_index(const std::string& text, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (text == std::to_string(i)) return true;
  }
  return false;
}

std::string missing_extension(VkPhysicalDevice physical, bool surface) {
  uint32_t count = 0;
  VK_CHECK(vkEnumerateDeviceExtensionProperties(physical, nullptr, &count, nullptr));
  std::vector<VkExtensionProperties> have(count);
  VK_CHECK(vkEnumerateDeviceExtensionProperties(physical, nullptr, &count, have.data()));
  for (const char* wanted : device_extensions(surface)) {
    if (std::none_of(have.begin(), have.end(), [&](const auto& extension) {
          return std::strcmp(extension.extensionName, wanted) == 0;
        })) {
      return wanted;
    }
  }
  return {};
}

}  // namespace

RequiredFeatures::RequiredFeatures(bool on) {
  const VkBool32 yes = on ? VK_TRUE : VK_FALSE;
  features2.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  features2.pNext = &vulkan12;
  vulkan12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
  vulkan12.pNext = &vulkan13;
  vulkan12.scalarBlockLayout = yes;
  vulkan12.timelineSemaphore = yes;
  vulkan13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES;
  vulkan13.dynamicRendering = yes;
  vulkan13.synchronization2 = yes;
  vulkan13.maintenance4 = yes;  // compute shaders for Vulkan 1.3 name their size by id
  vulkan13.shaderDemoteToHelperInvocation = yes;  // what newer compilers make of discard
}

std::string RequiredFeatures::missing() const {
  if (vulkan12.scalarBlockLayout == VK_FALSE) return "scalarBlockLayout";
  if (vulkan12.timelineSemaphore == VK_FALSE) return "timelineSemaphore";
  if (vulkan13.dynamicRendering == VK_FALSE) return "dynamicRendering";
  if (vulkan13.synchronization2 == VK_FALSE) return "synchronization2";
  if (vulkan13.maintenance4 == VK_FALSE) return "maintenance4";
  if (vulkan13.shaderDemoteToHelperInvocation == VK_FALSE) return "shaderDemoteToHelperInvocation";
  return {};
}

std::vector<const char*> device_extensions(bool surface) {
  std::vector<const char*> names = {VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME};
  if (surface) names.push_back(VK_KHR_SWAPCHAIN_EXTENSION_NAME);
  return names;
}

std::vector<Candidate> inspect_devices(
    VkInstance instance,
    const std::function<bool(VkInstance, VkPhysicalDevice, uint32_t)>& can_present) {
  uint32_t count = 0;
  const VkResult result = vkEnumeratePhysicalDevices(instance, &count, nullptr);
  if (result < 0) count = 0;  // a loader without a working driver
  std::vector<VkPhysicalDevice> devices(count);
  if (count != 0) VK_CHECK(vkEnumeratePhysicalDevices(instance, &count, devices.data()));
  std::vector<Candidate> candidates;
  for (const VkPhysicalDevice physical : devices) {
    Candidate& candidate = candidates.emplace_back();
    candidate.physical = physical;
    vkGetPhysicalDeviceProperties(physical, &candidate.properties);
    candidate.name = candidate.properties.deviceName;
    const uint32_t version = candidate.properties.apiVersion;
    if (version < VK_API_VERSION_1_3) {
      candidate.rejected = fmt::format("Vulkan {}.{}, 1.3 is needed", VK_API_VERSION_MAJOR(version),
                                       VK_API_VERSION_MINOR(version));
      continue;
    }
    RequiredFeatures features(false);
    vkGetPhysicalDeviceFeatures2(physical, &features.features2);
    if (const std::string name = features.missing(); !name.empty()) {
      candidate.rejected = "lacks " + name;
      continue;
    }
    const uint32_t buffers = candidate.properties.limits.maxPerStageDescriptorStorageBuffers;
    if (buffers < kStorageBuffers) {
      candidate.rejected =
          fmt::format("has {} storage buffers a stage, {} are needed", buffers, kStorageBuffers);
      continue;
    }
    if (const std::string name = missing_extension(physical, can_present != nullptr);
        !name.empty()) {
      candidate.rejected = "lacks " + name;
      continue;
    }
    uint32_t families = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &families, nullptr);
    std::vector<VkQueueFamilyProperties> queues(families);
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &families, queues.data());
    constexpr VkQueueFlags kBoth = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT;
    candidate.rejected =
        can_present ? "has no queue that draws and presents" : "has no queue that draws";
    for (uint32_t i = 0; i < families; ++i) {
      if ((queues[i].queueFlags & kBoth) != kBoth ||
          (can_present && !can_present(instance, physical, i)))
        continue;
      candidate.family = i;
      candidate.rejected.clear();
      break;
    }
  }
  return candidates;
}

size_t choose_device(const std::vector<Candidate>& candidates, const std::string& filter) {
  using fulgurite::Error;
  using fulgurite::ExitCode;
  if (candidates.empty()) {
    throw Error(ExitCode::kNoVulkan, "no Vulkan device was found", {},
                "install mesa-vulkan-drivers, which also draws without a GPU");
  }
  // A number that no device has may still be part of a name.
  const auto asked_for = [&, by_index = is_index(filter, candidates.size())](size_t i) {
    return by_index ? filter == std::to_string(i)
                    : lower(candidates[i].name).find(lower(filter)) != std::string::npos;
  };
  size_t best = candidates.size();
  std::string reasons;
  std::string names;      // of those that could be used
  bool is_there = false;  // what was asked for, if it cannot be used
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    is_there = is_there || asked_for(i);
    if (!candidate.rejected.empty()) {
      reasons +=
          fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", candidate.name, candidate.rejected);
      continue;
    }
    names += fmt::format("{}{} {}", names.empty() ? "" : ", ", i, candidate.name);
    if (!asked_for(i)) continue;
    if (best == candidates.size() ||
        rank(candidate.properties.deviceType) > rank(candidates[best].properties.deviceType)) {
      best = i;
    }
  }
  if (best != candidates.size()) return best;
  if (!is_there && !names.empty()) {
    throw Error(ExitCode::kNoVulkan, "there is no such device", "--device " + filter,
                "there are: " + names);
  }
  throw Error(ExitCode::kNoVulkan, "no usable Vulkan device: " + reasons,
              filter.empty() ? "" : "--device " + filter,
              "mesa-vulkan-drivers has a software device that always works");
}

}  // namespace gpu
