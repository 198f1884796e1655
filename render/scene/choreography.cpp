#include "render/scene/choreography.h"

#include <algorithm>
#include <cmath>

#include "render/scene/bolt_rank.h"

namespace scene {

using shaders::Bolt;
using shaders::Light;
using trace::Measure;

namespace {

constexpr float kFixed = -1.0F;  // a bolt's end that does not move with the past

constexpr float kFfnWrites = Clock::kFfn + 0.16F;  // after the neurons were read into
constexpr float kSmallestRead = 0.02F;             // of a head, else left to the rest bolt
constexpr uint32_t kNeurons = 16;                  // bolts of a layer's neurons, at most

// How long things stay visible, in layer spans of the clock.
constexpr float kBoltSpans = 2.2F;
constexpr float kLightSpans = 4.5F;
// In the wave of a prompt the oldest column leads the newest by so much of a layer: decoration.
constexpr float kLead = 0.3F;
constexpr float kBarsStand = -1.0F;  // steps, without fading: until the next token's bars

uint32_t seed_of(size_t token, uint32_t layer, uint32_t part, uint32_t index) {
  uint64_t h = token * 0x9E3779B97F4A7C15U + layer * 0xBF58476D1CE4E5B9U +
               part * 0x94D049BB133111EBU + index;
  h = (h ^ (h >> 29)) * 0xD6E8FEB86659FD93U;
  return static_cast<uint32_t>(h >> 32);
}

// Writes the script of one step.
class Writer {
 public:
  Writer(const trace::Reader& reader, const Layout& layout, size_t step, Telling telling)
      : reader_(reader),
        layout_(layout),
        step_(step),
        telling_(telling),
        record_(reader.step(step)),
        token_(record_.last_position()),
        clock_(layout.model().layers),
        apart_(columns_apart(record_.count, layout.model().layers)),
        bolt_life_(std::min(kBoltSpans * clock_.layer_span(), 0.6F)),
        light_life_(std::min(kLightSpans * clock_.layer_span(), 0.9F)) {}

  Script write() {
    tape(token_);
    for (uint32_t p = record_.first_position; p < token_; ++p) column_of_prompt(p);
    const trace::Position& at = reader_.position(token_);
    for (uint32_t l = 0; l < layout_.model().layers; ++l) {
      residual(at, l);
      attention(at, l);
      ffn(at, l);
    }
    if (telling_.newest) crown(at, token_);
    rank(script_.bolts, instant(0.0F), clock_.layer_span());
    return std::move(script_);
  }

 private:
  float instant(float share) const { return static_cast<float>(step_) + share; }

  void light(uint32_t node, float value, float share, float life) {
    if (value != 0.0F) script_.lights.push_back({node, value, instant(share), life});
  }

  glm::vec3 center(uint32_t node) const { return layout_.node(node).center; }
  float column(uint32_t node) const { return layout_.node(node).column; }

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
    constexpr uint32_t kPlain = shaders::kBoltRest | shaders::kBoltDrain | shaders::kBoltRead;
    if ((flags & kPlain) == 0 && std::abs(share) > 0.3F && value > 0.5F) {
      const uint32_t forks = std::abs(share) > 0.6F ? 2 : 1;
      for (uint32_t i = 0; i < forks; ++i) {
        b.flags = script_.bolts.back().flags & shaders::kBoltNegative;
        b.flags |= flags | shaders::kBoltFork | (i << shaders::kBoltForkShift);
        script_.bolts.push_back(b);
      }
    }
  }

  // How far along the tokens of this step a position is: 0 the oldest, 1 the newest.
  float along(uint32_t position) const {
    if (record_.count < 2) return 0.0F;
    return static_cast<float>(position - record_.first_position) /
           static_cast<float>(record_.count - 1);
  }

  // The tokens of this step appear on the tape; the last one climbs into the spine.
  void tape(uint32_t last) {
    for (uint32_t p = record_.first_position; p <= last; ++p) {
      light(layout_.tape(layout_.column_of(p)), 1.0F, 0.7F * Clock::kLayers * along(p), 0.8F);
    }
    if (!telling_.newest) return;
    const uint32_t node = layout_.tape(layout_.column_of(last));
    bolt(node, layout_.spine(0, false, 0), center(node), layout_.spine_foot(), 1.0F, 1.0F, 0.0F,
         0.3F, 0.0F, shaders::kChannelResidual, 0, seed_of(token_, 0, 0, 0));
  }

