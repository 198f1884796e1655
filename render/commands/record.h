// `fulgurite record`: the picture of a whole conversation as a video, at a fixed time step:
// the same frames every time. `fulgurite shot`: one of them as a PNG.
#pragma once

#include <optional>
#include <string>

#include "render/commands/options.h"

namespace render::commands {

struct RecordOptions {
  SceneOptions scene;
  std::string output = "fulgurite.mp4";
  double fps = 30.0;
  double seconds = 0.0;      // 0: at the scene's pace
  std::string frame_hashes;  // file for one hash a frame; empty: none
};

// Ctrl-C ends the recording early and leaves a whole file. Returns the exit code.
int record(const RecordOptions& options);

struct ShotOptions {
  SceneOptions scene;
  std::string output = "fulgurite.png";
  std::optional<double> at;  // playhead, in steps; none: at the crown of the last step
};

int shot(const ShotOptions& options);

}  // namespace render::commands
