#include "render/gpu/device.h"

#include <algorithm>

#include <fmt/format.h>

#include "model/error.h"
#include "render/gpu/device_choice.h"
#include "render/gpu/instance.h"
#include "render/gpu/memory.h"

namespace gpu {

void check(VkResult result, const char* what) {
  if (result >= 0) return;
  // "vkQueueSubmit2(queue_, ...)" -> "vkQueueSubmit2"
  const std::string call = std::string(what).substr(0, std::string_view(what).find('('));
  if (result == VK_ERROR_DEVICE_LOST) {
    throw fulgurite::Error(fulgurite::ExitCode::kDeviceLost, "the Vulkan device was lost", call,
                           "the driver's log may say why; --device chooses another");
  }
  if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY) {
    throw fulgurite::Error(fulgurite::ExitCode::kFailed,
                           "there is not enough memory for the picture", call,
                           "a smaller --window-size, or another --device");
  }
  throw fulgurite::Error(fulgurite::ExitCode::kFailed,
                         fmt::format("Vulkan error {}", static_cast<int>(result)), call);
}

Device::Device(const DeviceOptions& options) {
  try {
    create_instance(options);
    choose(options);
    create_device(!options.instance_extensions.empty());
  } catch (...) {
    destroy();
    throw;
  }
}

Device::~Device() {
  destroy();
}

void Device::create_instance(const DeviceOptions& options) {
  Instance made = make_instance(options.validation, options.instance_extensions);
  instance_ = made.handle;
  messenger_ = made.messenger;
  if (messenger_ == VK_NULL_HANDLE) return;
  // Names of objects only: labels of command buffers make validation 1.3.239 free one twice, in a
  // race of its queue's thread with the one that records.
  set_name_ = reinterpret_cast<PFN_vkSetDebugUtilsObjectNameEXT>(
      vkGetInstanceProcAddr(instance_, "vkSetDebugUtilsObjectNameEXT"));
}

void Device::choose(const DeviceOptions& options) {
  std::vector<Candidate> candidates = inspect_devices(instance_, options.can_present);
  const size_t chosen = choose_device(candidates, options.filter);
  physical_ = candidates[chosen].physical;
  properties_ = candidates[chosen].properties;
  name_ = candidates[chosen].name;
  family_ = candidates[chosen].family;
}

void Device::create_device(bool surface) {
  const float priority = 1;
  const VkDeviceQueueCreateInfo queue{.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                      .pNext = nullptr,
                                      .flags = 0,
                                      .queueFamilyIndex = family_,
                                      .queueCount = 1,
                                      .pQueuePriorities = &priority};
  RequiredFeatures features(true);
  const std::vector<const char*> extensions = device_extensions(surface);
  const VkDeviceCreateInfo info{.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                .pNext = &features.features2,
                                .flags = 0,
                                .queueCreateInfoCount = 1,
                                .pQueueCreateInfos = &queue,
                                .enabledLayerCount = 0,
                                .ppEnabledLayerNames = nullptr,
                                .enabledExtensionCount = static_cast<uint32_t>(extensions.size()),
                                .ppEnabledExtensionNames = extensions.data(),
                                .pEnabledFeatures = nullptr};
  const VkResult made = vkCreateDevice(physical_, &info, nullptr, &device_);
  if (made < 0) {
    throw fulgurite::Error(
        fulgurite::ExitCode::kNoVulkan,
        fmt::format("the device cannot be opened (Vulkan error {})", static_cast<int>(made)), name_,
        "--device chooses another");
  }
  vkGetDeviceQueue(device_, family_, 0, &queue_);

  const VkPipelineCacheCreateInfo cache{.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                        .pNext = nullptr,
                                        .flags = 0,
                                        .initialDataSize = 0,
                                        .pInitialData = nullptr};
  VK_CHECK(vkCreatePipelineCache(device_, &cache, nullptr, &pipeline_cache_));
  const VkSemaphoreTypeCreateInfo type{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                       .pNext = nullptr,
                                       .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
                                       .initialValue = 0};
  const VkSemaphoreCreateInfo semaphore{
      .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type, .flags = 0};
  VK_CHECK(vkCreateSemaphore(device_, &semaphore, nullptr, &timeline_));
  const VkCommandPoolCreateInfo pool{.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                     .pNext = nullptr,
                                     .flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT,
                                     .queueFamilyIndex = family_};
  VK_CHECK(vkCreateCommandPool(device_, &pool, nullptr, &now_pool_));
  allocator_ = std::make_unique<Allocator>(physical_, device_);
}

