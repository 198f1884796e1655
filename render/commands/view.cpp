#include "render/commands/view.h"

#include <GLFW/glfw3.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <new>
#include <optional>
#include <thread>

#include "model/error.h"
#include "render/camera_control.h"
#include "render/commands/captures.h"
#include "render/commands/story_keys.h"
#include "render/commands/window.h"
#include "render/scene/muted.h"
#include "render/scene/neighbour.h"
#include "render/scene/node_path.h"
#include "render/scene/zoom.h"
#include "render/ui/ui.h"

namespace render::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

// Frames that are still drawn after the last change: panels and answers to picks settle.
constexpr int kSettle = 12;

// While the pointer rests, one frame in so many asks what has come under it.
constexpr int kAsk = 3;

// Mouse and keyboard -> camera, player and panels.
class Controls {
 public:
  Controls(GLFWwindow* window, Stage& stage, View& view, Player& player)
      : window_(window), stage_(stage), view_(view), player_(player), camera_(stage, view) {
    glfwSetWindowUserPointer(window, this);
    // Installed before the panels': theirs call these.
    glfwSetKeyCallback(window, [](GLFWwindow* w, int key, int scancode, int action, int mods) {
      self(w).active_ = true;
      if (action == GLFW_PRESS) self(w).state_->pressed.push_back(key);
      // While it is waited for there is nothing that a key could be about.
      if (action != GLFW_RELEASE && self(w).stage_.ready())
        self(w).key(as_printed(key, scancode), mods, action == GLFW_REPEAT);
    });
    glfwSetScrollCallback(window, [](GLFWwindow* w, double, double y) {
      self(w).active_ = true;
      self(w).scroll_ += static_cast<float>(y);
    });
    glfwSetMouseButtonCallback(window, [](GLFWwindow* w, int button, int action, int mods) {
      self(w).active_ = true;
      self(w).presses_.push_back({button, action == GLFW_PRESS, mods, self(w).pixel()});
    });
    glfwSetDropCallback(window, [](GLFWwindow* w, int count, const char** paths) {
      self(w).active_ = true;
      if (count > 0) self(w).state_->open = paths[0];
    });
    glfwSetWindowRefreshCallback(window, [](GLFWwindow* w) { self(w).active_ = true; });
    glfwSetFramebufferSizeCallback(window, [](GLFWwindow* w, int, int) { self(w).active_ = true; });
  }

  void attach(ui::Ui& ui, ui::State& state) {
    ui_ = &ui;
    state_ = &state;
  }

  float aspect() const {
    const glm::ivec2 size = pixels();
    return static_cast<float>(std::max(size.x, 1)) / static_cast<float>(std::max(size.y, 1));
  }

  // Once a frame.
  void update(float seconds) {
    moved_ = false;
    const glm::vec2 cursor = pointer();
    const glm::vec2 drag = cursor - cursor_;
    moved_ = drag != glm::vec2(0.0F);
    cursor_ = cursor;
    const glm::vec2 window_size = size();
    if (dragging_ && moved_) {
      travelled_ += glm::length(drag);
      if (panning_) {
        camera_.pan(drag, window_size.y);
      } else {
        camera_.orbit(drag, window_size.y);
      }
    }
    if (scroll_ != 0.0F) {
      if (!ui_->wants_mouse()) camera_.zoom(scroll_, cursor / window_size * 2.0F - 1.0F, aspect());
      scroll_ = 0.0F;
      moved_ = true;
    }
    if (!ui_->wants_keyboard()) fly(seconds);
    moved_ = camera_.advance(seconds) || moved_;
    const glm::ivec2 at = pixel();
    const bool inside = is_inside(at);
    if (click_ && !is_inside(*click_)) click_.reset();  // the window has become smaller
    view_.pick = click_;
    const bool over = inside && !ui_->wants_mouse() && !dragging_;
    hover_cell(over ? std::optional(cursor / window_size * 2.0F - 1.0F) : std::nullopt);
    if (!over) {
      view_.hovered = 0;
      view_.hovered_bolt.reset();
    } else if (!click_ && (moved_ || ++unasked_ >= kAsk)) {
      view_.pick = at;
      unasked_ = 0;
    }
  }

  // Once a frame, when the panels know what was pressed on them.
  void press() {
    for (const Press& press : std::exchange(presses_, {})) button(press);
  }

