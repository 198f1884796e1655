// What every frame of a window took, as JSON: one object a line.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "render/gpu/device.h"
#include "render/stage.h"

namespace render::commands {

class FrameLog {
 public:
  // Throws Error (failed) when the file cannot be written. An empty path: nothing is logged.
  explicit FrameLog(const std::string& path);
  // After a frame was drawn.
  void add(const Stage& stage, const gpu::Device& device);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  uint64_t frames_ = 0;
};

}  // namespace render::commands
