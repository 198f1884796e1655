// The Vulkan device: instance, choice of a device, one queue, one timeline.
//
// One thread (main) uses it. Every submission gets the next number of the timeline; a GPU object
// that is destroyed is kept until the submissions that may use it have retired.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <vulkan/vulkan.h>

namespace gpu {

class Allocator;

struct DeviceOptions {
  std::string filter;       // --device: part of the name, any case, or Vulkan's index of it
  bool validation = false;  // so does the environment variable FULGURITE_VALIDATION=1

  // For a window (Swapchain::device_options fills both); empty for offscreen.
  std::vector<std::string> instance_extensions;
  std::function<bool(VkInstance, VkPhysicalDevice, uint32_t family)> can_present;
};

// Objects that have been made and not been destroyed yet, those that wait for frames among them.
struct LiveObjects {
  uint32_t buffers = 0;
  uint32_t images = 0;  // with their views; a swapchain's among them
  uint32_t pipelines = 0;
  uint32_t semaphores = 0;   // of swapchains
  uint32_t allocations = 0;  // blocks of device memory
  bool operator==(const LiveObjects&) const = default;
};

class Device {
 public:
  // Prefers discrete over integrated over CPU. Throws Error (no_vulkan) with the reasons why each
  // device was rejected and the package that helps.
  explicit Device(const DeviceOptions& options = {});
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  VkInstance instance() const noexcept { return instance_; }
  VkPhysicalDevice physical() const noexcept { return physical_; }
  VkDevice handle() const noexcept { return device_; }
  VkQueue queue() const noexcept { return queue_; }
  uint32_t queue_family() const noexcept { return family_; }
  VkPipelineCache pipeline_cache() const noexcept { return pipeline_cache_; }
  const VkPhysicalDeviceProperties& properties() const noexcept { return properties_; }
  const std::string& name() const noexcept { return name_; }
  bool is_cpu() const noexcept { return properties_.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU; }
  Allocator& allocator() noexcept { return *allocator_; }

  // Warnings and errors of the validation layer in this process so far; they go to stderr too.
  static uint64_t validation_messages() noexcept;

  // The number that the next submission will get.
  uint64_t next_submission() const noexcept { return submitted_ + 1; }
  // Submits and returns its number. Throws Error (device_lost).
  uint64_t submit(VkCommandBuffer commands, std::span<const VkSemaphoreSubmitInfo> waits = {},
                  std::span<const VkSemaphoreSubmitInfo> signals = {});
  uint64_t completed() const;
  void wait(uint64_t submission) const;  // blocks until it has retired
  void wait_idle();

  LiveObjects live() const noexcept;
  LiveObjects& count() noexcept { return live_; }  // for those that make and destroy them

  // Calls destroy once everything submitted so far, and the next submission, has retired.
  void retire(std::function<void()> destroy);
  void collect();  // runs what may be run; called once a frame

  // For VK_EXT_debug_utils; nothing without validation.
  void name_object(VkObjectType type, uint64_t handle, const char* name) const;

  // Records into a fresh command buffer, submits it and waits: start-up, tests, read-backs.
  void run_now(const std::function<void(VkCommandBuffer)>& record);

 private:
  struct Retired {
    uint64_t submission;
    std::function<void()> destroy;
  };
  void create_instance(const DeviceOptions& options);
  void choose(const DeviceOptions& options);
  void create_device(bool surface);
  void destroy() noexcept;

  VkInstance instance_ = VK_NULL_HANDLE;
  VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
  VkPhysicalDevice physical_ = VK_NULL_HANDLE;
  VkPhysicalDeviceProperties properties_{};
  std::string name_;
  uint32_t family_ = 0;
  VkDevice device_ = VK_NULL_HANDLE;
  VkQueue queue_ = VK_NULL_HANDLE;
  VkPipelineCache pipeline_cache_ = VK_NULL_HANDLE;
  VkSemaphore timeline_ = VK_NULL_HANDLE;
  VkCommandPool now_pool_ = VK_NULL_HANDLE;
  uint64_t submitted_ = 0;
  std::unique_ptr<Allocator> allocator_;
  std::vector<Retired> retired_;
  LiveObjects live_;
  PFN_vkSetDebugUtilsObjectNameEXT set_name_ = nullptr;
};

// Throws Error: device_lost for VK_ERROR_DEVICE_LOST, failed for everything else below zero.
void check(VkResult result, const char* what);

}  // namespace gpu

#define VK_CHECK(call) ::gpu::check((call), #call)
