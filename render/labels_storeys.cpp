// The parts of the storeys: wings, layers, heads, slots, neurons; and what a structure is lettered
// with.
#include <cmath>
#include <vector>

#include "render/labels.h"
#include "render/pass/font.h"
#include "render/scene/clock.h"
#include "render/scene/numbers.h"
#include "render/scene/quantities.h"
#include "render/scene/shaping.h"
#include "render/scene/text.h"

namespace render {

namespace {

Label colored(const LabelInput& in, uint32_t channel, std::string text, float size = 1.0F) {
  Label label;
  label.size_px = in.size_px * size;
  label.rgba = word_rgba(in.palette, channel);
  label.text = std::move(text);
  return label;
}

// Layers of which something may be on the screen, at least so many pixels high.
std::vector<uint32_t> near_layers(const LabelInput& in, const LabelBoard& board, float x,
                                  float least_px) {
  constexpr float kReach = 6.0F;  // world units: a wing, and the past that can still be read
  std::vector<uint32_t> layers;
  board.along(
      in.layout.model().layers,
      [&](uint32_t l) {
        return glm::vec3(x, in.layout.storey_y(l) + 0.5F * in.layout.pitch(), 0.0F);
      },
      [&](uint32_t) { return in.layout.pitch(); }, least_px,
      [&](uint32_t l) { layers.push_back(l); }, kReach);
  return layers;
}

// A word and its number. Behind a word that ends from right to left a number would be a part of it,
// and turned around: before it, it is seen whole.
std::string beside(const std::string& word, const std::string& number) {
  return scene::ends_turned(decode_utf8(word)) ? number + "  " + word : word + "  " + number;
}

// Names of parts come where a storey is some lines high.
float high_enough(const LabelInput& in, const LabelBoard& board, glm::vec3 at) {
  const float line = 1.15F * in.size_px;
  return glm::smoothstep(3.0F * line, 5.0F * line, board.pixels(at, in.layout.pitch()));
}

// Both of them.
scene::Box around(const scene::Box& a, const scene::Box& b) {
  const glm::vec3 low = glm::min(a.center - a.half_size, b.center - b.half_size);
  const glm::vec3 high = glm::max(a.center + a.half_size, b.center + b.half_size);
  return {(low + high) * 0.5F, (high - low) * 0.5F};
}

}  // namespace

void label_wings(const LabelInput& in, LabelBoard& board) {
  const auto& m = in.layout.model();
  const float left = in.layout.attention_left();
  const float y = -0.34F;
  // The names stand below the lowest storey and are those of the whole wing.
  const scene::Box shelf = around(in.layout.box_of(in.layout.slot(0, 0, 0), in.now),
                                  in.layout.box_of(in.layout.slot(0, m.kv_heads - 1, 0), in.now));
  const scene::Box first = in.layout.box_of(in.layout.head(0, 0), in.now);
  const scene::Box wing = around(shelf, first);
  Label heads = colored(in, shaders::kChannelAttention, scene::counted(m.heads, "attention head"));
  heads.anchor = {left * 0.62F, y, 0.6F};
  board.at(heads, 1.0F, wing);
  Label kv = colored(in, shaders::kChannelKv, "KV cache, " + scene::counted(m.kv_heads, "KV head"));
  kv.anchor = {left - 0.1F, y * 0.4F, shaders::past_z(7.0F)};
  kv.align = LabelAlign::kRight;
  board.at(kv, 1.0F, wing);
  const auto& s = in.layout.structure();
  std::string ffn = "FFN, " + scene::counted(m.neurons, "neuron");
  if (s.experts > 0 && s.dense_layers > 0) {
    ffn = "FFN, " + scene::counted(s.dense_neurons, "neuron") + "; from layer " +
          std::to_string(s.dense_layers) + " on " + scene::counted(s.experts, "expert") + ", " +
          std::to_string(s.experts_used) + " chosen" + (s.shared_neurons > 0 ? ", one always" : "");
  } else if (s.experts > 0) {
    ffn = "FFN, " + scene::counted(s.experts, "expert") + " of " +
          scene::counted(s.expert_neurons, "neuron") + ", " + std::to_string(s.experts_used) +
          " chosen" + (s.shared_neurons > 0 ? ", and one that always works" : "");
  }
  board.beside(in.layout.ffn_plate(0), Side::kBelow, colored(in, shaders::kChannelFfn, ffn), 1.0F,
               0.5F);
}

// Which plate is which expert, where they are wide enough for its number, and the lowest router.
void label_experts(const LabelInput& in, LabelBoard& board) {
  const auto& s = in.layout.structure();
  if (s.experts == 0) return;
  if (in.layout.router(s.dense_layers) != shaders::kNoElement) {
    board.beside(in.layout.box_of(in.layout.router(s.dense_layers), in.now), Side::kAbove,
                 colored(in, shaders::kChannelFfn, "router", 0.8F), 1.0F, 0.3F);
  }
  const uint32_t plates = s.experts + (s.shared_neurons > 0 ? 1 : 0);
  const float x = in.layout.ffn_plate(s.dense_layers).center.x;
  const auto width_px = [&](const scene::Box& plate) {
    return board.pixels(plate.center, 2.0F * std::min(plate.half_size.x, plate.half_size.y));
  };
  for (const uint32_t l : near_layers(in, board, x, 2.0F * in.size_px)) {
    if (width_px(in.layout.expert_plate(l, 0)) < 0.5F * in.size_px)
      continue;  // no number would fit
    for (uint32_t e = 0; e < plates; ++e) {
      const scene::Box plate = in.layout.expert_plate(l, e);
      const float px = width_px(plate);
      const std::string name = e < s.experts ? std::to_string(e) : "shared";
      Label label = colored(in, shaders::kChannelFfn, name, 0.8F);
      label.anchor = plate.center + glm::vec3(0.0F, 0.0F, plate.half_size.z);
      board.at(label, glm::smoothstep(1.2F * in.size_px, 2.0F * in.size_px, px));
    }
  }
}

// Names first, whole in the picture; then what is counted, away from the middle of its model, so
// that a word stands beside its dimension line, not on it.
void label_notes(const LabelInput& in, LabelBoard& board) {
  const auto is_name = [](const scene::Note& note) {
    return note.channel == shaders::kChannelCount;
  };
  const auto put = [&](const scene::Note& note) {
    const auto at = board.project(note.at);
    if (!at) return;
    Label label;
    label.anchor = note.at;
    label.size_px = in.size_px * note.size;
    label.rgba = is_name(note) ? in.palette.text : word_rgba(in.palette, note.channel);
    label.text = note.text;
    const glm::vec2 half = 0.5F * measure_text(label.text, label.size_px, label.mono);
    const auto middle = board.project(note.of);
    if (is_name(note)) {
      const float margin = half.x + board.fade_px();
      const float most = std::max(margin, board.viewport().x - margin);
      label.offset_px.x = std::clamp(std::clamp(at->x, margin, most) - at->x, -half.x, half.x);
    } else if (middle && glm::length(*at - *middle) > 1.0F) {
      const glm::vec2 away = glm::normalize(*at - *middle);
      label.offset_px = away * (0.2F * in.size_px + glm::dot(glm::abs(away), half));
    }
    // A name that finds no room stands a row or two higher.
    float wish = 1.0F;
    for (int row = 0; row < (is_name(note) ? 3 : 1); ++row) {
      wish -= board.at(label, wish);
      label.offset_px.y -= 2.0F * (half.y + board.fade_px());
    }
  };
  for (const bool names : {true, false}) {
    for (const scene::Note& note : in.layout.notes()) {
      if (is_name(note) == names) put(note);
    }
  }
}

// The logit lens: at the top of each storey what the model would say there. Storeys that the climb
// has not come to still show the last one's, as the crown does.
void label_lens(const LabelInput& in, LabelBoard& board) {
  if (in.reader.steps() == 0 || in.layout.subjects() > 1) return;
  const scene::Moment now = scene::moment_of(in.playhead, in.merge, in.reader.steps());
  const scene::Clock clock(in.layout.model().layers);
  const auto lens_of = [&](uint64_t step) -> const trace::Lens& {
    const trace::StepRecord& record = in.reader.step(step);
    return in.reader.position(record.last_position()).lens;
  };
  for (const uint32_t l : by_roundness(near_layers(in, board, 0.0F, 0.9F * in.size_px))) {
    const bool reached = now.share >= clock.in_layer(l, scene::Clock::kEnd);
    if (!reached && now.first == 0) continue;
    const trace::Lens& lens = lens_of(reached ? now.last : now.first - 1);
    if (lens.record == nullptr || lens.record->candidates == 0) continue;
    const trace::Candidate& best = lens.top_of(l + 1)[0];
    scene::Box top = in.layout.box_of(in.layout.spine(l, true, 0), in.now);
    top.center.y = in.layout.storey_y(l + 1) - 0.12F * in.layout.pitch();
    Label label = colored(in, shaders::kChannelCrown,
                          beside(scene::candidate_text(best), percent_text(best.probability)));
    // The token that will be drawn stands out.
    if (best.id == lens.record->token) label.rgba = in.palette.text;
    label.mono = true;
    label.element = meant(in, in.layout.spine(l, true, 0));
    const float px = board.pixels(top.center, in.layout.pitch());
    board.beside(
        top, Side::kLeft, label,
        (reached ? 1.0F : 0.5F) * glm::smoothstep(0.9F * in.size_px, 1.4F * in.size_px, px), 0.5F);
  }
}

void label_layers(const LabelInput& in, LabelBoard& board) {
  if (in.layout.subjects() > 1) return;  // their layers are counted by a line
  const float x = in.layout.ffn_right();
  std::vector<uint32_t> layers = near_layers(in, board, x, 2.0F);
  for (const uint32_t l : by_roundness(layers)) {
    Label label;
    label.size_px = in.size_px * 0.9F;
    label.rgba = in.palette.faint_text;
    label.text = "layer " + std::to_string(l);
    scene::Box plate = in.layout.ffn_plate(l);
    if (in.layout.options().brackets) {
      // Beyond the line that counts the layers: it stands out by about half of the crown's height.
      const float out = 0.6F * (in.layout.crown_y() - in.layout.spine_top().y);
      plate = around(plate, {{x + out, plate.center.y, 1.0F}, glm::vec3(0.0F)});
    }
    // Of a plate that is seen from its side the end may stand at another storey's height.
    const glm::vec3 half(plate.half_size.x, 0.0F, 0.0F);
    const auto near = board.project(plate.center - half);
    const auto far = board.project(plate.center + half);
    const float across = near && far ? std::abs(far->x - near->x) : 1e9F;
    const float open = glm::smoothstep(5.0F * in.size_px, 8.0F * in.size_px, across);
    const float visible = board.beside(plate, Side::kRight, label, open, 0.8F);
    // Where the plate's end is out of the picture, at the spine, as high as the plate.
    scene::Box foot = in.layout.box_of(in.layout.spine(l, true, 0), in.now);
    foot.center.y = plate.center.y;
    const float size = board.pixels(foot.center, in.layout.pitch());
    board.beside(foot, Side::kRight, label,
                 (1.0F - visible) * glm::smoothstep(2.0F * in.size_px, 3.0F * in.size_px, size),
                 0.5F);
  }
}

// Where heads are large enough to be told apart, each has its number; on the lowest storey always.
void label_heads(const LabelInput& in, LabelBoard& board) {
  const auto& m = in.layout.model();
  const auto name = [&](uint32_t l, uint32_t h, float wish) {
    board.beside(in.layout.box_of(in.layout.head(l, h), in.now), Side::kBelow,
                 colored(in, shaders::kChannelAttention, std::to_string(h), 0.8F), wish, 0.15F);
  };
  const float least = 1.6F * in.size_px;
  for (const uint32_t l :
       by_roundness(near_layers(in, board, 0.5F * in.layout.attention_left(), least))) {
    const auto center = [&](uint32_t h) { return in.layout.box_of(in.layout.head(l, h), in.now); };
    std::vector<uint32_t> near;
    board.along(
        m.heads, [&](uint32_t h) { return center(h).center; },
        [&](uint32_t h) { return 2.0F * center(h).half_size.x; }, 0.7F * least,
        [&](uint32_t h) { near.push_back(h); });
    for (const uint32_t h : by_roundness(near)) {
      const scene::Box box = center(h);
      const float px = board.pixels(box.center, 2.0F * box.half_size.x);
      name(l, h,
           l == 0 ? glm::smoothstep(0.7F * least, 1.0F * least, px)
                  : glm::smoothstep(1.4F * least, 2.2F * least, px));
    }
  }
}

// Along the outer edge of a shelf: the token of each slot, where slots are as deep as a line.
void label_slots(const LabelInput& in, LabelBoard& board) {
  const auto& m = in.layout.model();
  const auto columns =
      std::min(static_cast<uint32_t>(std::lround(std::max(in.now, 0.0F))) + 1, in.layout.columns());
  const uint32_t end = written(in);
  const float line = 1.15F * in.size_px;
  const uint32_t outer = m.kv_heads - 1;
  for (const uint32_t l : near_layers(in, board, in.layout.attention_left(), 3.0F * line)) {
    // By age, newest first: the spacing shrinks towards the past.
    const auto slot = [&](uint32_t age) {
      return in.layout.box_of(in.layout.slot(l, outer, columns - 1 - age), in.now);
    };
    board.along(
        columns, [&](uint32_t age) { return slot(age).center; },
        [&](uint32_t age) { return 2.4F * slot(age).half_size.z; }, 0.6F * line,
        [&](uint32_t age) {
          const std::string text = scene::column_text(in.reader, in.layout, columns - 1 - age, end);
          if (text.empty()) return;
          const scene::Box box = slot(age);
          const scene::Box next = slot(std::min(age + 1, columns - 1));
          const auto here = board.project(box.center);
          const auto there = board.project(next.center);
          if (!here || !there) return;
          const float apart = columns > 1 ? std::abs(there->y - here->y) : line;
          // The left edge alone: the slot itself is as long as the shelf is wide.
          const scene::Box edge{box.center - glm::vec3(box.half_size.x, 0.0F, 0.0F),
                                {0.0F, box.half_size.y, box.half_size.z}};
          Label label = colored(in, shaders::kChannelKv, text, 0.85F);
          label.mono = true;
          board.beside(edge, Side::kLeft, label,
                       glm::smoothstep(0.75F * line, 1.1F * line, apart) *
                           high_enough(in, board, box.center),
                       0.4F);
        });
  }
}

// Where neurons are near, the number of the first of each row stands at the plate's left edge, and
// those of its uppermost row above it.
void label_cells(const LabelInput& in, LabelBoard& board) {
  const float line = 1.15F * in.size_px;
  // Later than the names of parts: a whole tower of numbers is no overview.
  const auto near_enough = [&](glm::vec3 at) {
    return glm::smoothstep(7.0F * line, 10.0F * line, board.pixels(at, in.layout.pitch()));
  };
  const float x = in.layout.box_of(in.layout.cell(0, 0), in.now).center.x;
  for (const uint32_t l : near_layers(in, board, x, 3.0F * line)) {
    const uint32_t first = in.layout.cell(l, 0);
    const shaders::Grid* grid = nullptr;
    for (const shaders::Grid& g : in.layout.grids()) {
      const uint32_t inside = first - g.first_element;  // wraps where it lies before
      if (inside < g.elements * g.plates && inside % g.elements == 0) grid = &g;
    }
    if (grid == nullptr) continue;
    const scene::Box corner = in.layout.box_of(first, in.now);
    // The places of a row or a column, as if each had a cell: those without are passed over.
    const auto run = [&](bool down, uint32_t n, Side side, float least) {
      const auto bucket = [&](uint32_t i) {
        return down ? shaders::element_at(*grid, 0, i) : shaders::element_at(*grid, i, 0);
      };
      const auto box = [&](uint32_t i) {
        const uint32_t b = bucket(i);
        return b == shaders::kNoElement ? corner : in.layout.box_of(first + b, in.now);
      };
      std::vector<uint32_t> near;
      board.along(
          n, [&](uint32_t i) { return box(i).center; },
          [&](uint32_t) { return 2.3F * (down ? corner.half_size.y : corner.half_size.x); }, least,
          [&](uint32_t i) {
            if (bucket(i) != shaders::kNoElement) near.push_back(i);
          });
      for (const uint32_t i : by_roundness(near)) {
        const scene::Box cell = box(i);
        const float size =
            board.pixels(cell.center, 2.3F * (down ? corner.half_size.y : corner.half_size.x));
        const uint64_t neuron = in.layout.first_neuron(l, bucket(i));
        board.beside(cell, side, colored(in, shaders::kChannelFfn, std::to_string(neuron), 0.75F),
                     glm::smoothstep(least, 1.5F * least, size) * near_enough(cell.center),
                     down ? 0.3F : 0.15F);
      }
    };
    run(true, grid->rows, Side::kLeft, 0.8F * line);
    run(false, grid->cols, Side::kAbove, 1.2F * line);
    // So near that the gaps between cells have room for a line: every one its own.
    const auto at = [&](uint32_t col, uint32_t row) {
      const uint32_t b = shaders::element_at(*grid, col, row);
      return b == shaders::kNoElement ? corner : in.layout.box_of(first + b, in.now);
    };
    const float share = grid->gap.y / (1.0F - grid->gap.y);  // of a cell's height, that is gap
    const float least = 0.8F * line / share;                 // pixels of a cell
    board.along(
        grid->rows, [&](uint32_t r) { return at(0, r).center; },
        [&](uint32_t) { return 2.0F * corner.half_size.y; }, least,
        [&](uint32_t r) {
          board.along(
              grid->cols, [&](uint32_t c) { return at(c, r).center; },
              [&](uint32_t) { return 2.0F * corner.half_size.y; }, least,
              [&](uint32_t c) {
                const uint32_t b = shaders::element_at(*grid, c, r);
                if (b == shaders::kNoElement) return;
                const scene::Box cell = at(c, r);
                const float size = board.pixels(cell.center, 2.0F * cell.half_size.y);
                const uint64_t neuron = in.layout.first_neuron(l, b);
                Label label = colored(in, shaders::kChannelFfn, std::to_string(neuron), 0.75F);
                // In the middle of the gap above it.
                label.anchor = cell.center +
                               glm::vec3(0.0F, cell.half_size.y * (1.0F + share), cell.half_size.z);
                board.at(label, glm::smoothstep(least, 1.3F * least, size));
              });
        },
        2.0F * std::abs(in.layout.box_of(first, in.now).center.x - in.layout.ffn_right()));
  }
}

}  // namespace render
