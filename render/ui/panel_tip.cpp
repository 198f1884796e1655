// What is under the pointer: its name, its number, and what it was computed from.
#include <imgui.h>

#include "render/scene/bolt_meaning.h"
#include "render/scene/dependency.h"
#include "render/scene/node_meaning.h"
#include "render/scene/quantities.h"
#include "render/ui/letters.h"
#include "render/ui/ui.h"

namespace ui {

namespace {

// Room for a formula; longer ones wrap.
void begin_tip() {
  ImGui::BeginTooltip();
  ImGui::PushTextWrapPos(30.0F * ImGui::GetFontSize());
}
void end_tip() {
  ImGui::PopTextWrapPos();
  ImGui::EndTooltip();
}

void element_tip(const State& state, uint32_t element) {
  // The number is one of the trace of the model that it belongs to.
  const scene::Subject& subject = state.stage.subject_of(element);
  const trace::Reader& reader = *subject.reader;
  const scene::Layout& layout = *subject.layout;
  const scene::NodeRef ref = layout.ref(subject.own(element));
  ImGui::TextUnformatted(
      readable_text(state.stage.layout().path(state.stage.layout().ref(element))).c_str());
  if (ref.kind == scene::Kind::kSlot || ref.kind == scene::Kind::kTape) {
    const std::string text =
        scene::column_text(reader, layout, ref.column, static_cast<uint32_t>(reader.positions()));
    const char* word = layout.positions_per_column() == 1 ? "token" : "tokens";
    if (!text.empty()) ImGui::Text("%s \"%s\"", word, readable_text(text).c_str());
  }
  if (const scene::Dependency* row = scene::dependency_of(ref.kind)) {
    ImGui::TextDisabled(
        "computed as %s",
        scene::formula_of(ref.kind, layout.structure_of(ref.layer), layout.latent()).c_str());
    ImGui::TextDisabled("from %s", std::string(row->words).c_str());
  }
  const std::optional<size_t> step = step_of(state, ref.kind);
  if (!step || *step >= reader.steps()) return;
  const scene::Meaning meaning = scene::explain(reader, layout, ref, *step);
  if (meaning.known) {
    ImGui::Text("%s = %.4g", meaning.measure.c_str(), double{meaning.value});
    ImGui::TextDisabled("%s", meaning.formula.c_str());
  }
}

}  // namespace

void hover_tip(State& state) {
  const render::View& view = state.view;
  if (ImGui::GetIO().WantCaptureMouse || !state.tips) return;
  if (view.hovered_bolt) {
    const auto bolt = state.stage.bolt(*view.hovered_bolt);
    if (!bolt) return;
    const scene::BoltMeaning meaning = state.stage.meaning(view.hovered_bolt->step, *bolt);
    begin_tip();
    ImGui::TextUnformatted(readable_text(meaning.name).c_str());
    ImGui::Text("%s = %.4g", meaning.measure.c_str(), double{meaning.share});
    if (!meaning.second.empty())
      ImGui::Text("%s = %.4g", meaning.second.c_str(), double{meaning.second_value});
    ImGui::TextDisabled("%s", meaning.formula.c_str());
    end_tip();
  } else if (view.hovered != 0 && view.hovered != view.selected) {  // the inspector says more
    const scene::NodeRef ref = state.stage.layout().ref(view.hovered - 1);
    if (state.stage.layout().path(ref).empty()) return;
    begin_tip();
    element_tip(state, view.hovered - 1);
    end_tip();
  }
}

}  // namespace ui
