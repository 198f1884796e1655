#include "render/scene/choreography.h"

#include <algorithm>
#include <cmath>

namespace scene {

using shaders::Bolt;
using shaders::Light;
using trace::Measure;

namespace {

constexpr float kFixed = -1.0F;  // a bolt's end that does not move with the past

// How long things stay visible, in layer spans of the clock.
constexpr float kBoltSpans = 2.6F;
constexpr float kLightSpans = 4.5F;
constexpr float kBarsStand = -0.95F;  // steps, without fading: until the next token's bars

// Attention weight that the positions of a column, from `first` on, received together.
float column_read(const trace::Kv& kv, const Layout& layout, uint32_t l, uint32_t k,
                  uint32_t first) {
  const uint32_t slots = kv.record->slots;
  const uint32_t end = std::min(first + layout.positions_per_column(), slots);
  float sum = 0.0F;
  for (uint32_t j = first; j < end; ++j) sum += kv.read[(l * kv.record->kv_heads + k) * slots + j];
  return sum;
}

// How many candidates have a bar of their own, and the probability of all others.
uint32_t bars(const trace::Logits& logits) {
  return std::min<uint32_t>(logits.record->candidates, Layout::kCandidates);
}
float rest_of_bars(const trace::Logits& logits) {
  float rest = 1.0F;
  for (uint32_t i = 0; i < bars(logits); ++i) rest -= logits.candidates[i].probability;
  return std::max(rest, 0.0F);
}

uint32_t seed_of(size_t step, uint32_t layer, uint32_t part, uint32_t index) {
  uint64_t h =
      step * 0x9E3779B97F4A7C15U + layer * 0xBF58476D1CE4E5B9U + part * 0x94D049BB133111EBU + index;
  h = (h ^ (h >> 29)) * 0xD6E8FEB86659FD93U;
  return static_cast<uint32_t>(h >> 32);
}

// Writes the script of one step.
class Writer {
 public:
  Writer(const trace::Reader& reader, const Layout& layout, size_t step)
      : reader_(reader),
        layout_(layout),
        step_(step),
        record_(reader.step(step)),
        clock_(layout.model().layers),
        bolt_life_(std::min(kBoltSpans * clock_.layer_span(), 0.6F)),
        light_life_(std::min(kLightSpans * clock_.layer_span(), 0.9F)) {}

  Script write() {
    const uint32_t last = record_.first_position + record_.count - 1;
    tape(last);
    for (uint32_t p = record_.first_position; p < last; ++p) column_of_prompt(p);
    const trace::Position& at = reader_.position(last);
    for (uint32_t l = 0; l < layout_.model().layers; ++l) {
      residual(at, l);
      attention(at, l);
      ffn(at, l);
    }
    crown(at, last);
    return std::move(script_);
  }

 private:
  float instant(float share) const { return static_cast<float>(step_) + share; }

  void light(uint32_t node, float value, float share, float life) {
    if (value != 0.0F) script_.lights.push_back({node, value, instant(share), life});
  }

  glm::vec3 center(uint32_t node) const { return layout_.nodes()[node].center; }
  float column(uint32_t node) const { return layout_.nodes()[node].column; }

  // A term of a sum, and for a strong one its forks.
  void bolt(uint32_t from, uint32_t to, glm::vec3 at_from, glm::vec3 at_to, float share,
            float value, float when, float life, float arc, uint32_t channel, uint32_t flags,
            uint32_t seed) {
    Bolt b{};
    b.from = at_from;
    b.to = at_to;
    b.instant = instant(when);
    b.share = share;
    b.value = value;
    b.life = life;
    b.arc = arc;
    b.channel = channel;
    b.flags = flags | (share < 0.0F ? shaders::kBoltNegative : 0U);
    b.seed = seed;
    b.from_node = from;
    b.to_node = to;
    b.from_column = column(from);
    b.to_column = kFixed;
    script_.bolts.push_back(b);
    if ((flags & shaders::kBoltRest) == 0 && share > 0.3F && value > 0.5F) {
      const uint32_t forks = share > 0.6F ? 2 : 1;
      for (uint32_t i = 0; i < forks; ++i) {
        b.flags = flags | shaders::kBoltFork | (i << shaders::kBoltForkShift);
        script_.bolts.push_back(b);
      }
    }
  }

