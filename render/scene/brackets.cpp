// The lettering of a structure: dimension lines with their numbers, and the model's name.
#include <string>
#include <utility>

#include "render/scene/layout.h"
#include "render/scene/numbers.h"

namespace scene {

// A line between two points, `out` away from the thing, with a tick at each end towards it.
void Layout::bracket(const Measures& m, glm::vec3 from, glm::vec3 to, glm::vec3 out,
                     std::string text, uint32_t channel) {
  const float thick = 0.018F * m.detail;
  const glm::vec3 a = from + out;
  const glm::vec3 b = to + out;
  add_scenery((a + b) * 0.5F, glm::abs(b - a) * 0.5F + thick, channel, shaders::kNodeLine);
  for (const glm::vec3& end : {from, to}) {
    add_scenery(end + out * 0.75F, glm::abs(out) * 0.25F + thick, channel, shaders::kNodeLine);
  }
  const glm::vec3 middle(0.5F * (m.attention_left() + m.ffn_right()), 0.5F * m.storey_y(m.layers),
                         0.0F);
  notes_.push_back(
      {origin_ + (a + b) * 0.5F + out * 0.6F, std::move(text), channel, 1.0F, origin_ + middle});
}

void Layout::add_brackets(const Tower& tower) {
  const Measures& m = tower.measures;
  const trace::ModelRecord& r = tower.model.record;
  const trace::StructureRecord& s = tower.model.structure;
  const float off = 0.3F * m.detail;
  const float top = m.storey_y(m.layers);
  const float front = 1.0F;
  const auto count = [](uint64_t n) { return grouped(n); };

  // The name first: what is noted first is lettered first.
  const glm::vec3 title(0.3F * m.ffn_right(), m.crown_top() + 1.1F * m.detail, front);
  notes_.push_back({origin_ + title,
                    tower.model.name + ", " + rounded(r.parameters) + " parameters",
                    shaders::kChannelCount, 1.25F});
  bracket(m, {m.ffn_right(), 0.0F, front}, {m.ffn_right(), top, front}, {off, 0.0F, 0.0F},
          counted(r.layers, "layer"), shaders::kChannelRest);
  bracket(m, {m.attention_left(), 0.0F, front}, {-m.gap, 0.0F, front}, {0.0F, -off, 0.0F},
          counted(r.heads, "head") + " x " + count(s.query_width / r.heads),
          shaders::kChannelAttention);
  const std::string neurons =
      s.experts == 0
          ? counted(r.neurons, "neuron")
          : count(s.experts) + " experts x " + count(s.expert_neurons) + " neurons, " +
                count(s.experts_used) + " used" +
                (s.shared_neurons > 0 ? " + " + count(s.shared_neurons) + " shared" : "");
  bracket(m, {m.gap, 0.0F, front}, {m.ffn_right(), 0.0F, front}, {0.0F, -off, 0.0F}, neurons,
          shaders::kChannelFfn);
  bracket(m, {-m.spine, 0.0F, front}, {m.spine, 0.0F, front}, {0.0F, -2.6F * off, 0.0F},
          "width " + count(r.width), shaders::kChannelResidual);
  const float back = shaders::past_z(static_cast<float>(s.trained_context) - 0.5F);
  std::string context =
      counted(s.trained_context, "position") + ", " + counted(r.kv_heads, "KV lane");
  if (r.context < s.trained_context) context += ", " + count(r.context) + " shown";
  bracket(m, {m.attention_left(), 0.0F, back}, {m.attention_left(), 0.0F, 0.0F}, {-off, 0.0F, 0.0F},
          context, shaders::kChannelKv);
  notes_.back().at.z = shaders::past_z(10.0F);  // its middle may be far away
  const float vocabulary = 0.5F * width_of_channels(r.vocabulary, options_);
  bracket(m, {-vocabulary, m.crown_y(), front}, {vocabulary, m.crown_y(), front},
          {0.0F, -off, 0.0F}, count(r.vocabulary) + " tokens", shaders::kChannelCrown);
  // Its middle is where the candidates stand.
  notes_.back().at = origin_ + glm::vec3(0.6F * vocabulary, m.crown_y() - 0.4F * off, front);
}

}  // namespace scene
