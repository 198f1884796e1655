#include "render/commands/view.h"

#include <GLFW/glfw3.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "model/error.h"
#include "render/commands/captures.h"
#include "render/commands/controls.h"
#include "render/commands/window.h"
#include "render/pass/font.h"
#include "render/scene/muted.h"
#include "render/scene/zoom.h"
#include "render/ui/ui.h"

namespace render::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

// Frames that are still drawn after the last change: panels and answers to picks settle.
constexpr int kSettle = 12;

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
  // Not a structured binding: Clang before 16 lets no lambda use one.
  auto& window = screen.window;
  auto& device = screen.device;
  auto& swapchain = screen.swapchain;
  auto& frame_log = screen.frame_log;
  Stage stage(device, *options.log, Quality::kWindow, options.layout, options.beside);

  View view;
  view.look = options.look;
  Player player;
  player.set_pace(options.pace);
  Controls controls(window.get(), stage, view, player);
  const float content = content_scale(window.get());
  ui::Ui ui(window.get(), content * view.look.scale);
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
    ui.set_scale(content * view.look.scale);
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
    if (state.message.empty()) state.message = FontSet::shared().take_missing();
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
