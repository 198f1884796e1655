// Frames that come when they come, as a video of a steady rate: each stands until the next.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "render/video/encoder.h"

namespace render {

// Times are seconds since the beginning and never go back.
class Film {
 public:
  // Throws as Encoder does, and so do the others.
  explicit Film(const EncoderOptions& options) : fps_(options.fps), encoder_(options) {}

  // The number of the video's frame that is seen then.
  uint64_t number(double seconds) const noexcept { return static_cast<uint64_t>(seconds * fps_); }
  // What is seen from then on, as Encoder::add() takes it.
  void add(double seconds, std::span<const uint8_t> rgba);
  // The last one is still seen.
  void stand(double seconds);
  // Ends the file; at least one frame is in it, if any came.
  void finish(double seconds);

  const std::filesystem::path& output() const noexcept { return encoder_.output(); }
  uint64_t frames() const noexcept { return encoder_.frames(); }

 private:
  double fps_;
  Encoder encoder_;
  std::vector<uint8_t> last_;
};

}  // namespace render
