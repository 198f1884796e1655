#include "render/ui/panel_inspector.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include "engine/trace/muted.h"
#include "render/scene/dependency.h"
#include "render/scene/muted.h"
#include "render/scene/node_meaning.h"
#include "render/scene/node_path.h"
#include "render/scene/text.h"
#include "render/ui/explanations.h"
#include "render/ui/letters.h"

namespace ui {

namespace {

// The token id behind a tape node and of the candidate behind a bar; -1: none, or several.
int32_t token_of(const State& state, const scene::NodeRef& ref) {
  const trace::Reader& reader = state.stage.reader();
  const bool one = ref.kind == scene::Kind::kTape && ref.column < reader.positions() &&
                   state.stage.layout().positions_per_column() == 1;
  return one ? reader.position(ref.column).token.record->id : -1;
}

int32_t candidate_of(const State& state, const scene::NodeRef& ref) {
  const std::optional<size_t> step = step_of(state, ref.kind);
  if (ref.kind != scene::Kind::kCandidate || !step) return -1;
  const trace::Logits& logits = state.stage.reader().position(position_of(state, *step)).logits;
  return logits.record != nullptr && ref.index < logits.record->candidates
             ? logits.candidates[ref.index].id
             : -1;
}

// What a cell of the tape or of the KV cache belongs to.
std::string tokens_of(const State& state, const scene::NodeRef& ref) {
  const scene::Layout& layout = state.stage.layout();
  if (layout.positions_per_column() > 1) return scene::column_name(layout, ref.column);
  const trace::Reader& reader = state.stage.reader();
  const auto text = [&](int64_t position) {
    const bool there = position >= 0 && position < static_cast<int64_t>(reader.positions());
    return there ? std::string(reader.position(static_cast<size_t>(position)).token.text) : "";
  };
  // Of a character of four bytes each may be a token.
  const int64_t p = ref.column;
  const std::string part = scene::part_of_character(
      text(p - 3) + text(p - 2) + text(p - 1), text(p), text(p + 1) + text(p + 2) + text(p + 3));
  const bool control =
      p < static_cast<int64_t>(reader.positions()) &&
      (reader.position(ref.column).token.record->flags & trace::kTokenControl) != 0;
  return (control ? "control token \"" : "token \"") + token_text(state, ref.column) + "\"" +
         (part.empty() ? "" : ", " + visible_text(part));
}

// Of a sum; what is small keeps its digits.
std::string percent(float share) {
  const double value = double{share} * 100.0;
  char text[32];
  std::snprintf(text, sizeof text, std::abs(value) < 0.1 && share != 0.0F ? "%5.2g %%" : "%5.1f %%",
                value);
  return text;
}

// Why a node has no number at a step.
std::string unmeasured(const trace::Reader& reader, const scene::Layout& layout,
                       const scene::NodeRef& ref, std::optional<size_t> step) {
  if (ref.kind == scene::Kind::kCell && step && *step < reader.steps()) {
    const trace::StepRecord& record = reader.step(*step);
    const trace::Position& at = reader.position(record.last_position());
    if (const auto expert = scene::idle_expert(at, layout, ref))
      return "not computed: the router did not choose expert " + std::to_string(*expert);
  }
  return "nothing was measured here at this step";
}

// At the end of the line, where there is room for it.
bool button_at_the_end(const char* words) {
  const float width = ImGui::CalcTextSize(words).x + 2.0F * ImGui::GetStyle().FramePadding.x;
  const float right = ImGui::GetWindowContentRegionMax().x - width;
  const float end = ImGui::GetItemRectMax().x - ImGui::GetWindowPos().x;
  if (end + ImGui::GetStyle().ItemSpacing.x < right) ImGui::SameLine(right);
  return ImGui::SmallButton(words);
}

void mute_button(State& state, const scene::NodeRef& ref, bool muted) {
  if (state.control == nullptr || scene::parts_of(state.stage.layout(), ref).empty()) return;
  if (button_at_the_end(muted ? "unmute (X)" : "mute (X)")) toggle_muted(state);
}

// The line of an expert of the first model, and what mutes it whole.
void expert_line(State& state, uint32_t layer, uint32_t expert, const std::string& words,
                 bool interactive) {
  const trace::MutedPart part{trace::MutedKind::kExpert, layer, expert};
  const bool muted = scene::is_muted(state.stage.layout(), part, state.stage.reader().muted());
  ImGui::TextUnformatted((words + (muted ? ", muted" : "")).c_str());
  if (!interactive || state.control == nullptr) return;
  ImGui::PushID(static_cast<int>(expert));
  if (button_at_the_end(muted ? "unmute" : "mute")) toggle_muted(state, part);
  ImGui::PopID();
}

// In as many lines as it takes.
void faint(const std::string& text) {
  ImGui::PushTextWrapPos(0.0F);
  ImGui::TextDisabled("%s", text.c_str());
  ImGui::PopTextWrapPos();
}

// Behind the last line where it finds room there, else below.
void name_behind(const std::string& name) {
  if (name.empty()) return;
  const float end = ImGui::GetItemRectMax().x - ImGui::GetWindowPos().x +
                    ImGui::GetStyle().ItemSpacing.x + ImGui::CalcTextSize(name.c_str()).x;
  const bool one_line = ImGui::GetItemRectSize().y < 1.5F * ImGui::GetTextLineHeight();
  if (one_line && end < ImGui::GetWindowContentRegionMax().x) ImGui::SameLine();
  ImGui::TextDisabled("%s", name.c_str());
}

// The number that lights a node, and where it comes from.
void tell_measure(const State& state, const scene::Subject& subject, const scene::NodeRef& own,
                  std::optional<size_t> step) {
  const trace::Reader& reader = *subject.reader;
  const scene::Layout& layout = *subject.layout;
  scene::Meaning meaning;
  if (step && *step < reader.steps()) meaning = scene::explain(reader, layout, own, *step);
  if (meaning.known) {
    ImGui::Text("%s = %.5g", meaning.measure.c_str(), double{meaning.value});
    ImGui::TextDisabled("%s", meaning.formula.c_str());
    faint("of " + meaning.tensor);
    if (meaning.scale > 0.0F) {
      ImGui::TextDisabled("light %.3f = asinh(value / %.4g) / asinh(1)", double{meaning.light},
                          double{meaning.scale});
    } else {
      ImGui::TextDisabled("light %.3f = the value itself", double{meaning.light});
    }
    // Bars are the newest step's alone.
    if (state.view.merge > 1.0 && meaning.scale > 0.0F) {
      faint("of the newest step; the node shows the strongest of several");
    }
  } else if (own.kind != scene::Kind::kTape) {
    ImGui::TextDisabled("%s", unmeasured(reader, layout, own, step).c_str());
  }
  const std::string formula =
      scene::formula_of(own.kind, layout.structure_of(own.layer), layout.latent());
  if (!formula.empty()) {
    faint("computed as " + formula);
  }
}

// What an expert as a whole gave.
void tell_expert(const State& state, const trace::MutedPart& expert, std::optional<size_t> step) {
  if (!step || *step >= state.stage.reader().steps()) return;
  const trace::Experts& experts = state.stage.reader().position(position_of(state, *step)).experts;
  if (experts.record == nullptr) return faint("what experts gave is not in the trace");
  for (const trace::ExpertShare& e : experts.used_in(expert.layer)) {
    if (e.expert != expert.index) continue;
    ImGui::Text("%s  of the FFN update", percent(e.share).c_str());
    ImGui::TextDisabled("<G_e FFN_e, df> / |df|^2, G_e = %.3g", double{e.weight});
    return faint("of " + scene::value_name("experts", expert.layer));
  }
  faint("not computed: the router did not choose it");
}

// Where it ends at the latest if it begins at the top: above the timeline.
float bottom_of_inspector() {
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float em = ImGui::GetFontSize();
  return display.y - 5.0F * em - second_row(display.x, em);
}

}  // namespace

void Inspector::draw(State& state, bool interactive) {
  state.shown_tensor.clear();
  state.asks = false;
  if (state.view.selected == 0 || state.stage.reader().steps() == 0) return;
  const scene::NodeRef ref = state.stage.layout().ref(state.view.selected - 1);
  // Its numbers are those of the model that it belongs to.
  const scene::Subject& subject = state.stage.subject_of(state.view.selected - 1);
  const trace::Reader& reader = *subject.reader;
  const scene::Layout& layout = *subject.layout;
  const scene::NodeRef own = layout.ref(subject.own(state.view.selected - 1));
  if (!(ref == ref_)) {
    // The same kind of node elsewhere keeps its tab.
    if (ref.kind != ref_.kind) tab_ = 0;
    ref_ = ref;
  }
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float em = ImGui::GetFontSize();
  const float width = std::min(27.0F * em, display.x * 0.4F);
  // It opens where the FFN may stand; whoever wants to see that draws it aside.
  ImGui::SetNextWindowPos(ImVec2(display.x - em, em),
                          interactive ? ImGuiCond_Appearing : ImGuiCond_Always, ImVec2(1.0F, 0.0F));
  ImGui::SetNextWindowSize(ImVec2(width, 0.0F));
  ImGui::SetNextWindowSizeConstraints(ImVec2(width, 0.0F),
                                      ImVec2(width, bottom_of_inspector() - em));
  const ImGuiWindowFlags flags = ImGuiWindowFlags_NoResize | ImGuiWindowFlags_NoSavedSettings |
                                 ImGuiWindowFlags_NoTitleBar | ImGuiWindowFlags_NoFocusOnAppearing;
  if (ImGui::Begin("inspector", nullptr, flags)) {
    ImGui::PushTextWrapPos(0.0F);
    if (!state.help) scroll_by_keys(state);
    const auto expert = selected_expert(state);
    std::string path = state.stage.layout().path(ref);
    if (expert) path.resize(path.rfind(" > "));  // of its first neurons
    ImGui::TextUnformatted(readable_text(path).c_str());
    name_behind(expert ? trace::name_of(*expert) : scene::node_path(ref, state.stage.layout()));
    ImGui::PopTextWrapPos();
    const bool muted =
        expert ? scene::is_muted(state.stage.layout(), *expert, state.stage.reader().muted())
               : scene::is_muted(state.stage.layout(), ref, state.stage.reader().muted());
    if (interactive) mute_button(state, ref, muted);
    ImGui::PushTextWrapPos(0.0F);
    if (ref.kind == scene::Kind::kTape || ref.kind == scene::Kind::kSlot)
      ImGui::TextUnformatted(tokens_of(state, ref).c_str());
    const std::optional<size_t> step = step_of(state, ref.kind);
    if (ref.kind != scene::Kind::kTape && step) {
      const uint32_t position = position_of(state, *step);
      const char* form = ref.kind == scene::Kind::kSlot ? "as position %u, token \"%s\", reads it"
                                                        : "at position %u, token \"%s\"";
      ImGui::TextDisabled(form, position, token_text(state, position).c_str());
    }
    if (expert) {
      tell_expert(state, *expert, step);
    } else {
      tell_measure(state, subject, own, step);
    }
    ImGui::PopTextWrapPos();
    if (muted) {
      const bool head = ref.kind == scene::Kind::kHead || ref.kind == scene::Kind::kCell;
      warn(state.view.look.theme,
           head ? "muted: what it gives is zero" : "muted: at most biases are added here");
    }
    if (step && !expert) {
      for (const std::string& line : scene::besides(reader, layout, own, *step, interactive))
        faint(line);
    }
    if (ref.subject == 0 && step) {
      const uint32_t position = position_of(state, *step);
      if (!expert) strongest(state, ref, position, interactive);
      if (ref.kind == scene::Kind::kSpineFfn) explanations_.readings(state, ref.layer, *step);
      if (ref.kind == scene::Kind::kCandidate)
        explanations_.terms(state, ref.index, *step, interactive);
    }
    ImGui::Separator();

    const std::vector<scene::TensorName> tensors =
        scene::tensors_of(layout, own, token_of(state, ref), candidate_of(state, ref));
    if (state.control == nullptr && interactive) {
      faint(std::string("whole tensors need a running model: ") + where_to_ask(state));
    } else if (state.control != nullptr && !tensors.empty()) {
      if (!state.wanted_tensor.empty()) choose(tensors, std::exchange(state.wanted_tensor, {}));
      tab_ = std::min(tab_, tensors.size() - 1);
      const auto n = static_cast<int>(tensors.size());
      tab_ = static_cast<size_t>(((static_cast<int>(tab_) + state.next_tensor) % n + n) % n);
      if (interactive) {
        ImGui::SetNextItemWidth(-1.0F);
        if (ImGui::BeginCombo("##tensor", tensors[tab_].title.c_str())) {
          for (size_t i = 0; i < tensors.size(); ++i) {
            if (ImGui::Selectable(tensors[i].title.c_str(), i == tab_)) tab_ = i;
          }
          if (escape_pressed()) ImGui::CloseCurrentPopup();
          ImGui::EndCombo();
        }
      }
      ask(state, tensors[tab_]);
      if (reader.answer(request_) != nullptr) shown_request_ = request_;
      state.asks = state.asks || shown_request_ != request_;
      const trace::TensorAnswer* answer = reader.answer(shown_request_);
      if (answer != nullptr && answer->name == tensors[tab_].name) {
        show(state, tensors[tab_], *answer);
        state.shown_tensor = tensors[tab_].name;
      }
    }
  }
  ImGui::End();
}

void Inspector::choose(const std::vector<scene::TensorName>& tensors, std::string_view name) {
  const auto called = [&](const scene::TensorName& one) { return scene::is_called(one, name); };
  const auto found = std::find_if(tensors.begin(), tensors.end(), called);
  if (found != tensors.end()) tab_ = static_cast<size_t>(found - tensors.begin());
}

void Inspector::ask(State& state, const scene::TensorName& tensor) {
  const trace::Reader& reader = state.stage.reader();
  const uint32_t position =
      position_of(state, step_of(state, ref_.kind).value_or(shown_step(state)));
  // While an answer is on its way nothing more is asked; a stored weight is asked for once. What
  // was shown and is gone made room for what is newer: it is asked for again.
  const bool gone = reader.answer(request_) == nullptr;
  const bool same = asked_.conversation == beginnings(state);
  if (request_ != 0 && same && gone && shown_request_ != request_) return;
  const Question question{ref_,
                          tensor.name,
                          tensor.first_row,
                          tensor.rows,
                          tensor.stored ? 0 : position,
                          beginnings(state)};
  if (request_ != 0 && question == asked_ && !gone) return;
  engine::Inspect what;
  what.request = state.next_request;
  what.name = tensor.name;
  what.position = position;
  what.first_row = tensor.first_row;
  what.rows = tensor.rows;
  if (!state.control->post(what)) {  // the queue is full: next frame again
    state.asks = true;
    return;
  }
  request_ = state.next_request++;
  asked_ = question;
}

namespace {

// In one line, or in two where they do not fit: ImGui's own wrapping would break a number behind
// its point.
void measures(const trace::TensorRecord& r) {
  const float right = ImGui::GetCursorScreenPos().x + ImGui::GetContentRegionAvail().x;
  const float gap = ImGui::CalcTextSize("   ").x;
  float end = right;  // of what stands in the line: the first begins one
  for (const auto& [name, value] :
       {std::pair{"min", r.min}, {"max", r.max}, {"mean", r.mean}, {"rms", r.rms}}) {
    char words[32];
    std::snprintf(words, sizeof words, "%s %.4g", name, double{value});
    if (end + gap + ImGui::CalcTextSize(words).x <= right) ImGui::SameLine(0.0F, gap);
    ImGui::TextDisabled("%s", words);
    end = ImGui::GetItemRectMax().x;
  }
}

}  // namespace

void Inspector::show(State& state, const scene::TensorName& tensor,
                     const trace::TensorAnswer& answer) {
  const trace::TensorRecord& r = *answer.record;
  ImGui::Text("%s", std::string(answer.name).c_str());
  faint(std::string(answer.formula));
  if (r.rows == 0) return;
  const char* means =
      r.rows < r.full_rows || r.cols < r.full_cols ? ", shown as means of blocks" : "";
  if (r.full_rows == 1) {
    ImGui::TextDisabled("%u values%s", r.full_cols, means);
  } else {
    ImGui::TextDisabled("%u x %u values%s", r.full_rows, r.full_cols, means);
  }
  measures(r);
  const float em = ImGui::GetFontSize();
  const float width = ImGui::GetContentRegionAvail().x;
  if (r.rows == 1) {
    const float low = std::min(r.min, 0.0F);
    const float high = std::max(r.max, low + 1e-12F);
    ImGui::PlotHistogram("##bars", answer.values.data(), static_cast<int>(answer.values.size()), 0,
                         nullptr, low, high, ImVec2(width, em * 6.0F));
  }
  heatmap_.draw(state, tensor, answer, bottom_of_inspector());
}

// The largest terms of the sum that the node stands for, straight from the trace.
void Inspector::strongest(State& state, const scene::NodeRef& ref, uint32_t position,
                          bool interactive) {
  const trace::Position& at = state.stage.reader().position(position);
  if (ref.kind == scene::Kind::kCell && state.stage.layout().structure_of(ref.layer).experts > 0) {
    const uint32_t expert = state.stage.layout().expert_of(ref);
    const std::string name = scene::expert_name(state.stage.layout().structure(), expert);
    expert_line(state, ref.layer, expert, name + " as a whole", interactive);
  }
  if (ref.kind == scene::Kind::kHead && at.attention.record != nullptr) {
    const auto listed = at.attention.reads_of(ref.layer, ref.index);
    std::vector<trace::KvRead> reads(listed.begin(), listed.end());
    // Of one that gives nothing all shares are zero.
    if (scene::is_muted(state.stage.layout(), ref, state.stage.reader().muted())) {
      std::stable_sort(reads.begin(), reads.end(),
                       [](const auto& a, const auto& b) { return a.weight > b.weight; });
    }
    for (size_t i = 0; i < std::min<size_t>(reads.size(), 5); ++i) {
      ImGui::Text("%s  position %u \"%s\"  weight %.3g", percent(reads[i].share).c_str(),
                  reads[i].position, token_text(state, reads[i].position).c_str(),
                  double{reads[i].weight});
    }
  } else if (ref.kind == scene::Kind::kSlot && at.attention.record != nullptr) {
    const auto& m = state.stage.layout().model();
    const scene::Layout& layout = state.stage.layout();
    for (uint32_t h = 0; h < m.heads; ++h) {
      if (trace::kv_head_of(m, h) != ref.index) continue;
      for (const trace::KvRead& read : at.attention.reads_of(ref.layer, h)) {
        if (layout.column_of(read.position) != ref.column) continue;
        ImGui::Text("%s  of head %u's output  weight %.3g", percent(read.share).c_str(), h,
                    double{read.weight});
      }
    }
  } else if (ref.kind == scene::Kind::kRouter && at.experts.record != nullptr) {
    const uint32_t n = at.experts.record->experts;
    for (const trace::ExpertShare& e : at.experts.used_in(ref.layer)) {
      if (e.expert >= n) {
        ImGui::Text("what always works  G_e = %.3g  %s of the update", double{e.weight},
                    percent(e.share).c_str());
        continue;
      }
      char words[96];
      std::snprintf(words, sizeof words, "expert %u  p = %.3g  G_e = %.3g  %s of the update",
                    e.expert, double{at.experts.probability[size_t{ref.layer} * n + e.expert]},
                    double{e.weight}, percent(e.share).c_str());
      expert_line(state, ref.layer, e.expert, words, interactive);
    }
    faint("shares <G_e FFN_e, df> / |df|^2, of " + scene::value_name("experts", ref.layer));
  } else if (ref.kind == scene::Kind::kCell && at.ffn.record != nullptr &&
             !scene::idle_expert(at, state.stage.layout(), ref)) {
    const uint32_t buckets = at.ffn.record->buckets;
    ImGui::Text("%s  of the FFN update",
                percent(at.ffn.bucket_share[ref.layer * buckets + ref.index]).c_str());
    const trace::StructureRecord of_layer = state.stage.layout().structure_of(ref.layer);
    ImGui::TextDisabled("%s", scene::neuron_formula(of_layer).c_str());
    faint("of " + scene::value_name("ffn.neuron_share", ref.layer,
                                    {scene::neurons_of(state.stage.layout(), ref)}));
  } else if (ref.kind == scene::Kind::kSpineFfn && at.ffn.record != nullptr) {
    for (uint32_t i = 0; i < std::min(at.ffn.record->top, 5U); ++i) {
      const trace::NeuronShare& n = at.ffn.top[ref.layer * at.ffn.record->top + i];
      ImGui::Text("%s  %s  activation %.3g", percent(n.share).c_str(),
                  state.stage.layout().neuron_name(ref.layer, n.neuron).c_str(),
                  double{n.activation});
    }
  } else if (ref.kind == scene::Kind::kSpineAttention && at.attention.record != nullptr) {
    for (uint32_t h = 0; h < std::min(at.attention.record->heads, 8U); ++h) {
      ImGui::Text("%s  head %u", percent(at.attention.head(ref.layer, h).share).c_str(), h);
    }
  } else if ((ref.kind == scene::Kind::kCandidate || ref.kind == scene::Kind::kRestCandidate) &&
             at.logits.record != nullptr) {
    for (uint32_t i = 0; i < std::min(at.logits.record->candidates, 6U); ++i) {
      const trace::Candidate& c = at.logits.candidates[i];
      ImGui::Text("%s  \"%s\"  logit %.3f%s", percent(c.probability).c_str(),
                  Letters::current().line(scene::candidate_text(c)).c_str(), double{c.logit},
                  c.id == at.logits.record->sampled ? "  drawn" : "");
    }
  }
}

}  // namespace ui
