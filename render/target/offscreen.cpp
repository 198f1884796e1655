#include "render/target/offscreen.h"

#include <fmt/format.h>

#include "model/error.h"
#include "render/gpu/barrier.h"

namespace render {

Offscreen::Offscreen(gpu::Device& device, uint32_t width, uint32_t height, OnFrame on_frame,
                     VkFormat format)
    : device_(device), extent_{width, height}, format_(format), on_frame_(std::move(on_frame)) {
  const uint32_t limit = device.properties().limits.maxImageDimension2D;
  if (width == 0 || height == 0 || width > limit || height > limit) {
    throw fulgurite::Error(fulgurite::ExitCode::kUsage,
                           fmt::format("{}x{} is not a size this device can draw", width, height),
                           "--window-size", fmt::format("1x1 to {}x{}", limit, limit));
  }
  for (Slot& slot : slots_) {
    slot.image = gpu::Image(
        device, {.width = width,
                 .height = height,
                 .format = format_,
                 .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
                 .name = "offscreen"});
    slot.pixels =
        gpu::Buffer(device, uint64_t{width} * height * 4, VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                    gpu::Memory::kReadBack, "read back");
  }
}

Offscreen::~Offscreen() = default;

bool Offscreen::acquire(TargetImage& out) {
  Slot& slot = slots_[drawn_ % kRing];
  deliver(slot);
  out = {slot.image.handle(), slot.image.view(), VK_NULL_HANDLE, VK_NULL_HANDLE};
  return true;
}

void Offscreen::finish(VkCommandBuffer commands) {
  const Slot& slot = slots_[drawn_ % kRing];
  gpu::image_barrier(commands, slot.image.handle(), VK_IMAGE_ASPECT_COLOR_BIT, gpu::kColorWrite,
                     gpu::kTransferRead, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                     VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
  const VkBufferImageCopy region{.bufferOffset = 0,
                                 .bufferRowLength = 0,
                                 .bufferImageHeight = 0,
                                 .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                 .imageOffset = {},
                                 .imageExtent = {extent_.width, extent_.height, 1}};
  vkCmdCopyImageToBuffer(commands, slot.image.handle(), VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                         slot.pixels.handle(), 1, &region);
  gpu::barrier(commands, gpu::kTransferWrite, gpu::kHostRead);
}

void Offscreen::submitted(uint64_t submission) {
  Slot& slot = slots_[drawn_ % kRing];
  slot.submission = submission;
  slot.pending = true;
  ++drawn_;
}

void Offscreen::deliver(Slot& slot) {
  if (!slot.pending) return;
  slot.pending = false;
  device_.wait(slot.submission);
  const uint64_t index = delivered_++;
  if (on_frame_) on_frame_(index, slot.pixels.mapped<uint8_t>());
}

void Offscreen::flush() {
  while (delivered_ < drawn_) deliver(slots_[delivered_ % kRing]);
}

std::vector<uint8_t> Offscreen::read_back() {
  flush();
  if (drawn_ == 0) return {};
  const auto pixels = slots_[(drawn_ - 1) % kRing].pixels.mapped<uint8_t>();
  return {pixels.begin(), pixels.end()};
}

}  // namespace render
