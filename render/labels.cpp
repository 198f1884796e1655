#include "render/labels.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "render/scene/clock.h"
#include "render/scene/text.h"

namespace render {

namespace {

uint32_t with_alpha(uint32_t rgba, float alpha) {
  return (rgba & 0x00FFFFFFU) |
         static_cast<uint32_t>(std::lround(std::clamp(alpha, 0.0F, 1.0F) * 255.0F)) << 24;
}

class Placer {
 public:
  explicit Placer(const LabelInput& input) : in_(input) {}

  void place(Label label) {
    const std::optional<glm::vec2> at = project(label.anchor);
    if (!at) return;
    const glm::vec2 size = measure_text(label.text, label.size_px, label.mono);
    const float shift = label.align == LabelAlign::kLeft     ? 0.0F
                        : label.align == LabelAlign::kCenter ? 0.5F
                                                             : 1.0F;
    const glm::vec2 low = *at + label.offset_px - glm::vec2(size.x * shift, size.y * 0.5F);
    const glm::vec2 high = low + size;
    if (high.x < 0.0F || high.y < 0.0F || low.x > in_.viewport.x || low.y > in_.viewport.y) return;
    for (const auto& [other_low, other_high] : taken_) {
      if (low.x < other_high.x && high.x > other_low.x && low.y < other_high.y &&
          high.y > other_low.y)
        return;
    }
    taken_.emplace_back(low - 1.0F, high + 1.0F);
    labels_.push_back(std::move(label));
  }

  std::optional<glm::vec2> project(glm::vec3 world) const {
    const glm::vec4 clip = in_.clip_from_world * glm::vec4(world, 1.0F);
    if (clip.w < 0.05F) return {};
    return (glm::vec2(clip) / clip.w * 0.5F + 0.5F) * in_.viewport;
  }

  std::vector<Label> take() { return std::move(labels_); }

