#include "render/pass/pass.h"

#include <algorithm>

namespace render {
namespace {

VkSampler make_sampler(gpu::Device& device, VkFilter filter) {
  VkSamplerCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO;
  info.magFilter = filter;
  info.minFilter = filter;
  info.mipmapMode = VK_SAMPLER_MIPMAP_MODE_NEAREST;
  info.addressModeU = info.addressModeV = info.addressModeW = VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE;
  VkSampler sampler = VK_NULL_HANDLE;
  VK_CHECK(vkCreateSampler(device.handle(), &info, nullptr, &sampler));
  return sampler;
}

}  // namespace

PassContext::PassContext(gpu::Device& gpu_device)
    : device(gpu_device),
      layout(gpu_device),
      staging(gpu_device),
      uploader(staging),
      timer(gpu_device) {
  linear = make_sampler(device, VK_FILTER_LINEAR);
  nearest = make_sampler(device, VK_FILTER_NEAREST);
}

PassContext::~PassContext() {
  device.retire([&d = device, a = linear, b = nearest] {
    vkDestroySampler(d.handle(), a, nullptr);
    vkDestroySampler(d.handle(), b, nullptr);
  });
}

void ThemePipeline::bind(VkCommandBuffer commands, VkFormat color) {
  desc_.color = color;
  bind(commands);
}

void ThemePipeline::bind(VkCommandBuffer commands) {
  gpu::Pipeline& pipeline = pipelines_[{desc_.color, context_.light_theme}];
  if (!pipeline) {
    const std::array<uint32_t, 2> constants = {context_.light_theme ? 1U : 0U, variant_};
    gpu::GraphicsDesc desc = desc_;
    desc.constants = constants;
    pipeline = gpu::Pipeline(context_.device, context_.layout, desc);
  }
  pipeline.bind(commands);
}

Rendering::Rendering(VkCommandBuffer commands, const RenderTo& to) : commands_(commands) {
  VkRenderingAttachmentInfo color{};
  color.sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO;
  color.imageView = to.color;
  color.imageLayout = to.color_layout;
  color.loadOp = to.color_load;
  color.storeOp = to.resolve != VK_NULL_HANDLE ? VK_ATTACHMENT_STORE_OP_DONT_CARE
                                               : VK_ATTACHMENT_STORE_OP_STORE;
  if (to.resolve != VK_NULL_HANDLE) {
    color.resolveMode = VK_RESOLVE_MODE_AVERAGE_BIT;
    color.resolveImageView = to.resolve;
    color.resolveImageLayout = VK_IMAGE_LAYOUT_GENERAL;
  }
  VkRenderingAttachmentInfo depth{};
  depth.sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO;
  depth.imageView = to.depth;
  depth.imageLayout = VK_IMAGE_LAYOUT_DEPTH_STENCIL_ATTACHMENT_OPTIMAL;
  depth.loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR;
  depth.storeOp = VK_ATTACHMENT_STORE_OP_DONT_CARE;
  depth.clearValue.depthStencil = {1.0f, 0};
  VkRenderingInfo info{};
  info.sType = VK_STRUCTURE_TYPE_RENDERING_INFO;
  info.renderArea.extent = to.extent;
  info.layerCount = 1;
  info.colorAttachmentCount = 1;
  info.pColorAttachments = &color;
  info.pDepthAttachment = to.depth != VK_NULL_HANDLE ? &depth : nullptr;
  vkCmdBeginRendering(commands, &info);
  const VkViewport viewport{
      0, 0, static_cast<float>(to.extent.width), static_cast<float>(to.extent.height), 0, 1};
  const VkRect2D scissor{{0, 0}, to.extent};
  vkCmdSetViewport(commands, 0, 1, &viewport);
  vkCmdSetScissor(commands, 0, 1, &scissor);
}

PatternIndices::PatternIndices(std::span<const uint32_t> pattern, uint32_t stride, const char* name)
    : pattern_(pattern.begin(), pattern.end()), stride_(stride), name_(name) {}

void PatternIndices::reserve(PassContext& context, uint32_t count) {
  if (count <= capacity_) return;
  capacity_ = std::max(count, capacity_ + capacity_ / 2);
  std::vector<uint32_t> indices;
  indices.reserve(capacity_ * pattern_.size());
  for (uint32_t mesh = 0; mesh < capacity_; ++mesh) {
    for (const uint32_t vertex : pattern_) indices.push_back(mesh * stride_ + vertex);
  }
  buffer_ = gpu::Buffer(context.device, indices.size() * sizeof(uint32_t),
                        VK_BUFFER_USAGE_INDEX_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                        gpu::Memory::kDevice, name_);
  context.uploader.write(buffer_, 0, std::as_bytes(std::span(indices)));
}

}  // namespace render
