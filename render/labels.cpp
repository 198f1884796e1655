#include "render/labels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "render/scene/clock.h"
#include "render/scene/muted.h"
#include "render/scene/quantities.h"
#include "render/scene/text.h"

namespace render {

namespace {

constexpr float kChosen = 1.3F;     // size of the token of the moment
constexpr int kMostTape = 256;      // tokens
constexpr float kSmallest = 0.62F;  // of a normal size, before a word gives way

}  // namespace

std::string percent_text(float probability) {
  char percent[16];
  std::snprintf(percent, sizeof percent, probability >= 0.0095F ? "%.0f%%" : "%.1f%%",
                double{probability} * 100.0);
  return percent;
}

uint32_t meant(const LabelInput& in, uint32_t element) {
  return in.subjects.empty() ? 0 : element + 1;
}

void label_selected(const LabelInput& in, LabelBoard& board) {
  if (in.selected == 0) return;
  const uint32_t element = in.selected - 1;
  Label label;
  label.text = in.layout.path(in.layout.ref(element));
  if (label.text.empty()) return;
  label.size_px = in.size_px;
  label.rgba = in.palette.text;
  const uint32_t subject = in.layout.ref(element).subject;
  const trace::Reader& reader = in.subjects.empty() ? in.reader : *in.subjects[subject].reader;
  const auto moment = scene::moment_of(in.playhead, in.merge, in.reader.steps());
  const scene::Box box =
      scene::risen_box(in.layout, element, in.now, reader, scene::crown_of(moment));
  board.beside(box, Side::kAbove, label, 1.0F, 2.2F, true, true);
}

namespace {

Label percent_label(const LabelInput& in, float probability) {
  Label number;
  number.size_px = in.size_px * 0.8F;
  number.rgba = in.palette.faint_text;
  number.text = percent_text(probability);
  return number;
}

// A word that finds no room under its bar goes down a row or two, with its number under it: into
// the row where there is most of it to see. Not under bars much narrower than a word, which nobody
// could tell apart from there.
void word_under_bar(const LabelInput& in, LabelBoard& board, const scene::Box& bar,
                    const Label& word, const Label& number, float wish) {
  constexpr int kRows = 3;
  const auto gap = [](int row) { return 0.2F + 3.1F * static_cast<float>(row); };
  constexpr float kAlike = 0.35F;  // between two such rows it fades over
  const float wide = glm::smoothstep(0.8F * in.size_px, 1.6F * in.size_px,
                                     board.pixels(bar.center, 2.0F * bar.half_size.x));
  const auto wish_of = [&](int row) { return row == 0 ? wish : wide * wish; };
  std::array<float, kRows> room{};
  for (int row = 0; row < kRows; ++row) {
    room[static_cast<size_t>(row)] =
        board.room_beside(bar, Side::kBelow, word, wish_of(row), gap(row)) -
        kAlike * static_cast<float>(row);
  }
  for (int row = 0; row < kRows; ++row) {
    float other = 0.0F;
    for (int r = 0; r < kRows; ++r) {
      if (r != row) other = std::max(other, room[static_cast<size_t>(r)]);
    }
    const float best = glm::smoothstep(-kAlike, kAlike, room[static_cast<size_t>(row)] - other);
    const float visible =
        board.beside(bar, Side::kBelow, word, best * wish_of(row), gap(row), row > 0);
    board.beside(bar, Side::kBelow, number, visible,
                 gap(row) + 1.2F * word.size_px / in.size_px + 0.45F);
  }
}

}  // namespace

// What the conversation runs without, by a word at each that is large enough; of very many the
// first.
void label_muted(const LabelInput& in, LabelBoard& board) {
  constexpr size_t kMost = 256;
  std::vector<uint32_t> elements = scene::muted_elements(in.layout, in.reader.muted());
  if (elements.size() > kMost) elements.resize(kMost);
  for (const uint32_t element : elements) {
    const scene::NodeRef ref = in.layout.ref(element);
    const bool plate = ref.kind == scene::Kind::kSpineFfn;  // all of it
    const scene::Box box =
        plate ? in.layout.ffn_plate(ref.layer) : in.layout.box_of(element, in.now);
    const float px = board.pixels(box.center, 2.0F * std::min(box.half_size.x, box.half_size.y));
    const float wish = glm::smoothstep(0.2F * in.size_px, 0.4F * in.size_px, px);
    Label label;
    const bool in_part =
        ref.kind == scene::Kind::kCell && !scene::is_muted(in.layout, ref, in.reader.muted());
    label.text = in_part ? "in part muted" : "muted";
    label.size_px = 0.85F * in.size_px;
    label.rgba = in.palette.text;
    label.element = meant(in, element);
    if (plate) {  // in its middle, where nothing lights up
      label.anchor = box.center + glm::vec3(0.0F, 0.0F, box.half_size.z);
      board.at(label, wish, box);
    } else {
      board.beside(box, Side::kBelow, label, wish, 0.4F);
    }
  }
}

uint32_t written(const LabelInput& in) {
  if (in.reader.steps() == 0) return 0;
  const scene::Moment now = scene::moment_of(in.playhead, in.merge, in.reader.steps());
  const auto front = static_cast<uint32_t>(std::lround(std::max(in.now, 0.0F)));
  return std::max(in.reader.step(now.last).last_position(),
                  front * in.layout.positions_per_column()) +
         1;
}

void label_candidates(const LabelInput& in, LabelBoard& board) {
  if (in.reader.steps() == 0) return;
  const scene::Moment now = scene::moment_of(in.playhead, in.merge, in.reader.steps());
  const std::optional<size_t> step = scene::crown_of(now);
  if (!step) return;
  const bool reached = *step == now.last;  // before, the last climb's candidates still stand there
  const trace::StepRecord& record = in.reader.step(*step);
  const trace::Logits& logits = in.reader.position(record.last_position()).logits;
  if (logits.record == nullptr) return;
  const float wish = reached ? 1.0F : 0.82F;
  for (uint32_t i = 0; i < scene::bars(logits); ++i) {
    const trace::Candidate& c = logits.candidates[i];
    if (c.probability < 0.001F) break;
    const bool chosen = c.id == logits.record->sampled;
    const scene::Box bar = in.layout.box_of(in.layout.candidate(i), in.now);
    Label word;
    word.size_px = in.size_px * (chosen ? kChosen : 1.05F);
    word.rgba = chosen ? in.palette.text : word_rgba(in.palette, shaders::kChannelCrown);
    word.mono = true;
    word.text = scene::candidate_text(c);
    word.element = meant(in, in.layout.candidate(i));
    const Label number = percent_label(in, c.probability);
    word_under_bar(in, board, bar, word, number, wish);
  }
  // What is left of 1 may be the highest of them.
  const float rest = scene::rest_of_bars(logits);
  if (rest < 0.001F) return;
  const scene::Box bar = in.layout.box_of(in.layout.candidate(scene::Layout::kCandidates), in.now);
  Label word;
  word.size_px = in.size_px * 0.9F;
  word.rgba = word_rgba(in.palette, shaders::kChannelRest);
  word.text = "all others";
  word.element = meant(in, in.layout.candidate(scene::Layout::kCandidates));
  word_under_bar(in, board, bar, word, percent_label(in, rest), wish);
}

// The tokens beside the tape, from the newest back, as far as they have room side by side.
void label_tape(const LabelInput& in, LabelBoard& board) {
  if (in.reader.steps() == 0) return;
  const auto front = static_cast<int>(std::lround(in.now));
  const uint32_t end = written(in);
  // The right edge of a column, on the floor.
  const auto edge = [&](int column) {
    const scene::Box box = in.layout.box_of(in.layout.tape(static_cast<uint32_t>(column)), in.now);
    return box.center + glm::vec3(box.half_size.x, box.half_size.y, 0.0F);
  };
  float room = 1e9F;
  for (int c = front; c >= 0 && c > front - kMostTape; --c) {
    const std::string text =
        scene::column_text(in.reader, in.layout, static_cast<uint32_t>(c), end);
    if (text.empty()) continue;
    const float age = in.now - static_cast<float>(c);
    const auto here = board.project(edge(c));
    const auto next = board.project(edge(c > 0 ? c - 1 : c + 1));
    if (!here || !next) continue;
    Label label;
    label.anchor = edge(c);
    label.align = LabelAlign::kLeft;
    label.mono = true;
    label.text = text;
    label.element = meant(in, in.layout.tape(static_cast<uint32_t>(c)));
    const float newest = 1.0F - glm::smoothstep(0.3F, 0.7F, age);
    const glm::vec2 apart = glm::abs(*next - *here);
    // The size at which it fits beside the next, by height or by width, as a share of the normal.
    const glm::vec2 extent = measure_text(label.text, in.size_px, true);
    const glm::vec2 fit = glm::max(apart - board.fade_px(), 0.0F) / extent;
    // Rooms shrink towards the past; the oldest has no neighbour to tell.
    room = std::min(room, std::max(fit.x, fit.y));
    // A little smaller before it gives way.
    const float size = std::clamp(room, kSmallest, 1.0F);
    label.size_px = in.size_px * (size + (kChosen - size) * newest);
    label.offset_px.x = 0.5F * in.size_px;
    label.rgba = in.palette.text;
    const float wish = std::max(
        newest, 0.9F * glm::smoothstep(0.8F * kSmallest, kSmallest, room) / (1.0F + 0.02F * age));
    board.at(label, wish);
    if (room < 0.8F * kSmallest && age > 1.0F) break;  // and less room farther back
  }
}

Annotations make_labels(const LabelInput& input) {
  LabelBoard board(input.clip_from_world, input.viewport, input.size_px, input.covered,
                   input.occluders, input.now);
  label_selected(input, board);
  label_muted(input, board);
  label_notes(input, board);
  label_candidates(input, board);
  label_tape(input, board);
  // What the models beside it write, each at its own crown.
  for (size_t i = 1; i < input.subjects.size(); ++i) {
    const scene::Subject& subject = input.subjects[i];
    const LabelInput own{*subject.reader,       *subject.layout, input.palette,
                         input.playhead,        input.merge,     input.now,
                         input.clip_from_world, input.viewport,  input.size_px};
    board.stand_at({subject.x, 0.0F, 0.0F});
    label_candidates(own, board);
    label_tape(own, board);
    board.stand_at(glm::vec3(0.0F));
  }
  if (input.lens) label_lens(input, board);
  if (!input.layout.options().brackets) label_wings(input, board);
  label_experts(input, board);
  label_layers(input, board);
  label_heads(input, board);
  label_slots(input, board);
  label_cells(input, board);
  return board.take();
}

}  // namespace render