  // The wave of a prompt: what every column reads from its own new slot and, as a bolt from
  // slot to slot, its largest read of an earlier position in every layer.
  void column_of_prompt(uint32_t position) {
    const trace::Position& at = reader_.position(position);
    if (at.kv.record == nullptr || at.scale.record == nullptr) return;
    const auto& m = layout_.model();
    for (uint32_t l = 0; l < m.layers; ++l) {
      const float when =
          std::max(clock_.in_layer(l, Clock::kRead - kLead * (1.0F - along(position))), 0.0F);
      for (uint32_t k = 0; k < m.kv_heads; ++k) {
        const float own = at.kv.read[(l * m.kv_heads + k) * at.kv.record->slots + position];
        light(layout_.slot(l, k, layout_.column_of(position)),
              brightness(own, at.scale.of(l, Measure::kKvRead)), when, light_life_);
      }
      if (!telling_.newest || at.attention.record == nullptr || position % apart_ != 0) continue;
      uint32_t best_head = 0;
      const trace::KvRead* best = nullptr;
      float most = kSmallestBolt;
      for (uint32_t h = 0; h < m.heads; ++h) {
        const float of_head = at.attention.head(l, h).share;
        for (const trace::KvRead& read : at.attention.reads_of(l, h)) {
          const float share = std::abs(read.share * of_head);
          if (read.position == position || share < most) continue;
          most = share;
          best = &read;
          best_head = h;
        }
      }
      if (best == nullptr) continue;
      const uint32_t lane = trace::kv_head_of(m, best_head);
      const uint32_t from = layout_.slot(l, lane, layout_.column_of(best->position));
      const uint32_t to = layout_.slot(l, lane, layout_.column_of(position));
      const float distance = static_cast<float>(position - best->position);
      bolt(from, to, center(from), center(to), best->share * at.attention.head(l, best_head).share,
           0.6F * brightness(best->weight, at.scale.of(l, Measure::kKvRead)), when, bolt_life_,
           0.12F + 0.03F * std::min(distance, 12.0F), shaders::kChannelKv, 0,
           seed_of(token_, l, 1, position));
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
      if (!telling_.newest) continue;
      reads(at, l, h, head);
      if (std::abs(head.share) < kSmallestBolt && !telling_.show_all) {
        rest += head.share;
        continue;
      }
      bolt(node, layout_.spine(l, false, Layout::kSpineParts - 1), center(node),
           layout_.junction(l, false), head.share, std::abs(value),
           clock_.in_layer(l, Clock::kWrite), bolt_life_, 0.22F, shaders::kChannelAttention, 0,
           seed_of(token_, l, 2, h));
    }
    if (telling_.newest && std::abs(rest) > kSmallestRest && m.heads > 0) {
      const uint32_t node = layout_.head(l, m.heads - 1);
      bolt(node, layout_.spine(l, false, Layout::kSpineParts - 1), center(node),
           layout_.junction(l, false), rest, 0.4F, clock_.in_layer(l, Clock::kWrite), bolt_life_,
           0.05F, shaders::kChannelRest, shaders::kBoltRest, seed_of(token_, l, 3, 0));
    }
    reads_glow(at, l);
  }

  // KV slots -> a head. Far reads arc over the shelf, near ones stay low. What a read carries
  // into the residual stream is its share of the head times the head's share.
  void reads(const trace::Position& at, uint32_t l, uint32_t h, const trace::HeadShare& head) {
    const auto& m = layout_.model();
    const uint32_t lane = trace::kv_head_of(m, h);
    const uint32_t node = layout_.head(l, h);
    const float head_light = std::abs(brightness(head.share, at.scale.of(l, Measure::kHeadShare)));
    const trace::KvRead* drain = drain_of(at.attention, l, h);
    float rest = head.rest_share;
    uint32_t left = most_of(m.heads);
    for (const trace::KvRead& read : at.attention.reads_of(l, h)) {
      const bool drawn = telling_.show_all ? left > 0 : std::abs(read.share) >= kSmallestRead;
      if (!drawn && &read != drain) {
        rest += read.share;
        continue;
      }
      left -= std::min(left, 1U);
      const uint32_t from = layout_.slot(l, lane, layout_.column_of(read.position));
      if (&read == drain) {
        bolt(from, node, center(from), center(node), read.share,
             read.weight * (0.6F + 0.6F * head_light), clock_.in_layer(l, Clock::kRead), bolt_life_,
             0.1F * layout_.pitch(), shaders::kChannelDrain, shaders::kBoltDrain,
             seed_of(token_, l, 4 + h, read.position));
        continue;
      }
      const auto distance = static_cast<float>(at.attention.record->position - read.position);
      const float value =
          std::min(1.3F, std::sqrt(std::abs(read.share)) * (0.25F + 0.85F * head_light));
      bolt(from, node, center(from), center(node), read.share, value,
           clock_.in_layer(l, Clock::kRead), bolt_life_,
           0.1F + 0.2F * std::min(std::sqrt(distance), 4.0F) * layout_.pitch() / 1.6F,
           shaders::kChannelAttention, 0, seed_of(token_, l, 4 + h, read.position));
    }
    if (std::abs(rest) > 4.0F * kSmallestRest) {
      // The reads that are too small to draw come as one, from the far end of what has been read.
      const uint32_t from = layout_.slot(l, lane, 0);
      bolt(from, node, center(from), center(node), rest, 0.35F * head_light,
           clock_.in_layer(l, Clock::kRead), bolt_life_, 0.0F, shaders::kChannelRest,
           shaders::kBoltRest, seed_of(token_, l, 4 + h, 0xFFFFFFU));
    }
  }

