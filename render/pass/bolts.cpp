#include "render/pass/bolts.h"

#include <algorithm>
#include <cstddef>

#include "render/gpu/barrier.h"
#include "shaders/spirv.h"

namespace render {
namespace {

using shaders::BoltDraw;

constexpr uint32_t kVertices = 2 * shaders::kPieceJoints;
constexpr uint32_t kFirstBolts = 1024;

std::vector<uint32_t> ribbon() {
  std::vector<uint32_t> indices;
  for (uint32_t i = 0; i < shaders::kPieceSegments; ++i) {
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
      choose_(context.device, context.layout, shaders::bolts_choose_comp, "bolts, chosen"),
      gather_(context.device, context.layout, shaders::bolts_gather_comp, "bolts, gathered"),
      path_(context.device, context.layout, shaders::bolts_path_comp, "bolts, paths"),
      indices_(ribbon(), kVertices, "bolt indices") {}

void BoltsPass::reserve(const StepStore& steps, uint64_t first, uint64_t last,
                        const shaders::Frame& frame) {
  ranges_ = steps.bolts(first, last, frame);
  count_ = 0;
  for (const RecordRange range : ranges_) count_ += range.count;
  // Where the device cannot bind the joints of so many the oldest are left out.
  constexpr size_t kJointBytes =
      sizeof(shaders::Joint) * shaders::kPieceJoints * shaders::kBoltPieces;
  const auto limit = static_cast<uint32_t>(
      context_.device.properties().limits.maxStorageBufferRange / kJointBytes);
  for (auto range = ranges_.begin(); count_ > limit; ++range) {
    const uint32_t out = std::min(range->count, count_ - limit);
    range->first += out;
    range->count -= out;
    count_ -= out;
  }
  std::erase_if(ranges_, [](const RecordRange& range) { return range.count == 0; });
  if (count_ <= capacity_) return;
  capacity_ = std::min(std::max({count_, capacity_ + capacity_ / 2, kFirstBolts}), limit);
  const uint64_t most = uint64_t{capacity_} * shaders::kBoltPieces;
  const auto buffer = [&](uint64_t bytes, VkBufferUsageFlags more, const char* name) {
    return gpu::Buffer(context_.device, bytes, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | more,
                       gpu::Memory::kDevice, name);
  };
  chosen_ = buffer(uint64_t{capacity_} * sizeof(uint32_t), 0, "chosen bolts");
  pieces_ = buffer(sizeof(BoltDraw) + most * sizeof(uint32_t),
                   VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT,
                   "pieces of bolts");
  joints_ = buffer(most * shaders::kPieceJoints * sizeof(shaders::Joint), 0, "joints of bolts");
  indices_.reserve(context_, static_cast<uint32_t>(most));
}

void BoltsPass::bind(VkCommandBuffer commands, VkPipelineBindPoint point, const SceneBuffers& scene,
                     const StepStore& steps) const {
  const gpu::PipelineLayout& layout = context_.layout;
  bind_frame(layout, commands, point, scene);
  layout.bind_buffer(commands, point, shaders::kBindEvents, steps.bolt_buffer());
  layout.bind_buffer(commands, point, shaders::kBindPieces, pieces_.handle());
  layout.bind_buffer(commands, point, shaders::kBindJoints, joints_.handle());
}

void BoltsPass::choose(VkCommandBuffer commands, const SceneBuffers& scene, const StepStore& steps,
                       const BoltDetail& detail, VkBuffer answer) {
  GPU_SCOPE(context_.timer, commands, "bolt paths");
  if (count_ == 0) {
    if (answer == VK_NULL_HANDLE) return;
    vkCmdFillBuffer(commands, answer, 0, VK_WHOLE_SIZE, 0);
    return gpu::barrier(commands, gpu::kTransferWrite, gpu::kHostRead);
  }
  constexpr VkPipelineBindPoint kPoint = VK_PIPELINE_BIND_POINT_COMPUTE;
  const gpu::PipelineLayout& layout = context_.layout;
  bind(commands, kPoint, scene, steps);
  layout.bind_buffer(commands, kPoint, shaders::kBindChosen, chosen_.handle());
  choose_.bind(commands);
  struct {
    RecordRange range;
    uint32_t at = 0;
    uint32_t finest;
    float budget;
  } push{.range = {}, .finest = detail.finest ? 1U : 0U, .budget = detail.budget};
  for (const RecordRange range : ranges_) {
    push.range = range;
    layout.push(commands, push);
    vkCmdDispatch(commands, (range.count + 63) / 64, 1, 1);
    push.at += range.count;
  }
  gpu::barrier(commands, gpu::kComputeAtomic, gpu::kComputeAtomic);
  gather_.bind(commands);
  layout.push(commands, count_);
  vkCmdDispatch(commands, 1, 1, 1);
  gpu::barrier(commands, gpu::kComputeAtomic, gpu::kAnything);
  path_.bind(commands);
  vkCmdDispatchIndirect(commands, pieces_.handle(), offsetof(BoltDraw, groups));
  if (answer != VK_NULL_HANDLE) {
    const VkBufferCopy counts{offsetof(BoltDraw, lit), 0, 2 * sizeof(uint32_t)};
    vkCmdCopyBuffer(commands, pieces_.handle(), answer, 1, &counts);
    gpu::barrier(commands, gpu::kTransferWrite, gpu::kHostRead);
  }
  gpu::barrier(commands, gpu::kComputeAtomic, gpu::kSceneRead);
}

void BoltsPass::record(VkCommandBuffer commands, const SceneBuffers& scene,
                       const StepStore& steps) {
  GPU_SCOPE(context_.timer, commands, "bolts");
  if (count_ == 0) return;
  pipeline_.bind(commands);
  draw(commands, scene, steps);
}

void BoltsPass::draw(VkCommandBuffer commands, const SceneBuffers& scene,
                     const StepStore& steps) const {
  if (count_ == 0) return;
  bind(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, scene, steps);
  indices_.bind(commands);
  context_.draw_indexed_indirect(commands, pieces_.handle());
}

}  // namespace render
