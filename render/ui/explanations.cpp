#include "render/ui/explanations.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "render/scene/text.h"

namespace ui {

namespace {

std::string text_of(const trace::Candidate& c) {
  return '"' + scene::visible_text({c.text.data(), c.text_bytes}) + '"';
}

// The token whose probability is told beside the most probable ones: the one that was drawn, of a
// prompt's position the one that follows.
int32_t token_after(const trace::Reader& reader, uint32_t position) {
  const trace::Logits& logits = reader.position(position).logits;
  if (logits.record != nullptr && logits.record->sampled >= 0) return logits.record->sampled;
  return position + 1 < reader.positions() ? reader.position(position + 1).token.record->id : 0;
}

uint64_t conversation_of(const trace::Reader& reader) {
  return reader.conversation() + reader.continuation();
}

// One term of the logit, and the element that a click on it selects; 0: none, else + 1.
struct Term {
  std::string name;
  float value = 0.0F;
  uint32_t channel = 0;
  uint32_t element = 0;
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
      terms.push_back({in_layer(l, "attention's bias"), a.attention_bias[l],
                       shaders::kChannelAttention, layout.spine(l, false, 0) + 1});
    }
    terms.push_back(
        {in_layer(l, "FFN"), a.ffn[l], shaders::kChannelFfn, layout.spine(l, true, 0) + 1});
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
    state.view.selected_bolt.reset();
  }
  ImGui::PopID();
}

}  // namespace

template <class Command>
bool Explanations::ask(State& state, const Command& command, const Question& question,
                       Question& asked) {
  if (state.control == nullptr) return false;
  if (question == asked) return true;
  if (state.control->post(command)) asked = question;  // else the queue is full: next frame again
  return true;
}

bool Explanations::ask_readings(State& state, uint32_t position) {
  const trace::Reader& reader = state.stage.reader();
  if (reader.position(position).lens.record != nullptr) {
    lens_ = {};  // should it be dropped, it is asked for again
    return false;
  }
  const int32_t token = token_after(reader, position);
  return ask(state, engine::ReadLens{position, token},
             {conversation_of(reader), position, token, -1}, lens_);
}

void Explanations::follow(State& state) {
  if (!state.view.look.lens || state.stage.reader().steps() == 0) return;
  ask_readings(state, shown_position(state));
}

void Explanations::readings(State& state, uint32_t layer, uint32_t position) {
  const trace::Reader& reader = state.stage.reader();
  const trace::Lens& lens = reader.position(position).lens;
  if (ask_readings(state, position)) state.asks = true;
  if (lens.record == nullptr) return;
  ImGui::Separator();
  ImGui::TextUnformatted("what the model would say here (logit lens)");
  ImGui::TextDisabled("softmax(W_U norm(x)), x: the stream behind layer %u", layer);
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

void Explanations::terms(State& state, uint32_t rank, uint32_t position, bool interactive) {
  constexpr size_t kShown = 8;
  constexpr size_t kNeurons = 4;
  const trace::Reader& reader = state.stage.reader();
  const trace::Logits& logits = reader.position(position).logits;
  if (logits.record == nullptr || rank >= logits.record->candidates) return;
  const trace::Candidate& own = logits.candidates[rank];
  const bool alone = alone_ || logits.record->candidates < 2;
  // What it has to beat: the best of the others.
  const trace::Candidate& other = logits.candidates[rank == 0 && !alone ? 1 : 0];
  const int32_t against = alone ? -1 : other.id;
  const trace::Attribution& a = reader.position(position).attribution;
  const bool there =
      a.record != nullptr && a.record->token == own.id && a.record->against == against;
  if (there) {
    attribution_ = {};
  } else if (ask(state, engine::Attribute{position, own.id, against},
                 {conversation_of(reader), position, own.id, against}, attribution_)) {
    state.asks = true;
  }
  if (state.control == nullptr && !there) return;
  ImGui::Separator();
  ImGui::PushTextWrapPos(0.0F);
  if (alone) {
    ImGui::Text("what made the logit of %s", text_of(own).c_str());
  } else {
    ImGui::Text("what put %s above %s", text_of(own).c_str(), text_of(other).c_str());
  }
  ImGui::TextDisabled(
      "<part, W_U row%s> with the last norm's scale held (direct logit attribution)",
      alone ? "" : " - the other's");
  ImGui::PopTextWrapPos();
  if ((state.stage.layout().structure().flags & trace::kStructureLogitCap) != 0)
    ImGui::TextDisabled("logits before they are capped");
  if (interactive && logits.record->candidates > 1 &&
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
  ImGui::TextDisabled("the strongest neurons, parts of the FFNs");
  for (size_t i = 0; i < std::min(kNeurons, a.neurons.size()); ++i) {
    const trace::NeuronTerm& n = a.neurons[i];
    draw_term(state,
              {in_layer(n.layer, "neuron " + std::to_string(n.neuron)), n.term,
               shaders::kChannelFfn, layout.cell_of(n.layer, n.neuron) + 1},
              most, interactive);
  }
}

}  // namespace ui
