// Asks which model or trace to see next; on Ctrl+O.
#include <imgui.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "render/ui/edit_line.h"
#include "render/ui/ui.h"

namespace ui {

void panel_open(State& state) {
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float em = ImGui::GetFontSize();
  const bool opens = std::exchange(state.asks_what_to_open, false);
  if (opens) ImGui::OpenPopup("open");
  ImGui::SetNextWindowPos(ImVec2(0.5F * display.x, 0.35F * display.y), ImGuiCond_Always,
                          ImVec2(0.5F, 0.5F));
  ImGui::SetNextWindowSize(ImVec2(std::min(40.0F * em, display.x - 2.0F * em), 0.0F));
  if (!ImGui::BeginPopup("open")) return;
  ImGui::TextUnformatted("Open a model or a trace");
  if (opens) ImGui::SetKeyboardFocusHere();
  ImGui::SetNextItemWidth(-1.0F);
  const bool entered =
      edit_line("##what", "FILE or folder, ollama:NAME, hf:ORG/REPO, tcp:PORT", state.what_to_open,
                state.typed_for_popup, ImGuiInputTextFlags_AutoSelectAll);
  const bool pressed = ImGui::Button("Open");
  ImGui::SameLine();
  ImGui::TextDisabled("or drop a file on the window");
  if ((entered || pressed) && !state.what_to_open.empty()) {
    state.open = state.what_to_open;
    const char* home = std::getenv("HOME");  // as a shell would
    if (home != nullptr && state.open.starts_with("~/")) state.open.replace(0, 1, home);
    ImGui::CloseCurrentPopup();
  }
  if (escape_pressed()) ImGui::CloseCurrentPopup();
  ImGui::EndPopup();
}

}  // namespace ui
