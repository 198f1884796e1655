#include "render/commands/controls.h"

#include <GLFW/glfw3.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "render/commands/story_keys.h"
#include "render/commands/window.h"
#include "render/scene/neighbour.h"
#include "render/scene/node_path.h"

namespace render::commands {

namespace {

// While the pointer rests, one frame in so many asks what has come under it.
constexpr int kAsk = 3;

}  // namespace

Controls::Controls(GLFWwindow* window, Stage& stage, View& view, Player& player)
    : window_(window), stage_(stage), view_(view), player_(player), camera_(stage, view) {
  glfwSetWindowUserPointer(window, this);
  // Installed before the panels': theirs call these.
  glfwSetKeyCallback(window, [](GLFWwindow* w, int key, int scancode, int action, int mods) {
    self(w).active_ = true;
    if (action == GLFW_PRESS) self(w).state_->pressed.push_back({key, mods});
    // While it is waited for there is nothing that a key could be about.
    if (action != GLFW_RELEASE && self(w).stage_.ready())
      self(w).key(as_printed(key, scancode, mods), mods, action == GLFW_REPEAT);
  });
  glfwSetCharCallback(window, [](GLFWwindow* w, unsigned character) {
    if ((character != ',' && character != '.') || !self(w).stage_.ready()) return;
    self(w).key(character == ',' ? GLFW_KEY_COMMA : GLFW_KEY_PERIOD, 0, false);
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

void Controls::attach(ui::Ui& ui, ui::State& state) {
  ui_ = &ui;
  state_ = &state;
  cursor_ = pointer();
}

float Controls::aspect() const {
  const glm::ivec2 size = pixels();
  return static_cast<float>(std::max(size.x, 1)) / static_cast<float>(std::max(size.y, 1));
}

void Controls::update(float seconds) {
  moved_ = false;
  const glm::vec2 cursor = pointer();
  const glm::vec2 drag = cursor - cursor_;
  moved_ = drag != glm::vec2(0.0F);
  if (moved_) state_->tips = true;
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

void Controls::press() {
  for (const Press& press : std::exchange(presses_, {})) button(press);
}

void Controls::picked(const PickResult& result) {
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

bool Controls::take_activity() {
  return std::exchange(active_, false) || moved_ || dragging_ || click_.has_value();
}

Controls& Controls::self(GLFWwindow* window) {
  return *static_cast<Controls*>(glfwGetWindowUserPointer(window));
}

glm::ivec2 Controls::pixels() const {
  int width = 0;
  int height = 0;
  glfwGetFramebufferSize(window_, &width, &height);
  return {width, height};
}

glm::vec2 Controls::size() const {
  int width = 1;
  int height = 1;
  glfwGetWindowSize(window_, &width, &height);
  return {std::max(width, 1), std::max(height, 1)};
}

glm::vec2 Controls::pointer() const {
  double x = 0.0;
  double y = 0.0;
  glfwGetCursorPos(window_, &x, &y);
  return {static_cast<float>(x), static_cast<float>(y)};
}

bool Controls::is_inside(glm::ivec2 at) const {
  return at.x >= 0 && at.y >= 0 && at.x < pixels().x && at.y < pixels().y;
}

void Controls::hover_cell(std::optional<glm::vec2> point) {
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

bool Controls::second_click() const {
  return glfwGetTime() - last_click_ < 0.35;
}

void Controls::button(const Press& press) {
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

void Controls::fly(float seconds) {
  const auto down = [&](int key) { return glfwGetKey(window_, key) == GLFW_PRESS ? 1.0F : 0.0F; };
  if (down(GLFW_KEY_LEFT_CONTROL) + down(GLFW_KEY_RIGHT_CONTROL) > 0.0F) return;
  const glm::vec3 way(down(GLFW_KEY_D) - down(GLFW_KEY_A), down(GLFW_KEY_E) - down(GLFW_KEY_Q),
                      down(GLFW_KEY_W) - down(GLFW_KEY_S));
  glm::vec2 turn(down(GLFW_KEY_RIGHT) - down(GLFW_KEY_LEFT),
                 down(GLFW_KEY_UP) - down(GLFW_KEY_DOWN));
  const float shift = down(GLFW_KEY_LEFT_SHIFT) + down(GLFW_KEY_RIGHT_SHIFT);
  if (shift == 0.0F || state_->help) turn = {};  // arrows scroll the help
  if (way != glm::vec3(0.0F) || turn != glm::vec2(0.0F)) state_->tips = false;
  camera_.fly(way, seconds);
  camera_.turn(turn, seconds);
}

bool Controls::bookmark(int key, int mods) {
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

void Controls::key(int key, int mods, bool repeat) {
  const bool function_key = key >= GLFW_KEY_F1 && key <= GLFW_KEY_F12;
  const bool quits = (mods & GLFW_MOD_CONTROL) != 0 && key == GLFW_KEY_Q;
  // Of an open list or text; Escape closes it, and does nothing else.
  const bool opens = state_->asks_what_to_do || state_->asks_what_to_open;
  const bool edits = state_->focus_prompt;
  const bool taken = ui_->popup_open() || opens || edits || ui_->wants_keyboard();
  if (taken && !function_key && !quits) return;
  command(key, mods, repeat);
  const bool letter = (mods & GLFW_MOD_CONTROL) == 0;
  if (!edits && state_->focus_prompt) state_->typed_for_prompt.begin(letter);
  if (!opens && (state_->asks_what_to_do || state_->asks_what_to_open))
    state_->typed_for_popup.begin(letter);
}

void Controls::back() {
  state_->tips = false;
  if (!state_->message.empty()) {
    state_->message.clear();
  } else if (state_->help) {
    state_->help = false;
  } else if (state_->times) {
    state_->times = false;
  } else {
    select(0);
  }
}

void Controls::select(uint32_t node) {
  view_.selected = node;
  view_.whole_expert = 0;
  view_.selected_bolt.reset();
  view_.selected_cell.reset();
}

// Of the help while it is open, else of the inspector with Ctrl.
bool Controls::scroll_panel(int key, int mods) {
  if (!state_->help && (mods & GLFW_MOD_CONTROL) == 0) return false;
  constexpr float kPage = 12.0F;
  constexpr float kAll = 1e4F;
  float lines = 0.0F;
  if (key == GLFW_KEY_PAGE_UP || key == GLFW_KEY_PAGE_DOWN) lines = kPage;
  if (state_->help && (key == GLFW_KEY_UP || key == GLFW_KEY_DOWN)) lines = 1.0F;
  if (state_->help && (key == GLFW_KEY_HOME || key == GLFW_KEY_END)) lines = kAll;
  const bool up = key == GLFW_KEY_PAGE_UP || key == GLFW_KEY_UP || key == GLFW_KEY_HOME;
  state_->scroll += up ? -lines : lines;
  return lines != 0.0F;
}

bool Controls::text_size(int key) {
  constexpr float kStep = 1.1F;
  float& scale = view_.look.scale;
  if (key == GLFW_KEY_EQUAL || key == GLFW_KEY_KP_ADD) {
    scale = std::min(scale * kStep, 4.0F);
  } else if (key == GLFW_KEY_MINUS || key == GLFW_KEY_KP_SUBTRACT) {
    scale = std::max(scale / kStep, 0.5F);
  } else {
    return false;
  }
  state_->message = "text of " + std::to_string(std::lround(scale * 100.0F)) + " %";
  return true;
}

// Where not, says why.
bool Controls::can_ask() {
  if (state_->control != nullptr) return true;
  state_->message = std::string("only a running model can be asked: ") + ui::where_to_ask(*state_);
  return false;
}

// Of what is selected the bolts of this step, from the strongest on.
void Controls::next_bolt(int by) {
  const bool goes_on = by_key_ && view_.selected_bolt == by_key_;
  if (view_.selected != 0) bolts_of_ = view_.selected - 1;
  if (view_.selected == 0 && !goes_on) {
    state_->message = "no node is selected whose bolts could be gone through: Ctrl + P, L3.H1";
    return;
  }
  const size_t steps = stage_.reader().steps();
  const uint64_t step = scene::moment_of(view_.playhead, view_.merge, steps).last;
  const std::vector<BoltRef> bolts = stage_.bolts_at(bolts_of_, step);
  if (bolts.empty()) {
    state_->message = "no bolt begins or ends here in this step";
    return;
  }
  const auto at = goes_on ? std::find(bolts.begin(), bolts.end(), *by_key_) : bolts.end();
  const auto n = static_cast<ptrdiff_t>(bolts.size());
  const ptrdiff_t next = at == bolts.end() ? 0 : (at - bolts.begin() + by + n) % n;
  by_key_ = bolts[static_cast<size_t>(next)];
  select(0);
  view_.selected_bolt = by_key_;
}

void Controls::command(int key, int mods, bool repeat) {
  const bool control = (mods & GLFW_MOD_CONTROL) != 0;
  const bool shift = (mods & GLFW_MOD_SHIFT) != 0;
  if (control && key == GLFW_KEY_Q) state_->quit = true;
  if (key == GLFW_KEY_ESCAPE) return back();
  if (scroll_panel(key, mods) || (control && text_size(key))) return;
  if (key == GLFW_KEY_PAGE_UP || key == GLFW_KEY_PAGE_DOWN) {
    const int way = key == GLFW_KEY_PAGE_UP ? 1 : -1;
    const auto positions = static_cast<uint32_t>(stage_.reader().positions());
    if (view_.selected == 0) {
      state_->message = "nothing is selected: click a node, or Ctrl + P and its name, L3.H1";
      return;
    }
    const uint32_t element = scene::neighbour(stage_.layout(), view_.selected - 1, shift ? 0 : way,
                                              shift ? way : 0, positions);
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
      state_->tips = false;
      camera_.focus();
      break;
    case GLFW_KEY_H:
      state_->tips = false;
      camera_.home(aspect());
      break;
    case GLFW_KEY_P:
      state_->panels = true;
      state_->focus_prompt = can_ask();
      break;
    case GLFW_KEY_G:
      ui::hold(*state_);
      break;
    case GLFW_KEY_X:
      shift ? ui::unmute_all(*state_) : ui::toggle_muted(*state_);
      break;
    case GLFW_KEY_N:
      next_bolt(shift ? -1 : 1);
      break;
    case GLFW_KEY_I:
      state_->next_tensor += shift ? -1 : 1;
      break;
    case GLFW_KEY_O:
      state_->panels = true;
      state_->asks_how = can_ask();
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

void Controls::full_screen() {
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

void Controls::carry_out() {
  const std::optional<ui::Offer> what = std::exchange(state_->chosen, std::nullopt);
  if (!what) return;
  if (const auto node = scene::find_node(what->node, stage_.layout())) {
    select(*node + 1);
    if (scene::names_expert(what->node)) view_.whole_expert = view_.selected;
    return;
  }
  if (!what->view.empty()) return camera_.look(what->view, aspect());
  command(what->key, what->mods, false);
  if (state_->focus_prompt) state_->typed_for_prompt.begin(false);
}

}  // namespace render::commands
