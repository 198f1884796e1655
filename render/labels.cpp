#include "render/labels.h"

#include <cmath>
#include <cstdio>

#include "render/scene/clock.h"
#include "render/scene/text.h"

namespace render {

namespace {

constexpr float kChosen = 1.3F;     // size of the token of the moment
constexpr float kMostTape = 14.0F;  // tokens that are led out to the side

uint32_t with_alpha(uint32_t rgba, float alpha) {
  return (rgba & 0x00FFFFFFU) |
         static_cast<uint32_t>(std::lround(std::clamp(alpha, 0.0F, 1.0F) * 255.0F)) << 24;
}

}  // namespace

scene::Box box_of(const scene::Layout& layout, uint32_t element, float now) {
  const shaders::Node node = layout.nodes()[element];
  scene::Box box{node.center, node.half_size};
  if (node.column >= 0.0F) {
    const float age = now - node.column;
    box.center.z = shaders::past_z(age);
    box.half_size.z *= (shaders::past_z(age - 0.5F) - shaders::past_z(age + 0.5F)) /
                       (shaders::past_z(-0.5F) - shaders::past_z(0.5F));
  }
  return box;
}

void label_selected(const LabelInput& in, LabelBoard& board) {
  if (in.selected == 0) return;
  const uint32_t element = in.selected - 1;
  Label label;
  label.text = in.layout.path(in.layout.refs()[element]);
  if (label.text.empty()) return;
  label.size_px = in.size_px;
  label.rgba = in.palette.text;
  board.beside(box_of(in.layout, element, in.now), Side::kAbove, label, 1.0F, 2.2F);
}

void label_candidates(const LabelInput& in, LabelBoard& board) {
  if (in.reader.steps() == 0) return;
  const scene::Moment now = scene::moment_of(in.playhead, in.merge, in.reader.steps());
  // Before the crown is reached the last step's candidates still stand there.
  const bool reached = now.share >= scene::Clock::kCrown;
  if (!reached && now.first == 0) return;
  const size_t shown_step = reached ? now.last : now.first - 1;
  const trace::StepRecord& record = in.reader.step(shown_step);
  const trace::Logits& logits = in.reader.position(record.first_position + record.count - 1).logits;
  if (logits.record == nullptr) return;
  const float wish = reached ? 1.0F : 0.6F;
  const uint32_t n = std::min<uint32_t>(logits.record->candidates, scene::Layout::kCandidates);
  // A number may only stand under a word that is there: first all words, then all numbers.
  for (const bool words : {true, false}) {
    for (uint32_t i = 0; i < n; ++i) {
      const trace::Candidate& c = logits.candidates[i];
      if (c.probability < 0.001F) break;
      const bool chosen = c.id == logits.record->sampled;
      const scene::Box bar = box_of(in.layout, in.layout.candidate(i), in.now);
      Label label;
      if (words) {
        label.size_px = in.size_px * (chosen ? kChosen : 1.05F);
        label.rgba = chosen ? in.palette.text : channel_rgba(in.palette, shaders::kChannelCrown);
        label.mono = true;
        label.text = scene::visible_text({c.text.data(), c.text_bytes});
        board.beside(bar, Side::kBelow, label, wish, 0.2F);
      } else {
        char percent[16];
        std::snprintf(percent, sizeof percent, c.probability >= 0.0995F ? "%.0f%%" : "%.1f%%",
                      double{c.probability} * 100.0);
        label.size_px = in.size_px * 0.8F;
        label.rgba = in.palette.faint_text;
        label.text = percent;
        board.beside(bar, Side::kBelow, label, wish, 0.2F + 1.55F);
      }
    }
  }
}

// The newest tokens, one a line beside the tape. Where the tape recedes too fast for their words,
// the words keep the distance of a line and are led back to their place.
void label_tape(const LabelInput& in, LabelBoard& board) {
  if (in.reader.steps() == 0) return;
  const auto front = static_cast<int>(std::lround(in.now));
  const auto first_of = [&](int column) {
    return static_cast<uint32_t>(column) * in.layout.positions_per_column();
  };
  float last_y = 1e9F;
  float stretched = 0.0F;
  for (int c = front; c >= 0 && c > front - 64; --c) {
    if (first_of(c) >= in.reader.positions()) continue;
    const float age = in.now - static_cast<float>(c);
    scene::Box box = box_of(in.layout, in.layout.tape(static_cast<uint32_t>(c)), in.now);
    // Its right edge, on the floor.
    const glm::vec3 edge = box.center + glm::vec3(box.half_size.x, box.half_size.y, 0.0F);
    const auto at = board.project(edge);
    if (!at) continue;
    Label label;
    label.anchor = edge;
    label.align = LabelAlign::kLeft;
    label.mono = true;
    label.text = scene::visible_text(in.reader.position(first_of(c)).token.text);
    const float newest = 1.0F - ramp(0.3F, 0.7F, age);
    label.size_px = in.size_px * (1.0F + (kChosen - 1.0F) * newest);
    const float line = 1.25F * in.size_px;
    const float y = std::min(at->y, last_y - line);
    const float led = at->y - y;  // pixels up, away from its place
    label.offset_px = {0.9F * in.size_px + 0.25F * led, -led};
    last_y = y;
    stretched += led;
    const float wish = (1.0F - ramp(0.6F * kMostTape, kMostTape, age)) *
                       (1.0F - ramp(5.0F, 8.0F, led / in.size_px));
    if (!(wish > 0.02F)) break;
    label.rgba = in.palette.text;
    const size_t before = board.labels();
    board.at(label, wish * (0.6F + 0.4F * newest));
    if (board.labels() == before || led < 0.3F * in.size_px) continue;
    board.add_line({.from = *at + glm::vec2(0.15F * in.size_px, 0.0F),
                    .to = *at + label.offset_px - glm::vec2(0.3F * in.size_px, 0.0F),
                    .width = std::max(0.07F * in.size_px, 1.0F),
                    .rgba = with_alpha(in.palette.faint_text, 0.5F * wish)});
  }
}

Annotations make_labels(const LabelInput& input) {
  LabelBoard board(input.clip_from_world, input.viewport, input.size_px, input.covered);
  label_selected(input, board);
  label_candidates(input, board);
  label_tape(input, board);
  label_wings(input, board);
  label_layers(input, board);
  label_heads(input, board);
  label_slots(input, board);
  label_cells(input, board);
  return board.take();
}

}  // namespace render
