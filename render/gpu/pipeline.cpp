#include "render/gpu/pipeline.h"

#include <array>
#include <utility>
#include <vector>

#include "shaders/shared.h"

namespace gpu {
namespace {

class Module {
 public:
  Module(Device& device, std::span<const uint32_t> code) : device_(device) {
    const VkShaderModuleCreateInfo info{.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                        .pNext = nullptr,
                                        .flags = 0,
                                        .codeSize = code.size_bytes(),
                                        .pCode = code.data()};
    VK_CHECK(vkCreateShaderModule(device.handle(), &info, nullptr, &module_));
  }
  ~Module() { vkDestroyShaderModule(device_.handle(), module_, nullptr); }
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  VkPipelineShaderStageCreateInfo stage(VkShaderStageFlagBits stage,
                                        const VkSpecializationInfo* constants = nullptr) const {
    return {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
            .pNext = nullptr,
            .flags = 0,
            .stage = stage,
            .module = module_,
            .pName = "main",
            .pSpecializationInfo = constants};
  }

 private:
  Device& device_;
  VkShaderModule module_ = VK_NULL_HANDLE;
};

}  // namespace

PipelineLayout::PipelineLayout(Device& device) : device_(device) {
  std::array<VkDescriptorSetLayoutBinding, shaders::kBindCount> bindings{};
  for (uint32_t i = 0; i < bindings.size(); ++i) {
    bindings[i] = {.binding = i,
                   .descriptorType = i == shaders::kBindFrame ? VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER
                                     : i < shaders::kBindTextureA
                                         ? VK_DESCRIPTOR_TYPE_STORAGE_BUFFER
                                         : VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
                   .descriptorCount = 1,
                   .stageFlags = VK_SHADER_STAGE_ALL,
                   .pImmutableSamplers = nullptr};
  }
  const VkDescriptorSetLayoutCreateInfo set{
      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
      .pNext = nullptr,
      .flags = VK_DESCRIPTOR_SET_LAYOUT_CREATE_PUSH_DESCRIPTOR_BIT_KHR,
      .bindingCount = static_cast<uint32_t>(bindings.size()),
      .pBindings = bindings.data()};
  VK_CHECK(vkCreateDescriptorSetLayout(device.handle(), &set, nullptr, &set_));
  const VkPushConstantRange range{.stageFlags = VK_SHADER_STAGE_ALL, .offset = 0, .size = 64};
  const VkPipelineLayoutCreateInfo layout{.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                          .pNext = nullptr,
                                          .flags = 0,
                                          .setLayoutCount = 1,
                                          .pSetLayouts = &set_,
                                          .pushConstantRangeCount = 1,
                                          .pPushConstantRanges = &range};
  VK_CHECK(vkCreatePipelineLayout(device.handle(), &layout, nullptr, &layout_));
  push_descriptor_ = reinterpret_cast<PFN_vkCmdPushDescriptorSetKHR>(
      vkGetDeviceProcAddr(device.handle(), "vkCmdPushDescriptorSetKHR"));
}

PipelineLayout::~PipelineLayout() {
  device_.retire([&device = device_, set = set_, layout = layout_] {
    vkDestroyPipelineLayout(device.handle(), layout, nullptr);
    vkDestroyDescriptorSetLayout(device.handle(), set, nullptr);
  });
}

void PipelineLayout::bind_buffer(VkCommandBuffer commands, VkPipelineBindPoint point,
                                 uint32_t binding, VkBuffer buffer, VkDeviceSize offset,
                                 VkDeviceSize bytes) const {
  const VkDescriptorBufferInfo info{buffer, offset, bytes};
  const VkWriteDescriptorSet write{.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                   .pNext = nullptr,
                                   .dstSet = VK_NULL_HANDLE,
                                   .dstBinding = binding,
                                   .dstArrayElement = 0,
                                   .descriptorCount = 1,
                                   .descriptorType = binding == shaders::kBindFrame
                                                         ? VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER
                                                         : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                   .pImageInfo = nullptr,
                                   .pBufferInfo = &info,
                                   .pTexelBufferView = nullptr};
  push_descriptor_(commands, point, layout_, 0, 1, &write);
}

void PipelineLayout::bind_image(VkCommandBuffer commands, uint32_t binding, VkImageView view,
                                VkSampler sampler, VkImageLayout layout) const {
  const VkDescriptorImageInfo info{sampler, view, layout};
  const VkWriteDescriptorSet write{.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                   .pNext = nullptr,
                                   .dstSet = VK_NULL_HANDLE,
                                   .dstBinding = binding,
                                   .dstArrayElement = 0,
                                   .descriptorCount = 1,
                                   .descriptorType = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
                                   .pImageInfo = &info,
                                   .pBufferInfo = nullptr,
                                   .pTexelBufferView = nullptr};
  push_descriptor_(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, layout_, 0, 1, &write);
}

Pipeline::Pipeline(Device& device, const PipelineLayout& layout, const GraphicsDesc& desc)
    : device_(&device) {
  const Module vertex(device, desc.vertex), fragment(device, desc.fragment);
  std::vector<VkSpecializationMapEntry> entries;
  for (uint32_t i = 0; i < desc.constants.size(); ++i)
    entries.push_back({i, static_cast<uint32_t>(i * sizeof(uint32_t)), sizeof(uint32_t)});
  const VkSpecializationInfo constants{.mapEntryCount = static_cast<uint32_t>(entries.size()),
                                       .pMapEntries = entries.data(),
                                       .dataSize = desc.constants.size_bytes(),
                                       .pData = desc.constants.data()};
  const std::array stages = {vertex.stage(VK_SHADER_STAGE_VERTEX_BIT, &constants),
                             fragment.stage(VK_SHADER_STAGE_FRAGMENT_BIT, &constants)};

  VkPipelineVertexInputStateCreateInfo input{};  // vertices are pulled from storage buffers
  input.sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO;
  VkPipelineInputAssemblyStateCreateInfo assembly{};
  assembly.sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO;
  assembly.topology = desc.topology;
  VkPipelineViewportStateCreateInfo viewport{};
  viewport.sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO;
  viewport.viewportCount = 1;
  viewport.scissorCount = 1;
  VkPipelineRasterizationStateCreateInfo raster{};
  raster.sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO;
  raster.lineWidth = 1;
  VkPipelineMultisampleStateCreateInfo multisample{};
  multisample.sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO;
  multisample.rasterizationSamples = desc.samples;
  VkPipelineDepthStencilStateCreateInfo depth{};
  depth.sType = VK_STRUCTURE_TYPE_PIPELINE_DEPTH_STENCIL_STATE_CREATE_INFO;
  depth.depthTestEnable = desc.depth_test ? VK_TRUE : VK_FALSE;
  depth.depthWriteEnable = desc.depth_write ? VK_TRUE : VK_FALSE;
  depth.depthCompareOp = VK_COMPARE_OP_LESS_OR_EQUAL;
  VkPipelineColorBlendAttachmentState attachment{};
  attachment.blendEnable = desc.blend != Blend::kOff ? VK_TRUE : VK_FALSE;
  attachment.srcColorBlendFactor =
      desc.blend == Blend::kAlpha ? VK_BLEND_FACTOR_SRC_ALPHA : VK_BLEND_FACTOR_ONE;
  attachment.dstColorBlendFactor = VK_BLEND_FACTOR_ONE_MINUS_SRC_ALPHA;
  attachment.srcAlphaBlendFactor = VK_BLEND_FACTOR_ONE;
  attachment.dstAlphaBlendFactor = VK_BLEND_FACTOR_ONE_MINUS_SRC_ALPHA;
  attachment.colorWriteMask = 0xf;
  VkPipelineColorBlendStateCreateInfo blend{};
  blend.sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO;
  blend.attachmentCount = 1;
  blend.pAttachments = &attachment;
  const std::array dynamics = {VK_DYNAMIC_STATE_VIEWPORT, VK_DYNAMIC_STATE_SCISSOR};
  VkPipelineDynamicStateCreateInfo dynamic{};
  dynamic.sType = VK_STRUCTURE_TYPE_PIPELINE_DYNAMIC_STATE_CREATE_INFO;
  dynamic.dynamicStateCount = static_cast<uint32_t>(dynamics.size());
  dynamic.pDynamicStates = dynamics.data();
  VkPipelineRenderingCreateInfo rendering{};
  rendering.sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO;
  rendering.colorAttachmentCount = 1;
  rendering.pColorAttachmentFormats = &desc.color;
  rendering.depthAttachmentFormat = desc.depth;

  VkGraphicsPipelineCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO;
  info.pNext = &rendering;
  info.stageCount = static_cast<uint32_t>(stages.size());
  info.pStages = stages.data();
  info.pVertexInputState = &input;
  info.pInputAssemblyState = &assembly;
  info.pViewportState = &viewport;
  info.pRasterizationState = &raster;
  info.pMultisampleState = &multisample;
  info.pDepthStencilState = &depth;
  info.pColorBlendState = &blend;
  info.pDynamicState = &dynamic;
  info.layout = layout.handle();
  VK_CHECK(vkCreateGraphicsPipelines(device.handle(), device.pipeline_cache(), 1, &info, nullptr,
                                     &pipeline_));
  ++device.count().pipelines;
  device.name_object(VK_OBJECT_TYPE_PIPELINE, reinterpret_cast<uint64_t>(pipeline_), desc.name);
}

Pipeline::Pipeline(Device& device, const PipelineLayout& layout, std::span<const uint32_t> compute,
                   const char* name)
    : device_(&device), point_(VK_PIPELINE_BIND_POINT_COMPUTE) {
  const Module module(device, compute);
  VkComputePipelineCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
  info.stage = module.stage(VK_SHADER_STAGE_COMPUTE_BIT);
  info.layout = layout.handle();
  VK_CHECK(vkCreateComputePipelines(device.handle(), device.pipeline_cache(), 1, &info, nullptr,
                                    &pipeline_));
  ++device.count().pipelines;
  device.name_object(VK_OBJECT_TYPE_PIPELINE, reinterpret_cast<uint64_t>(pipeline_), name);
}

Pipeline::Pipeline(Pipeline&& other) noexcept
    : device_(other.device_),
      pipeline_(std::exchange(other.pipeline_, VK_NULL_HANDLE)),
      point_(other.point_) {}

Pipeline& Pipeline::operator=(Pipeline&& other) noexcept {
  if (this != &other) {
    release();
    device_ = other.device_;
    pipeline_ = std::exchange(other.pipeline_, VK_NULL_HANDLE);
    point_ = other.point_;
  }
  return *this;
}

void Pipeline::release() noexcept {
  if (pipeline_ == VK_NULL_HANDLE) return;
  device_->retire([device = device_, pipeline = pipeline_] {
    vkDestroyPipeline(device->handle(), pipeline, nullptr);
    --device->count().pipelines;
  });
  pipeline_ = VK_NULL_HANDLE;
}

}  // namespace gpu