  // The tokens of this step appear on the tape; the last one climbs into the spine.
  void tape(uint32_t last) {
    for (uint32_t p = record_.first_position; p <= last; ++p) {
      light(layout_.tape(layout_.column_of(p)), 1.0F, 0.0F, 0.8F);
    }
    const uint32_t node = layout_.tape(layout_.column_of(last));
    bolt(node, layout_.spine(0, false, 0), center(node), layout_.spine_foot(), 1.0F, 1.0F, 0.0F,
         0.3F, 0.0F, shaders::kChannelResidual, 0, seed_of(step_, 0, 0, 0));
  }

  // The wave of a prompt: what every column reads from its own new slot and, as a bolt from
  // slot to slot, its strongest read in every layer.
  void column_of_prompt(uint32_t position) {
    const trace::Position& at = reader_.position(position);
    if (at.kv.record == nullptr || at.scale.record == nullptr) return;
    const auto& m = layout_.model();
    for (uint32_t l = 0; l < m.layers; ++l) {
      for (uint32_t k = 0; k < m.kv_heads; ++k) {
        const float own = at.kv.read[(l * m.kv_heads + k) * at.kv.record->slots + position];
        light(layout_.slot(l, k, layout_.column_of(position)),
              brightness(own, at.scale.of(l, Measure::kKvRead)), clock_.in_layer(l, Clock::kRead),
              light_life_);
      }
      if (at.attention.record == nullptr) continue;
      uint32_t best_head = 0;
      const trace::KvRead* best = nullptr;
      for (uint32_t h = 0; h < m.heads; ++h) {
        for (const trace::KvRead& read : at.attention.reads_of(l, h)) {
          if (read.position == position) continue;
          if (best == nullptr || read.weight > best->weight) {
            best = &read;
            best_head = h;
          }
        }
      }
      if (best == nullptr || best->weight < 0.1F) continue;
      const uint32_t lane = best_head * m.kv_heads / m.heads;
      const uint32_t from = layout_.slot(l, lane, layout_.column_of(best->position));
      const uint32_t to = layout_.slot(l, lane, layout_.column_of(position));
      const float distance = static_cast<float>(position - best->position);
      bolt(from, to, center(from), center(to), best->share * at.attention.head(l, best_head).share,
           0.6F * brightness(best->weight, at.scale.of(l, Measure::kKvRead)),
           clock_.in_layer(l, Clock::kRead), bolt_life_, 0.12F + 0.03F * std::min(distance, 12.0F),
           shaders::kChannelKv, 0, seed_of(step_, l, 1, position));
      script_.bolts.back().to_column = column(to);
    }
  }

  // The residual stream: a pulse climbs, as bright as the update that just went in.
  void residual(const trace::Position& at, uint32_t l) {
    if (at.residual.record == nullptr || at.scale.record == nullptr) return;
    for (const bool ffn : {false, true}) {
      const float update = at.residual.update[l * 2 + (ffn ? 1 : 0)];
      const float value = brightness(update, at.scale.of(l, Measure::kUpdate));
      const float begin = ffn ? Clock::kWrite + 0.12F : Clock::kRead;
      const float end = ffn ? Clock::kEnd : Clock::kWrite + 0.12F;
      for (uint32_t i = 0; i < Layout::kSpineParts; ++i) {
        const float part = begin + (end - begin) * static_cast<float>(i) / Layout::kSpineParts;
        light(layout_.spine(l, ffn, i), value, clock_.in_layer(l, part), light_life_);
      }
    }
  }