void Device::destroy() noexcept {
  if (device_ != VK_NULL_HANDLE) {
    vkDeviceWaitIdle(device_);
    for (Retired& dead : retired_) dead.destroy();
    retired_.clear();
    allocator_.reset();
    vkDestroyCommandPool(device_, now_pool_, nullptr);
    vkDestroySemaphore(device_, timeline_, nullptr);
    vkDestroyPipelineCache(device_, pipeline_cache_, nullptr);
    vkDestroyDevice(device_, nullptr);
  }
  if (instance_ != VK_NULL_HANDLE) destroy_instance({instance_, messenger_});
}

uint64_t Device::validation_messages() noexcept {
  return validation_message_count();
}

LiveObjects Device::live() const noexcept {
  LiveObjects live = live_;
  live.allocations = static_cast<uint32_t>(allocator_->blocks());
  return live;
}

uint64_t Device::submit(VkCommandBuffer commands, std::span<const VkSemaphoreSubmitInfo> waits,
                        std::span<const VkSemaphoreSubmitInfo> signals) {
  std::vector<VkSemaphoreSubmitInfo> all(signals.begin(), signals.end());
  all.push_back({.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                 .pNext = nullptr,
                 .semaphore = timeline_,
                 .value = submitted_ + 1,
                 .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
                 .deviceIndex = 0});
  const VkCommandBufferSubmitInfo buffer{.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO,
                                         .pNext = nullptr,
                                         .commandBuffer = commands,
                                         .deviceMask = 0};
  const VkSubmitInfo2 info{.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                           .pNext = nullptr,
                           .flags = 0,
                           .waitSemaphoreInfoCount = static_cast<uint32_t>(waits.size()),
                           .pWaitSemaphoreInfos = waits.data(),
                           .commandBufferInfoCount = 1,
                           .pCommandBufferInfos = &buffer,
                           .signalSemaphoreInfoCount = static_cast<uint32_t>(all.size()),
                           .pSignalSemaphoreInfos = all.data()};
  VK_CHECK(vkQueueSubmit2(queue_, 1, &info, VK_NULL_HANDLE));
  return ++submitted_;
}

uint64_t Device::completed() const {
  uint64_t value = 0;
  VK_CHECK(vkGetSemaphoreCounterValue(device_, timeline_, &value));
  return value;
}

void Device::wait(uint64_t submission) const {
  const VkSemaphoreWaitInfo info{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                 .pNext = nullptr,
                                 .flags = 0,
                                 .semaphoreCount = 1,
                                 .pSemaphores = &timeline_,
                                 .pValues = &submission};
  VK_CHECK(vkWaitSemaphores(device_, &info, UINT64_MAX));
}

void Device::wait_idle() {
  VK_CHECK(vkDeviceWaitIdle(device_));
  collect();
}

void Device::retire(std::function<void()> destroy) {
  retired_.push_back({submitted_ + 1, std::move(destroy)});
}

void Device::collect() {
  if (retired_.empty()) return;
  const uint64_t done = completed();
  const auto alive = std::find_if(retired_.begin(), retired_.end(),
                                  [&](const Retired& dead) { return dead.submission > done; });
  for (auto it = retired_.begin(); it != alive; ++it) it->destroy();
  retired_.erase(retired_.begin(), alive);
}

void Device::name_object(VkObjectType type, uint64_t handle, const char* name) const {
  if (set_name_ == nullptr) return;
  const VkDebugUtilsObjectNameInfoEXT info{
      .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
      .pNext = nullptr,
      .objectType = type,
      .objectHandle = handle,
      .pObjectName = name};
  VK_CHECK(set_name_(device_, &info));
}

void Device::run_now(const std::function<void(VkCommandBuffer)>& record) {
  VK_CHECK(vkResetCommandPool(device_, now_pool_, 0));
  const VkCommandBufferAllocateInfo info{.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                         .pNext = nullptr,
                                         .commandPool = now_pool_,
                                         .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                         .commandBufferCount = 1};
  VkCommandBuffer commands = VK_NULL_HANDLE;
  VK_CHECK(vkAllocateCommandBuffers(device_, &info, &commands));
  const VkCommandBufferBeginInfo begin{.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                       .pNext = nullptr,
                                       .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
                                       .pInheritanceInfo = nullptr};
  VK_CHECK(vkBeginCommandBuffer(commands, &begin));
  record(commands);
  VK_CHECK(vkEndCommandBuffer(commands));
  wait(submit(commands));
  vkFreeCommandBuffers(device_, now_pool_, 1, &commands);
}

}  // namespace gpu
