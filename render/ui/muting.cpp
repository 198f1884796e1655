// Running the model again without what is selected.
#include <utility>

#include "render/scene/muted.h"
#include "render/ui/ui.h"

namespace ui {

namespace {

void ask_again(State& state, std::vector<trace::MutedPart> muted) {
  engine::Generate again = state.asked;
  again.muted = std::move(muted);
  again.go_on = false;
  if (!ask_for(state, again)) return;
  // What is said while nothing is muted stays to be compared with; where the model has just begun
  // to say it again, what it said before.
  const trace::Reader& reader = state.stage.reader();
  if (state.asked.muted.empty() && reader.muted().empty() &&
      reader.positions() >= state.unmuted.size()) {
    state.unmuted.clear();
    for (size_t p = 0; p < reader.positions(); ++p)
      state.unmuted.emplace_back(reader.position(p).token.text);
  }
}

// The selected node, of a bolt the head or the cell at one of its ends: it stays selected while the
// bolt goes with its conversation.
void select_end_of_bolt(State& state) {
  const auto bolt =
      state.view.selected_bolt ? state.stage.bolt(*state.view.selected_bolt) : std::nullopt;
  if (!bolt) return;
  for (const uint32_t element : {bolt->from_node, bolt->to_node}) {
    if (element == shaders::kNoElement) continue;
    const scene::Kind kind = state.stage.layout().ref(element).kind;
    if (kind != scene::Kind::kHead && kind != scene::Kind::kCell) continue;
    state.view.selected = element + 1;
    state.view.selected_bolt.reset();
    return;
  }
}

}  // namespace

std::optional<trace::MutedPart> selected_expert(const State& state) {
  const render::View& view = state.view;
  if (view.selected == 0 || view.selected != view.whole_expert) return {};
  const scene::Layout& layout = state.stage.layout();
  const scene::NodeRef ref = layout.ref(view.selected - 1);
  if (ref.kind != scene::Kind::kCell || ref.subject != 0) return {};
  return trace::MutedPart{trace::MutedKind::kExpert, ref.layer, layout.expert_of(ref)};
}

void toggle_muted(State& state) {
  if (state.control == nullptr) {
    state.message = std::string("muting needs a running model: ") + where_to_ask(state);
    return;
  }
  const scene::Layout& layout = state.stage.layout();
  select_end_of_bolt(state);
  if (state.view.selected == 0) {
    state.message =
        "to mute, select a head, a neuron or an expert, or the residual stream "
        "above attention or FFN";
    return;
  }
  if (const auto expert = selected_expert(state)) return toggle_muted(state, *expert);
  const scene::NodeRef ref = layout.ref(state.view.selected - 1);
  if (scene::parts_of(layout, ref).empty()) {
    state.message =
        "this cannot be muted: select a head, a neuron or an expert, or the residual "
        "stream above attention or FFN";
    return;
  }
  ask_again(state, scene::toggled(layout, ref, state.asked.muted));
}

void toggle_muted(State& state, const trace::MutedPart& part) {
  if (state.control == nullptr) return;
  ask_again(state, scene::toggled(state.stage.layout(), part, state.asked.muted));
}

void unmute_all(State& state) {
  if (state.control != nullptr && !state.asked.muted.empty()) ask_again(state, {});
}

}  // namespace ui
