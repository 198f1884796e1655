// Asking the model for text, and holding it.
#include "render/ui/ui.h"

namespace ui {

namespace {

constexpr const char* kBusy = "the engine is busy; try again";

}  // namespace

uint64_t beginnings(const State& state) {
  return state.stage.reader().conversation() + state.stage.reader().continuation();
}

bool ask_for(State& state, const engine::Generate& what) {
  // It may have been held at its end, unseen.
  if (!state.control->post(engine::Pause{false}) || !state.control->post(what)) {
    state.message = kBusy;
    return false;
  }
  state.holds = false;
  state.asks_for = what;
  state.asked_during = beginnings(state);
  state.player.play(true);
  return true;
}

void take_answer(State& state) {
  if (!state.asks_for || beginnings(state) == state.asked_during) return;
  const engine::Generate& now = *state.asks_for;
  const bool same_text = now.prompt == state.asked.prompt && !now.go_on;
  if (!same_text) state.unmuted.clear();
  state.asked = now;
  state.generate.muted = now.muted;
  state.asks_for.reset();
}

bool is_invented(const State& state) {
  const trace::Model* model = state.stage.reader().model();
  return model != nullptr && (model->structure.flags & trace::kStructureSynthetic) != 0;
}

const char* where_to_ask(const State& state) {
  if (is_invented(state) || state.stage.at_rest())
    return "this is a structure alone; Ctrl+O opens a model";
  return state.followed.empty() ? "open the trace with its model (-m)"
                                : "ask in the window where it runs";
}

bool writes(const State& state) {
  return state.control != nullptr && !state.stage.reader().finished();
}

void hold(State& state) {
  if (state.control == nullptr) {
    state.message = std::string("only a running model can be stopped: ") + where_to_ask(state);
  } else if (!writes(state)) {
    state.message = "the model has written all of it";
  } else if (!state.control->post(engine::Pause{!state.holds})) {
    state.message = kBusy;
  } else {
    state.holds = !state.holds;
    state.message = state.holds ? "the model stops; the picture goes on to what it has written"
                                : "the model goes on";
  }
}

}  // namespace ui
