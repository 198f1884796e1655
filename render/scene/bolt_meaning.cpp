#include "render/scene/bolt_meaning.h"

#include <algorithm>

#include "render/scene/dependency.h"
#include "render/scene/quantities.h"
#include "render/scene/tensors.h"
#include "render/scene/text.h"

namespace scene {

namespace {

class Explainer {
 public:
  Explainer(const trace::Reader& reader, const Layout& layout, size_t step,
            const shaders::Bolt& bolt)
      : reader_(reader),
        layout_(layout),
        bolt_(bolt),
        from_(layout.ref(bolt.from_node)),
        to_(layout.ref(bolt.to_node)) {
    meaning_.share = bolt.share;
    meaning_.light = bolt.value;
    if (step < reader.steps()) {
      const trace::StepRecord& record = reader.step(step);
      at_ = &reader.position(record.last_position());
    }
  }

  BoltMeaning explain() {
    meaning_.name = layout_.path(from_) + " -> " + layout_.path(to_);
    meaning_.measure = "share";
    meaning_.formula = "a term of the sum at its end, as a share of it";
    if (at_ == nullptr) return meaning_;
    const bool rest = (bolt_.flags & shaders::kBoltRest) != 0;
    if (to_.kind == Kind::kHead && from_.kind == Kind::kSlot) {
      rest ? read_rest() : read();
    } else if (to_.kind == Kind::kSlot && from_.kind == Kind::kSlot) {
      prompt_read();
    } else if (to_.kind == Kind::kSpineAttention && from_.kind == Kind::kHead) {
      rest ? head_rest() : head();
    } else if (to_.kind == Kind::kSpineFfn && from_.kind == Kind::kCell) {
      rest ? neuron_rest() : expert_or_neuron();
    } else if (from_.kind == Kind::kRouter) {
      rest ? unchosen() : chosen();
    } else if (to_.kind == Kind::kCell) {
      rest ? neuron_read_rest() : neuron_read();
    } else if (to_.kind == Kind::kCandidate) {
      candidate();
    } else if (to_.kind == Kind::kRestCandidate) {
      say("residual stream -> all other tokens", "probability",
          "1 - sum of the candidates that are drawn");
    } else if (from_.kind == Kind::kTape) {
      entry();
    } else if (to_.kind == Kind::kTape) {
      fall();
    }
    return meaning_;
  }

 private:
  std::string head_name() const {
    return "layer " + std::to_string(to_.layer) + " head " + std::to_string(to_.index);
  }
  void say(std::string name, std::string measure, std::string formula) {
    meaning_.name = std::move(name);
    meaning_.measure = std::move(measure);
    meaning_.formula = std::move(formula);
  }
  void second(std::string what, float value) {
    meaning_.second = std::move(what);
    meaning_.second_value = value;
  }
  // Of the term of this sum that is as large as the bolt is wide; the script copies it to the bit.
  template <class Terms, class Is>
  auto find(const Terms& terms, Is is) const {
    return std::find_if(terms.begin(), terms.end(), is);
  }
  float scale(trace::Measure measure) const {
    return at_->scale.record != nullptr ? at_->scale.of(to_.layer, measure) : 0.0F;
  }
  void against(trace::Measure measure) {
    meaning_.scale = scale(measure);
    meaning_.light_formula = "grows with asinh(value / scale)";
  }

