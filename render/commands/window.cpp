#include "render/commands/window.h"

#include <GLFW/glfw3.h>

#include <cstdlib>

#include "model/error.h"

namespace render::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

gpu::DeviceOptions device_options(const SceneOptions& options, GLFWwindow* window) {
  gpu::DeviceOptions wanted;
  wanted.filter = options.device;
  Swapchain::device_options(wanted, window);
  return wanted;
}

}  // namespace

Window::Window(uint32_t width, uint32_t height) {
  glfwSetErrorCallback([](int, const char*) {});
  // Asked first: some of GLFW's platforms have words of their own for a missing display.
  const bool display =
      std::getenv("DISPLAY") != nullptr || std::getenv("WAYLAND_DISPLAY") != nullptr;
  if (!display || glfwInit() == GLFW_FALSE) {
    throw Error(ExitCode::kFailed, "there is no display to open a window on", "view",
                "use --headless for a video, or the commands record and shot");
  }
  glfwWindowHint(GLFW_CLIENT_API, GLFW_NO_API);
  handle_ = glfwCreateWindow(static_cast<int>(width), static_cast<int>(height), "fulgurite",
                             nullptr, nullptr);
  if (handle_ == nullptr) {
    glfwTerminate();
    throw Error(ExitCode::kFailed, "the window cannot be opened", "view",
                "use --headless for a video");
  }
}

Window::~Window() {
  glfwDestroyWindow(handle_);
  glfwTerminate();
}

Screen::Screen(const SceneOptions& options)
    : window(options.width, options.height),
      device(device_options(options, window.get())),
      swapchain(device, window.get()),
      frame_log(options.timings) {}

}  // namespace render::commands
