// The prompt and what was generated so far, as the playhead has it; and where to ask for more.
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "render/scene/clock.h"
#include "render/scene/palette.h"
#include "render/scene/text.h"
#include "render/scene/wrap.h"
#include "render/ui/ui.h"

namespace ui {

namespace {

constexpr size_t kLines = 5;

// Tokens of the steps that have begun, from position `first` on: enough for the lines that are
// shown. A character whose bytes several tokens hold is of the last.
std::vector<std::string> texts_of(const State& state, uint32_t& first) {
  constexpr uint32_t kTokens = 1024;  // begins move by this much: lines stay where they are
  constexpr size_t kBytes = 4096;     // of a token's text; no vocabulary has longer ones
  const trace::Reader& reader = state.stage.reader();
  std::vector<std::string> texts;
  if (reader.steps() == 0) return texts;
  std::string bytes;
  const uint32_t last = shown_position(state);
  first = last / kTokens > 1 ? (last / kTokens - 1) * kTokens : 0;
  for (uint32_t p = first; p <= last; ++p) {
    bytes += reader.position(p).token.text.substr(0, kBytes);
    const size_t begun = p < last ? scene::unfinished(bytes) : 0;
    texts.push_back(scene::readable_text(std::string_view(bytes).substr(0, bytes.size() - begun)));
    bytes.erase(0, bytes.size() - begun);
  }
  return texts;
}

// The newest lines; what the step at hand has added is marked.
void text_lines(const State& state, float width, size_t least) {
  uint32_t begin = 0;
  const std::vector<scene::Line> lines =
      scene::wrap(texts_of(state, begin), width,
                  [](const std::string& text) { return ImGui::CalcTextSize(text.c_str()).x; });
  const trace::Reader& reader = state.stage.reader();
  const scene::Palette colours = scene::palette(state.view.look.theme, state.view.look.palette);
  ImDrawList* draw = ImGui::GetWindowDrawList();
  const ImVec2 origin = ImGui::GetCursorScreenPos();
  const float height = ImGui::GetTextLineHeight() * 1.2F;
  const size_t first = lines.size() > kLines ? lines.size() - kLines : 0;
  const uint32_t last = reader.steps() > 0 ? position_of(state, shown_step(state)) : 0;
  for (size_t i = first; i < lines.size(); ++i) {
    ImVec2 at(origin.x, origin.y + static_cast<float>(i - first) * height);
    for (const scene::Run& run : lines[i]) {
      const trace::TokenRecord& token = *reader.position(begin + run.from).token.record;
      const bool prompt = token.kind == trace::TokenKind::kPrompt;
      const ImVec2 size = ImGui::CalcTextSize(run.text.c_str());
      // Of a prompt the last token: heads, FFN and spine are its.
      if (token.step == shown_step(state) && (!prompt || begin + run.from == last)) {
        draw->AddRectFilled(
            ImVec2(at.x - 1.0F, at.y), ImVec2(at.x + size.x + 1.0F, at.y + size.y),
            (channel_rgba(colours, shaders::kChannelCrown) & 0xFFFFFFU) | 0x90000000U, 2.0F);
      }
      draw->AddText(at, prompt ? colours.faint_text : colours.text, run.text.c_str());
      at.x += size.x;
    }
  }
  const size_t used = std::max(lines.size() - first, least);
  ImGui::Dummy(ImVec2(width, height * static_cast<float>(used)));
}

// On the first frame of an edit: where it goes on, with nothing chosen that a key would replace.
int caret_to_end(ImGuiInputTextCallbackData* data) {
  if (std::exchange(*static_cast<bool*>(data->UserData), false))
    data->CursorPos = data->SelectionStart = data->SelectionEnd = data->BufTextLen;
  return 0;
}

void controls(State& state) {
  const trace::Reader& reader = state.stage.reader();
  if (state.control == nullptr) {
    ImGui::TextDisabled("%s", state.stage.at_rest()
                                  ? "a structure: no model runs in it"
                                  : "a recorded trace: it can be watched, not continued");
    return;
  }
  auto& what = state.generate;
  if (std::exchange(state.focus_prompt, false)) {
    ImGui::SetKeyboardFocusHere();
    state.caret_to_end = true;
  }
  ImGui::SetNextItemWidth(-150.0F * ImGui::GetFontSize() / 15.0F);
  const std::string typed = state.editing.shown(what.prompt);
  std::string edited = typed;
  bool go = ImGui::InputTextWithHint(
      "##prompt", "prompt", &edited,
      ImGuiInputTextFlags_EnterReturnsTrue | ImGuiInputTextFlags_CallbackAlways, caret_to_end,
      &state.caret_to_end);
  // Escape would bring back what stood there before; what somebody wrote stays.
  const bool escaped = ImGui::IsItemDeactivated() && escape_pressed();
  if (!escaped && edited != typed) what.prompt = state.editing.meant(edited);
  ImGui::SameLine();
  go = ImGui::Button("Generate") || go;
  ImGui::SameLine();
  if (ImGui::Button("...")) ImGui::OpenPopup("sampling");
  if (ImGui::BeginPopup("sampling")) {
    auto n = static_cast<int>(what.n);
    auto top_k = static_cast<int>(what.sampling.top_k);
    // Written back only when it was changed: a widget may hold less than the value.
    if (ImGui::SliderInt("tokens", &n, 1, static_cast<int>(state.stage.layout().model().context),
                         "%d", ImGuiSliderFlags_AlwaysClamp)) {
      what.n = static_cast<uint32_t>(std::max(n, 1));
    }
    const auto slider = [](const char* name, float& value, float low, float high) {
      ImGui::SliderFloat(name, &value, low, high, "%.2f", ImGuiSliderFlags_AlwaysClamp);
    };
    slider("temperature", what.sampling.temperature, 0.0F, 2.0F);
    if (ImGui::SliderInt("top-k", &top_k, 0, 100, "%d", ImGuiSliderFlags_AlwaysClamp)) {
      what.sampling.top_k = static_cast<uint32_t>(std::max(top_k, 0));
    }
    slider("top-p", what.sampling.top_p, 0.05F, 1.0F);
    slider("min-p", what.sampling.min_p, 0.0F, 1.0F);
    slider("repetition penalty", what.sampling.repeat_penalty, 1.0F, 2.0F);
    slider("frequency penalty", what.sampling.frequency_penalty, 0.0F, 2.0F);
    slider("presence penalty", what.sampling.presence_penalty, 0.0F, 2.0F);
    constexpr uint64_t kOne = 1;
    ImGui::InputScalar("seed", ImGuiDataType_U64, &what.sampling.seed, &kOne);
    const bool again = ImGui::Button("Generate");
    go = go || again;
    if (again || escape_pressed()) ImGui::CloseCurrentPopup();
    ImGui::EndPopup();
  }
  if (go) {
    what.go_on = true;
    if (state.control->post(what)) {
      state.player.play(true);
    } else {
      state.message = "the engine is busy; try again";
    }
  }
  const auto warn = [&](std::string_view note) {
    if (note.empty()) return;
    const bool dark = state.view.look.theme == scene::Theme::kDark;
    ImGui::PushStyleColor(ImGuiCol_Text,
                          dark ? ImVec4(1.0F, 0.6F, 0.3F, 1.0F) : ImVec4(0.72F, 0.28F, 0.0F, 1.0F));
    ImGui::TextWrapped("%s", scene::readable_text(note).c_str());
    ImGui::PopStyleColor();
  };
  if (reader.failed()) warn(reader.note());
  if (!reader.failed() && reader.finished() && state.player.at_end(reader.steps()))
    ImGui::TextDisabled("%s", scene::readable_text(reader.note()).c_str());
  warn(reader.trace_failure());
}

}  // namespace

float text_width(float display, float em) {
  return std::clamp(display * 0.36F, std::min(20.0F * em, display - 2.0F * em), 36.0F * em);
}

float bottom_of_panels(bool interactive, float em) {
  return (interactive ? 4.4F : 1.0F) * em;
}

void panel_text(State& state, bool interactive) {
  if (!interactive && state.stage.reader().positions() == 0) return;
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float em = ImGui::GetFontSize();
  ImGui::SetNextWindowPos(ImVec2(em, display.y - bottom_of_panels(interactive, em)),
                          ImGuiCond_Always, ImVec2(0.0F, 1.0F));
  ImGui::SetNextWindowSize(ImVec2(text_width(display.x, em), 0.0F));
  const ImGuiWindowFlags flags = ImGuiWindowFlags_NoTitleBar | ImGuiWindowFlags_NoResize |
                                 ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                                 ImGuiWindowFlags_NoScrollbar | ImGuiWindowFlags_AlwaysAutoResize;
  if (!interactive) ImGui::SetNextWindowBgAlpha(0.85F);
  if (ImGui::Begin("text", nullptr, flags)) {
    ImGui::PushFont(ImGui::GetIO().Fonts->Fonts[1]);
    if (!state.stage.at_rest())
      text_lines(state, ImGui::GetContentRegionAvail().x, interactive ? 3 : 1);
    ImGui::PopFont();
    if (interactive) controls(state);
  }
  ImGui::End();
}

}  // namespace ui
