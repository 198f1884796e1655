#include "render/gpu/instance.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "model/error.h"
#include "render/gpu/device.h"

namespace gpu {
namespace {

std::atomic<uint64_t> message_count{0};

constexpr const char* kValidationLayer = "VK_LAYER_KHRONOS_validation";

VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT,
                                          VkDebugUtilsMessageTypeFlagsEXT,
                                          const VkDebugUtilsMessengerCallbackDataEXT* data, void*) {
  ++message_count;
  std::fprintf(stderr, "vulkan: %s\n", data->pMessage);
  return VK_FALSE;
}

bool layer_installed() {
  uint32_t count = 0;
  VK_CHECK(vkEnumerateInstanceLayerProperties(&count, nullptr));
  std::vector<VkLayerProperties> layers(count);
  VK_CHECK(vkEnumerateInstanceLayerProperties(&count, layers.data()));
  return std::any_of(layers.begin(), layers.end(), [](const auto& layer) {
    return std::strcmp(layer.layerName, kValidationLayer) == 0;
  });
}

}  // namespace

uint64_t validation_message_count() noexcept {
  return message_count;
}

Instance make_instance(bool validation, const std::vector<std::string>& wanted) {
  const char* env = std::getenv("FULGURITE_VALIDATION");
  validation = validation || (env != nullptr && std::strcmp(env, "0") != 0 && *env != '\0');
  if (validation && !layer_installed()) {
    throw fulgurite::Error(fulgurite::ExitCode::kFailed,
                           "the Vulkan validation layer is not installed", {},
                           "install vulkan-validationlayers");
  }
  std::vector<const char*> extensions;
  for (const std::string& name : wanted) extensions.push_back(name.c_str());
  if (validation) {
    extensions.push_back(VK_EXT_DEBUG_UTILS_EXTENSION_NAME);
    extensions.push_back(VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME);
  }
  const VkApplicationInfo application{.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                      .pNext = nullptr,
                                      .pApplicationName = "fulgurite",
                                      .applicationVersion = 0,
                                      .pEngineName = nullptr,
                                      .engineVersion = 0,
                                      .apiVersion = VK_API_VERSION_1_3};
  const VkDebugUtilsMessengerCreateInfoEXT messenger{
      .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
      .pNext = nullptr,
      .flags = 0,
      .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                         VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
      .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                     VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
      .pfnUserCallback = on_message,
      .pUserData = nullptr};
  const VkValidationFeatureEnableEXT enabled =
      VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
  const VkValidationFeaturesEXT features{.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                         .pNext = &messenger,
                                         .enabledValidationFeatureCount = 1,
                                         .pEnabledValidationFeatures = &enabled,
                                         .disabledValidationFeatureCount = 0,
                                         .pDisabledValidationFeatures = nullptr};
  const VkInstanceCreateInfo info{.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                  .pNext = validation ? &features : nullptr,
                                  .flags = 0,
                                  .pApplicationInfo = &application,
                                  .enabledLayerCount = validation ? 1u : 0u,
                                  .ppEnabledLayerNames = &kValidationLayer,
                                  .enabledExtensionCount = static_cast<uint32_t>(extensions.size()),
                                  .ppEnabledExtensionNames = extensions.data()};
  Instance made;
  const VkResult result = vkCreateInstance(&info, nullptr, &made.handle);
  if (result < 0) {
    throw fulgurite::Error(
        fulgurite::ExitCode::kNoVulkan,
        result == VK_ERROR_INCOMPATIBLE_DRIVER
            ? std::string("no Vulkan driver was found that can be loaded")
            : fmt::format("Vulkan cannot be started (error {})", static_cast<int>(result)),
        {},
        "install mesa-vulkan-drivers, which also draws without a GPU; VK_LOADER_DEBUG=error says "
        "why one that is installed was left out");
  }
  if (validation) {
    const auto create = reinterpret_cast<PFN_vkCreateDebugUtilsMessengerEXT>(
        vkGetInstanceProcAddr(made.handle, "vkCreateDebugUtilsMessengerEXT"));
    VK_CHECK(create(made.handle, &messenger, nullptr, &made.messenger));
  }
  return made;
}

void destroy_instance(const Instance& instance) noexcept {
  if (instance.messenger != VK_NULL_HANDLE) {
    const auto destroy = reinterpret_cast<PFN_vkDestroyDebugUtilsMessengerEXT>(
        vkGetInstanceProcAddr(instance.handle, "vkDestroyDebugUtilsMessengerEXT"));
    destroy(instance.handle, instance.messenger, nullptr);
  }
  vkDestroyInstance(instance.handle, nullptr);
}

}  // namespace gpu
