// `fulgurite bench-render`: how fast frames are drawn.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "render/commands/options.h"

namespace render::commands {

struct BenchRenderOptions {
  SceneOptions scene;
  uint32_t frames = 240;
  bool full_quality = false;  // as record and shot draw; otherwise as a window does
  bool json = false;
  std::string picture;  // PNG of the frame in the middle, as it was measured; empty: none
  // Called once a frame: keeps a model writing beside the picture and reads what it wrote. Returns
  // the tokens written so far. Empty: nobody writes.
  std::function<uint64_t()> meanwhile;
};

// Drives a fixed camera path over the whole trace through the offscreen target, panels included,
// and prints the percentiles of the time from frame to frame and of its parts. Frames overlap on
// the GPU as a window's do. Returns the exit code.
int bench_render(const BenchRenderOptions& options);

}  // namespace render::commands
