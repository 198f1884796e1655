#include "render/gpu/upload.h"

#include <algorithm>

#include "model/error.h"
#include "render/gpu/barrier.h"

namespace gpu {
namespace {

constexpr VkDeviceSize kChunkBytes = VkDeviceSize{1} << 20;
constexpr VkDeviceSize kAlignment =
    256;  // the largest that Vulkan allows for uniform and storage offsets

}  // namespace

Staging::Slice Staging::take(VkDeviceSize bytes) {
  Turn& turn = turns_[turn_];
  if (turn.submission != 0) start(turn);
  const VkDeviceSize rounded =
      (std::max<VkDeviceSize>(bytes, 1) + kAlignment - 1) & ~(kAlignment - 1);
  auto chunk = std::find_if(turn.chunks.begin(), turn.chunks.end(), [&](const Chunk& candidate) {
    return candidate.buffer.bytes() - candidate.used >= rounded;
  });
  if (chunk == turn.chunks.end()) {
    constexpr VkBufferUsageFlags kUsage =
        VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT |
        VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_INDEX_BUFFER_BIT;
    chunk = turn.chunks.insert(chunk, {Buffer(device_, std::max(rounded, kChunkBytes), kUsage,
                                              Memory::kUpload, "staging")});
  }
  const Slice slice{chunk->buffer.handle(), chunk->used,
                    chunk->buffer.mapped<std::byte>().data() + chunk->used};
  chunk->used += rounded;
  return slice;
}

void Staging::start(Turn& turn) {
  device_.wait(turn.submission);
  turn.submission = 0;
  // A burst (a new model, a long prompt) leaves large chunks behind.
  std::erase_if(turn.chunks, [](const Chunk& chunk) { return chunk.buffer.bytes() > kChunkBytes; });
  for (Chunk& chunk : turn.chunks) chunk.used = 0;
}

void Staging::frame_recorded() {
  turns_[turn_].submission = device_.next_submission();
  turn_ = (turn_ + 1) % turns_.size();
}

void Uploader::write(const Buffer& to, VkDeviceSize offset, std::span<const std::byte> data) {
  if (data.empty()) return;
  CHECK(offset <= to.bytes() && data.size() <= to.bytes() - offset);
  const Staging::Slice slice = staging_.put(data);
  Op op;
  op.from = slice.buffer;
  op.to = to.handle();
  op.range = {slice.offset, offset, data.size()};
  ops_.push_back(op);
}

void Uploader::move(Buffer from, const Buffer& to, VkDeviceSize bytes) {
  CHECK(bytes <= from.bytes() && bytes <= to.bytes());
  Op op;
  op.from = from.handle();
  op.to = to.handle();
  op.range = {0, 0, bytes};
  ops_.push_back(op);
  moved_.push_back(std::move(from));
}

void Uploader::write(const Image& to, VkOffset2D at, VkExtent2D size,
                     std::span<const std::byte> data, bool fresh) {
  CHECK(at.x >= 0 && static_cast<uint32_t>(at.x) + size.width <= to.extent().width);
  CHECK(at.y >= 0 && static_cast<uint32_t>(at.y) + size.height <= to.extent().height);
  const Staging::Slice slice = staging_.put(data);
  Op op;
  op.from = slice.buffer;
  op.image = to.handle();
  op.aspect = to.aspect();
  op.region = {.bufferOffset = slice.offset,
               .bufferRowLength = 0,
               .bufferImageHeight = 0,
               .imageSubresource = {to.aspect(), 0, 0, 1},
               .imageOffset = {at.x, at.y, 0},
               .imageExtent = {size.width, size.height, 1}};
  op.fresh = fresh;
  ops_.push_back(op);
}

void Uploader::prepare(const Image& image) {
  Op op;
  op.image = image.handle();
  op.aspect = image.aspect();
  op.rests = image.layout();
  op.fresh = true;
  ops_.push_back(op);
}

void Uploader::flush(VkCommandBuffer commands) {
  if (ops_.empty()) return;
  barrier(commands, kAnything, kTransferWrite);
  constexpr Access kTransfer{kTransferWrite.stage, kTransferWrite.access | kTransferRead.access};
  for (const Op& op : ops_) {
    if (op.image == VK_NULL_HANDLE) {
      vkCmdCopyBuffer(commands, op.from, op.to, 1, &op.range);
    } else {
      VkImageLayout layout = op.fresh ? VK_IMAGE_LAYOUT_UNDEFINED : VK_IMAGE_LAYOUT_GENERAL;
      if (op.from != VK_NULL_HANDLE) {
        constexpr VkImageLayout kCopy = VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL;
        image_barrier(commands, op.image, op.aspect, kTransfer, kTransfer, layout, kCopy);
        vkCmdCopyBufferToImage(commands, op.from, op.image, kCopy, 1, &op.region);
        layout = kCopy;
      }
      image_barrier(commands, op.image, op.aspect, kTransfer, kTransfer, layout, op.rests);
    }
    // Later copies may read or overwrite what this one wrote.
    barrier(commands, kTransferWrite, kTransfer);
  }
  barrier(commands, kTransferWrite, kAnything);
  ops_.clear();
  moved_.clear();
}

}  // namespace gpu
