#include "render/ui/explanations.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "render/scene/text.h"
#include "render/ui/letters.h"

namespace ui {

namespace {

std::string text_of(const trace::Candidate& c) {
  return '"' + Letters::current().line(scene::candidate_text(c)) + '"';
}

// The token whose probability is told beside the most probable ones: the one that was drawn, of a
// prompt's position the one that follows; -1: the trace does not say.
int32_t token_after(const trace::Reader& reader, uint32_t position) {
  const trace::Logits& logits = reader.position(position).logits;
  if (logits.record != nullptr && logits.record->sampled >= 0) return logits.record->sampled;
  return position + 1 < reader.positions() ? reader.position(position + 1).token.record->id : -1;
}

// One term of the logit, and the element that a click on it selects; 0: none, else + 1.
struct Term {
  std::string name;
  float value = 0.0F;
  uint32_t channel = 0;
  uint32_t element = 0;
  bool expert = false;  // the element stands for its expert
};

// What is no number, in a trace of a stranger, comes last and has no bar.
float size_of(float value) {
  return std::isfinite(value) ? std::abs(value) : 0.0F;
}

std::string in_layer(uint32_t layer, const std::string& part) {
  return "layer " + std::to_string(layer) + " " + part;
}

std::vector<Term> terms_of(const trace::Attribution& a, const scene::Layout& layout) {
  std::vector<Term> terms;
  for (uint32_t l = 0; l < a.record->layers; ++l) {
    for (uint32_t h = 0; h < a.record->heads; ++h) {
      terms.push_back({in_layer(l, "head " + std::to_string(h)), a.head[l * a.record->heads + h],
                       shaders::kChannelAttention, layout.head(l, h) + 1});
    }
    if (a.attention_bias[l] != 0.0F) {
      terms.push_back(
          {in_layer(l, "attention's bias"), a.attention_bias[l], shaders::kChannelAttention, 0});
    }
    if (a.ffn_bias[l] != 0.0F)
      terms.push_back({in_layer(l, "FFN's bias"), a.ffn_bias[l], shaders::kChannelFfn, 0});
    const auto of_layer = [l](const trace::ExpertTerm& e) { return e.layer == l; };
    if (std::none_of(a.experts.begin(), a.experts.end(), of_layer)) {
      terms.push_back(
          {in_layer(l, "FFN"), a.ffn[l], shaders::kChannelFfn, layout.spine(l, true, 0) + 1});
    }
  }
  const trace::StructureRecord& s = layout.structure();
  for (const trace::ExpertTerm& e : a.experts) {
    terms.push_back({in_layer(e.layer, scene::expert_name(s, e.expert)), e.term,
                     shaders::kChannelFfn, layout.cell_of(e.layer, e.expert * s.expert_neurons) + 1,
                     true});
  }
  terms.push_back({"the embedding", a.record->embedding, shaders::kChannelResidual, 0});
  if (a.record->constant != 0.0F)
    terms.push_back({"the last bias", a.record->constant, shaders::kChannelResidual, 0});
  std::stable_sort(terms.begin(), terms.end(), [](const Term& x, const Term& y) {
    return size_of(x.value) > size_of(y.value);
  });
  return terms;
}

// A line with its number, its bar on both sides of a middle, and its name. Hollow: against the sum.
void draw_term(State& state, const Term& term, float most, bool interactive) {
  const float em = ImGui::GetFontSize();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float bars = 6.5F * em;
  const float line = ImGui::GetTextLineHeight();
  char number[24];
  std::snprintf(number, sizeof number, "%+.3f", double{term.value});
  ImGui::SetCursorPosX(ImGui::GetCursorPosX() + 4.2F * em - ImGui::CalcTextSize(number).x);
  ImGui::TextUnformatted(number);
  const float middle = at.x + 4.9F * em + 0.5F * bars;
  const float length =
      0.5F * bars * std::copysign(std::min(size_of(term.value) / most, 1.0F), term.value);
  const ImVec2 low(std::min(middle, middle + length), at.y + 0.2F * line);
  const ImVec2 high(std::max(middle, middle + length), at.y + 0.85F * line);
  const uint32_t colour = scene::word_rgba(
      scene::palette(state.view.look.theme, state.view.look.palette), term.channel);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  if (term.value >= 0.0F) {
    list.AddRectFilled(low, high, colour);
  } else if (length != 0.0F) {
    list.AddRect(low, high, colour);
  }
  ImGui::SameLine(6.3F * em + bars);
  if (!interactive || term.element == 0) return ImGui::TextUnformatted(term.name.c_str());
  ImGui::PushID(static_cast<int>(term.element));
  if (ImGui::Selectable(term.name.c_str())) {
    state.view.selected = term.element;
    state.view.whole_expert = term.expert ? term.element : 0;
    state.view.selected_bolt.reset();
  }
  ImGui::PopID();
}

}  // namespace

template <class Command>
void Explanations::ask(State& state, const Command& command, const Question& question,
                       Question& asked, bool answered) {
  constexpr double kPatience = 10.0;  // what is not answered by then cannot be
  const bool on_its_way = asked.conversation == question.conversation && !answered &&
                          question.when - asked.when < kPatience;
  // Where the queue is full it is asked in the next frame.
  if (!on_its_way && state.control->post(command)) asked = question;
}

bool Explanations::ask_readings(State& state, size_t step) {
  const trace::Reader& reader = state.stage.reader();
  const uint32_t position = position_of(state, step);
  const auto read = [&](uint32_t at, int32_t token) {
    if (at >= reader.positions()) return true;  // the conversation has changed
    const trace::LensRecord* record = reader.position(at).lens.record;
    return record != nullptr && record->token == token;
  };
  const int32_t token = token_after(reader, position);
  if (state.control == nullptr || token < 0 || read(position, token)) return false;
  const trace::StartRecord* settings = reader.start(step);
  ask(state, engine::ReadLens{position, token, settings != nullptr ? settings->temperature : 1.0F},
      {beginnings(state), position, token, -1, ImGui::GetTime()}, lens_,
      read(lens_.position, lens_.token));
  return true;
}

void Explanations::follow(State& state) {
  if (!state.view.look.lens || state.stage.reader().steps() == 0) return;
  ask_readings(state, shown_step(state));
}

void Explanations::readings(State& state, uint32_t layer, size_t step) {
  const trace::Reader& reader = state.stage.reader();
  const trace::Lens& lens = reader.position(position_of(state, step)).lens;
  if (ask_readings(state, step)) state.asks = true;
  if (lens.record == nullptr) return;
  ImGui::Separator();
  ImGui::TextUnformatted("what the model would say here (logit lens)");
  const bool scaled = (state.stage.layout().structure().flags & trace::kStructureScaledLogits) != 0;
  ImGui::TextDisabled("softmax(%sW_U norm(x) / T), x: the residual stream after layer %u",
                      scaled ? "scale " : "", layer);
  const size_t row = layer + size_t{1};
  for (const trace::Candidate& c : lens.top_of(row)) {
    ImGui::Text("%5.1f %%  %s%s", double{c.probability} * 100.0, text_of(c).c_str(),
                c.id == lens.record->token ? "  the one that follows" : "");
  }
  const trace::LensRow& own = lens.rows[row];
  if (own.rank >= lens.record->candidates) {
    ImGui::TextDisabled("the one that follows: %.2g %%, behind %u others",
                        double{own.probability} * 100.0, own.rank);
  }
}

void Explanations::terms(State& state, uint32_t rank, size_t step, bool interactive) {
  constexpr size_t kShown = 8;
  constexpr size_t kNeurons = 4;
  const trace::Reader& reader = state.stage.reader();
  const uint32_t position = position_of(state, step);
  const trace::Logits& logits = reader.position(position).logits;
  if (logits.record == nullptr || rank >= logits.record->candidates) return;
  const trace::Candidate& own = logits.candidates[rank];
  const trace::Attribution& a = reader.position(position).attribution;
  const auto told = [&](uint32_t at, int32_t token, int32_t against) {
    if (at >= reader.positions()) return true;  // the conversation has changed
    const trace::AttributionRecord* record = reader.position(at).attribution.record;
    return record != nullptr && record->token == token && record->against == against;
  };
  // What it has to beat: the best of the others. A file says what was asked when it was written.
  const bool file = state.control == nullptr;
  if (file && (a.record == nullptr || a.record->token != own.id)) return;
  int32_t against = logits.record->candidates < 2 || alone_ ? -1 : logits.candidates[rank == 0].id;
  if (file) against = std::max(a.record->against, -1);
  const bool there = file || told(position, own.id, against);
  if (!there) {
    ask(state, engine::Attribute{position, own.id, against},
        {beginnings(state), position, own.id, against, ImGui::GetTime()}, attribution_,
        told(attribution_.position, attribution_.token, attribution_.against));
    state.asks = true;
  }
  const bool alone = against < 0;
  std::string other = "token " + std::to_string(against);
  for (const trace::Candidate& c : logits.candidates)
    if (c.id == against) other = text_of(c);
  ImGui::Separator();
  ImGui::PushTextWrapPos(0.0F);
  if (alone) {
    ImGui::Text("what made the logit of %s", text_of(own).c_str());
  } else {
    ImGui::Text("what put %s above %s", text_of(own).c_str(), other.c_str());
  }
  ImGui::TextDisabled(
      "<part, W_U row%s> with the last norm's scale held (direct logit attribution)",
      alone ? "" : " - the other's");
  ImGui::PopTextWrapPos();
  if ((state.stage.layout().structure().flags & trace::kStructureLogitCap) != 0)
    ImGui::TextDisabled("logits before they are capped");
  if (interactive && !file && logits.record->candidates > 1 &&
      ImGui::SmallButton(alone ? "against the best other" : "its logit alone"))
    alone_ = !alone_;
  if (!there) return;
  const scene::Layout& layout = state.stage.layout();
  const std::vector<Term> terms = terms_of(a, layout);
  const float neuron = a.neurons.empty() ? 0.0F : size_of(a.neurons[0].term);
  const float most = std::max({size_of(terms[0].value), neuron, 1e-9F});
  double rest = double{a.record->rest};
  for (size_t i = kShown; i < terms.size(); ++i) rest += double{terms[i].value};
  for (size_t i = 0; i < std::min(kShown, terms.size()); ++i)
    draw_term(state, terms[i], most, interactive);
  draw_term(state, {"all the rest", static_cast<float>(rest), shaders::kChannelRest, 0}, most,
            interactive);
  ImGui::Text("%+.3f together: %s", double{a.record->logit},
              alone ? "the logit" : "the difference of the logits");
  if (a.neurons.empty()) return;
  ImGui::TextDisabled("the strongest neurons, parts of these");
  for (size_t i = 0; i < std::min(kNeurons, a.neurons.size()); ++i) {
    const trace::NeuronTerm& n = a.neurons[i];
    draw_term(state,
              {in_layer(n.layer, layout.neuron_name(n.layer, n.neuron)), n.term,
               shaders::kChannelFfn, layout.cell_of(n.layer, n.neuron) + 1},
              most, interactive);
  }
}

}  // namespace ui
