// The Vulkan instance and the validation layer's messages.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <vulkan/vulkan.h>

namespace gpu {

struct Instance {
  VkInstance handle = VK_NULL_HANDLE;
  VkDebugUtilsMessengerEXT messenger = VK_NULL_HANDLE;  // null without validation
};

// validation (or FULGURITE_VALIDATION=1) turns on core and synchronisation validation; asked for
// but not installed is an Error (failed) naming the package. Throws Error (no_vulkan) without a
// loader.
Instance make_instance(bool validation, const std::vector<std::string>& extensions);
void destroy_instance(const Instance& instance) noexcept;

uint64_t validation_message_count() noexcept;

}  // namespace gpu
