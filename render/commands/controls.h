// Mouse and keyboard of the window -> camera, player and panels. Belongs to the window's thread.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "render/camera_control.h"
#include "render/pick_result.h"
#include "render/player.h"
#include "render/stage.h"
#include "render/ui/ui.h"

struct GLFWwindow;

namespace render::commands {

class Controls {
 public:
  // Takes the window's callbacks and its user pointer; all must outlive it. The panels' own
  // callbacks come later and call these.
  Controls(GLFWwindow* window, Stage& stage, View& view, Player& player);
  Controls(const Controls&) = delete;
  Controls& operator=(const Controls&) = delete;

  // Before the first frame.
  void attach(ui::Ui& ui, ui::State& state);

  float aspect() const;

  // Once a frame: moves the camera, and says in the view what the picture is asked about.
  void update(float seconds);
  // Once a frame, when the panels know what was pressed on them.
  void press();
  // The answer to what the view asked.
  void picked(const PickResult& result);
  // What was chosen in the palette.
  void carry_out();

  // True when something on the screen may have changed through the person's doing.
  bool take_activity();
  bool take_screenshot() { return std::exchange(screenshot_, false); }
  bool& films() { return films_; }

 private:
  struct Press {
    int button;
    bool pressed;  // or let go
    int mods;
    glm::ivec2 at;  // pixel
  };

  static Controls& self(GLFWwindow* window);

  glm::ivec2 pixels() const;
  // In the window's units, of which a pixel may be a part.
  glm::vec2 size() const;
  glm::vec2 pointer() const;
  // Under the pointer.
  glm::ivec2 pixel() const { return glm::floor(pointer() / size() * glm::vec2(pixels())); }
  bool is_inside(glm::ivec2 at) const;

  // A sheet is pointed at unless a thing stands before it.
  void hover_cell(std::optional<glm::vec2> point);
  bool second_click() const;
  void button(const Press& press);
  // W A S D Q E fly; with Shift, the arrows turn around the target.
  void fly(float seconds);

  void key(int key, int mods, bool repeat);
  // Ctrl with a digit sets a bookmark, Alt with it goes there. False: no such key.
  bool bookmark(int key, int mods);
  void command(int key, int mods, bool repeat);
  void back();
  // element + 1; 0: nothing.
  void select(uint32_t node);
  bool scroll_panel(int key, int mods);
  bool text_size(int key);
  bool can_ask();
  void next_bolt(int by);
  void full_screen();

  GLFWwindow* window_;
  Stage& stage_;
  View& view_;
  Player& player_;
  // Whose bolts are gone through by key, and which of them is selected.
  uint32_t bolts_of_ = 0;
  std::optional<BoltRef> by_key_{};
  ui::Ui* ui_ = nullptr;
  ui::State* state_ = nullptr;
  CameraControl camera_;
  glm::vec2 cursor_{0.0F};
  float scroll_ = 0.0F;
  float travelled_ = 0.0F;
  double last_click_ = -1.0;
  int unasked_ = 0;  // frames for which the pointer rested
  bool dragging_ = false;
  bool panning_ = false;
  std::optional<glm::ivec2> click_;  // the pixel, while it is not known what is there
  std::vector<Press> presses_;       // of this frame
  bool focus_on_pick_ = false;
  bool moved_ = false;
  bool active_ = true;
  bool screenshot_ = false;
  bool films_ = false;
  int before_[4] = {0, 0, 1280, 720};  // full screen: place and size of the window
};

}  // namespace render::commands
