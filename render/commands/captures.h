// What a window saves of itself, beside where the program was started: pictures and films.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "render/stage.h"
#include "render/target/offscreen.h"
#include "render/video/film.h"

namespace render::commands {

// The view as it is, without the panels, at full quality. Returns the path. Throws Error
// (recording_failed).
std::string save_picture(gpu::Device& device, Stage& stage, const View& view, VkExtent2D extent);

// The window as it is seen, panels and all, while somebody moves through it: 30 frames a second,
// of which those that the window did not draw are repeated.
class Filming {
 public:
  explicit Filming(gpu::Device& device) : device_(device) {}
  // Keeps what is filmed so far.
  ~Filming() = default;
  Filming(const Filming&) = delete;
  Filming& operator=(const Filming&) = delete;

  bool running() const noexcept { return film_ != nullptr; }

  // These throw Error (recording_failed); then no film is running.
  // After each frame of the window: begins or ends a film as wanted, and draws the frame into it
  // once more where one is due, with these panels. Ends it where the window has another size.
  // message: what there is now, when it has ended.
  void follow(bool& wanted, Stage& stage, const View& view, ImDrawData* panels,
              const Target& window, std::string& message);
  // Nothing has changed since; where no film runs nothing is done.
  void stand();
  // Returns what there is now: "fulgurite-1.mp4, 12.4 s".
  std::string end();

 private:
  double now() const;
  void begin(const Target& window);
  template <class Work>
  void write(const Work& work);
  bool frame(Stage& stage, const View& view, VkExtent2D extent);
  template <class Work>
  auto guarded(const Work& work);

  gpu::Device& device_;
  std::unique_ptr<Film> film_;
  std::unique_ptr<Offscreen> target_;
  std::vector<uint8_t> rgba_;
  std::deque<double> times_;  // of the frames that are still being drawn
  double newest_ = -1.0;      // of these and of those before, seconds
  std::chrono::steady_clock::time_point began_;
};

}  // namespace render::commands