  // Bolts that each of `sums` sums of a layer may have when all are shown.
  uint32_t most_of(uint32_t sums) const {
    return std::max(kMostBolts / (layout_.model().layers * sums), 16U);
  }

  // A slot glows and rises with what is read from it.
  void reads_glow(const trace::Position& at, uint32_t l) {
    if (at.kv.record == nullptr) return;
    const auto& m = layout_.model();
    const uint32_t slots = at.kv.record->slots;
    const float scale = at.scale.of(l, Measure::kKvRead);
    const float when = clock_.in_layer(l, Clock::kRead + 0.05F);
    for (uint32_t k = 0; k < m.kv_heads; ++k) {
      for (uint32_t first = 0; first < slots; first += layout_.positions_per_column()) {
        const float read = column_read(at.kv, layout_, l, k, first);
        light(layout_.slot(l, k, layout_.column_of(first)), brightness(read, scale, 0.02F), when,
              light_life_);
      }
    }
  }

  void ffn(const trace::Position& at, uint32_t l) {
    if (at.ffn.record == nullptr || at.scale.record == nullptr) return;
    const auto& m = layout_.model();
    const float act_scale = at.scale.of(l, Measure::kActivation);
    for (uint32_t b = 0; b < m.buckets; ++b) {
      const float value = brightness(at.ffn.rms[l * m.buckets + b], act_scale, 0.04F);
      light(layout_.cell(l, b), value, clock_.in_layer(l, Clock::kFfn), light_life_);
    }
    // Of a mixture, experts are what adds up; the neurons come on top when all are asked for.
    if (at.experts.record != nullptr && layout_.router(l) != shaders::kNoElement &&
        layout_.expert_plate(l, 0).half_size.x > 0.0F) {
      experts(at, l);
      if (!telling_.show_all) return;
    }
    if (!telling_.newest) return;
    neurons_read(at, l);
    neurons_write(at, l);
  }

  // The cell that stands for an expert as an end of a bolt.
  uint32_t cell_of_expert(uint32_t l, uint32_t e) const {
    const uint32_t n =
        std::min(e * layout_.structure().expert_neurons, layout_.model().neurons - 1);
    return layout_.cell_of(l, n);
  }

  // The router to the experts that it chose: its probabilities. The experts to the spine:
  // <G_e FFN_e, df> / |df|^2, 1 over all that worked.
  void experts(const trace::Position& at, uint32_t l) {
    const uint32_t router = layout_.router(l);
    const uint32_t to = layout_.spine(l, true, Layout::kSpineParts - 1);
    const uint32_t all = at.experts.record->experts;
    const float scale = at.scale.of(l, Measure::kNeuronShare);
    light(router, surest(at.experts, l), clock_.in_layer(l, Clock::kFfn), light_life_);
    if (!telling_.newest) return;
    float unchosen = 1.0F;
    for (const trace::ExpertShare& one : at.experts.used_in(l)) {
      if (one.expert > all) continue;
      const Box plate = layout_.expert_plate(l, one.expert);
      const glm::vec3 face = plate.center + glm::vec3(0.0F, 0.0F, plate.half_size.z + 0.02F);
      const uint32_t node = cell_of_expert(l, one.expert);
      if (one.expert < all) {
        const float p = at.experts.probability[size_t{l} * all + one.expert];
        unchosen -= p;
        bolt(router, node, center(router), face, p, std::sqrt(std::max(p, 0.0F)),
             clock_.in_layer(l, Clock::kFfn), bolt_life_, 0.08F, shaders::kChannelFfn,
             shaders::kBoltRead, seed_of(token_, l, 1004, one.expert));
      }
      if (one.share == 0.0F) continue;  // as of neurons, where the update is nothing
      bolt(node, to, face, layout_.junction(l, true), one.share,
           std::min(1.2F, 0.4F + 0.5F * std::abs(brightness(one.share, std::max(scale, 0.2F)))),
           clock_.in_layer(l, kFfnWrites), bolt_life_, 0.14F, shaders::kChannelFfn, 0,
           seed_of(token_, l, 1005, one.expert));
    }
    const uint32_t middle = layout_.cell(l, layout_.model().buckets / 2);
    // What sigmoids leave is nobody's: they do not sum to 1.
    const bool sigmoid = (layout_.structure().flags & trace::kStructureSigmoidRouter) != 0;
    if (!sigmoid && unchosen > kSmallestRest) {
      bolt(router, middle, center(router), center(middle), unchosen, 0.3F,
           clock_.in_layer(l, Clock::kFfn), bolt_life_, 0.02F, shaders::kChannelRest,
           shaders::kBoltRest | shaders::kBoltRead, seed_of(token_, l, 1006, 0));
    }
  }

