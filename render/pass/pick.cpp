#include "render/pass/pick.h"

#include "render/gpu/barrier.h"
#include "shaders/spirv.h"

namespace render {
namespace {

constexpr int kReach = 3;  // pixels off that still count when the very pixel shows nothing

}  // namespace

PickPass::PickPass(PassContext& context)
    : context_(context),
      pipelines_(context, VK_FORMAT_R32_UINT, VK_SAMPLE_COUNT_1_BIT, shaders::pick_frag,
                 shaders::pick_plate_frag),
      bolts_(context.device, context.layout,
             {.vertex = shaders::bolts_vert,
              .fragment = shaders::pick_bolt_frag,
              .color = VK_FORMAT_R32_UINT,
              .depth = kDepthFormat,
              .depth_test = true,
              .depth_write = true,
              .name = "pick bolts"}) {
  ids_ = gpu::Image(context.device,
                    {.width = kSide,
                     .height = kSide,
                     .format = VK_FORMAT_R32_UINT,
                     .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
                     .name = "pick"});
  depth_ = gpu::Image(context.device, {.width = kSide,
                                       .height = kSide,
                                       .format = kDepthFormat,
                                       .usage = VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT,
                                       .name = "pick depth"});
  context.uploader.prepare(ids_);
  context.uploader.prepare(depth_);
  for (Slot& slot : slots_) {
    slot.ids = gpu::Buffer(context.device, kSide * kSide * sizeof(uint32_t),
                           VK_BUFFER_USAGE_TRANSFER_DST_BIT, gpu::Memory::kReadBack, "picked");
  }
}

void PickPass::record(VkCommandBuffer commands, const SceneBuffers& scene, const NodesPass& nodes,
                      const BoltsPass& bolts, const StepStore& steps, glm::ivec2 pixel,
                      VkExtent2D extent) {
  GPU_SCOPE(context_.timer, commands, "pick");
  constexpr int kMiddle = kSide / 2;
  {
    const Rendering rendering(commands, {.extent = {kSide, kSide},
                                         .color = ids_.view(),
                                         .color_load = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                         .depth = depth_.view()});
    // The whole picture, shifted so that the pixel falls into the middle of the few.
    const VkViewport viewport{static_cast<float>(kMiddle - pixel.x),
                              static_cast<float>(kMiddle - pixel.y),
                              static_cast<float>(extent.width),
                              static_cast<float>(extent.height),
                              0,
                              1};
    vkCmdSetViewport(commands, 0, 1, &viewport);
    nodes.draw(commands, scene, pipelines_);
    bolts_.bind(commands);
    bolts.draw(commands, scene, steps);
  }
  Slot& slot = slots_[next_];
  next_ = (next_ + 1) % slots_.size();
  constexpr VkImageLayout kCopy = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL;
  gpu::image_barrier(commands, ids_.handle(), ids_.aspect(), gpu::kColorWrite, gpu::kTransferRead,
                     VK_IMAGE_LAYOUT_GENERAL, kCopy);
  const VkBufferImageCopy region{.bufferOffset = 0,
                                 .bufferRowLength = 0,
                                 .bufferImageHeight = 0,
                                 .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                 .imageOffset = {},
                                 .imageExtent = {kSide, kSide, 1}};
  vkCmdCopyImageToBuffer(commands, ids_.handle(), kCopy, slot.ids.handle(), 1, &region);
  gpu::image_barrier(commands, ids_.handle(), ids_.aspect(), gpu::kTransferRead, gpu::kColorWrite,
                     kCopy, VK_IMAGE_LAYOUT_GENERAL);
  gpu::barrier(commands, gpu::kTransferWrite, gpu::kHostRead);
  slot.pixel = pixel;
  slot.submission = context_.device.next_submission();
  slot.places = steps.bolt_places();
}

std::optional<PickResult> PickPass::take() {
  const uint64_t done = context_.device.completed();
  Slot* newest = nullptr;
  for (Slot& slot : slots_) {
    if (slot.submission != 0 && slot.submission <= done &&
        (newest == nullptr || slot.submission > newest->submission)) {
      newest = &slot;
    }
  }
  if (newest == nullptr) return std::nullopt;
  const auto ids = newest->ids.mapped<uint32_t>();
  constexpr int kMiddle = kSide / 2;
  PickResult answer{newest->pixel, 0, {}};
  uint32_t found = 0;
  int nearest = kReach * kReach + 1;
  for (int y = -kReach; y <= kReach; ++y) {
    for (int x = -kReach; x <= kReach; ++x) {
      const uint32_t id =
          ids[static_cast<size_t>((kMiddle + y) * static_cast<int>(kSide) + kMiddle + x)];
      if (id == 0 || x * x + y * y >= nearest) continue;
      nearest = x * x + y * y;
      found = id;
    }
  }
  if ((found & shaders::kPickedBolt) == 0) {
    answer.node = found;
  } else {
    const uint32_t record = found & ~shaders::kPickedBolt;
    for (const StepStore::Place& place : newest->places) {
      if (record - place.range.first < place.range.count)
        answer.bolt = BoltRef{place.step, record - place.range.first};
    }
  }
  const uint64_t taken = newest->submission;
  for (Slot& slot : slots_) {
    if (slot.submission <= taken) slot.submission = 0;
  }
  return answer;
}

}  // namespace render
