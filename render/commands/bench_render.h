// `fulgurite bench-render`: how fast frames are drawn, for a window and for a recording.
#pragma once

#include <cstdint>

#include "render/commands/options.h"

namespace render::commands {

struct BenchRenderOptions {
  SceneOptions scene;
  uint32_t frames = 240;  // a quality
  bool json = false;
};

// Drives a fixed camera path over the whole trace through the offscreen target, once in window
// quality and once in full quality, panels included, each frame waited for, and prints the
// percentiles of a frame's time and of its parts. Returns the exit code.
int bench_render(const BenchRenderOptions& options);

}  // namespace render::commands