  glm::vec3 face_of(uint32_t cell) const { return center(cell) + glm::vec3(0.0F, 0.0F, 0.04F); }

  // The listed neurons of a layer, as many as are drawn at most.
  std::span<const trace::NeuronShare> listed(const trace::Position& at, uint32_t l) const {
    const uint32_t top = at.ffn.record->top;
    return at.ffn.top.subspan(size_t{l} * top,
                              std::min(top, telling_.show_all ? most_of(1) : kNeurons));
  }

  // The neurons that the residual stream is drawn into: of a full list the most active, else those
  // that are listed.
  std::vector<trace::NeuronShare> most_active(const trace::Position& at, uint32_t l) const {
    const uint32_t top = at.ffn.record->top;
    const auto all = at.ffn.top.subspan(size_t{l} * top, top);
    std::vector<trace::NeuronShare> list(all.begin(), all.end());
    const size_t most = std::min<size_t>(top, telling_.show_all ? most_of(1) : kNeurons);
    const auto end = list.begin() + static_cast<ptrdiff_t>(most);
    const auto size = [](const trace::NeuronShare& n) {
      return std::isnan(n.activation) ? 0.0F : std::abs(n.activation);
    };
    std::partial_sort(list.begin(), end, list.end(),
                      [&](const auto& x, const auto& y) { return size(x) > size(y); });
    list.erase(end, list.end());
    return list;
  }

  // The residual stream goes into the neurons: act_n^2 / |act|^2, 1 over the neurons.
  void neurons_read(const trace::Position& at, uint32_t l) {
    const float energy = activation_energy(at.ffn, layout_, l);
    if (!(energy > 0.0F)) return;
    const float scale = at.scale.of(l, Measure::kActivation);
    // A parallel block's FFN reads what its attention reads.
    const bool parallel = (layout_.structure().flags & trace::kStructureParallel) != 0;
    const uint32_t from = layout_.spine(l, !parallel, 0);
    const glm::vec3 at_spine =
        parallel ? glm::vec3(0.0F, layout_.storey_y(l), 0.0F) : layout_.junction(l, false);
    const float when = clock_.in_layer(l, parallel ? Clock::kRead : Clock::kFfn);
    float rest = 1.0F;
    for (const trace::NeuronShare& n : most_active(at, l)) {
      const float share = n.activation * n.activation / energy;
      if (share < kSmallestEnergy && !telling_.show_all) continue;
      rest -= share;
      const uint32_t node = layout_.cell_of(l, n.neuron);
      bolt(from, node, at_spine, face_of(node), share,
           std::min(0.9F, 0.6F * std::abs(brightness(n.activation, scale))), when, bolt_life_,
           -0.06F, shaders::kChannelFfn, shaders::kBoltRead, seed_of(token_, l, 1002, n.neuron));
    }
    if (rest > kSmallestRest) {
      const uint32_t node = layout_.cell(l, layout_.model().buckets / 2);
      bolt(from, node, at_spine, center(node), rest, 0.2F, when, bolt_life_, -0.02F,
           shaders::kChannelRest, shaders::kBoltRest | shaders::kBoltRead,
           seed_of(token_, l, 1003, 0));
    }
  }

