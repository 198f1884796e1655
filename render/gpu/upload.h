// CPU -> GPU copies, gathered until the next frame records them.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "render/gpu/buffer.h"
#include "render/gpu/image.h"

namespace gpu {

// Staging memory for data that lives for one frame or one copy. Submissions take turns: how many
// chunks there are depends on what was put, never on how fast the GPU is.
class Staging {
 public:
  struct Slice {
    VkBuffer buffer = VK_NULL_HANDLE;
    VkDeviceSize offset = 0;
    std::byte* data = nullptr;
  };

  explicit Staging(Device& device) : device_(device) {}
  // Valid for the commands of the next submission; usable as uniform, storage, index or copy
  // source. Waits for the submission three before that one, should it not have retired yet.
  Slice take(VkDeviceSize bytes);
  template <typename T>
  Slice put(std::span<const T> data);
  void frame_recorded();  // the chunks filled so far belong to the submission that comes next

 private:
  struct Chunk {
    Buffer buffer;
    VkDeviceSize used = 0;
  };
  struct Turn {
    std::vector<Chunk> chunks;
    uint64_t submission = 0;  // that read them; 0: being filled
  };
  void start(Turn& turn);

  Device& device_;
  std::array<Turn, 3> turns_;  // two frames in flight and the one that is being filled
  size_t turn_ = 0;
};

class Uploader {
 public:
  explicit Uploader(Staging& staging) : staging_(staging) {}
  void write(const Buffer& to, VkDeviceSize offset, std::span<const std::byte> data);
  // The whole buffer moves to a larger one; before all writes to `to` that follow. `from` is let go
  // of when that is recorded.
  void move(Buffer from, const Buffer& to, VkDeviceSize bytes);
  // Rows of the rectangle follow each other without gaps. The image is kept in GENERAL; fresh: it
  // has just been made.
  void write(const Image& to, VkOffset2D at, VkExtent2D size, std::span<const std::byte> data,
             bool fresh);
  // Brings a fresh image into image.layout().
  void prepare(const Image& image);
  // Records everything in order, between barriers against whatever came before and comes after.
  void flush(VkCommandBuffer commands);
  bool pending() const noexcept { return !ops_.empty(); }

 private:
  struct Op {
    VkBuffer from = VK_NULL_HANDLE;
    VkBuffer to = VK_NULL_HANDLE;
    VkBufferCopy range{};
    VkImage image = VK_NULL_HANDLE;
    VkImageAspectFlags aspect = 0;
    VkImageLayout rests = VK_IMAGE_LAYOUT_GENERAL;  // what it is left in
    VkBufferImageCopy region{};
    bool fresh = false;
  };
  Staging& staging_;
  std::vector<Op> ops_;
  std::vector<Buffer> moved_;
};

template <typename T>
Staging::Slice Staging::put(std::span<const T> data) {
  const Slice slice = take(data.size_bytes());
  if (!data.empty()) __builtin_memcpy(slice.data, data.data(), data.size_bytes());
  return slice;
}

}  // namespace gpu
