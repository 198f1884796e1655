// CPU -> GPU copies, gathered until the next frame records them.
#pragma once

#include <span>
#include <vector>

#include "render/gpu/buffer.h"
#include "render/gpu/image.h"

namespace gpu {

// Staging memory for data that lives for one frame or one copy: chunks that are used again once
// the submission that read them has retired.
class Staging {
 public:
  struct Slice {
    VkBuffer buffer = VK_NULL_HANDLE;
    VkDeviceSize offset = 0;
    std::byte* data = nullptr;
  };

  explicit Staging(Device& device) : device_(device) {}
  // Valid for the commands of the next submission; usable as uniform, storage, index or copy
  // source.
  Slice take(VkDeviceSize bytes);
  template <typename T>
  Slice put(std::span<const T> data);
  void frame_recorded();  // the chunks filled so far belong to the submission that comes next

 private:
  struct Chunk {
    Buffer buffer;
    VkDeviceSize used = 0;
    uint64_t submission = 0;  // 0: being filled
  };
  Device& device_;
  std::vector<Chunk> chunks_;
};

class Uploader {
 public:
  Uploader(Device& device, Staging& staging) : device_(device), staging_(staging) {}
  void write(const Buffer& to, VkDeviceSize offset, std::span<const std::byte> data);
  // The whole buffer moves to a larger one; before all writes to `to` that follow.
  void copy(const Buffer& from, const Buffer& to, VkDeviceSize bytes);
  // Rows of the rectangle follow each other without gaps. The image is kept in GENERAL; fresh: it
  // has just been made.
  void write(const Image& to, VkOffset2D at, VkExtent2D size, std::span<const std::byte> data,
             bool fresh);
  // Makes a fresh image usable in GENERAL.
  void prepare(const Image& image);
  // Records everything in order, between barriers against whatever came before and comes after.
  void flush(VkCommandBuffer commands);

 private:
  struct Op {
    VkBuffer from = VK_NULL_HANDLE;
    VkBuffer to = VK_NULL_HANDLE;
    VkBufferCopy range{};
    VkImage image = VK_NULL_HANDLE;
    VkImageAspectFlags aspect = 0;
    VkBufferImageCopy region{};
    bool fresh = false;
  };
  Device& device_;
  Staging& staging_;
  std::vector<Op> ops_;
};

template <typename T>
Staging::Slice Staging::put(std::span<const T> data) {
  const Slice slice = take(data.size_bytes());
  if (!data.empty()) __builtin_memcpy(slice.data, data.data(), data.size_bytes());
  return slice;
}

}  // namespace gpu
