#include "render/pass/bolts.h"

#include <algorithm>

#include "shaders/spirv.h"

namespace render {
namespace {

constexpr uint32_t kVertices = 2 * (shaders::kBoltSegments + 1);

std::vector<uint32_t> ribbon() {
  std::vector<uint32_t> indices;
  for (uint32_t i = 0; i < shaders::kBoltSegments; ++i) {
    for (const uint32_t corner : {0u, 1u, 2u, 2u, 1u, 3u}) indices.push_back(2 * i + corner);
  }
  return indices;
}

}  // namespace

BoltsPass::BoltsPass(PassContext& context, VkSampleCountFlagBits samples)
    : context_(context),
      pipeline_(context, {.vertex = shaders::bolts_vert,
                          .fragment = shaders::bolts_frag,
                          .color = kSceneFormat,
                          .depth = kDepthFormat,
                          .depth_test = true,
                          .samples = samples,
                          .blend = gpu::Blend::kPremultiplied,
                          .name = "bolts"}),
      indices_(ribbon(), kVertices, "bolt indices") {}

void BoltsPass::reserve(const StepStore& steps, uint64_t first, uint64_t last,
                        const shaders::Frame& frame) {
  ranges_ = steps.bolts(first, last, frame);
  uint32_t most = 0;
  count_ = 0;
  for (const RecordRange range : ranges_) {
    most = std::max(most, range.count);
    count_ += range.count;
  }
  indices_.reserve(context_, most);
}

void BoltsPass::record(VkCommandBuffer commands, const SceneBuffers& scene,
                       const StepStore& steps) {
  GPU_SCOPE(context_.timer, commands, "bolts");
  if (ranges_.empty()) return;
  pipeline_.bind(commands);
  draw(commands, scene, steps);
}

void BoltsPass::draw(VkCommandBuffer commands, const SceneBuffers& scene,
                     const StepStore& steps) const {
  if (ranges_.empty()) return;
  const gpu::PipelineLayout& layout = context_.layout;
  constexpr VkPipelineBindPoint kPoint = VK_PIPELINE_BIND_POINT_GRAPHICS;
  layout.bind_buffer(commands, kPoint, shaders::kBindFrame, scene.frame, scene.frame_offset,
                     sizeof(shaders::Frame));
  layout.bind_buffer(commands, kPoint, shaders::kBindEvents, steps.bolt_buffer());
  indices_.bind(commands);
  for (const RecordRange range : ranges_) {
    context_.draw_indexed(commands, range.count * indices_.indices_each(), 0,
                          static_cast<int32_t>(range.first * kVertices));
  }
}

}  // namespace render
