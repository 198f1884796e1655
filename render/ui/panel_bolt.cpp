// The bolt that was clicked: which term of which sum it is.
#include <imgui.h>

#include <algorithm>

#include "render/scene/bolt_meaning.h"
#include "render/ui/letters.h"
#include "render/ui/ui.h"

namespace ui {

void panel_bolt(State& state) {
  const render::View& view = state.view;
  if (!view.selected_bolt || view.selected != 0) return;
  const auto bolt = state.stage.bolt(*view.selected_bolt);
  if (!bolt) return;
  const scene::BoltMeaning meaning = state.stage.meaning(view.selected_bolt->step, *bolt);
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float em = ImGui::GetFontSize();
  const float width = std::min(27.0F * em, display.x * 0.4F);
  ImGui::SetNextWindowPos(ImVec2(display.x - em, em), ImGuiCond_Always, ImVec2(1.0F, 0.0F));
  ImGui::SetNextWindowSize(ImVec2(width, 0.0F));
  if (ImGui::Begin("bolt", nullptr,
                   ImGuiWindowFlags_NoResize | ImGuiWindowFlags_NoMove |
                       ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoTitleBar |
                       ImGuiWindowFlags_NoFocusOnAppearing)) {
    ImGui::PushTextWrapPos(0.0F);
    ImGui::TextUnformatted(readable_text(meaning.name).c_str());
    ImGui::TextDisabled("of forward step %llu",
                        static_cast<unsigned long long>(view.selected_bolt->step));
    ImGui::Text("%s = %.5g", meaning.measure.c_str(), double{meaning.share});
    ImGui::TextDisabled("%s", meaning.formula.c_str());
    if (!meaning.tensor.empty()) ImGui::TextDisabled("of %s", meaning.tensor.c_str());
    if (meaning.share < 0.0F)
      ImGui::TextDisabled("negative: it works against its sum, so it is hollow");
    if (!meaning.second.empty())
      ImGui::Text("%s = %.5g", meaning.second.c_str(), double{meaning.second_value});
    const bool thin = (bolt->flags & shaders::kBoltRead) != 0;
    ImGui::TextDisabled(
        "width: the square root of the share up to 1%s, and never less than can be seen",
        thin ? ", six tenths of it" : "");
    ImGui::TextDisabled("light %.3f%s%s", double{meaning.light},
                        meaning.light_formula.empty() ? "" : ": ", meaning.light_formula.c_str());
    if (meaning.scale > 0.0F)
      ImGui::TextDisabled("scale %.4g, the 99th percentile so far", double{meaning.scale});
    ImGui::PopTextWrapPos();
  }
  ImGui::End();
}

}  // namespace ui
