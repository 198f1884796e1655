#include "render/ui/ui.h"

#include <imgui.h>

#include <GLFW/glfw3.h>
#include <backends/imgui_impl_glfw.h>
#include <algorithm>
#include <utility>
#include <vector>

#include "render/ui/explanations.h"
#include "render/ui/letters.h"
#include "render/ui/panel_inspector.h"

namespace ui {

namespace {

// In a list of its own, above all others.
void film_sign(const State& state) {
  const char* words = "filming, F9 ends";
  const float em = ImGui::GetFontSize();
  const ImVec2 size = ImGui::CalcTextSize(words);
  const ImVec2 at(0.5F * (ImGui::GetIO().DisplaySize.x - size.x), 0.6F * em);
  const bool dark = state.view.look.theme == scene::Theme::kDark;
  ImDrawList* draw = ImGui::GetForegroundDrawList();
  draw->AddRectFilled(ImVec2(at.x - 1.8F * em, at.y - 0.3F * em),
                      ImVec2(at.x + size.x + 0.7F * em, at.y + size.y + 0.3F * em),
                      ImGui::GetColorU32(ImGuiCol_WindowBg), 0.5F * em);
  draw->AddCircleFilled(ImVec2(at.x - em, at.y + 0.5F * size.y), 0.36F * em,
                        dark ? IM_COL32(255, 70, 60, 255) : IM_COL32(200, 20, 20, 255));
  draw->AddText(at, ImGui::GetColorU32(ImGuiCol_Text), words);
}

}  // namespace

Ui::Ui(GLFWwindow* window, float scale)
    : window_(window),
      scale_(scale),
      filmed_(std::make_unique<ImDrawData>()),
      explanations_(std::make_unique<Explanations>()),
      inspector_(std::make_unique<Inspector>(*explanations_)) {
  IMGUI_CHECKVERSION();
  ImGui::CreateContext();
  ImGuiIO& io = ImGui::GetIO();
  io.IniFilename = nullptr;
  io.BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset;
  letters_ = std::make_unique<Letters>(15.0F * scale);
  if (window == nullptr) return;
  ImGui_ImplGlfw_InitForVulkan(window, true);
  // What a field of one line would destroy comes as signs, see scene::Editable, and goes as itself.
  constexpr auto pasted = [](auto*) {
    static std::string text;
    const char* raw = glfwGetClipboardString(nullptr);
    text = Letters::current().editable().pasted(raw == nullptr ? "" : raw);
    return text.c_str();
  };
  constexpr auto copied = [](auto*, const char* text) {
    glfwSetClipboardString(nullptr, Letters::current().editable().meant(text).c_str());
  };
#if IMGUI_VERSION_NUM < 19110
  io.GetClipboardTextFn = pasted;
  io.SetClipboardTextFn = copied;
#else
  ImGui::GetPlatformIO().Platform_GetClipboardTextFn = pasted;
  ImGui::GetPlatformIO().Platform_SetClipboardTextFn = copied;
#endif
  glfwSetCharCallback(window, [](GLFWwindow* w, unsigned character) {
    const bool edits = ImGui::GetIO().WantTextInput;
    if (edits && Letters::current().editable().keep_typed(character)) return;
    if (character <= 0xFFFF) ImGui_ImplGlfw_CharCallback(w, character);
  });
}

void Ui::set_scale(float scale) {
  if (scale == scale_) return;
  scale_ = scale;
  styled_ = false;
  scene::Editable edited = std::move(letters_->editable());  // a line is on the screen with it
  letters_.reset();
  ImGui::GetIO().Fonts->Clear();
  letters_ = std::make_unique<Letters>(15.0F * scale);
  letters_->editable() = std::move(edited);
}

Ui::~Ui() {
  if (window_ != nullptr) ImGui_ImplGlfw_Shutdown();
  inspector_.reset();
  ImGui::DestroyContext();
}

void Ui::style(scene::Theme theme) {
  if (styled_ && theme_ == theme) return;
  theme_ = theme;
  styled_ = true;
  ImGuiStyle style;
  if (theme == scene::Theme::kDark) {
    ImGui::StyleColorsDark(&style);
    style.Colors[ImGuiCol_WindowBg] = ImVec4(0.025F, 0.03F, 0.05F, 0.93F);
    style.Colors[ImGuiCol_TextDisabled] = ImVec4(0.56F, 0.58F, 0.61F, 1.0F);
    style.Colors[ImGuiCol_Border] = ImVec4(0.3F, 0.34F, 0.42F, 0.35F);
    style.Colors[ImGuiCol_FrameBg] = ImVec4(0.10F, 0.12F, 0.17F, 0.9F);
    style.Colors[ImGuiCol_PlotHistogram] = ImVec4(0.62F, 0.70F, 0.82F, 1.0F);
  } else {
    ImGui::StyleColorsLight(&style);
    style.Colors[ImGuiCol_WindowBg] = ImVec4(0.98F, 0.98F, 0.99F, 0.92F);
    style.Colors[ImGuiCol_TextDisabled] = ImVec4(0.36F, 0.39F, 0.44F, 1.0F);
    style.Colors[ImGuiCol_FrameBg] = ImVec4(0.88F, 0.90F, 0.93F, 1.0F);
    style.FrameBorderSize = 1.0F;
    style.Colors[ImGuiCol_PlotHistogram] = ImVec4(0.32F, 0.40F, 0.54F, 1.0F);
  }
  style.WindowRounding = 6.0F;
  style.FrameRounding = 4.0F;
  style.GrabRounding = 4.0F;
  style.WindowPadding = ImVec2(12.0F, 10.0F);
  style.ItemSpacing = ImVec2(8.0F, 5.0F);
  style.ScaleAllSizes(scale_);
  ImGui::GetStyle() = style;
}

ImDrawData* Ui::draw_overlay(State& state, glm::vec2 size_px, float seconds) {
  ImGuiIO& io = ImGui::GetIO();
  io.DisplaySize = ImVec2(size_px.x, size_px.y);
  io.DeltaTime = std::max(seconds, 1e-4F);
  io.MousePos = ImVec2(-1e6F, -1e6F);
  style(state.view.look.theme);
  do {  // once more with letters that were not there
    ImGui::NewFrame();
    const render::Panels& panels = state.view.look.panels;
    if (panels.legend) panel_legend(state, false);
    if (panels.text) panel_text(state, false);
    if (panels.inspector) {
      inspector_->draw(state, false);
      panel_bolt(state);
      panel_place(state, false);
    }
    ImGui::Render();
  } while (letters_->update());
  return ImGui::GetDrawData();
}

// Dear ImGui before 1.87 sees only the keys that are down when a frame begins. One that was pressed
// and let go between two frames is down for one of them: this one, or the next if it was down in
// the last, since twice is not held. What was held with it, or latched, is seen with it.
void Ui::begin_frame(State& state) {
  ImGui_ImplGlfw_NewFrame();
#if IMGUI_VERSION_NUM < 18700
  ImGuiIO& io = ImGui::GetIO();
  io.KeyCtrl = io.KeysDown[GLFW_KEY_LEFT_CONTROL] || io.KeysDown[GLFW_KEY_RIGHT_CONTROL];
  io.KeyShift = io.KeysDown[GLFW_KEY_LEFT_SHIFT] || io.KeysDown[GLFW_KEY_RIGHT_SHIFT];
  io.KeyAlt = io.KeysDown[GLFW_KEY_LEFT_ALT] || io.KeysDown[GLFW_KEY_RIGHT_ALT];
  const auto held = [&](int mods) {
    return (io.KeyCtrl || (mods & GLFW_MOD_CONTROL) == 0) &&
           (io.KeyShift || (mods & GLFW_MOD_SHIFT) == 0) &&
           (io.KeyAlt || (mods & GLFW_MOD_ALT) == 0);
  };
  std::vector<State::Pressed> down;
  std::vector<State::Pressed> later;
  for (const State::Pressed& one : state.pressed) {
    if (one.key < 0 || (io.KeysDown[one.key] && held(one.mods))) continue;
    const bool again =
        io.KeysDownDuration[one.key] >= 0.0F ||
        std::any_of(down.begin(), down.end(), [&](const auto& d) { return d.key == one.key; });
    (again ? later : down).push_back(one);
  }
  std::vector<int> let_go;
  for (const State::Pressed& one : down) {
    if (!io.KeysDown[one.key]) let_go.push_back(one.key);
    io.KeysDown[one.key] = true;
    io.KeyCtrl = io.KeyCtrl || (one.mods & GLFW_MOD_CONTROL) != 0;
    io.KeyShift = io.KeyShift || (one.mods & GLFW_MOD_SHIFT) != 0;
    io.KeyAlt = io.KeyAlt || (one.mods & GLFW_MOD_ALT) != 0;
  }
  ImGui::NewFrame();
  for (const int key : let_go) io.KeysDown[key] = false;
  state.pressed = std::move(later);
#else
  ImGui::NewFrame();
  state.pressed.clear();
#endif
}

ImDrawData* Ui::draw_window(State& state) {
  letters_->update();
  style(state.view.look.theme);
  begin_frame(state);
  take_answer(state);
  explanations_->follow(state);
  if (state.panels) {
    panel_legend(state, true);
    panel_text(state, true);
    panel_timeline(state);
    inspector_->draw(state, true);
    panel_bolt(state);
    panel_cell(state);
    panel_place(state, true);
  }
  if (state.help) panel_help(state);
  if (state.times) panel_times(state);
  panel_open(state);
  panel_palette(state);
  panel_message(state);
  hover_tip(state);
  cell_tip(state);
  letters_->editable().take_typed();  // that no line took
  state.scroll = 0.0F;
  state.next_tensor = 0;
  sign_ = state.films;
  if (sign_) film_sign(state);
  ImGui::Render();
  return ImGui::GetDrawData();
}

ImDrawData* Ui::filmed() {
  *filmed_ = *ImGui::GetDrawData();
  if (sign_) --filmed_->CmdListsCount;
  return filmed_.get();
}

bool Ui::popup_open() const {
  return ImGui::IsPopupOpen("", ImGuiPopupFlags_AnyPopupId | ImGuiPopupFlags_AnyPopupLevel);
}

void warn(scene::Theme theme, std::string_view sentence) {
  const bool dark = theme == scene::Theme::kDark;
  ImGui::PushStyleColor(ImGuiCol_Text,
                        dark ? ImVec4(1.0F, 0.6F, 0.3F, 1.0F) : ImVec4(0.72F, 0.28F, 0.0F, 1.0F));
  ImGui::TextWrapped("%s", readable_text(sentence).c_str());
  ImGui::PopStyleColor();
}

std::string token_text(const State& state, uint32_t position) {
  const trace::Reader& reader = state.stage.reader();
  return position < reader.positions() ? visible_text(reader.position(position).token.text)
                                       : std::string();
}

bool escape_pressed() {
#if IMGUI_VERSION_NUM < 18700
  return ImGui::IsKeyPressed(ImGui::GetKeyIndex(ImGuiKey_Escape));
#else
  return ImGui::IsKeyPressed(ImGuiKey_Escape);
#endif
}

bool Ui::wants_mouse() const {
  return ImGui::GetIO().WantCaptureMouse;
}
bool Ui::wants_keyboard() const {
  return ImGui::GetIO().WantTextInput;
}

size_t shown_step(const State& state) {
  const size_t steps = state.stage.reader().steps();
  return scene::moment_of(state.player.playhead(), state.view.merge, steps).last;
}

uint32_t shown_position(const State& state) {
  return position_of(state, shown_step(state));
}

std::optional<size_t> step_of(const State& state, scene::Kind kind) {
  const size_t steps = state.stage.reader().steps();
  if (steps == 0) return {};
  const scene::Moment now = scene::moment_of(state.player.playhead(), state.view.merge, steps);
  return scene::at_crown(kind) ? scene::crown_of(now) : now.last;
}

uint32_t position_of(const State& state, size_t step) {
  const trace::StepRecord& record = state.stage.reader().step(step);
  return record.last_position();
}

}  // namespace ui