  void attention(const trace::Position& at, uint32_t l) {
    if (at.attention.record == nullptr || at.scale.record == nullptr) return;
    const auto& m = layout_.model();
    const float head_scale = at.scale.of(l, Measure::kHeadShare);
    float rest = at.attention.bias_share[l];
    for (uint32_t h = 0; h < m.heads; ++h) {
      const trace::HeadShare& head = at.attention.head(l, h);
      const uint32_t node = layout_.head(l, h);
      const float value = brightness(head.share, head_scale);
      light(node, value, clock_.in_layer(l, Clock::kRead + 0.2F), light_life_);
      reads(at, l, h, head);
      if (std::abs(head.share) < kSmallestBolt) {
        rest += head.share;
        continue;
      }
      bolt(node, layout_.spine(l, false, Layout::kSpineParts - 1), center(node),
           layout_.junction(l, false), head.share, std::abs(value),
           clock_.in_layer(l, Clock::kWrite), bolt_life_, 0.22F, shaders::kChannelAttention, 0,
           seed_of(step_, l, 2, h));
    }
    if (std::abs(rest) > kSmallestRest && m.heads > 0) {
      const uint32_t node = layout_.head(l, m.heads - 1);
      bolt(node, layout_.spine(l, false, Layout::kSpineParts - 1), center(node),
           layout_.junction(l, false), rest, 0.4F, clock_.in_layer(l, Clock::kWrite), bolt_life_,
           0.05F, shaders::kChannelRest, shaders::kBoltRest, seed_of(step_, l, 3, 0));
    }
    reads_glow(at, l);
  }

  // KV slots -> a head. Far reads arc over the shelf, near ones stay low. What a read carries
  // into the residual stream is its share of the head times the head's share.
  void reads(const trace::Position& at, uint32_t l, uint32_t h, const trace::HeadShare& head) {
    const auto& m = layout_.model();
    const uint32_t lane = h * m.kv_heads / m.heads;
    const uint32_t node = layout_.head(l, h);
    const float head_light = std::abs(brightness(head.share, at.scale.of(l, Measure::kHeadShare)));
    float rest = head.rest_share;
    for (const trace::KvRead& read : at.attention.reads_of(l, h)) {
      if (std::abs(read.share) < 0.02F) {
        rest += read.share;
        continue;
      }
      const uint32_t from = layout_.slot(l, lane, layout_.column_of(read.position));
      const auto distance = static_cast<float>(at.attention.record->position - read.position);
      const float value =
          std::min(1.3F, std::sqrt(std::abs(read.share)) * (0.25F + 0.85F * head_light));
      bolt(from, node, center(from), center(node), read.share, value,
           clock_.in_layer(l, Clock::kRead), bolt_life_,
           0.1F + 0.2F * std::min(std::sqrt(distance), 4.0F) * layout_.pitch() / 1.6F,
           shaders::kChannelAttention, 0, seed_of(step_, l, 4 + h, read.position));
    }
    if (std::abs(rest) > 4.0F * kSmallestRest) {
      // The reads that are too small to draw come as one, from the far end of what has been read.
      const uint32_t from = layout_.slot(l, lane, 0);
      bolt(from, node, center(from), center(node), rest, 0.35F * head_light,
           clock_.in_layer(l, Clock::kRead), bolt_life_, 0.0F, shaders::kChannelRest,
           shaders::kBoltRest, seed_of(step_, l, 4 + h, 0xFFFFFFU));
    }
  }

  // A slot glows and rises with what is read from it.
  void reads_glow(const trace::Position& at, uint32_t l) {
    if (at.kv.record == nullptr) return;
    const auto& m = layout_.model();
    const uint32_t slots = at.kv.record->slots;
    const float scale = at.scale.of(l, Measure::kKvRead);
    for (uint32_t k = 0; k < m.kv_heads; ++k) {
      for (uint32_t first = 0; first < slots; first += layout_.positions_per_column()) {
        const float read = column_read(at.kv, layout_, l, k, first);
        const float value = brightness(read, scale);
        if (value < 0.02F) continue;
        light(layout_.slot(l, k, layout_.column_of(first)), value,
              clock_.in_layer(l, Clock::kRead + 0.05F), light_life_);
      }
    }
  }

