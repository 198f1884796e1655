// The parts of the storeys: wings, layers, heads, slots, neurons.
#include <cmath>

#include "render/labels.h"
#include "render/scene/text.h"

namespace render {

namespace {

Label colored(const LabelInput& in, uint32_t channel, std::string text, float size = 1.0F) {
  Label label;
  label.size_px = in.size_px * size;
  label.rgba = channel_rgba(in.palette, channel);
  label.text = std::move(text);
  return label;
}

// Layers whose storey is on the screen and at least so many pixels high.
std::vector<uint32_t> near_layers(const LabelInput& in, const LabelBoard& board, float x,
                                  float least_px) {
  std::vector<uint32_t> layers;
  board.along(
      in.layout.model().layers,
      [&](uint32_t l) { return glm::vec3(x, in.layout.storey_y(l), 0.0F); },
      [&](uint32_t) { return in.layout.pitch(); }, least_px,
      [&](uint32_t l) { layers.push_back(l); });
  return layers;
}

// The whole of a storey's FFN, or of its heads.
scene::Box around(const scene::Box& a, const scene::Box& b) {
  const glm::vec3 low = glm::min(a.center - a.half_size, b.center - b.half_size);
  const glm::vec3 high = glm::max(a.center + a.half_size, b.center + b.half_size);
  return {(low + high) * 0.5F, (high - low) * 0.5F};
}

scene::Box ffn_box(const LabelInput& in, uint32_t layer) {
  return around(box_of(in.layout, in.layout.cell(layer, 0), in.now),
                box_of(in.layout, in.layout.cell(layer, in.layout.model().buckets - 1), in.now));
}

}  // namespace

void label_wings(const LabelInput& in, LabelBoard& board) {
  const auto& m = in.layout.model();
  const auto count = [](uint32_t n, const char* one, const char* more) {
    return std::to_string(n) + (n == 1 ? one : more);
  };
  const float left = in.layout.attention_left();
  const float y = -0.34F;
  Label heads = colored(in, shaders::kChannelAttention,
                        count(m.heads, " attention head", " attention heads"));
  heads.anchor = {left * 0.62F, y, 0.6F};
  board.at(heads, 1.0F);
  Label shelf =
      colored(in, shaders::kChannelKv, "KV cache, " + count(m.kv_heads, " KV head", " KV heads"));
  shelf.anchor = {left - 0.1F, y * 0.4F, shaders::past_z(7.0F)};
  shelf.align = LabelAlign::kRight;
  board.at(shelf, 1.0F);
  board.beside(ffn_box(in, 0), Side::kBelow,
               colored(in, shaders::kChannelFfn, "FFN, " + count(m.neurons, " neuron", " neurons")),
               1.0F, 0.5F);
}

void label_layers(const LabelInput& in, LabelBoard& board) {
  const float x = in.layout.ffn_right();
  std::vector<uint32_t> layers = near_layers(in, board, x, 2.0F);
  for (const uint32_t l : by_roundness(layers)) {
    Label label;
    label.size_px = in.size_px * 0.9F;
    label.rgba = in.palette.faint_text;
    label.text = "layer " + std::to_string(l);
    board.beside(ffn_box(in, l), Side::kRight, label, 1.0F, 0.8F);
  }
}

// Where heads are large enough to be told apart, each has its number; on the lowest storey always.
void label_heads(const LabelInput& in, LabelBoard& board) {
  const auto& m = in.layout.model();
  const auto name = [&](uint32_t l, uint32_t h, float wish) {
    board.beside(box_of(in.layout, in.layout.head(l, h), in.now), Side::kBelow,
                 colored(in, shaders::kChannelAttention, std::to_string(h), 0.8F), wish, 0.15F);
  };
  const float least = 1.6F * in.size_px;
  for (const uint32_t l :
       by_roundness(near_layers(in, board, 0.5F * in.layout.attention_left(), 2.0F * least))) {
    const auto center = [&](uint32_t h) { return box_of(in.layout, in.layout.head(l, h), in.now); };
    std::vector<uint32_t> near;
    board.along(
        m.heads, [&](uint32_t h) { return center(h).center; },
        [&](uint32_t h) { return 2.0F * center(h).half_size.x; }, 0.7F * least,
        [&](uint32_t h) { near.push_back(h); });
    for (const uint32_t h : by_roundness(near)) {
      const scene::Box box = center(h);
      const float px = board.pixels(box.center, 2.0F * box.half_size.x);
      name(l, h, l == 0 ? 1.0F : ramp(1.4F * least, 2.2F * least, px));
    }
  }
}

// Along the outer edge of a shelf: the token of each slot, where slots are as deep as a line.
void label_slots(const LabelInput& in, LabelBoard& board) {
  const auto& m = in.layout.model();
  const auto written =
      std::min(static_cast<uint32_t>(std::lround(std::max(in.now, 0.0F))) + 1, in.layout.columns());
  const float line = 1.15F * in.size_px;
  const uint32_t outer = m.kv_heads - 1;
  for (const uint32_t l : near_layers(in, board, in.layout.attention_left(), 5.0F * line)) {
    // By age, newest first: the spacing shrinks towards the past.
    const auto slot = [&](uint32_t age) {
      return box_of(in.layout, in.layout.slot(l, outer, written - 1 - age), in.now);
    };
    board.along(
        written, [&](uint32_t age) { return slot(age).center; },
        [&](uint32_t age) { return 2.4F * slot(age).half_size.z; }, line,
        [&](uint32_t age) {
          const uint32_t position = (written - 1 - age) * in.layout.positions_per_column();
          if (position >= in.reader.positions()) return;
          const scene::Box box = slot(age);
          const scene::Box next = slot(std::min(age + 1, written - 1));
          const auto here = board.project(box.center);
          const auto there = board.project(next.center);
          if (!here || !there) return;
          const float apart = written > 1 ? std::abs(there->y - here->y) : line;
          // The left edge alone: the slot itself is as long as the shelf is wide.
          const scene::Box edge{box.center - glm::vec3(box.half_size.x, 0.0F, 0.0F),
                                {0.0F, box.half_size.y, box.half_size.z}};
          Label label =
              colored(in, shaders::kChannelKv,
                      scene::visible_text(in.reader.position(position).token.text), 0.85F);
          label.mono = true;
          board.beside(edge, Side::kLeft, label, ramp(0.75F * line, 1.1F * line, apart), 0.4F);
        });
  }
}

// Where neurons are near, the number of the first of each row stands at the plate's left edge, and
// of the first row's cells above them.
void label_cells(const LabelInput& in, LabelBoard& board) {
  const auto& m = in.layout.model();
  const float line = 1.15F * in.size_px;
  const auto neuron = [&](uint32_t bucket) {
    return std::to_string((uint64_t{bucket} * m.neurons + m.buckets - 1) / m.buckets);
  };
  const scene::Box first = box_of(in.layout, in.layout.cell(0, 0), in.now);
  // Cells of the first row, until one lies lower.
  uint32_t cols = 1;
  while (cols < m.buckets) {
    const scene::Box box = box_of(in.layout, in.layout.cell(0, cols), in.now);
    if (box.center.y < first.center.y - first.half_size.y) break;
    ++cols;
  }
  const uint32_t rows = (m.buckets + cols - 1) / cols;
  for (const uint32_t l : near_layers(in, board, first.center.x, 5.0F * line)) {
    const auto cell = [&](uint32_t bucket) {
      return box_of(in.layout, in.layout.cell(l, std::min(bucket, m.buckets - 1)), in.now);
    };
    const auto number = [&](uint32_t bucket) {
      return colored(in, shaders::kChannelFfn, neuron(bucket), 0.75F);
    };
    std::vector<uint32_t> near;
    board.along(
        rows, [&](uint32_t r) { return cell(r * cols).center; },
        [&](uint32_t r) { return 2.3F * cell(r * cols).half_size.y; }, 0.8F * line,
        [&](uint32_t r) { near.push_back(r); });
    for (const uint32_t r : by_roundness(near)) {
      const scene::Box box = cell(r * cols);
      board.beside(box, Side::kLeft, number(r * cols),
                   ramp(0.8F * line, 1.2F * line, board.pixels(box.center, 2.3F * box.half_size.y)),
                   0.3F);
    }
    near.clear();
    board.along(
        cols, [&](uint32_t c) { return cell(c).center; },
        [&](uint32_t c) { return 2.3F * cell(c).half_size.x; }, 1.2F * line,
        [&](uint32_t c) { near.push_back(c); });
    for (const uint32_t c : by_roundness(near)) {
      const scene::Box box = cell(c);
      board.beside(box, Side::kAbove, number(c),
                   ramp(1.2F * line, 1.8F * line, board.pixels(box.center, 2.3F * box.half_size.x)),
                   0.15F);
    }
  }
}

}  // namespace render