 private:
  const LabelInput& in_;
  std::vector<Label> labels_;
  std::vector<std::pair<glm::vec2, glm::vec2>> taken_;
};

void place_candidates(const LabelInput& in, Placer& placer) {
  const scene::Moment now = scene::moment_of(in.playhead, in.merge, in.reader.steps());
  // Before the crown is reached the last step's candidates still stand there.
  const bool reached = now.share >= scene::Clock::kCrown;
  if (!reached && now.first == 0) return;
  const size_t shown_step = reached ? now.last : now.first - 1;
  const trace::StepRecord& record = in.reader.step(shown_step);
  const trace::Logits& logits = in.reader.position(record.first_position + record.count - 1).logits;
  if (logits.record == nullptr) return;
  const float alpha = reached ? 1.0F : 0.6F;
  const uint32_t n = std::min<uint32_t>(logits.record->candidates, scene::Layout::kCandidates);
  for (uint32_t i = 0; i < n; ++i) {
    const trace::Candidate& c = logits.candidates[i];
    if (c.probability < 0.001F) break;
    const bool chosen = c.id == logits.record->sampled;
    Label label;
    label.anchor = in.layout.nodes()[in.layout.candidate(i)].center;
    label.offset_px = {0.0F, in.size_px * 1.1F};
    label.size_px = in.size_px * (chosen ? 1.3F : 1.05F);
    label.rgba = with_alpha(
        chosen ? in.palette.text : channel_rgba(in.palette, shaders::kChannelCrown), alpha);
    label.mono = true;
    label.text = scene::visible_text({c.text.data(), c.text_bytes});
    placer.place(label);
    char percent[16];
    std::snprintf(percent, sizeof percent, c.probability >= 0.0995F ? "%.0f%%" : "%.1f%%",
                  double{c.probability} * 100.0);
    label.offset_px.y += in.size_px * 1.25F;
    label.size_px = in.size_px * 0.8F;
    label.rgba = with_alpha(in.palette.faint_text, alpha);
    label.mono = false;
    label.text = percent;
    placer.place(label);
  }
}

void place_tape(const LabelInput& in, Placer& placer) {
  const auto front = static_cast<int>(std::lround(in.now));
  const auto anchor_of = [&](int column) {
    glm::vec3 anchor = in.layout.nodes()[in.layout.tape(static_cast<uint32_t>(column))].center;
    anchor.z = shaders::past_z(in.now - static_cast<float>(column));
    anchor.x += 0.5F;
    return anchor;
  };
  for (int c = front; c >= 0; --c) {
    const uint32_t first = static_cast<uint32_t>(c) * in.layout.positions_per_column();
    if (first >= in.reader.positions()) continue;
    const float age = in.now - static_cast<float>(c);
    Label label;
    label.anchor = anchor_of(c);
    label.align = LabelAlign::kLeft;
    label.mono = true;
    label.text = scene::visible_text(in.reader.position(first).token.text);
    label.size_px = in.size_px * 1.3F;
    if (age >= 0.5F) {
      // Small enough not to touch its neighbour, or not at all: a row with gaps reads as nonsense.
      const auto here = placer.project(label.anchor);
      const auto next = placer.project(anchor_of(c + 1));
      if (!here || !next) break;
      const glm::vec2 step = glm::abs(*next - *here);
      const float width = measure_text(label.text, 1.0F, true).x;
      label.size_px = std::min(in.size_px, std::max(step.y / 1.15F, step.x / (width + 0.3F)));
      if (label.size_px < 0.45F * in.size_px) break;
    }
    label.rgba = with_alpha(in.palette.text, age < 0.5F ? 1.0F : 0.85F / (1.0F + 0.03F * age));
    placer.place(label);
  }
}

void place_titles(const LabelInput& in, Placer& placer) {
  const auto& m = in.layout.model();
  const auto wing = [&](glm::vec3 anchor, uint32_t channel, std::string text) {
    Label label;
    label.anchor = anchor;
    label.size_px = in.size_px;
    label.rgba = channel_rgba(in.palette, channel);
    label.text = std::move(text);
    placer.place(label);
  };
  // Heads are numbered on the lowest storey, where there is room.
  for (uint32_t h = 0; h < m.heads; ++h) {
    Label label;
    label.anchor = in.layout.nodes()[in.layout.head(0, h)].center;
    label.offset_px = {0.0F, in.size_px * 1.4F};
    label.size_px = in.size_px * 0.8F;
    label.rgba = channel_rgba(in.palette, shaders::kChannelAttention);
    label.text = std::to_string(h);
    placer.place(label);
  }
  const float left = in.layout.attention_left();
  const float y = -0.34F;
  wing({left * 0.62F, y, 0.6F}, shaders::kChannelAttention,
       std::to_string(m.heads) + (m.heads == 1 ? " attention head" : " attention heads"));
  wing({left - 0.1F, y * 0.4F, shaders::past_z(7.0F)}, shaders::kChannelKv,
       "KV cache, " + std::to_string(m.kv_heads) + (m.kv_heads == 1 ? " KV head" : " KV heads"));
  wing({(in.layout.ffn_right() + 0.95F) * 0.5F, y + 0.35F, 0.0F}, shaders::kChannelFfn,
       "FFN, " + std::to_string(m.neurons) + " neurons");
  for (uint32_t l = 0; l < m.layers; ++l) {
    Label label;
    label.anchor = {in.layout.ffn_right() + 0.12F,
                    in.layout.storey_y(l) + in.layout.pitch() * 0.75F, 0.0F};
    label.align = LabelAlign::kLeft;
    label.size_px = in.size_px * 0.9F;
    label.rgba = in.palette.faint_text;
    label.text = "layer " + std::to_string(l);
    placer.place(label);
  }
}

void place_notes(const LabelInput& in, Placer& placer) {
  // Large lettering first: what comes later gives way.
  std::vector<scene::Note> notes = in.layout.notes();
  std::stable_sort(notes.begin(), notes.end(),
                   [](const scene::Note& a, const scene::Note& b) { return a.size > b.size; });
  for (const scene::Note& note : notes) {
    Label label;
    label.anchor = note.at;
    label.size_px = in.size_px * note.size;
    label.rgba = note.channel == shaders::kChannelCount ? in.palette.text
                                                        : channel_rgba(in.palette, note.channel);
    label.text = note.text;
    placer.place(label);
  }
}

}  // namespace

std::vector<Label> make_labels(const LabelInput& input) {
  Placer placer(input);
  if (input.reader.steps() > 0) {
    place_candidates(input, placer);
    place_tape(input, placer);
  }
  if (input.layout.options().brackets) {
    place_notes(input, placer);
  } else {
    place_titles(input, placer);
  }
  return placer.take();
}

}  // namespace render
