// Frames without a display: drawn into images, read back through a ring of host-visible buffers.
// GLFW is never touched.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "render/gpu/buffer.h"
#include "render/gpu/image.h"
#include "render/target/target.h"

namespace render {

class Offscreen final : public Target {
 public:
  // One frame: width * height * 4 bytes, RGBA8 (or of the other format of 8 bits a channel that was
  // asked for), sRGB-encoded, rows from the top, alpha 255.
  // The bytes are valid during the call. Frames come in the order they were drawn, from inside
  // acquire() or flush(), on the drawing thread; throwing from it is allowed.
  using OnFrame = std::function<void(uint64_t index, std::span<const uint8_t> rgba)>;

  // Throws Error (usage) when the device cannot make an image of that size.
  Offscreen(gpu::Device& device, uint32_t width, uint32_t height, OnFrame on_frame = {},
            VkFormat format = VK_FORMAT_R8G8B8A8_UNORM);
  ~Offscreen() override;

  VkExtent2D extent() const override { return extent_; }
  VkFormat format() const override { return format_; }
  bool acquire(TargetImage& out) override;
  void finish(VkCommandBuffer commands) override;
  void submitted(uint64_t submission) override;

  // Waits for every frame drawn so far and delivers it.
  void flush();
  // flush(), then the newest frame. Empty before the first.
  std::vector<uint8_t> read_back();

 private:
  static constexpr size_t kRing = 3;
  struct Slot {
    gpu::Image image;
    gpu::Buffer pixels;
    uint64_t submission = 0;
    bool pending = false;
  };
  void deliver(Slot& slot);

  gpu::Device& device_;
  VkExtent2D extent_;
  VkFormat format_;
  OnFrame on_frame_;
  Slot slots_[kRing];
  uint64_t drawn_ = 0;      // frames handed out
  uint64_t delivered_ = 0;  // frames given to on_frame_
};

}  // namespace render