  void ffn(const trace::Position& at, uint32_t l) {
    if (at.ffn.record == nullptr || at.scale.record == nullptr) return;
    const auto& m = layout_.model();
    const float act_scale = at.scale.of(l, Measure::kActivation);
    for (uint32_t b = 0; b < m.buckets; ++b) {
      const float value = brightness(at.ffn.rms[l * m.buckets + b], act_scale);
      if (value < 0.04F) continue;
      light(layout_.cell(l, b), value, clock_.in_layer(l, Clock::kFfn), light_life_);
    }
    const float share_scale = at.scale.of(l, Measure::kNeuronShare);
    const uint32_t to = layout_.spine(l, true, Layout::kSpineParts - 1);
    float rest = at.ffn.bias_share[l] + at.ffn.rest_share[l];
    for (uint32_t i = 0; i < at.ffn.record->top; ++i) {
      const trace::NeuronShare& n = at.ffn.top[l * at.ffn.record->top + i];
      if (std::abs(n.share) < kSmallestBolt || i >= 16) {
        rest += n.share;
        continue;
      }
      const auto bucket = static_cast<uint32_t>(uint64_t{n.neuron} * m.buckets / m.neurons);
      const uint32_t node = layout_.cell(l, bucket);
      const glm::vec3 from = center(node) + glm::vec3(0.0F, 0.0F, 0.04F);
      bolt(node, to, from, layout_.junction(l, true), n.share,
           std::min(1.2F, 0.75F * std::abs(brightness(n.share, share_scale))),
           clock_.in_layer(l, Clock::kFfn + 0.1F), bolt_life_, 0.1F, shaders::kChannelFfn, 0,
           seed_of(step_, l, 1000, n.neuron));
    }
    if (std::abs(rest) > kSmallestRest) {
      const uint32_t node = layout_.cell(l, m.buckets / 2);
      bolt(node, to, center(node), layout_.junction(l, true), rest, 0.4F,
           clock_.in_layer(l, Clock::kFfn + 0.1F), bolt_life_, 0.02F, shaders::kChannelRest,
           shaders::kBoltRest, seed_of(step_, l, 1001, 0));
    }
  }

  void crown(const trace::Position& at, uint32_t last) {
    if (at.logits.record == nullptr) return;
    const uint32_t shown = bars(at.logits);
    const glm::vec3 top = layout_.spine_top();
    const uint32_t spine = layout_.spine(layout_.model().layers - 1, true, Layout::kSpineParts - 1);
    for (uint32_t i = 0; i < shown; ++i) {
      const trace::Candidate& c = at.logits.candidates[i];
      const uint32_t node = layout_.candidate(i);
      light(node, c.probability, Clock::kCrown + 0.02F, kBarsStand);
      if (c.probability >= 0.01F) {
        bolt(spine, node, top, center(node), c.probability, std::sqrt(c.probability) * 1.2F,
             Clock::kCrown, 0.22F, 0.1F, shaders::kChannelCrown, 0, seed_of(step_, 9999, 0, i));
      }
    }
    light(layout_.candidate(Layout::kCandidates), rest_of_bars(at.logits), Clock::kCrown + 0.02F,
          kBarsStand);
    if (at.logits.record->sampled < 0) return;
    // The chosen one falls back to the tape, where the next column will be.
    uint32_t chosen = layout_.candidate(Layout::kCandidates);
    for (uint32_t i = 0; i < shown; ++i) {
      if (at.logits.candidates[i].id == at.logits.record->sampled) chosen = layout_.candidate(i);
    }
    const uint32_t next = std::min(layout_.column_of(last + 1), layout_.columns() - 1);
    const uint32_t tape_node = layout_.tape(next);
    bolt(chosen, tape_node, center(chosen), center(tape_node),
         at.logits.record->sampled_probability, 0.9F, Clock::kFall, 0.3F, 0.0F,
         shaders::kChannelTape, 0, seed_of(step_, 9999, 1, 0));
    script_.bolts.back().to_column = static_cast<float>(next);
  }

