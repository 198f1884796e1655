// The panels over the picture. One panel, one file; this owns what they share.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/control.h"
#include "render/player.h"
#include "render/scene/editable.h"
#include "render/stage.h"
#include "render/ui/palette_commands.h"
#include "render/ui/typed_ahead.h"

struct GLFWwindow;
struct ImDrawData;

namespace ui {

// What the panels show and change. Panels are plain functions over this.
struct State {
  render::Stage& stage;
  render::View& view;
  render::Player& player;
  engine::Control* control = nullptr;  // null: nobody answers

  engine::Generate generate{};                 // what the prompt panel holds
  engine::Generate asked = generate;           // what the conversation answers
  std::optional<engine::Generate> asks_for{};  // what the engine was asked since, and may refuse
  uint64_t asked_during = 0;                   // conversations and continuations there were then
  bool holds = false;                          // the model waits, as somebody wished
  std::vector<std::string> unmuted{};  // tokens of what it said to that before something was muted
  std::string followed{};              // where the trace still comes from; empty: it is all there
  bool help = false;
  bool times = false;
  bool panels = true;
  bool quit = false;
  bool films = false;     // the window is being filmed
  std::string message{};  // of the last thing that was done, for the timeline
  std::string said{};     // what stands there, and for how long, seconds
  float said_for = 0.0F;
  bool focus_prompt = false;
  bool caret_to_end = false;  // of the prompt, when it is edited next
  bool meanings = false;      // the legend's explanations are shown
  TypedAhead typed_for_prompt{};
  TypedAhead typed_for_popup{};  // for the line of what is open
  struct Pressed {
    int key = 0;  // of GLFW, and which of Shift, Ctrl ... were down, or latched as sticky keys are
    int mods = 0;
  };
  std::vector<Pressed> pressed{};  // since the last frame, also let go between two
  bool tips = false;               // what the pointer rests on is described; not before it moved
  float scroll = 0.0F;             // lines, of the help, else of the inspector
  int next_tensor = 0;             // that the inspector shall show
  bool asks_how = false;           // the sampler's settings shall open

  bool asks_what_to_open = false;
  std::string what_to_open{};  // as it was typed last
  std::string open{};          // a path or a name that shall be shown instead; empty: nothing

  // Of the command palette.
  bool asks_what_to_do = false;
  std::string what_to_do{};  // as it is typed
  int offer = 0;             // the line that is lit
  std::optional<Offer> chosen{};

  // Of the inspector.
  uint64_t next_request = 1;
  std::string wanted_tensor{};  // of what is selected first the one to show; empty: the first
  std::string shown_tensor{};   // name of the tensor on the screen; empty: none
  bool asks = false;            // the engine has not answered yet
};

class Explanations;
class Inspector;
class Letters;

class Ui {
 public:
  // window: null when there is none; then the caller says how large a frame is.
  // scale: of text and panels. Throws Error (failed) when no font is there.
  explicit Ui(GLFWwindow* window, float scale);
  ~Ui();
  Ui(const Ui&) = delete;
  Ui& operator=(const Ui&) = delete;

  // Between frames. Throws as the constructor.
  void set_scale(float scale);

  // What a recording shows: text and legend, nothing to press.
  ImDrawData* draw_overlay(State& state, glm::vec2 size_px, float seconds);
  // Everything, for a window.
  ImDrawData* draw_window(State& state);
  // The same without the sign that says that it is filmed.
  ImDrawData* filmed();

  // A menu or a list is open: Escape is its.
  bool popup_open() const;
  bool wants_mouse() const;
  bool wants_keyboard() const;

 private:
  void style(scene::Theme theme);
  void begin_frame(State& state);

  GLFWwindow* window_;
  float scale_;
  std::unique_ptr<Letters> letters_;
  std::unique_ptr<ImDrawData> filmed_;
  bool sign_ = false;  // the last of the lists that are drawn
  scene::Theme theme_ = scene::Theme::kDark;
  bool styled_ = false;
  std::unique_ptr<Explanations> explanations_;
  std::unique_ptr<Inspector> inspector_;
};

// Pixels that the text panel is wide in a picture of that width, and that the panels above the
// timeline keep from the picture's lower edge. em: the font's size.
float text_width(float display, float em);
// What the timeline of a narrow window takes more: its slider has a row of its own.
float second_row(float display, float em);
float bottom_of_panels(bool interactive, float em);

// Of this frame.
bool escape_pressed();

// As panels show it; empty where there is none.
std::string token_text(const State& state, uint32_t position);

// Conversations and continuations there were: what was asked before it grew is of another text.
uint64_t beginnings(const State& state);

// The numbers are those of --synthetic: no model made them.
bool is_invented(const State& state);
// Of what needs a running model where none answers: "beside a trace, -m".
const char* where_to_ask(const State& state);

// Asks the engine for a text. False: it is busy, and state.message says so.
bool ask_for(State& state, const engine::Generate& what);
// Whether a model has more to say here; it may be held.
bool writes(const State& state);
// Holds it behind the token it is at, or lets it go on; where none writes, a sentence says so.
void hold(State& state);
// Once a frame: whether the engine has begun with what it was asked.
void take_answer(State& state);

// Asks the engine for the same again with what is selected muted, or speaking again; or with
// nothing muted. A sentence in state.message says why not.
void toggle_muted(State& state);
// Where the selected cell stands for its expert: that.
std::optional<trace::MutedPart> selected_expert(const State& state);
void toggle_muted(State& state, const trace::MutedPart& part);
void unmute_all(State& state);

// In the colour of what should not be overlooked; in as many lines as it takes.
void warn(scene::Theme theme, std::string_view sentence);

// The panels.
void panel_text(State& state, bool interactive);
void panel_legend(State& state, bool interactive);
void panel_timeline(State& state);
void panel_message(State& state);
void panel_help(State& state);
// In a window that keys may scroll: does so.
void scroll_by_keys(const State& state);
void panel_open(State& state);
void panel_palette(State& state);
void panel_times(State& state);
void panel_bolt(State& state);
void hover_tip(State& state);
void panel_cell(State& state);
void panel_place(State& state, bool interactive);
void cell_tip(State& state);

// The step and the position whose numbers are shown: those under the playhead.
// step() is only meaningful when there is at least one.
size_t shown_step(const State& state);
uint32_t shown_position(const State& state);
// The step whose numbers a node shows: that one, but at the crown the one whose bars stand there;
// none before the first.
std::optional<size_t> step_of(const State& state, scene::Kind kind);
uint32_t position_of(const State& state, size_t step);

}  // namespace ui
