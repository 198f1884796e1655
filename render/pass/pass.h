// What every pass is given, and the few lines that every pass would repeat.
#pragma once

#include <map>
#include <utility>

#include <vulkan/vulkan.h>

#include "render/gpu/image.h"
#include "render/gpu/pipeline.h"
#include "render/gpu/timer.h"
#include "render/gpu/upload.h"

namespace render {

inline constexpr VkFormat kSceneFormat = VK_FORMAT_R16G16B16A16_SFLOAT;  // linear light
inline constexpr VkFormat kGradedFormat = VK_FORMAT_R8G8B8A8_UNORM;      // sRGB-encoded
inline constexpr VkFormat kDepthFormat = VK_FORMAT_D32_SFLOAT;

// Lives as long as the renderer.
struct PassContext {
  explicit PassContext(gpu::Device& device);
  ~PassContext();
  PassContext(const PassContext&) = delete;
  PassContext& operator=(const PassContext&) = delete;

  gpu::Device& device;
  gpu::PipelineLayout layout;
  gpu::Staging staging;
  gpu::Uploader uploader;
  gpu::Timer timer;
  // Every draw of every pass goes through here, so that they can be counted.
  void draw(VkCommandBuffer commands, uint32_t vertices) {
    ++draw_calls;
    vkCmdDraw(commands, vertices, 1, 0, 0);
  }
  void draw_indexed(VkCommandBuffer commands, uint32_t indices, uint32_t first_index,
                    int32_t first_vertex) {
    ++draw_calls;
    vkCmdDrawIndexed(commands, indices, 1, first_index, first_vertex, 0);
  }
  void draw_indirect(VkCommandBuffer commands, VkBuffer command) {
    ++draw_calls;
    vkCmdDrawIndirect(commands, command, 0, 1, 0);
  }
  void draw_indexed_indirect(VkCommandBuffer commands, VkBuffer command) {
    ++draw_calls;
    vkCmdDrawIndexedIndirect(commands, command, 0, 1, 0);
  }

  uint32_t draw_calls = 0;            // of this frame
  bool light_theme = false;           // of this frame
  VkSampler linear = VK_NULL_HANDLE;  // clamped to the edge, both
  VkSampler nearest = VK_NULL_HANDLE;
};

// A pipeline whose shaders know the theme while they are compiled (common.glsl: light_theme()):
// software devices run both sides of every branch. One of each theme and format of the target, made
// when first needed.
class ThemePipeline {
 public:
  // variant: specialisation constant 1; 0 is the theme.
  ThemePipeline(PassContext& context, const gpu::GraphicsDesc& desc, uint32_t variant = 0)
      : context_(context), desc_(desc), variant_(variant) {}
  void bind(VkCommandBuffer commands);
  // For targets whose format is only known when they come.
  void bind(VkCommandBuffer commands, VkFormat color);

 private:
  PassContext& context_;
  gpu::GraphicsDesc desc_;
  uint32_t variant_;
  std::map<std::pair<VkFormat, bool>, gpu::Pipeline> pipelines_;
};

// vkCmdBeginRendering .. vkCmdEndRendering over a whole image, viewport and scissor set.
struct RenderTo {
  VkExtent2D extent{};
  VkImageView color = VK_NULL_HANDLE;
  VkImageLayout color_layout = VK_IMAGE_LAYOUT_GENERAL;
  VkAttachmentLoadOp color_load = VK_ATTACHMENT_LOAD_OP_DONT_CARE;
  VkImageView resolve = VK_NULL_HANDLE;  // of a multisampled colour; which is then not kept
  VkImageView depth = VK_NULL_HANDLE;    // nothing but an attachment; cleared to far, not kept
};

class Rendering {
 public:
  Rendering(VkCommandBuffer commands, const RenderTo& to);
  ~Rendering() { vkCmdEndRendering(commands_); }
  Rendering(const Rendering&) = delete;
  Rendering& operator=(const Rendering&) = delete;

 private:
  VkCommandBuffer commands_;
};

// An index buffer for `count` meshes of one pattern side by side, `stride` vertices apart; grows.
class PatternIndices {
 public:
  PatternIndices(std::span<const uint32_t> pattern, uint32_t stride, const char* name);
  // Once per frame before its copies are flushed. Indices for at least `count` meshes.
  void reserve(PassContext& context, uint32_t count);
  void bind(VkCommandBuffer commands) const {
    vkCmdBindIndexBuffer(commands, buffer_.handle(), 0, VK_INDEX_TYPE_UINT32);
  }
  uint32_t indices_each() const noexcept { return static_cast<uint32_t>(pattern_.size()); }

 private:
  std::vector<uint32_t> pattern_;
  uint32_t stride_;
  const char* name_;
  uint32_t capacity_ = 0;
  gpu::Buffer buffer_;
};

}  // namespace render