  void neurons_write(const trace::Position& at, uint32_t l) {
    const float share_scale = at.scale.of(l, Measure::kNeuronShare);
    const uint32_t to = layout_.spine(l, true, Layout::kSpineParts - 1);
    // 1 = the listed + rest_share + bias_share.
    const size_t top = at.ffn.record->top;
    float rest = at.ffn.bias_share[l] + at.ffn.rest_share[l];
    for (const trace::NeuronShare& n : at.ffn.top.subspan(l * top, top)) rest += n.share;
    for (const trace::NeuronShare& n : listed(at, l)) {
      if (std::abs(n.share) < kSmallestBolt && !telling_.show_all) continue;
      rest -= n.share;
      const uint32_t node = layout_.cell_of(l, n.neuron);
      bolt(node, to, face_of(node), layout_.junction(l, true), n.share,
           std::min(1.2F, 0.75F * std::abs(brightness(n.share, share_scale))),
           clock_.in_layer(l, kFfnWrites), bolt_life_, 0.1F, shaders::kChannelFfn, 0,
           seed_of(token_, l, 1000, n.neuron));
    }
    if (std::abs(rest) > kSmallestRest) {
      const uint32_t node = layout_.cell(l, layout_.model().buckets / 2);
      bolt(node, to, center(node), layout_.junction(l, true), rest, 0.4F,
           clock_.in_layer(l, kFfnWrites), bolt_life_, 0.02F, shaders::kChannelRest,
           shaders::kBoltRest, seed_of(token_, l, 1001, 0));
    }
  }

  void crown(const trace::Position& at, uint32_t last) {
    if (at.logits.record == nullptr) return;
    const uint32_t shown = bars(at.logits);
    const glm::vec3 top = layout_.spine_top();
    const uint32_t spine = layout_.spine(layout_.model().layers - 1, true, Layout::kSpineParts - 1);
    float rest = 1.0F;
    for (uint32_t i = 0; i < shown; ++i) {
      const trace::Candidate& c = at.logits.candidates[i];
      const uint32_t node = layout_.candidate(i);
      light(node, c.probability, Clock::kBars, kBarsStand);
      if (c.probability >= 0.01F) {
        rest -= c.probability;
        bolt(spine, node, top, center(node), c.probability, std::sqrt(c.probability) * 1.2F,
             Clock::kCrown, 0.22F, 0.1F, shaders::kChannelCrown, 0, seed_of(token_, 9999, 0, i));
      }
    }
    const uint32_t others = layout_.candidate(Layout::kCandidates);
    light(others, rest_of_bars(at.logits), Clock::kBars, kBarsStand);
    if (rest > kSmallestRest) {
      bolt(spine, others, top, center(others), rest, 0.4F, Clock::kCrown, 0.22F, 0.1F,
           shaders::kChannelRest, shaders::kBoltRest, seed_of(token_, 9999, 2, 0));
    }
    if (at.logits.record->sampled < 0) return;
    // The chosen one falls back to the tape, where the next column will be.
    uint32_t chosen = others;
    for (uint32_t i = 0; i < shown; ++i) {
      if (at.logits.candidates[i].id == at.logits.record->sampled) chosen = layout_.candidate(i);
    }
    const uint32_t next = std::min(layout_.column_of(last + 1), layout_.columns() - 1);
    const uint32_t tape_node = layout_.tape(next);
    bolt(chosen, tape_node, center(chosen), center(tape_node),
         at.logits.record->sampled_probability, 0.9F, Clock::kFall, 0.3F, 0.0F,
         shaders::kChannelTape, 0, seed_of(token_, 9999, 1, 0));
    script_.bolts.back().to_column = static_cast<float>(next);
  }

  const trace::Reader& reader_;
  const Layout& layout_;
  size_t step_;
  Telling telling_;
  const trace::StepRecord& record_;
  uint32_t token_;  // position of the newest token of the step
  Clock clock_;
  uint32_t apart_;
  float bolt_life_;
  float light_life_;
  Script script_;
};

}  // namespace

Script choreograph(const trace::Reader& reader, const Layout& layout, size_t step,
                   Telling telling) {
  return Writer(reader, layout, step, telling).write();
}

float column_now(const trace::Reader& reader, const Layout& layout, double playhead, double merge,
                 bool glide) {
  if (reader.steps() == 0) return 0.0F;
  const auto front = [&](size_t step) {
    const trace::StepRecord& record = reader.step(std::min(step, reader.steps() - 1));
    return static_cast<float>(layout.column_of(record.last_position()));
  };
  const Moment now = moment_of(playhead, merge, reader.steps());
  const float here = front(now.last);
  if (!glide || now.last + 1 >= reader.steps()) return here;
  const float next =
      front(moment_of(static_cast<double>(now.last) + 1.5, merge, reader.steps()).last);
  return here + (next - here) * glm::smoothstep(Clock::kFall, 1.0F, now.share);
}

}  // namespace scene