  void read() {
    say("KV read, " + column_name(layout_, from_.column) + " -> " + head_name(),
        "share of the head's output", "a_j <W_O,h v_j, o_h> / |o_h|^2");
    if (at_->attention.record == nullptr) return;
    const auto reads = at_->attention.reads_of(to_.layer, to_.index);
    const auto it = find(reads, [&](const trace::KvRead& r) {
      return layout_.column_of(r.position) == from_.column && r.share == bolt_.share;
    });
    if (it == reads.end()) return;
    meaning_.name = "KV read, position " + std::to_string(it->position);
    if (it->position < reader_.positions()) {
      meaning_.name += " \"" + visible_text(reader_.position(it->position).token.text) + "\"";
    }
    meaning_.name += " -> " + head_name();
    meaning_.tensor = value_name("attn.weights", to_.layer, {to_.index, it->position}) + ", " +
                      value_name("kv.v", to_.layer, {it->position}) + ", " +
                      value_name("attn.head_back", to_.layer, {to_.index});
    if ((bolt_.flags & shaders::kBoltDrain) != 0) meaning_.name += ": an attention sink";
    second("attention weight a_j", it->weight);
  }

  void read_rest() {
    say("all other KV reads of " + head_name(), "share of the head's output",
        "1 - sum of the reads that are drawn");
    if (at_->attention.record != nullptr) {
      second(at_->attention.sinks.empty()
                 ? "attention weight of those not listed"
                 : "attention weight of those not listed, and of the learned sink",
             at_->attention.head(to_.layer, to_.index).rest_weight);
    }
  }

  void prompt_read() {
    say("KV read, " + column_name(layout_, from_.column) + " -> " +
            column_name(layout_, to_.column) + ", layer " + std::to_string(to_.layer) +
            ": its largest of an earlier position",
        "share of the attention update", "a_j <W_O,h v_j, o_h> / |o_h|^2 times the head's share");
  }

  void head() {
    say("layer " + std::to_string(from_.layer) + " head " + std::to_string(from_.index) +
            " -> residual stream",
        "share of the attention update",
        std::string("<o_h, da> / |da|^2") + before_scale(layout_.structure()));
    meaning_.tensor = value_name("attn.head_share", from_.layer, {from_.index});
    against(trace::Measure::kHeadShare);
    if (at_->attention.record != nullptr)
      second("|o_h|", at_->attention.head(from_.layer, from_.index).norm);
  }

  void head_rest() {
    say("all other heads (and a bias, where there is one) of layer " + std::to_string(from_.layer) +
            " -> residual stream",
        "share of the attention update", "1 - sum of the heads that are drawn");
  }

  void expert_or_neuron() {
    if (at_->experts.record == nullptr) return neuron();
    const auto used = at_->experts.used_in(to_.layer);
    const uint32_t expert = layout_.expert_of(from_);
    auto it = find(used, [&](const trace::ExpertShare& e) {
      return e.expert == expert && e.share == bolt_.share;
    });
    // In a trace whose cells hold neurons of two experts.
    if (it == used.end())
      it = find(used, [&](const trace::ExpertShare& e) { return e.share == bolt_.share; });
    if (it == used.end()) return neuron();
    const bool shared = it->expert == layout_.structure().experts;
    say("layer " + std::to_string(from_.layer) + " " +
            expert_name(layout_.structure(), it->expert) + " -> residual stream",
        "share of the FFN update", "<G_e FFN_e, df> / |df|^2");
    meaning_.tensor = value_name("experts", from_.layer);
    const bool whole = (layout_.structure().flags & trace::kStructureSharedWhole) != 0;
    second(!shared ? "its weight G_e, " + weight_formula(layout_.structure())
           : whole ? "its weight G_e: it is taken whole"
                   : "its gate G_e",
           it->weight);
  }

  void chosen() {
    say("layer " + std::to_string(from_.layer) + " router -> expert " +
            std::to_string(layout_.expert_of(to_)),
        "probability", router_formula(layout_.structure()));
    meaning_.tensor = value_name("router", from_.layer, {layout_.expert_of(to_)});
  }

  void unchosen() {
    say("layer " + std::to_string(from_.layer) + " router -> the experts that it did not choose",
        "probability", "1 - sum of the chosen experts");
  }

