#include "render/commands/view.h"

#include <GLFW/glfw3.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "model/error.h"
#include "render/commands/story_keys.h"
#include "render/target/offscreen.h"
#include "render/target/swapchain.h"
#include "render/ui/ui.h"
#include "render/video/png.h"

namespace render::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

volatile std::sig_atomic_t interrupted = 0;

// Frames that are still drawn after the last change: panels and answers to picks settle.
constexpr int kSettle = 12;

// glfwInit and the window, in one lifetime.
class Window {
 public:
  Window(uint32_t width, uint32_t height) {
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
  ~Window() {
    glfwDestroyWindow(handle_);
    glfwTerminate();
  }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;
  GLFWwindow* get() const { return handle_; }

 private:
  GLFWwindow* handle_ = nullptr;
};

// Mouse and keyboard -> camera, player and panels.
class Controls {
 public:
  Controls(GLFWwindow* window, Stage& stage, View& view, Player& player)
      : window_(window), stage_(stage), view_(view), player_(player) {
    glfwSetWindowUserPointer(window, this);
    // Installed before the panels': theirs call these.
    glfwSetKeyCallback(window, [](GLFWwindow* w, int key, int, int action, int mods) {
      self(w).active_ = true;
      if (action != GLFW_RELEASE) self(w).key(key, mods, action == GLFW_REPEAT);
    });
    glfwSetScrollCallback(window, [](GLFWwindow* w, double, double y) {
      self(w).active_ = true;
      self(w).scroll_ += static_cast<float>(y);
    });
    glfwSetMouseButtonCallback(window, [](GLFWwindow* w, int button, int action, int mods) {
      self(w).active_ = true;
      self(w).button(button, action == GLFW_PRESS, mods);
    });
    glfwSetWindowRefreshCallback(window, [](GLFWwindow* w) { self(w).active_ = true; });
    glfwSetFramebufferSizeCallback(window, [](GLFWwindow* w, int, int) { self(w).active_ = true; });
  }

  void attach(ui::Ui& ui, ui::State& state) {
    ui_ = &ui;
    state_ = &state;
  }

  scene::Pose home() const {
    return scene::home_pose(stage_.layout().bounds(stage_.columns_in_view()), aspect());
  }

  float aspect() const {
    const glm::ivec2 size = pixels();
    return static_cast<float>(std::max(size.x, 1)) / static_cast<float>(std::max(size.y, 1));
  }

  // Once a frame.
  void update(float seconds) {
    moved_ = false;
    double x = 0.0;
    double y = 0.0;
    glfwGetCursorPos(window_, &x, &y);
    const glm::vec2 cursor(static_cast<float>(x), static_cast<float>(y));
    const glm::vec2 drag = cursor - cursor_;
    moved_ = drag != glm::vec2(0.0F);
    cursor_ = cursor;
    int width = 1;
    int height = 1;
    glfwGetWindowSize(window_, &width, &height);
    const glm::vec2 window_size(std::max(width, 1), std::max(height, 1));
    if (dragging_ && moved_) {
      travelled_ += glm::length(drag);
      move_ = {};
      if (panning_) {
        view_.camera.pan(drag, window_size.y);
      } else {
        view_.camera.orbit(drag, window_size.y);
      }
    }
    if (scroll_ != 0.0F) {
      if (!ui_->wants_mouse()) {
        move_ = {};
        view_.camera.zoom(scroll_, cursor / window_size * 2.0F - 1.0F, aspect());
      }
      scroll_ = 0.0F;
      moved_ = true;
    }
    if (!ui_->wants_keyboard()) fly(seconds);
    if (move_.running()) {
      view_.camera.pose = move_.advance(seconds);
      moved_ = true;
    }
    const glm::ivec2 at(cursor / window_size * glm::vec2(pixels()));
    const bool inside = at.x >= 0 && at.y >= 0 && at.x < pixels().x && at.y < pixels().y;
    view_.pick.reset();
    if (inside && !ui_->wants_mouse() && !dragging_) view_.pick = at;
  }

  void picked(const PickResult& result) {
    view_.hovered = result.node;
    if (!click_) return;
    click_ = false;
    view_.selected = result.node;
  }

  // True when something on the screen may have changed through the person's doing.
  bool take_activity() {
    return std::exchange(active_, false) || moved_ || dragging_ || click_ || ui_->wants_keyboard();
  }

 private:
  static Controls& self(GLFWwindow* window) {
    return *static_cast<Controls*>(glfwGetWindowUserPointer(window));
  }

