// A window on the screen and the device that draws into it.
#pragma once

#include <cstdint>

#include "render/commands/frame_log.h"
#include "render/commands/options.h"
#include "render/gpu/device.h"
#include "render/target/swapchain.h"

struct GLFWwindow;

namespace render::commands {

// GLFW and one window, in one lifetime. Main thread.
class Window {
 public:
  // Pixels. Throws Error (failed) where there is no display.
  Window(uint32_t width, uint32_t height);
  ~Window();
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;
  GLFWwindow* get() const { return handle_; }

 private:
  GLFWwindow* handle_;
};

// What a window needs whatever it shows. Throws Error as the window and the device do.
struct Screen {
  explicit Screen(const SceneOptions& options);

  Window window;
  gpu::Device device;
  Swapchain swapchain;
  FrameLog frame_log;
};

}  // namespace render::commands