  const trace::Reader& reader_;
  const Layout& layout_;
  size_t step_;
  const trace::StepRecord& record_;
  Clock clock_;
  float bolt_life_;
  float light_life_;
  Script script_;
};

float ease(float t) {
  t = std::clamp(t, 0.0F, 1.0F);
  return t * t * (3.0F - 2.0F * t);
}

}  // namespace

float brightness(float value, float scale) {
  constexpr float kAtScale = 0.881373587F;  // asinh(1)
  return scale > 0.0F ? std::asinh(value / scale) / kAtScale : 0.0F;
}

Script choreograph(const trace::Reader& reader, const Layout& layout, size_t step) {
  return Writer(reader, layout, step).write();
}

float column_now(const trace::Reader& reader, const Layout& layout, double playhead) {
  if (reader.steps() == 0) return 0.0F;
  const auto front = [&](size_t step) {
    const trace::StepRecord& record = reader.step(std::min(step, reader.steps() - 1));
    return static_cast<float>(layout.column_of(record.first_position + record.count - 1));
  };
  const double clamped = std::clamp(playhead, 0.0, static_cast<double>(reader.steps()));
  const auto step = std::min(static_cast<size_t>(clamped), reader.steps() - 1);
  const auto share = static_cast<float>(clamped - static_cast<double>(step));
  const float here = front(step);
  const float next = step + 1 < reader.steps() ? front(step + 1) : here;
  return here + (next - here) * ease((share - Clock::kFall) / (1.0F - Clock::kFall));
}

Meaning explain(const trace::Reader& reader, const Layout& layout, const NodeRef& ref,
                size_t step) {
  Meaning meaning;
  if (step >= reader.steps()) return meaning;
  const trace::StepRecord& record = reader.step(step);
  const trace::Position& at = reader.position(record.first_position + record.count - 1);
  const auto& m = layout.model();
  const auto say = [&](std::string measure, std::string formula, float value, float scale) {
    meaning = {std::move(measure),
               std::move(formula),
               value,
               scale,
               scale > 0.0F ? brightness(value, scale) : value,
               true};
  };
  const bool scaled = at.scale.record != nullptr;
  switch (ref.kind) {
    case Kind::kSpineAttention:
    case Kind::kSpineFfn: {
      if (at.residual.record == nullptr || !scaled) break;
      const bool ffn = ref.kind == Kind::kSpineFfn;
      say(ffn ? "relative FFN update" : "relative attention update",
          ffn ? "|df| / |x|" : "|da| / |x|", at.residual.update[ref.layer * 2 + (ffn ? 1 : 0)],
          at.scale.of(ref.layer, Measure::kUpdate));
      break;
    }
    case Kind::kHead:
      if (at.attention.record == nullptr || !scaled) break;
      say("share of the attention update", "<o_h, da> / |da|^2",
          at.attention.head(ref.layer, ref.index).share,
          at.scale.of(ref.layer, Measure::kHeadShare));
      break;
    case Kind::kSlot: {
      const uint32_t first = ref.column * layout.positions_per_column();
      if (at.kv.record == nullptr || !scaled || first >= at.kv.record->slots) break;
      say("attention weight read from here", "mean over the heads that share it of a_j",
          column_read(at.kv, layout, ref.layer, ref.index, first),
          at.scale.of(ref.layer, Measure::kKvRead));
      break;
    }
    case Kind::kCell:
      if (at.ffn.record == nullptr || !scaled) break;
      say("activation",
          m.buckets == m.neurons ? "|act_n|, act = silu(gate) * up" : "rms of act over the cell",
          at.ffn.rms[ref.layer * m.buckets + ref.index],
          at.scale.of(ref.layer, Measure::kActivation));
      break;
    case Kind::kCandidate:
      if (at.logits.record == nullptr || ref.index >= at.logits.record->candidates) break;
      say("probability", "softmax(logits / temperature)",
          at.logits.candidates[ref.index].probability, 0.0F);
      break;
    case Kind::kRestCandidate:
      if (at.logits.record == nullptr) break;
      say("probability of all others", "1 - sum of the bars", rest_of_bars(at.logits), 0.0F);
      break;
    case Kind::kTape:
    case Kind::kRouter:
    case Kind::kScenery:
      break;
  }
  return meaning;
}

}  // namespace scene
