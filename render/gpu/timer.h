// GPU time per pass, by one line: GPU_SCOPE(timer, commands, "bloom").
#pragma once

#include <array>
#include <vector>

#include "render/gpu/buffer.h"
#include "render/gpu/device.h"

namespace gpu {

struct Timing {
  const char* name;
  double ms;
};

class Timer {
 public:
  explicit Timer(Device& device);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Before the first scope of a frame: collects what the oldest frame measured.
  void begin_frame(VkCommandBuffer commands);
  void begin(VkCommandBuffer commands, const char* name);
  void end(VkCommandBuffer commands);
  // After the last one: has the results copied to where they can be read without waiting. (Asking
  // the query pool itself makes some drivers wait for everything.)
  void end_frame(VkCommandBuffer commands);
  void frame_recorded();

  const std::vector<Timing>& newest() const noexcept { return newest_; }
  // From the begin of that frame's first scope to the end of its last; 0: not known.
  double newest_frame_ms() const noexcept { return newest_frame_ms_; }

 private:
  static constexpr uint32_t kScopes = 16;  // of one frame
  static constexpr size_t kFrames = 4;
  struct Frame {
    VkQueryPool pool = VK_NULL_HANDLE;
    Buffer ticks;  // uint64_t[2 * kScopes]
    std::vector<const char*> names;
    uint64_t submission = 0;
  };
  Device& device_;
  bool usable_ = false;
  uint64_t valid_ = 0;  // the bits of a timestamp that count
  std::array<Frame, kFrames> frames_;
  size_t current_ = 0;
  std::vector<Timing> newest_;
  double newest_frame_ms_ = 0.0;
};

class Scope {
 public:
  Scope(Timer& timer, VkCommandBuffer commands, const char* name)
      : timer_(timer), commands_(commands) {
    timer.begin(commands, name);
  }
  ~Scope() { timer_.end(commands_); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Timer& timer_;
  VkCommandBuffer commands_;
};

}  // namespace gpu

#define GPU_SCOPE(timer, commands, name) const ::gpu::Scope gpu_scope_(timer, commands, name)
