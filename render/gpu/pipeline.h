// Pipelines from embedded SPIR-V. All of them share one layout: the bindings of shaders/shared.h as
// push descriptors, and 64 bytes of push constants for every stage.
#pragma once

#include <span>

#include "render/gpu/device.h"

namespace gpu {

class PipelineLayout {
 public:
  explicit PipelineLayout(Device& device);
  ~PipelineLayout();
  PipelineLayout(const PipelineLayout&) = delete;
  PipelineLayout& operator=(const PipelineLayout&) = delete;

  VkPipelineLayout handle() const noexcept { return layout_; }

  // For the next draws or dispatches of this kind.
  void bind_buffer(VkCommandBuffer commands, VkPipelineBindPoint point, uint32_t binding,
                   VkBuffer buffer, VkDeviceSize offset = 0,
                   VkDeviceSize bytes = VK_WHOLE_SIZE) const;
  void bind_image(VkCommandBuffer commands, uint32_t binding, VkImageView view, VkSampler sampler,
                  VkImageLayout layout = VK_IMAGE_LAYOUT_GENERAL) const;
  template <typename T>
  void push(VkCommandBuffer commands, const T& constants) const {
    static_assert(sizeof(T) <= 64);
    vkCmdPushConstants(commands, layout_, VK_SHADER_STAGE_ALL, 0, sizeof(T), &constants);
  }

 private:
  Device& device_;
  VkDescriptorSetLayout set_ = VK_NULL_HANDLE;
  VkPipelineLayout layout_ = VK_NULL_HANDLE;
  PFN_vkCmdPushDescriptorSetKHR push_descriptor_ = nullptr;
};

enum class Blend : uint8_t {
  kOff,
  kAlpha,          // straight alpha
  kPremultiplied,  // alpha 0 adds light, alpha 1 covers
};

struct GraphicsDesc {
  std::span<const uint32_t> vertex;
  std::span<const uint32_t> fragment;
  VkFormat color = VK_FORMAT_UNDEFINED;
  VkFormat depth = VK_FORMAT_UNDEFINED;  // UNDEFINED: no depth attachment
  bool depth_test = false;
  bool depth_write = false;
  VkSampleCountFlagBits samples = VK_SAMPLE_COUNT_1_BIT;
  Blend blend = Blend::kOff;
  std::span<const uint32_t> constants{};  // specialisation constants 0, 1 ... of both stages
  VkPrimitiveTopology topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST;
  const char* name = "";
};

// Move-only; dies as gpu::Buffer does. Viewport and scissor are dynamic, nothing is culled.
class Pipeline {
 public:
  Pipeline() = default;
  Pipeline(Device& device, const PipelineLayout& layout, const GraphicsDesc& desc);
  Pipeline(Device& device, const PipelineLayout& layout, std::span<const uint32_t> compute,
           const char* name);
  ~Pipeline() { release(); }
  Pipeline(Pipeline&& other) noexcept;
  Pipeline& operator=(Pipeline&& other) noexcept;

  void bind(VkCommandBuffer commands) const { vkCmdBindPipeline(commands, point_, pipeline_); }
  explicit operator bool() const noexcept { return pipeline_ != VK_NULL_HANDLE; }

 private:
  void release() noexcept;

  Device* device_ = nullptr;
  VkPipeline pipeline_ = VK_NULL_HANDLE;
  VkPipelineBindPoint point_ = VK_PIPELINE_BIND_POINT_GRAPHICS;
};

}  // namespace gpu