  glm::ivec2 pixels() const {
    int width = 0;
    int height = 0;
    glfwGetFramebufferSize(window_, &width, &height);
    return {width, height};
  }

  void button(int button, bool pressed, int mods) {
    if (!pressed) {
      if (dragging_ && travelled_ < 4.0F && !panning_) {
        click_ = true;
        const double now = glfwGetTime();
        if (now - last_click_ < 0.35) focus();
        last_click_ = now;
      }
      dragging_ = false;
      return;
    }
    if (ui_->wants_mouse()) return;
    dragging_ = true;
    travelled_ = 0.0F;
    panning_ = button != GLFW_MOUSE_BUTTON_LEFT || (mods & GLFW_MOD_SHIFT) != 0;
  }

  void fly(float seconds) {
    const auto down = [&](int key) { return glfwGetKey(window_, key) == GLFW_PRESS ? 1.0F : 0.0F; };
    if (glfwGetKey(window_, GLFW_KEY_LEFT_CONTROL) == GLFW_PRESS) return;
    const glm::vec3 step(down(GLFW_KEY_D) - down(GLFW_KEY_A), down(GLFW_KEY_E) - down(GLFW_KEY_Q),
                         down(GLFW_KEY_W) - down(GLFW_KEY_S));
    if (step == glm::vec3(0.0F)) return;
    move_ = {};
    view_.camera.fly(step * std::min(seconds, 0.1F) * 0.6F);
    moved_ = true;
  }

  void focus() {
    if (view_.selected == 0) return;
    const uint32_t node = view_.selected - 1;
    move_.start(view_.camera.pose,
                scene::focus_pose(view_.camera.pose, stage_.layout().nodes()[node],
                                  stage_.where(node, player_.playhead())),
                0.9F);
  }

  void key(int key, int mods, bool repeat) {
    const bool control = (mods & GLFW_MOD_CONTROL) != 0;
    if (control && key == GLFW_KEY_Q) state_->quit = true;
    if (key == GLFW_KEY_ESCAPE) {
      if (state_->help) {
        state_->help = false;
      } else if (state_->times) {
        state_->times = false;
      } else {
        view_.selected = 0;
      }
      return;
    }
    if (key == GLFW_KEY_ENTER || key == GLFW_KEY_KP_ENTER) state_->enter = true;
    const bool function_key = key >= GLFW_KEY_F1 && key <= GLFW_KEY_F12;
    if (ui_->wants_keyboard() && !function_key) return;
    if (story_key(key, mods, repeat, player_, view_.look, stage_.reader().steps(),
                  stage_.layout().model().layers))
      return;
    if (repeat) return;
    switch (key) {
      case GLFW_KEY_F:
        focus();
        break;
      case GLFW_KEY_H:
        move_.start(view_.camera.pose, home(), 0.9F);
        break;
      case GLFW_KEY_P:
        state_->focus_prompt = true;
        state_->panels = true;
        break;
      case GLFW_KEY_L:
        view_.look.labels = !view_.look.labels;
        break;
      case GLFW_KEY_TAB:
        state_->panels = !state_->panels;
        break;
      case GLFW_KEY_F1:
        state_->help = !state_->help;
        break;
      case GLFW_KEY_F2:
        state_->times = !state_->times;
        break;
      case GLFW_KEY_F11:
        full_screen();
        break;
      case GLFW_KEY_F12:
        screenshot_ = true;
        break;
      default:
        break;
    }
  }

  void full_screen() {
    if (glfwGetWindowMonitor(window_) != nullptr) {
      glfwSetWindowMonitor(window_, nullptr, before_[0], before_[1], before_[2], before_[3], 0);
      return;
    }
    GLFWmonitor* monitor = glfwGetPrimaryMonitor();
    const GLFWvidmode* mode = monitor != nullptr ? glfwGetVideoMode(monitor) : nullptr;
    if (mode == nullptr) return;
    glfwGetWindowPos(window_, &before_[0], &before_[1]);
    glfwGetWindowSize(window_, &before_[2], &before_[3]);
    glfwSetWindowMonitor(window_, monitor, 0, 0, mode->width, mode->height, mode->refreshRate);
  }

 public:
  bool take_screenshot() { return std::exchange(screenshot_, false); }

