// One value of a tensor: the one that is chosen, in a panel, and the one under the cursor, as a
// tip.
#include <imgui.h>

#include <algorithm>

#include "render/ui/ui.h"

namespace ui {

namespace {

void show(const State& state, const scene::CellRef& cell) {
  const auto sheet = scene::find_sheet(state.stage.layout(), cell.sheet);
  if (!sheet) return;
  const render::TensorStore& store = state.stage.tensors().store();
  ImGui::TextUnformatted(scene::path(state.stage.layout(), cell).c_str());
  ImGui::TextDisabled("%s[%lld,%lld]", sheet->name.c_str(), static_cast<long long>(cell.row),
                      static_cast<long long>(cell.col));
  if (state.control == nullptr) {
    ImGui::TextDisabled("numbers need a running model: %s", where_to_ask(state));
    return;
  }
  const auto value = store.value(*sheet, cell);
  const render::SheetFacts* facts = store.facts(cell.sheet);
  if (value) {
    ImGui::Text("value %.9g", double{*value});
  } else if (const std::string* why = store.missing(*sheet)) {
    ImGui::TextDisabled("%s", why->c_str());
  } else {
    ImGui::TextDisabled("come nearer to see its value");
  }
  if (facts == nullptr) return;
  ImGui::TextDisabled("%s", facts->formula.c_str());
  if (!sheet->stored) ImGui::TextDisabled("at position %u", facts->position);
  ImGui::TextDisabled("min %.4g  mean %.4g  max %.4g of %lld x %lld%s", double{facts->min},
                      double{facts->mean}, double{facts->max}, static_cast<long long>(sheet->rows),
                      static_cast<long long>(sheet->cols), facts->read < 1.0F ? ", so far" : "");
  ImGui::TextDisabled("full colour at %.4g, by the root of value / it", double{facts->scale});
}

}  // namespace

void panel_cell(State& state) {
  if (!state.view.selected_cell) return;
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float em = ImGui::GetFontSize();
  ImGui::SetNextWindowPos(ImVec2(display.x - em, em), ImGuiCond_Always, ImVec2(1.0F, 0.0F));
  const ImGuiWindowFlags flags = ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_AlwaysAutoResize |
                                 ImGuiWindowFlags_NoSavedSettings |
                                 ImGuiWindowFlags_NoFocusOnAppearing | ImGuiWindowFlags_NoNav;
  if (ImGui::Begin("cell", nullptr, flags)) show(state, *state.view.selected_cell);
  ImGui::End();
}

void cell_tip(State& state) {
  if (!state.view.hovered_cell || ImGui::GetIO().WantCaptureMouse || !state.tips) return;
  ImGui::BeginTooltip();
  show(state, *state.view.hovered_cell);
  ImGui::EndTooltip();
}

// Between the text and the right edge: which tensor fills the picture, and which cell of it.
void panel_place(State& state, bool interactive) {
  const auto at = state.stage.tensors().place(state.stage.layout(), state.view.selected_cell);
  if (!at) return;
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float em = ImGui::GetFontSize();
  // Where that is too narrow, above the text.
  float left = 2.0F * em + text_width(display.x, em);
  float bottom = bottom_of_panels(interactive, em);
  if (display.x - left < 26.0F * em) {
    left = em;
    bottom += (interactive ? 10.0F : 5.5F) * em;
  }
  const float width = std::max(display.x - left - em, 10.0F * em);
  ImGui::SetNextWindowPos(ImVec2(left, display.y - bottom), ImGuiCond_Always, ImVec2(0.0F, 1.0F));
  ImGui::SetNextWindowSizeConstraints(ImVec2(0.0F, 0.0F), ImVec2(width, 1e6F));
  const ImGuiWindowFlags flags = ImGuiWindowFlags_NoTitleBar | ImGuiWindowFlags_NoResize |
                                 ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                                 ImGuiWindowFlags_AlwaysAutoResize |
                                 ImGuiWindowFlags_NoFocusOnAppearing | ImGuiWindowFlags_NoInputs;
  if (ImGui::Begin("place", nullptr, flags)) {
    ImGui::PushTextWrapPos(width - 2.0F * ImGui::GetStyle().WindowPadding.x);
    ImGui::TextUnformatted(at->cell.c_str());
    ImGui::TextDisabled("%s", at->tensor.c_str());
    ImGui::PopTextWrapPos();
  }
  ImGui::End();
}

}  // namespace ui
