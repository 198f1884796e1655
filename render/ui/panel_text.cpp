// The prompt and what was generated so far, as the playhead has it; and where to ask for more.
#include <imgui.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "render/scene/clock.h"
#include "render/scene/muted.h"
#include "render/scene/palette.h"
#include "render/scene/text.h"
#include "render/scene/wrap.h"
#include "render/ui/edit_line.h"
#include "render/ui/letters.h"
#include "render/ui/ui.h"

namespace ui {

namespace {

constexpr size_t kLines = 5;

// Tokens first .. last, as text. A character whose bytes several tokens hold is of the last.
template <class Token>
std::vector<std::string> texts_of(uint32_t first, uint32_t last, const Token& token) {
  constexpr size_t kBytes = 4096;  // of a token's text; no vocabulary has longer ones
  std::vector<std::string> texts;
  std::string bytes;
  for (uint32_t p = first; p <= last; ++p) {
    bytes += token(p).substr(0, kBytes);
    const size_t begun = p < last ? scene::unfinished(bytes) : 0;
    texts.push_back(scene::readable_text(std::string_view(bytes).substr(0, bytes.size() - begun)));
    bytes.erase(0, bytes.size() - begun);
  }
  return texts;
}

std::vector<scene::Line> lines_of(const std::vector<std::string>& texts, float width) {
  return scene::wrap(texts, width,
                     [](const std::string& text) { return Letters::current().width(text); });
}

// Where the lines begin that are shown while `last` is the newest position: enough for them.
uint32_t begin_of(uint32_t last) {
  constexpr uint32_t kTokens = 1024;  // begins move by this much: lines stay where they are
  return last / kTokens > 1 ? (last / kTokens - 1) * kTokens : 0;
}

// The last `most` of them, in the room of at least `least`. draw(run, at, size) draws a part of
// one.
template <class Draw>
void last_lines(const std::vector<scene::Line>& lines, float width, size_t most, size_t least,
                const Draw& draw) {
  const ImVec2 origin = ImGui::GetCursorScreenPos();
  const float height = ImGui::GetTextLineHeight() * 1.2F;
  const size_t first = lines.size() > most ? lines.size() - most : 0;
  for (size_t i = first; i < lines.size(); ++i) {
    ImVec2 at(origin.x, origin.y + static_cast<float>(i - first) * height);
    for (const scene::Run& run : Letters::current().line(lines, i)) {
      const ImVec2 size = ImGui::CalcTextSize(run.text.c_str());
      draw(run, at, size);
      at.x += size.x;
    }
  }
  const size_t used = std::max(lines.size() - first, least);
  ImGui::Dummy(ImVec2(width, height * static_cast<float>(used)));
}

// The newest lines of the steps that have begun; what the step at hand has added is marked.
void text_lines(const State& state, float width, size_t least) {
  const trace::Reader& reader = state.stage.reader();
  std::vector<std::string> texts;
  uint32_t begin = 0;
  if (reader.steps() > 0) {
    const uint32_t last_shown = shown_position(state);
    begin = begin_of(last_shown);
    texts = texts_of(begin, last_shown, [&](uint32_t p) { return reader.position(p).token.text; });
  }
  const scene::Palette colours = scene::palette(state.view.look.theme, state.view.look.palette);
  ImDrawList* draw = ImGui::GetWindowDrawList();
  const uint32_t last = reader.steps() > 0 ? position_of(state, shown_step(state)) : 0;
  last_lines(lines_of(texts, width), width, kLines, least,
             [&](const scene::Run& run, ImVec2 at, ImVec2 size) {
               const trace::TokenRecord& token = *reader.position(begin + run.from).token.record;
               const bool prompt = token.kind == trace::TokenKind::kPrompt;
               // Of a prompt the last token: heads, FFN and spine are its.
               if (token.step == shown_step(state) && (!prompt || begin + run.from == last)) {
                 draw->AddRectFilled(
                     ImVec2(at.x - 1.0F, at.y), ImVec2(at.x + size.x + 1.0F, at.y + size.y),
                     (channel_rgba(colours, shaders::kChannelCrown) & 0xFFFFFFU) | 0x90000000U,
                     2.0F);
               }
               draw->AddText(at, prompt ? colours.faint_text : colours.text, run.text.c_str());
             });
}

// What the model said to the same before something was muted, as far as it now has: the newest
// lines, with what differs in a colour of its own.
void unmuted_lines(const State& state, float width) {
  constexpr size_t kFew = 3;
  const trace::Reader& reader = state.stage.reader();
  const std::vector<std::string>& before = state.unmuted;
  if (before.empty() || reader.steps() == 0 || reader.muted().empty()) return;
  const auto n = static_cast<uint32_t>(before.size());
  const uint32_t last = std::min(shown_position(state), n - 1);
  uint32_t differs = 0;
  while (differs <= last && reader.position(differs).token.text == before[differs]) ++differs;
  // Of another prompt, whose conversation had not begun.
  if (differs <= last && reader.position(differs).token.record->kind == trace::TokenKind::kPrompt)
    return;
  if (differs > last) {
    if (n <= reader.step(0).count) return;  // it had said nothing
    ImGui::TextDisabled(last + 1 < n ? "without muting it says the same so far"
                                     : "without muting it said the same, and then was stopped");
    return;
  }
  ImGui::TextDisabled("without muting it said");
  const uint32_t begin = begin_of(last);
  const std::vector<scene::Line> lines = lines_of(
      texts_of(begin, last, [&](uint32_t p) { return std::string_view(before[p]); }), width);
  const scene::Palette colours = scene::palette(state.view.look.theme, state.view.look.palette);
  last_lines(lines, width, kFew, 1, [&](const scene::Run& run, ImVec2 at, ImVec2 size) {
    const bool other = begin + run.from >= differs;
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const uint32_t rgba = other ? word_rgba(colours, shaders::kChannelCrown) : colours.faint_text;
    draw->AddText(at, rgba, run.text.c_str());
    if (other)
      draw->AddLine(ImVec2(at.x, at.y + size.y), ImVec2(at.x + size.x, at.y + size.y), rgba, 1.5F);
  });
}

// On the first frame of an edit: where it goes on, with nothing chosen that a key would replace.
int caret_to_end(ImGuiInputTextCallbackData* data) {
  if (std::exchange(*static_cast<bool*>(data->UserData), false))
    data->CursorPos = data->SelectionStart = data->SelectionEnd = data->BufTextLen;
  return 0;
}

// What the writer of the trace says.
void notes(const State& state) {
  const trace::Reader& reader = state.stage.reader();
  if (reader.failed()) warn(state.view.look.theme, reader.note());
  if (!reader.failed() && reader.finished() && state.player.at_end(reader.steps()))
    ImGui::TextDisabled("%s", readable_text(reader.note()).c_str());
  if (!reader.trace_failure().empty()) warn(state.view.look.theme, reader.trace_failure());
}

void controls(State& state) {
  const trace::Reader& reader = state.stage.reader();
  if (state.control == nullptr) {
    const char* what = "a recorded trace: with -m and its model beside it, it can go on";
    if (is_invented(state)) what = "invented numbers: no model runs here";
    if (state.stage.at_rest()) what = "a structure: no model runs in it";
    if (!state.followed.empty()) what = "as it comes from ";
    ImGui::TextDisabled("%s%s", what, readable_text(state.followed).c_str());
    if (!state.followed.empty()) notes(state);
    return;
  }
  auto& what = state.generate;
  if (std::exchange(state.focus_prompt, false)) {
    ImGui::SetWindowFocus();  // without it Dear ImGui 1.90.1 gives nothing the keyboard
    ImGui::SetKeyboardFocusHere();
    state.caret_to_end = true;
  }
  const bool writing = writes(state);
  // Where it is narrow, a row of its own.
  const float em = ImGui::GetFontSize();
  const bool narrow = ImGui::GetContentRegionAvail().x < 22.0F * em;
  ImGui::SetNextItemWidth(narrow ? -1.0F : -14.0F * em);
  const std::string before = what.prompt;
  bool go = edit_line("##prompt", "prompt", what.prompt, state.typed_for_prompt, 0, caret_to_end,
                      &state.caret_to_end);
  if (what.prompt != before) what.tokens.clear();
  if (ImGui::IsItemActive()) {  // letters are text now, not commands
    ImGui::GetWindowDrawList()->AddRect(ImGui::GetItemRectMin(), ImGui::GetItemRectMax(),
                                        ImGui::GetColorU32(ImGuiCol_Text), 0.0F, 0, 2.0F);
  }
  if (!narrow) ImGui::SameLine();
  go = ImGui::Button("Generate") || go;
  ImGui::SameLine();
  // It keeps its place: Generate must not come under the pointer that was about to stop.
  ImGui::BeginDisabled(!writing);
  const char* label = state.holds && writing ? "Go on" : "Stop";
  if (ImGui::Button(label, ImVec2(3.6F * ImGui::GetFontSize(), 0.0F))) hold(state);
  ImGui::EndDisabled();
  if (ImGui::IsItemHovered()) ImGui::SetTooltip("the model, not the picture (G)");
  ImGui::SameLine();
  const bool by_key = std::exchange(state.asks_how, false);
  if (ImGui::Button("...") || by_key) ImGui::OpenPopup("sampling");
  if (ImGui::BeginPopup("sampling")) {
    // Tab goes from one to the next, and digits replace what stands there.
    if (by_key) ImGui::SetKeyboardFocusHere();
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
  if (!reader.muted().empty()) {
    warn(state.view.look.theme, "muted: " + scene::list_of(state.stage.layout(), reader.muted()));
    ImGui::SameLine();
    if (ImGui::SmallButton("unmute")) unmute_all(state);
  }
  if (go) {
    what.go_on = true;
    ask_for(state, what);
  }
  notes(state);
}

}  // namespace

float text_width(float display, float em) {
  return std::clamp(display * 0.36F, std::min(20.0F * em, display - 2.0F * em), 36.0F * em);
}

float bottom_of_panels(bool interactive, float em) {
  return interactive ? 4.4F * em + second_row(ImGui::GetIO().DisplaySize.x, em) : em;
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
    unmuted_lines(state, ImGui::GetContentRegionAvail().x);
    ImGui::PopFont();
    if (interactive) controls(state);
  }
  ImGui::End();
}

}  // namespace ui