 private:
  GLFWwindow* window_;
  Stage& stage_;
  View& view_;
  Player& player_;
  ui::Ui* ui_ = nullptr;
  ui::State* state_ = nullptr;
  scene::Move move_;
  glm::vec2 cursor_{0.0F};
  float scroll_ = 0.0F;
  float travelled_ = 0.0F;
  double last_click_ = -1.0;
  bool dragging_ = false;
  bool panning_ = false;
  bool click_ = false;
  bool moved_ = false;
  bool active_ = true;
  bool screenshot_ = false;
  int before_[4] = {0, 0, 1280, 720};
};

// The view as it is, without the panels, in full quality, beside where the program was started.
std::string save_picture(gpu::Device& device, Stage& stage, const View& view, VkExtent2D extent) {
  std::string path;
  for (int i = 1; path.empty() || std::filesystem::exists(path); ++i)
    path = "fulgurite-" + std::to_string(i) + ".png";
  Offscreen target(device, extent.width, extent.height);
  View still = view;
  still.ui = nullptr;
  still.pick.reset();
  stage.draw(target, still);
  write_png(path, extent.width, extent.height, target.read_back());
  return std::filesystem::absolute(path).string();
}

// What is selected and which of its tensors is on the screen.
std::string title_of(const Stage& stage, const View& view, const ui::State& state) {
  std::string title = "fulgurite";
  if (view.selected == 0) return title;
  title += ": " + stage.layout().path(stage.layout().refs()[view.selected - 1]);
  if (!state.shown_tensor.empty()) title += " [" + state.shown_tensor + "]";
  return title;
}

}  // namespace

int view(const SceneOptions& options) {
  Window window(options.width, options.height);
  gpu::DeviceOptions device_options;
  device_options.filter = options.device;
  Swapchain::device_options(device_options);
  gpu::Device device(device_options);
  Stage stage(device, *options.log, Quality::kWindow, options.layout, options.beside);
  Swapchain swapchain(device, window.get());

  View view;
  view.look = options.look;
  Player player;
  player.set_pace(options.pace);
  Controls controls(window.get(), stage, view, player);
  float scale = 1.0F;
  float scale_y = 1.0F;
  glfwGetWindowContentScale(window.get(), &scale, &scale_y);
  ui::Ui ui(window.get(), std::max(scale, 0.5F) * options.look.scale);
  ui::State state{stage, view, player, options.control, options.generate};
  controls.attach(ui, state);
  interrupted = 0;
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });

  while (!stage.ready() && interrupted == 0) {
    stage.poll();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (interrupted != 0) return 0;
  view.camera.pose = first_pose(options, stage, controls.aspect());
  view.selected = selected_node(options, stage.layout());

  std::string title;
  auto last = std::chrono::steady_clock::now();
  int still_frames = 0;
  while (glfwWindowShouldClose(window.get()) == GLFW_FALSE && interrupted == 0 && !state.quit) {
    // When nothing moves the program sleeps until something does.
    if (still_frames > kSettle) {
      glfwWaitEventsTimeout(0.1);
    } else {
      glfwPollEvents();
    }
    const std::string wanted = title_of(stage, view, state);
    if (wanted != title) {
      title = wanted;
      glfwSetWindowTitle(window.get(), title.c_str());
    }
    const auto now = std::chrono::steady_clock::now();
    const float seconds = std::min(std::chrono::duration<float>(now - last).count(), 0.25F);
    last = now;

    const bool news = stage.poll();
    // What is new begins here: a conversation that goes on does not begin again.
    if (const auto beginning = stage.take_beginning()) {
      if (player.following()) {
        player.follow(stage.reader().steps());
      } else {
        player.seek(*beginning, stage.reader().steps());
      }
    }
    const bool advanced = player.advance(static_cast<double>(seconds), stage.reader().steps(),
                                         view.look.reduced_motion);
    controls.update(seconds);
    still_frames = controls.take_activity() || news || advanced ? 0 : still_frames + 1;
    if (still_frames > kSettle) continue;  // the picture stands as it is
    view.playhead = player.playhead();
    view.pace = player.effective_pace();
    view.merge = player.merge();
    view.ui = ui.draw_window(state);
    if (!stage.draw(swapchain, view)) {
      still_frames = 0;  // it has to be drawn once there is something to draw on
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      continue;
    }
    if (const auto pick = stage.renderer().take_pick()) controls.picked(*pick);
    if (controls.take_screenshot()) {
      try {
        state.message = "saved " + save_picture(device, stage, view, swapchain.extent());
      } catch (const Error& error) {
        state.message = error.what();
      }
    }
  }
  device.wait_idle();
  return 0;
}

}  // namespace render::commands
