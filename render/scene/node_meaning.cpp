#include "render/scene/node_meaning.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "render/scene/dependency.h"
#include "render/scene/quantities.h"
#include "render/scene/tensors.h"

namespace scene {

using trace::Measure;

Meaning explain(const trace::Reader& reader, const Layout& layout, const NodeRef& ref,
                size_t step) {
  Meaning meaning;
  if (step >= reader.steps()) return meaning;
  const trace::StepRecord& record = reader.step(step);
  const trace::Position& at = reader.position(record.last_position());
  const auto& m = layout.model();
  const auto say = [&](std::string measure, std::string formula, std::string tensor, float value,
                       float scale) {
    meaning = {std::move(measure),
               std::move(formula),
               std::move(tensor),
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
      const bool parallel = (layout.structure().flags & trace::kStructureParallel) != 0;
      say(ffn ? "relative FFN update" : "relative attention update",
          ffn ? "|df| / |x|, x as the FFN reads it" : "|da| / |x|, x as attention reads it",
          value_name(ffn ? "ffn.out" : "attn.out", ref.layer) + ", " +
              value_name(ffn && !parallel ? "resid.mid" : "resid.pre", ref.layer),
          at.residual.update[ref.layer * 2 + (ffn ? 1 : 0)],
          at.scale.of(ref.layer, Measure::kUpdate));
      break;
    }
    case Kind::kHead:
      if (at.attention.record == nullptr || !scaled) break;
      say("share of the attention update",
          std::string("<o_h, da> / |da|^2") + before_scale(layout.structure()),
          value_name("attn.head_share", ref.layer, {ref.index}),
          at.attention.head(ref.layer, ref.index).share,
          at.scale.of(ref.layer, Measure::kHeadShare));
      break;
    case Kind::kSlot: {
      const uint32_t together = layout.positions_per_column();
      const uint32_t first = ref.column * together;
      const uint32_t heads = m.heads / m.kv_heads;  // that share it
      if (at.kv.record == nullptr || !scaled || first >= at.kv.record->slots) break;
      say("attention weight read from here",
          together > 1 ? "sum over the column of the heads' mean of a_j"
                       : "mean over the heads that share it of a_j",
          value_name("attn.weights", ref.layer,
                     {{uint64_t{ref.index} * heads, (uint64_t{ref.index} + 1) * heads - 1},
                      {first, std::min(first + together, at.kv.record->slots) - 1}}),
          column_read(at.kv, layout, ref.layer, ref.index, first),
          at.scale.of(ref.layer, Measure::kKvRead));
      break;
    }
    case Kind::kCell:
      if (at.ffn.record == nullptr || !scaled || idle_expert(at, layout, ref)) break;
      say("activation",
          (m.buckets == m.neurons ? "|act_n|, " : "rms over the cell, ") +
              activation_formula(layout.structure()),
          value_name("ffn.act", ref.layer, {neurons_of(layout, ref)}),
          at.ffn.rms[ref.layer * m.buckets + ref.index],
          at.scale.of(ref.layer, Measure::kActivation));
      break;
    case Kind::kCandidate:
      if (at.logits.record == nullptr || ref.index >= at.logits.record->candidates) break;
      say("probability", "softmax(logits / temperature)",
          value_name("logits", {}, {static_cast<uint32_t>(at.logits.candidates[ref.index].id)}),
          at.logits.candidates[ref.index].probability, 0.0F);
      break;
    case Kind::kRestCandidate:
      if (at.logits.record == nullptr) break;
      say("probability of all others", "1 - sum of the bars", value_name("logits", {}),
          rest_of_bars(at.logits), 0.0F);
      break;
    case Kind::kRouter:
      if (at.experts.record == nullptr) break;
      say("largest probability of an expert", "max_e " + router_formula(layout.structure()),
          value_name("router", ref.layer), surest(at.experts, ref.layer), 0.0F);
      break;
    case Kind::kTape:
    case Kind::kScenery:
      break;
  }
  return meaning;
}

namespace {

std::string written(const char* form, double a, double b = 0.0, double c = 0.0) {
  char text[96];
  std::snprintf(text, sizeof text, form, a, b, c);
  return text;
}

std::optional<trace::Operation> operation_of(Kind kind) {
  switch (kind) {
    case Kind::kSpineAttention:
      return trace::Operation::kAttention;
    case Kind::kSpineFfn:
      return trace::Operation::kFfn;
    default:
      return {};
  }
}

}  // namespace

std::vector<std::string> besides(const trace::Reader& reader, const Layout& layout,
                                 const NodeRef& ref, size_t step, bool times) {
  std::vector<std::string> lines;
  if (step >= reader.steps()) return lines;
  const trace::StepRecord& record = reader.step(step);
  const trace::Position& at = reader.position(record.last_position());
  if (ref.kind == Kind::kHead && at.attention.record != nullptr) {
    const trace::HeadShare& head = at.attention.head(ref.layer, ref.index);
    const auto entropy = static_cast<double>(head.entropy);
    const float sink = at.attention.sink(ref.layer, ref.index);
    if (sink < 1.0F) {
      lines.push_back(
          written("entropy of its attention %.3g nats, as if it read %.3g positions alike", entropy,
                  std::exp(entropy)));
    }
    if (!at.attention.sinks.empty()) {
      lines.push_back(written("its learned sink takes %.3g of the attention, and reads nothing",
                              static_cast<double>(sink)));
    }
    lines.push_back(written("|o_h| = %.4g, of ", static_cast<double>(head.norm)) +
                    value_name("attn.head_out", ref.layer, {ref.index}));
  }
  const uint32_t own = ref.column * layout.positions_per_column();
  const bool written_yet = own < record.first_position + record.count;
  if (ref.kind == Kind::kSlot && written_yet && layout.positions_per_column() == 1) {
    const trace::Kv& kv = reader.position(own).kv;
    const size_t lane = size_t{ref.layer} * layout.model().kv_heads + ref.index;
    if (kv.record != nullptr) {
      lines.push_back(written("|k| = %.4g, |v| = %.4g, of ", static_cast<double>(kv.k_norm[lane]),
                              static_cast<double>(kv.v_norm[lane])) +
                      value_name("attn.k", ref.layer, {ref.index}) + ", " +
                      value_name("attn.v", ref.layer, {ref.index}));
    }
  }
  const auto operation = operation_of(ref.kind);
  if (!times || !operation) return lines;
  for (const trace::OperationTime& time : at.time.operations) {
    if (time.operation != *operation || time.layer != ref.layer) continue;
    const auto ns = static_cast<double>(std::max<uint64_t>(time.ns, 1));
    const auto bytes = static_cast<double>(time.bytes);
    lines.push_back(written("took %.3g ms a position, read %.3g MB: %.3g GB/s", ns / 1e6,
                            bytes / 1e6, bytes / ns));
  }
  return lines;
}

}  // namespace scene