  void picked(const PickResult& result) {
    const uint32_t node =
        result.node == 0 && !result.bolt ? stage_.lettered_at(result.pixel) : result.node;
    view_.hovered = node;
    view_.hovered_bolt = result.bolt;
    if (view_.hovered_cell) {
      view_.hovered = 0;
      view_.hovered_bolt.reset();
    }
    if (click_ != result.pixel) return;  // what the pointer was on before
    click_.reset();
    view_.selected_cell = view_.hovered_cell;
    const bool cell = view_.selected_cell.has_value();
    view_.selected = cell ? 0 : node;
    view_.whole_expert = 0;
    view_.selected_bolt = cell ? std::nullopt : result.bolt;
    if (std::exchange(focus_on_pick_, false)) camera_.focus();
  }

  // True when something on the screen may have changed through the person's doing.
  bool take_activity() {
    return std::exchange(active_, false) || moved_ || dragging_ || click_.has_value();
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

  // In the window's units, of which a pixel may be a part.
  glm::vec2 size() const {
    int width = 1;
    int height = 1;
    glfwGetWindowSize(window_, &width, &height);
    return {std::max(width, 1), std::max(height, 1)};
  }
  glm::vec2 pointer() const {
    double x = 0.0;
    double y = 0.0;
    glfwGetCursorPos(window_, &x, &y);
    return {static_cast<float>(x), static_cast<float>(y)};
  }
  // Under the pointer.
  glm::ivec2 pixel() const { return glm::floor(pointer() / size() * glm::vec2(pixels())); }
  bool is_inside(glm::ivec2 at) const {
    return at.x >= 0 && at.y >= 0 && at.x < pixels().x && at.y < pixels().y;
  }

  // A sheet is pointed at unless a thing stands before it.
  void hover_cell(std::optional<glm::vec2> point) {
    view_.hovered_cell.reset();
    if (!point || !stage_.ready()) return;
    const auto hit = stage_.tensors().under(*point);
    if (!hit) return;
    if (view_.hovered != 0) {
      const glm::dvec3 at(stage_.where(view_.hovered - 1, view_.playhead));
      const shaders::Node box = stage_.layout().node(view_.hovered - 1);
      const double nearest = glm::length(at - view_.camera.exact_eye()) -
                             1.8 * static_cast<double>(glm::length(box.half_size));
      if (view_.hovered - 1 != stage_.tensors().sheets()[hit->sheet].element && nearest > 0.0 &&
          nearest < 0.9 * hit->distance)
        return;
    }
    view_.hovered_cell = hit->cell;
  }

  bool second_click() const { return glfwGetTime() - last_click_ < 0.35; }

  struct Press {
    int button;
    bool pressed;  // or let go
    int mods;
    glm::ivec2 at;  // pixel
  };

  void button(const Press& press) {
    if (!press.pressed) {
      if (dragging_ && travelled_ < 4.0F && !panning_) {
        // The second of two goes to what the first has chosen, whose answer may be on its way.
        const bool twice = second_click();
        last_click_ = glfwGetTime();
        if (!twice) {
          click_ = press.at;
        } else if (click_) {
          focus_on_pick_ = true;
        } else {
          camera_.focus();
        }
      }
      dragging_ = false;
      return;
    }
    // The panel of what was chosen may have opened under the cursor.
    if (ui_->wants_mouse() && !second_click()) return;
    dragging_ = true;
    travelled_ = 0.0F;
    panning_ = press.button != GLFW_MOUSE_BUTTON_LEFT || (press.mods & GLFW_MOD_SHIFT) != 0;
  }

  // W A S D Q E fly; with Shift, the arrows turn around the target.
  void fly(float seconds) {
    const auto down = [&](int key) { return glfwGetKey(window_, key) == GLFW_PRESS ? 1.0F : 0.0F; };
    if (down(GLFW_KEY_LEFT_CONTROL) + down(GLFW_KEY_RIGHT_CONTROL) > 0.0F) return;
    camera_.fly({down(GLFW_KEY_D) - down(GLFW_KEY_A), down(GLFW_KEY_E) - down(GLFW_KEY_Q),
                 down(GLFW_KEY_W) - down(GLFW_KEY_S)},
                seconds);
    if (down(GLFW_KEY_LEFT_SHIFT) + down(GLFW_KEY_RIGHT_SHIFT) == 0.0F) return;
    camera_.turn(
        {down(GLFW_KEY_RIGHT) - down(GLFW_KEY_LEFT), down(GLFW_KEY_UP) - down(GLFW_KEY_DOWN)},
        seconds);
  }

  // Ctrl with a digit sets a bookmark, Alt with it goes there. False: no such key.
  bool bookmark(int key, int mods) {
    if (key < GLFW_KEY_1 || key > GLFW_KEY_9) return false;
    const auto number = static_cast<size_t>(key - GLFW_KEY_0);
    const bool shift = (mods & GLFW_MOD_SHIFT) != 0;
    if ((mods & GLFW_MOD_CONTROL) != 0 && !shift) {
      state_->message = camera_.set_bookmark(number);
    } else if ((mods & GLFW_MOD_ALT) != 0) {
      state_->message = camera_.go_to_bookmark(number);
    } else {
      return false;
    }
    return true;
  }

  void key(int key, int mods, bool repeat) {
    const bool function_key = key >= GLFW_KEY_F1 && key <= GLFW_KEY_F12;
    const bool quits = (mods & GLFW_MOD_CONTROL) != 0 && key == GLFW_KEY_Q;
    // Of an open list or text; Escape closes it.
    const bool opens = state_->asks_what_to_do || state_->asks_what_to_open;
    const bool edits = state_->focus_prompt;
    const bool taken =
        ui_->popup_open() || opens || edits || (ui_->wants_keyboard() && key != GLFW_KEY_ESCAPE);
    if (taken && !function_key && !quits) return;
    command(key, mods, repeat);
    const bool letter = (mods & GLFW_MOD_CONTROL) == 0;
    if (!edits && state_->focus_prompt) state_->typed_for_prompt.begin(letter);
    if (!opens && (state_->asks_what_to_do || state_->asks_what_to_open))
      state_->typed_for_popup.begin(letter);
  }

  void back() {
    if (state_->help) {
      state_->help = false;
    } else if (state_->times) {
      state_->times = false;
    } else {
      select(0);
    }
  }

  // element + 1; 0: nothing.
  void select(uint32_t node) {
    view_.selected = node;
    view_.whole_expert = 0;
    view_.selected_bolt.reset();
    view_.selected_cell.reset();
  }

  void command(int key, int mods, bool repeat) {
    const bool control = (mods & GLFW_MOD_CONTROL) != 0;
    const bool shift = (mods & GLFW_MOD_SHIFT) != 0;
    if (control && key == GLFW_KEY_Q) state_->quit = true;
    if (key == GLFW_KEY_ESCAPE) return back();
    if (key == GLFW_KEY_PAGE_UP || key == GLFW_KEY_PAGE_DOWN) {
      const int way = key == GLFW_KEY_PAGE_UP ? 1 : -1;
      const auto positions = static_cast<uint32_t>(stage_.reader().positions());
      if (view_.selected == 0) return;
      const uint32_t element = scene::neighbour(stage_.layout(), view_.selected - 1,
                                                shift ? 0 : way, shift ? way : 0, positions);
      return select(element + 1);
    }
    if (!repeat && bookmark(key, mods)) return;
    if (control && (key == GLFW_KEY_O || key == GLFW_KEY_P)) {
      (key == GLFW_KEY_O ? state_->asks_what_to_open : state_->asks_what_to_do) = true;
      return;
    }
    const bool sideways = key == GLFW_KEY_LEFT || key == GLFW_KEY_RIGHT;
    if (sideways && !control && shift) return;  // turns the camera while it is held
    if (key == GLFW_KEY_SPACE && stage_.reader().finished() &&
        player_.at_end(stage_.reader().steps())) {
      player_.again();
      return;
    }
    if (story_key(key, mods, repeat, player_, view_.look, stage_.reader().steps(),
                  stage_.layout().model().layers))
      return;
    if (repeat) return;
    switch (key) {
      case GLFW_KEY_F:
        camera_.focus();
        break;
      case GLFW_KEY_H:
        camera_.home(aspect());
        break;
      case GLFW_KEY_P:
        state_->focus_prompt = true;
        state_->panels = true;
        break;
      case GLFW_KEY_G:
        ui::hold(*state_);
        break;
      case GLFW_KEY_X:
        shift ? ui::unmute_all(*state_) : ui::toggle_muted(*state_);
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
      case GLFW_KEY_F9:
        films_ = !films_;
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
  // What was chosen in the palette.
  void carry_out() {
    const std::optional<ui::Offer> what = std::exchange(state_->chosen, std::nullopt);
    if (!what) return;
    if (const auto node = scene::find_node(what->node, stage_.layout())) {
      select(*node + 1);
      if (scene::names_expert(what->node)) view_.whole_expert = view_.selected;
      return;
    }
    if (!what->view.empty()) return camera_.look(what->view, aspect());
    command(what->key, what->mods, false);
  }
  bool take_screenshot() { return std::exchange(screenshot_, false); }
  bool& films() { return films_; }

 private:
  GLFWwindow* window_;
  Stage& stage_;
  View& view_;
  Player& player_;
  ui::Ui* ui_ = nullptr;
  ui::State* state_ = nullptr;
  CameraControl camera_;
  glm::vec2 cursor_{0.0F};
  float scroll_ = 0.0F;
  float travelled_ = 0.0F;
  double last_click_ = -1.0;
  int unasked_ = 0;
  bool dragging_ = false;
  bool panning_ = false;
  std::optional<glm::ivec2> click_;  // the pixel, while it is not known what is there
  std::vector<Press> presses_;       // of this frame
  bool focus_on_pick_ = false;
  bool moved_ = false;
  bool active_ = true;
  bool screenshot_ = false;
  bool films_ = false;
  int before_[4] = {0, 0, 1280, 720};
};

// What is selected and which of its tensors is on the screen.
std::string title_of(const Stage& stage, const View& view, const ui::State& state) {
  std::string title = "fulgurite";
  if (const auto bolt = view.selected_bolt ? stage.bolt(*view.selected_bolt) : std::nullopt) {
    return title + ": " + stage.meaning(view.selected_bolt->step, *bolt).name;
  }
  if (view.selected_cell) return title + ": " + scene::path(stage.layout(), *view.selected_cell);
  if (view.selected == 0) return title;
  const scene::NodeRef ref = stage.layout().ref(view.selected - 1);
  title += ": " + stage.layout().path(ref);
  if (scene::is_muted(stage.layout(), ref, stage.reader().muted())) title += ", muted";
  if (!state.shown_tensor.empty()) title += " [" + state.shown_tensor + "]";
  return title;
}

// How much larger than usual the screen wants what is laid out in the window's units; where these
// are not pixels (Wayland), they have grown themselves.
float content_scale(GLFWwindow* window) {
  float scale = 1.0F, scale_y = 1.0F;
  glfwGetWindowContentScale(window, &scale, &scale_y);
  int units = 0, pixels = 0, height = 0;
  glfwGetWindowSize(window, &units, &height);
  glfwGetFramebufferSize(window, &pixels, &height);
  if (units > 0 && pixels > 0) scale *= static_cast<float>(units) / static_cast<float>(pixels);
  return std::max(scale, 0.5F);
}

// Returns what is to be shown next; nothing when the window is closed.
std::optional<Shown> show(const SceneOptions& options, const Opener& open, Screen& screen) {
  auto& [window, device, swapchain, frame_log] = screen;
  Stage stage(device, *options.log, Quality::kWindow, options.layout, options.beside);

  View view;
  view.look = options.look;
  Player player;
  player.set_pace(options.pace);
  Controls controls(window.get(), stage, view, player);
  ui::Ui ui(window.get(), content_scale(window.get()) * options.look.scale);
  ui::State state{stage, view, player, options.control, options.generate};
  state.wanted_tensor = options.tensor;
  state.followed = options.followed;
  controls.attach(ui, state);

  if (!options.followed.empty())
    glfwSetWindowTitle(window.get(), ("fulgurite: waiting for " + options.followed).c_str());
  const auto pressed = [&](int key) { return glfwGetKey(window.get(), key) == GLFW_PRESS; };
  const auto open_still = [&] {
    glfwPollEvents();
    const bool control = pressed(GLFW_KEY_LEFT_CONTROL) || pressed(GLFW_KEY_RIGHT_CONTROL);
    return glfwWindowShouldClose(window.get()) == GLFW_FALSE && !(control && pressed(GLFW_KEY_Q));
  };
  if (!begin(options, stage, open_still)) return {};
  view.camera.pose = first_pose(options, stage, controls.aspect(), 0.0);
  view.selected_cell = zoom_cell(options, stage.layout());
  if (view.selected_cell)
    view.camera.pose = scene::cell_pose(stage.layout(), *view.selected_cell, controls.aspect());
  select_named(options, stage.layout(), view);
  stage.ask(options.control);

  Filming filming(device);
  int still_frames = 0;
  // What cannot be saved must not take with it what is shown.
  const auto guarded = [&](const auto& work) {
    const bool films = filming.running();
    try {
      work();
    } catch (const std::exception& error) {
      state.message = error.what();
      still_frames = 0;
      controls.films() = filming.running();  // a picture that fails leaves the film
      if (films && !filming.running()) std::fprintf(stderr, "fulgurite: %s\n", error.what());
    }
    state.films = filming.running();
  };
  std::optional<Shown> next;
  std::string title;
  uint64_t conversation = stage.reader().conversation();
  bool show_all = view.look.show_all;
  bool broken = false;                                // what is followed
  for (int i = 0; i < 2; ++i) ui.draw_window(state);  // panels measure themselves
  auto last = std::chrono::steady_clock::now();
  while (glfwWindowShouldClose(window.get()) == GLFW_FALSE && !interrupted() && !state.quit) {
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

    // What comes from another process was not looked at before: what was shown stays.
    bool news = false;
    try {
      if (!broken) news = stage.poll();
    } catch (const Error& error) {
      if (options.followed.empty()) throw;
      broken = true;
      state.message = error.what();
      if (options.enough) options.enough();  // or what nobody takes up any more would pile up
    }
    if (conversation != stage.reader().conversation() || show_all != view.look.show_all) {
      conversation = stage.reader().conversation();
      show_all = view.look.show_all;
      view.hovered_bolt.reset();
      view.selected_bolt.reset();
    }
    using GoesOn = Player::GoesOn;
    if (const auto beginning = stage.take_beginning()) {
      player.begin_at(*beginning,
                      !options.followed.empty() ? GoesOn::kElsewhere
                      : state.asks_for          ? GoesOn::kAsAsked
                                                : GoesOn::kAsItWas,
                      stage.reader().steps());
    }
    const bool advanced = player.advance(static_cast<double>(seconds), stage.reader().steps(),
                                         view.look.reduced_motion);
    controls.update(seconds);
    still_frames = controls.take_activity() || news || advanced ? 0 : still_frames + 1;
    // The picture stands as it is; a caret in a text blinks, but not faster than the sleep above.
    if (still_frames > kSettle && !ui.wants_keyboard()) {
      guarded([&] { filming.stand(); });
      continue;
    }
    view.refine = still_frames >= kSettle;
    view.playhead = player.playhead();
    view.pace = player.effective_pace();
    view.plays = player.playing();
    view.merge = player.merge();
    view.ui = ui.draw_window(state);
    controls.press();
    controls.carry_out();
    if (!state.open.empty()) {
      try {
        Shown another = open(std::exchange(state.open, {}));
        next = std::move(another);
        next->options.look = view.look;
        next->options.pace = player.pace();
        // With the same words, so that two models can be compared.
        if (next->options.replay) break;
        if (!state.generate.prompt.empty()) next->options.generate = state.generate;
        next->options.generate.go_on = false;
        next->options.generate.tokens.clear();  // of another vocabulary
        next->options.generate.muted.clear();
        break;
      } catch (const std::bad_alloc&) {
        state.message = "there is not enough memory to open it";
      } catch (const std::exception& error) {
        state.message = error.what();
      }
    }
    if (!stage.draw(swapchain, view)) {
      still_frames = 0;  // it has to be drawn once there is something to draw on
      guarded([&] { filming.stand(); });
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      continue;
    }
    frame_log.add(stage, device);
    if (const auto pick = stage.renderer().take_pick()) controls.picked(*pick);
    guarded([&] {
      if (controls.take_screenshot())
        state.message = "saved " + save_picture(device, stage, view, swapchain.extent());
      filming.follow(controls.films(), stage, view, ui.filmed(), swapchain, state.message);
    });
  }
  guarded([&] {
    if (filming.running()) state.message = "saved " + filming.end();
    if (controls.films()) std::fprintf(stderr, "fulgurite: %s\n", state.message.c_str());
  });
  device.wait_idle();
  return next;
}

}  // namespace

void view(Shown shown, const Opener& open) {
  watch_for_interrupts();
  Screen screen(shown.options);
  while (std::optional<Shown> next = show(shown.options, open, screen)) shown = std::move(*next);
}

}  // namespace render::commands