  void neuron() {
    say(layout_.path(from_) + " -> residual stream", "share of the FFN update",
        neuron_formula(layout_.structure_of(to_.layer)));
    against(trace::Measure::kNeuronShare);
    if (at_->ffn.record == nullptr) return;
    const uint32_t top = at_->ffn.record->top;
    const auto terms = at_->ffn.top.subspan(size_t{to_.layer} * top, top);
    const auto it = find(terms, [&](const trace::NeuronShare& n) {
      return n.share == bolt_.share && layout_.cell_of(from_.layer, n.neuron) == bolt_.from_node;
    });
    if (it == terms.end()) return;
    meaning_.name = "layer " + std::to_string(from_.layer) + " " +
                    layout_.neuron_name(from_.layer, it->neuron) + " -> residual stream";
    meaning_.tensor = value_name("ffn.neuron_share", from_.layer, {it->neuron});
    second("activation act_n", it->activation);
  }

  // Into a neuron: how much of the activations' energy is its.
  void neuron_read() {
    say("residual stream -> " + layout_.path(to_), "share of the activations' energy",
        "act_n^2 / |act|^2");
    against(trace::Measure::kActivation);
    if (at_->ffn.record == nullptr) return;
    const float energy = activation_energy(at_->ffn, layout_, to_.layer);
    const uint32_t top = at_->ffn.record->top;
    const auto terms = at_->ffn.top.subspan(size_t{to_.layer} * top, top);
    const auto it = find(terms, [&](const trace::NeuronShare& n) {
      return n.activation * n.activation / energy == bolt_.share &&
             layout_.cell_of(to_.layer, n.neuron) == bolt_.to_node;
    });
    if (it == terms.end()) return;
    meaning_.name = "residual stream -> layer " + std::to_string(to_.layer) + " " +
                    layout_.neuron_name(to_.layer, it->neuron);
    meaning_.tensor = value_name("ffn.act", to_.layer, {it->neuron});
    second("activation act_n", it->activation);
  }

  void neuron_read_rest() {
    say("residual stream -> all other neurons of layer " + std::to_string(to_.layer),
        "share of the activations' energy", "1 - sum of the neurons that are drawn");
  }

  void neuron_rest() {
    say("all other neurons (and a bias, where there is one) of layer " +
            std::to_string(from_.layer) + " -> residual stream",
        "share of the FFN update", "1 - sum of the neurons that are drawn");
  }

  void candidate() {
    say("residual stream -> candidate " + std::to_string(to_.index), "probability",
        "softmax(logits / temperature)");
    if (at_->logits.record == nullptr || to_.index >= at_->logits.record->candidates) return;
    const trace::Candidate& c = at_->logits.candidates[to_.index];
    meaning_.name += " \"" + candidate_text(c) + "\"";
    meaning_.tensor = value_name("logits", {}, {static_cast<uint32_t>(c.id)});
    second("logit", c.logit);
  }

  void entry() {
    say("token \"" + visible_text(at_->token.text) + "\" -> residual stream", "share",
        formula_of(Kind::kTape, layout_.structure()) + ": the whole of it");
    meaning_.tensor = value_name("embd", {});
  }

  void fall() {
    say("the token that was drawn -> tape", "probability of what was drawn",
        "softmax(logits / temperature)");
    meaning_.tensor = value_name("logits", {});
    if (at_->logits.record != nullptr) second("entropy, nats", at_->logits.record->entropy);
  }

  const trace::Reader& reader_;
  const Layout& layout_;
  const shaders::Bolt& bolt_;
  NodeRef from_;
  NodeRef to_;
  const trace::Position* at_ = nullptr;
  BoltMeaning meaning_;
};

}  // namespace

BoltMeaning explain_bolt(const trace::Reader& reader, const Layout& layout, size_t step,
                         const shaders::Bolt& bolt) {
  if (bolt.from_node >= layout.elements() || bolt.to_node >= layout.elements()) return {};
  return Explainer(reader, layout, step, bolt).explain();
}

}  // namespace scene
