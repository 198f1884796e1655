// Play, pause, step, scrub, pace; the tip under the cursor; the help.
#include <imgui.h>

#include <algorithm>
#include <string>

#include "render/ui/letters.h"
#include "render/ui/ui.h"

namespace ui {

namespace {

constexpr ImGuiWindowFlags kFixed = ImGuiWindowFlags_NoTitleBar | ImGuiWindowFlags_NoResize |
                                    ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                                    ImGuiWindowFlags_NoScrollbar;

}  // namespace

float second_row(float display, float em) {
  return display < 60.0F * em ? 2.1F * em : 0.0F;
}

// What the last thing that was done came to, above the timeline's end: until Escape, the next one,
// or long enough to be read slowly.
void panel_message(State& state) {
  if (state.message != state.said) {
    state.said = state.message;
    state.said_for = 0.0F;
  }
  constexpr float kSeconds = 30.0F;
  state.said_for += ImGui::GetIO().DeltaTime;
  if (state.said_for > kSeconds) state.message = state.said = "";
  if (state.message.empty()) return;
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float em = ImGui::GetFontSize();
  ImGui::SetNextWindowPos(ImVec2(display.x - em, display.y - 4.4F * em - second_row(display.x, em)),
                          ImGuiCond_Always, ImVec2(1.0F, 1.0F));
  if (ImGui::Begin("message", nullptr,
                   kFixed | ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoInputs |
                       ImGuiWindowFlags_NoFocusOnAppearing)) {
    ImGui::TextUnformatted(readable_text(state.message).c_str());
  }
  ImGui::End();
}

void panel_timeline(State& state) {
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float em = ImGui::GetFontSize();
  const size_t steps = state.stage.reader().steps();
  render::Player& player = state.player;
  ImGui::SetNextWindowPos(ImVec2(em, display.y - em * 0.8F), ImGuiCond_Always, ImVec2(0.0F, 1.0F));
  ImGui::SetNextWindowSize(ImVec2(display.x - 2.0F * em, 0.0F));
  if (ImGui::Begin("timeline", nullptr, kFixed)) {
    const bool over = state.stage.reader().finished() && player.at_end(steps);
    if (ImGui::Button(over               ? "Again"
                      : player.playing() ? "Pause"
                                         : "Play",
                      ImVec2(em * 4.0F, 0.0F)))
      over ? player.again() : player.toggle();
    const scene::Clock clock(state.stage.layout().model().layers);
    const auto button = [&](const char* label, const char* tip) {
      ImGui::SameLine();
      const bool pressed = ImGui::Button(label);
      if (ImGui::IsItemHovered()) ImGui::SetTooltip("%s", tip);
      return pressed;
    };
    using render::Stride;
    if (button("|<", "to the start (Home)")) player.home();
    if (button("<<<", "a token back (Ctrl + Left)")) player.step(Stride::kToken, -1, clock, steps);
    if (button("<<", "a layer back (Ctrl + Down)")) player.step(Stride::kLayer, -1, clock, steps);
    if (button("<", "an operation back (,)")) player.step(Stride::kOperation, -1, clock, steps);
    if (button(">", "an operation on (.)")) player.step(Stride::kOperation, 1, clock, steps);
    if (button(">>", "a layer on (Ctrl + Up)")) player.step(Stride::kLayer, 1, clock, steps);
    if (button(">>>", "a token on (Ctrl + Right)")) player.step(Stride::kToken, 1, clock, steps);
    if (button(">|", "with the newest token (End)")) player.follow(steps);
    if (second_row(display.x, em) == 0.0F) ImGui::SameLine();
    auto playhead = static_cast<float>(player.playhead());
    ImGui::SetNextItemWidth(-em * 21.0F);
    if (ImGui::SliderFloat("##playhead", &playhead, 0.0F, std::max(static_cast<float>(steps), 1.0F),
                           "step %.2f")) {
      player.seek(static_cast<double>(playhead), steps);
    }
    ImGui::SameLine();
    auto pace = static_cast<float>(player.pace());
    ImGui::SetNextItemWidth(em * 4.0F);
    if (ImGui::SliderFloat("##pace", &pace, static_cast<float>(render::Player::kSlowest),
                           static_cast<float>(render::Player::kFastest), "",
                           ImGuiSliderFlags_Logarithmic)) {
      player.set_pace(static_cast<double>(pace));
    }
    // Beside it: its handle would lie on the number.
    ImGui::SameLine();
    ImGui::Text("%.3g steps/s", double{pace});
    ImGui::SameLine();
    std::string how = "of " + std::to_string(steps);
    if (!state.stage.reader().finished()) how += state.holds ? ", held" : ", live";
    if (player.merge() > 1.0)
      how += ", " + std::to_string(static_cast<int>(player.merge())) + " as one";
    ImGui::TextDisabled("%s  F1: help", how.c_str());
  }
  ImGui::End();
}

void scroll_by_keys(const State& state) {
  if (state.scroll == 0.0F) return;
  ImGui::SetScrollY(
      std::clamp(ImGui::GetScrollY() + state.scroll * ImGui::GetTextLineHeightWithSpacing(), 0.0F,
                 ImGui::GetScrollMaxY()));
}

void panel_help(State& state) {
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float em = ImGui::GetFontSize();
  ImGui::SetNextWindowPos(ImVec2(display.x * 0.5F, em), ImGuiCond_Appearing, ImVec2(0.5F, 0.0F));
  ImGui::SetNextWindowSizeConstraints(ImVec2(0.0F, 0.0F),
                                      ImVec2(display.x - 2.0F * em, display.y - 2.0F * em));
  ImGui::SetNextWindowBgAlpha(1.0F);
  if (ImGui::Begin("Help", &state.help,
                   ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoSavedSettings)) {
    constexpr const char* keys[][2] = {
        {"drag", "orbit"},
        {"right drag, Shift + drag", "pan"},
        {"wheel", "zoom to the cursor"},
        {"W A S D Q E", "fly; the keys in these places of a US keyboard"},
        {"Shift + arrows", "turn around what is looked at"},
        {"Ctrl, Alt + 1 ... 9", "set a bookmark; go there"},
        {"click", "inspect the node or the bolt under the cursor"},
        {"F, double click", "focus on the selected node"},
        {"Page Up, Down", "select the same a layer up, down; with Shift the next beside it"},
        {"N", "the bolts of what is selected, from the strongest on; with Shift back"},
        {"I", "the inspector's next tensor; with Shift the one before"},
        {"Ctrl + Page Up, Down", "scroll what the inspector says"},
        {"H", "home view"},
        {"Space", "play, pause"},
        {"Left, Right", "back, forward a little"},
        {"Ctrl + Left, Right", "step by a token"},
        {"Ctrl + Down, Up", "step by a layer"},
        {", .  Ctrl + Shift + Left, Right", "step by an operation: read, write, FFN ..."},
        {"Home, End", "to the start; follow the newest token"},
        {"+ - 0", "pace: faster, slower (1/16 to 8 steps a second), 1"},
        {"1 2 3 4 5 6 7 8", "channels of the legend, from above: on, off"},
        {"Shift, Ctrl + Shift + 1 ... 8", "a channel's gain: more, less"},
        {"X", "mute what is selected, or let it speak again; with Shift: let all"},
        {"R", "read the residual stream behind every layer: the logit lens"},
        {"B", "show all bolts that are listed, or the strongest"},
        {"Ctrl + P", "all commands, found by typing; a node by its name: L3.H1"},
        {"P; O", "write a prompt; how tokens are drawn: temperature, top-k ... by Tab"},
        {"G", "stop the model, or let it go on"},
        {"Ctrl + O, dropping a file", "open another model or trace"},
        {"T, V", "dark or light; the next palette"},
        {"L", "labels"},
        {"M", "reduced motion"},
        {"Ctrl + + -", "text: larger, smaller"},
        {"Tab", "hide and show the panels"},
        {"F11", "full screen"},
        {"F9", "film the window, panels and all; Tab hides them; F9 again ends the film"},
        {"F12", "save a picture of this view"},
        {"F1", "this help; F2 the times of the passes"},
        {"Esc", "back: the line that is edited, tips and messages, help, selection"},
        {"Ctrl + Q", "quit"},
    };
    for (const auto& [key, meaning] : keys) {
      ImGui::TextDisabled("%s", key);
      ImGui::SameLine(em * std::min(18.0F, 0.4F * display.x / em));
      ImGui::PushTextWrapPos(display.x - 4.0F * em);
      ImGui::TextUnformatted(meaning);
      ImGui::PopTextWrapPos();
    }
    scroll_by_keys(state);
  }
  ImGui::End();
}

}  // namespace ui
