// The command palette: everything that can be done, found by typing; on Ctrl+P.
#include <imgui.h>

#include <algorithm>
#include <utility>

#include "render/ui/edit_line.h"
#include "render/ui/palette_commands.h"
#include "render/ui/ui.h"

namespace ui {

void panel_palette(State& state) {
  constexpr int kRows = 12;
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float em = ImGui::GetFontSize();
  const bool opens = std::exchange(state.asks_what_to_do, false);
  if (opens) {
    ImGui::OpenPopup("palette");
    state.what_to_do.clear();
    state.offer = 0;
  }
  ImGui::SetNextWindowPos(ImVec2(0.5F * display.x, 0.12F * display.y), ImGuiCond_Always,
                          ImVec2(0.5F, 0.0F));
  const float width = std::min(36.0F * em, display.x - 2.0F * em);
  ImGui::SetNextWindowSize(ImVec2(width, 0.0F));
  if (!ImGui::BeginPopup("palette")) return;
  if (opens || !ImGui::IsAnyItemActive()) ImGui::SetKeyboardFocusHere();
  ImGui::SetNextItemWidth(-1.0F);
  const bool entered = edit_line("##do", "a command, or a node: L3.H1, L3.F20, T5, C0",
                                 state.what_to_do, state.typed_for_popup);
  bool moved = opens || ImGui::IsItemEdited();
  if (moved) state.offer = 0;
  const std::vector<Offer> list = offers(state.what_to_do, state.stage.layout());
  const auto last = static_cast<int>(list.size()) - 1;
  for (const auto& [key, way] : {std::pair{ImGuiKey_DownArrow, 1}, {ImGuiKey_UpArrow, -1}}) {
#if IMGUI_VERSION_NUM < 18700
    if (!ImGui::IsKeyPressed(ImGui::GetKeyIndex(key))) continue;
#else
    if (!ImGui::IsKeyPressed(key)) continue;
#endif
    state.offer += way;
    moved = true;
  }
  state.offer = std::clamp(state.offer, 0, std::max(last, 0));
  int chosen = entered && last >= 0 ? state.offer : -1;
  const float line = ImGui::GetTextLineHeightWithSpacing();
  ImGui::BeginChild("offers",
                    ImVec2(0.0F, line * static_cast<float>(std::clamp(last + 1, 1, kRows))));
  if (list.empty()) ImGui::TextDisabled("nothing is called so");
  for (int i = 0; i <= last; ++i) {
    const Offer& offer = list[static_cast<size_t>(i)];
    ImGui::PushID(i);
    if (ImGui::Selectable(offer.words.c_str(), i == state.offer)) chosen = i;
    if (moved && i == state.offer) ImGui::SetScrollHereY();
    ImGui::PopID();
    if (offer.keys.empty()) continue;
    ImGui::SameLine(width - 2.5F * em - ImGui::CalcTextSize(offer.keys.c_str()).x);
    i == state.offer ? ImGui::TextUnformatted(offer.keys.c_str())
                     : ImGui::TextDisabled("%s", offer.keys.c_str());
  }
  ImGui::EndChild();
  if (chosen >= 0) {
    state.chosen = list[static_cast<size_t>(chosen)];
    ImGui::CloseCurrentPopup();
  }
  if (escape_pressed()) ImGui::CloseCurrentPopup();
  ImGui::EndPopup();
}

}  // namespace ui
