#include "render/scene/layout.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "model/error.h"

namespace scene {

using shaders::Grid;

namespace {

uint64_t first_of_cell(const trace::Model& model, uint32_t layer, uint64_t bucket) {
  const uint64_t buckets = model.record.buckets;
  return (bucket * model.neurons(layer) + buckets - 1) / buckets;
}

// The expert that a neuron belongs to (behind the others the one that always works); nothing in a
// layer without.
std::optional<uint32_t> expert_of_neuron(const trace::Model& model, uint32_t layer,
                                         uint64_t neuron) {
  const trace::StructureRecord& s = model.structure;
  if (s.experts == 0 || layer < s.dense_layers) return {};
  return static_cast<uint32_t>(
      std::min<uint64_t>(neuron / std::max(s.expert_neurons, 1U), s.experts));
}

constexpr float kPi = 3.14159265F;
// A node that exists from the beginning.
constexpr float kAlways = -1e9F;
constexpr float kFixed = -1.0F;  // Node.column of what does not move with the past

constexpr float kSlotPitch = 0.34F;  // of columns at the front, as shaders::past_z has it
constexpr float kPlateZ = -0.45F;    // behind the spine, so that bolts run in front of the cells
constexpr float kBetween = 0.25F;    // of the wider neighbour, between models side by side

shaders::Node box_at(glm::vec3 center, glm::vec3 half_size, uint32_t channel) {
  shaders::Node node{};
  node.center = center;
  node.birth = kAlways;
  node.half_size = half_size;
  node.channel = channel;
  node.column = kFixed;
  node.element = shaders::kNoElement;
  return node;
}

trace::Model dense(const trace::ModelRecord& record) {
  return {record, trace::structure_of(record), {}, {}, {}};
}

}  // namespace

Layout::Layout(const trace::ModelRecord& model) : Layout(std::vector<trace::Model>{dense(model)}) {}

Layout::Layout(std::vector<trace::Model> subjects, const LayoutOptions& options)
    : options_(options) {
  CHECK(!subjects.empty());
  const auto share = static_cast<uint32_t>(
      kMaxSlots / std::max(subjects.size(), static_cast<size_t>(options.models)));
  for (trace::Model& subject : subjects) {
    const Measures measures(subject.record, subject.structure, options, share);
    Tower tower{.model = std::move(subject), .measures = measures};
    if (!towers_.empty()) {
      const Measures& left = towers_.back().measures;
      const float between =
          kBetween * std::max(left.wing + left.plate, measures.wing + measures.plate);
      tower.x = towers_.back().x + left.ffn_right() + between - measures.attention_left();
    }
    towers_.push_back(std::move(tower));
  }
  for (Tower& tower : towers_) {
    build(tower);
    ++subject_;
  }
  // Plates first in the buffer.
  const auto plates = static_cast<uint32_t>(plates_.size());
  for (Tower& tower : towers_) {
    for (uint32_t& box : tower.own_boxes) box += plates;
  }
  plates_.insert(plates_.end(), boxes_.begin(), boxes_.end());
  boxes_ = std::exchange(plates_, {});
  scale_ = std::max(1.0F, glm::length(bounds(18).half_size) / 9.0F);
}

void Layout::build(Tower& tower) {
  origin_ = {tower.x, 0.0F, 0.0F};
  tower.begin = elements_;
  add_spine(tower);
  add_heads(tower);
  add_routers(tower);
  add_crown(tower);
  // Elements of plates come last: their boxes follow from the grids.
  add_shelf(tower);
  add_ffn(tower);
  add_tape(tower);
  tower.end = elements_;
  if (options_.brackets) add_brackets(tower);
}

void Layout::add(Tower& tower, const shaders::Node& node, NodeRef ref) {
  ref.subject = subject_;
  tower.refs.push_back(ref);
  tower.own_boxes.push_back(static_cast<uint32_t>(boxes_.size()));
  boxes_.push_back(node);
  boxes_.back().center += origin_;
  boxes_.back().element = elements_++;
}

void Layout::add_scenery(glm::vec3 center, glm::vec3 half_size, uint32_t channel, uint32_t flags) {
  boxes_.push_back(box_at(origin_ + center, half_size, channel));
  boxes_.back().flags = shaders::kNodeFlat | shaders::kNodeNotPicked | flags;
}

uint32_t Layout::add_plates(Grid grid, const std::vector<shaders::Node>& plates) {
  if (plates.empty()) return elements_;
  grid.first_element = elements_;
  grid.first_node = static_cast<uint32_t>(plates_.size());
  grid.plates = static_cast<uint32_t>(plates.size());
  if (!grids_.empty()) {
    const Grid& before = grids_.back();
    grid.first_block = before.first_block + before.blocks * before.plates;
  }
  for (uint32_t level = 1; level <= shaders::kBlockLevels; ++level) {
    grid.blocks += shaders::blocks_at(grid.cols, level) * shaders::blocks_at(grid.rows, level);
  }
  const bool at_rest = subject_ > 0 && !options_.all_move;
  for (const shaders::Node& plate : plates) {
    plates_.push_back(plate);
    plates_.back().center += origin_;
    plates_.back().flags |= shaders::kNodePlate | (at_rest ? shaders::kNodeAtRest : 0U);
    plates_.back().element = elements_;
    plates_.back().grid = static_cast<uint32_t>(grids_.size());
    elements_ += grid.elements;
  }
  grids_.push_back(grid);
  return grid.first_element;
}

const Layout::Tower& Layout::tower_of(uint32_t element) const {
  CHECK(element < elements_);
  return *std::find_if(towers_.begin(), towers_.end(),
                       [&](const Tower& tower) { return element < tower.end; });
}

const Grid* Layout::grid_of(uint32_t element) const {
  for (const Grid& grid : grids_) {
    if (element - grid.first_element < grid.elements * grid.plates) return &grid;
  }
  return nullptr;
}

// As shaders/raised.vert and plates.frag place it.
shaders::Node Layout::node(uint32_t element) const {
  const Tower& tower = tower_of(element);
  if (element - tower.begin < tower.own_boxes.size()) {
    return boxes_[tower.own_boxes[element - tower.begin]];
  }
  const Grid* grid = grid_of(element);
  CHECK(grid != nullptr);
  const uint32_t inside = element - grid->first_element;
  shaders::Node cell = boxes_[grid->first_node + inside / grid->elements];
  const auto x = static_cast<float>(column_at(*grid, inside % grid->elements));
  const auto y = static_cast<float>(row_at(*grid, inside % grid->elements));
  const glm::vec3 half = cell.half_size;
  cell.element = element;
  cell.flags &= ~shaders::kNodePlate;
  if (grid->past != 0) {
    const float lane = half.x / static_cast<float>(grid->cols);
    cell.center.x += half.x - (2.0F * x + 1.0F) * lane;
    cell.center.z = 0.0F;
    cell.half_size.x = lane * (1.0F - grid->gap.x);
    cell.half_size.z = kSlotPitch * 0.5F * (1.0F - grid->gap.y);
    cell.column = y;
    return cell;
  }
  // Groups share the plate evenly; within a group its gap is left at the rim.
  const glm::vec2 groups(grid->cols / grid->group_cols, grid->rows / grid->group_rows);
  const glm::vec2 group_half = glm::vec2(half) / groups;
  const glm::vec2 in_group(grid->group_cols, grid->group_rows);
  const glm::vec2 group = glm::floor(glm::vec2(x, y) / in_group);
  const glm::vec2 at = glm::vec2(x, y) - group * in_group;  // of the cell, in its group
  const glm::vec2 cell_half = group_half * (1.0F - grid->group_gap) / in_group;
  const glm::vec2 from_top_left =
      group_half * (2.0F * group + grid->group_gap) + cell_half * (2.0F * at + 1.0F);
  cell.center.x += from_top_left.x - half.x;
  cell.center.y += half.y - from_top_left.y;
  cell.half_size.x = cell_half.x * (1.0F - grid->gap.x);
  cell.half_size.y = cell_half.y * (1.0F - grid->gap.y);
  return cell;
}

NodeRef Layout::ref(uint32_t element) const {
  const Tower& tower = tower_of(element);
  if (element - tower.begin < tower.refs.size()) return tower.refs[element - tower.begin];
  const auto subject = static_cast<uint32_t>(&tower - towers_.data());
  const trace::ModelRecord& m = tower.model.record;
  if (element >= tower.first_tape) return {Kind::kTape, 0, 0, element - tower.first_tape, subject};
  if (element >= tower.first_cell) {
    const uint32_t cell = element - tower.first_cell;
    return {Kind::kCell, cell / m.buckets, cell % m.buckets, 0, subject};
  }
  const uint32_t slot = element - tower.first_slot;
  const uint32_t lane = slot / tower.measures.columns;
  return {Kind::kSlot, lane / m.kv_heads, lane % m.kv_heads, slot % tower.measures.columns,
          subject};
}

uint32_t Layout::spine(uint32_t layer, bool ffn, uint32_t part) const {
  CHECK(layer < model().layers && part < kSpineParts);
  return towers_[0].first_spine + (layer * 2 + (ffn ? 1 : 0)) * kSpineParts + part;
}

uint32_t Layout::head(uint32_t layer, uint32_t h) const {
  CHECK(layer < model().layers && h < model().heads);
  return towers_[0].first_head + layer * model().heads + h;
}

uint32_t Layout::slot(uint32_t layer, uint32_t kv_head, uint32_t column) const {
  CHECK(layer < model().layers && kv_head < model().kv_heads && column < columns());
  return towers_[0].first_slot + (layer * model().kv_heads + kv_head) * columns() + column;
}

uint32_t Layout::cell(uint32_t layer, uint32_t bucket) const {
  CHECK(layer < model().layers && bucket < model().buckets);
  return towers_[0].first_cell + layer * model().buckets + bucket;
}

uint32_t Layout::candidate(uint32_t rank) const {
  CHECK(rank <= kCandidates);
  return towers_[0].first_candidate + rank;
}

uint32_t Layout::tape(uint32_t column) const {
  CHECK(column < columns());
  return towers_[0].first_tape + column;
}

uint32_t Layout::router(uint32_t layer) const {
  CHECK(layer < model().layers);
  if (structure().experts == 0 || layer < structure().dense_layers) return shaders::kNoElement;
  return towers_[0].first_router + layer - structure().dense_layers;
}

uint32_t Layout::cell_of(uint32_t layer, uint32_t neuron) const {
  const uint64_t buckets = model().buckets;
  const uint64_t bucket = uint64_t{neuron} * buckets / towers_[0].model.neurons(layer);
  return cell(layer, static_cast<uint32_t>(std::min(bucket, buckets - 1)));
}

uint64_t Layout::first_neuron(uint32_t layer, uint64_t bucket) const {
  return first_of_cell(towers_[0].model, layer, bucket);
}

uint32_t Layout::expert_of(uint32_t layer, uint64_t neuron) const {
  return expert_of_neuron(towers_[0].model, layer, neuron).value_or(0);
}

uint32_t Layout::expert_of(const NodeRef& cell) const {
  return expert_of(cell.layer, first_neuron(cell.layer, cell.index));
}

Box Layout::expert_plate(uint32_t layer, uint32_t e) const {
  CHECK(layer < model().layers && e <= structure().experts);
  const uint32_t each = towers_[0].measures.expert_cells;
  if (router(layer) == shaders::kNoElement || e * each >= model().buckets) return {};
  // From its first cell to its last: what always works may take several places of a row.
  const uint32_t first = e * each;
  const uint32_t end =
      e < structure().experts ? std::min(first + each, model().buckets) : model().buckets;
  glm::vec3 low(1e9F);
  glm::vec3 high(-1e9F);
  for (uint32_t c = first; c < end; ++c) {
    const shaders::Node at = node(cell(layer, c));
    low = glm::min(low, at.center - at.half_size);
    high = glm::max(high, at.center + at.half_size);
  }
  return {(low + high) * 0.5F, (high - low) * 0.5F};
}

trace::StructureRecord Layout::structure_of(uint32_t layer) const {
  trace::StructureRecord s = structure();
  if (layer < s.dense_layers) s.experts = s.experts_used = s.expert_neurons = s.shared_neurons = 0;
  return s;
}

Box Layout::ffn_plate(uint32_t layer) const {
  const uint32_t first = cell(layer, 0);
  const Grid* grid = grid_of(first);
  CHECK(grid != nullptr);
  const shaders::Node& plate =
      boxes_[grid->first_node + (first - grid->first_element) / grid->elements];
  return {plate.center, plate.half_size};
}

Box Layout::bounds(uint32_t columns) const {
  glm::vec3 low(1e9F);
  glm::vec3 high(-1e9F);
  for (const Tower& tower : towers_) {
    const Measures& m = tower.measures;
    const float back = shaders::past_z(static_cast<float>(std::min(columns, m.columns)));
    // Lettering stands around it.
    const float rim = options_.brackets ? m.detail : 0.0F;
    // So does the line that is as long as the vocabulary.
    const float words = options_.brackets
                            ? 0.5F * width_of_channels(tower.model.record.vocabulary, options_)
                            : 0.0F;
    const float left = std::min(m.attention_left() - rim, -words);
    const float right = std::max(m.ffn_right() + 2.0F * rim, words);
    low = glm::min(low, glm::vec3(tower.x + left, kFloorY - 0.5F * rim, back));
    high = glm::max(high, glm::vec3(tower.x + right, m.crown_top() + 1.5F * rim, 1.0F));
  }
  return {(low + high) * 0.5F, (high - low) * 0.5F};
}

void Layout::add_spine(Tower& tower) {
  const Measures& m = tower.measures;
  tower.first_spine = elements_;
  const float part = m.pitch * 0.5F / kSpineParts;
  for (uint32_t l = 0; l < m.layers; ++l) {
    for (const bool ffn : {false, true}) {
      for (uint32_t i = 0; i < kSpineParts; ++i) {
        const float y =
            m.storey_y(l) + (ffn ? m.pitch * 0.5F : 0.0F) + (static_cast<float>(i) + 0.5F) * part;
        shaders::Node box =
            box_at({0.0F, y, 0.0F}, {m.spine, part * 0.47F, m.spine}, shaders::kChannelResidual);
        box.flags = shaders::kNodeFlat;
        add(tower, box, {ffn ? Kind::kSpineFfn : Kind::kSpineAttention, l, i, 0});
      }
      const glm::vec3 at = m.junction(l, ffn);
      const float size = m.spine + 0.13F * m.pitch / 1.34F;
      // A collar where the update enters: dark, and looked through.
      if (ffn || !m.parallel) {
        add_scenery(at, {size, std::min(0.022F, 0.03F * m.pitch), size}, shaders::kChannelResidual);
      }
      // A gate on the way where the update is normalised before it is added.
      if ((tower.model.structure.flags & trace::kStructurePostNorms) != 0) {
        const float reach = std::min(0.1F * m.pitch, 0.12F);
        add_scenery(at + glm::vec3((ffn ? 1.0F : -1.0F) * (size + 0.12F), 0.0F, 0.0F),
                    {0.015F, reach, reach},
                    ffn ? shaders::kChannelFfn : shaders::kChannelAttention);
      }
    }
  }
}

void Layout::add_heads(Tower& tower) {
  const Measures& m = tower.measures;
  const trace::ModelRecord& model = tower.model.record;
  const auto heads = static_cast<float>(model.heads);
  const float side = std::min({0.165F, m.wing / heads * 0.34F, m.pitch * 0.14F});
  const float rise = 0.13F * m.pitch / 1.34F;
  tower.first_head = elements_;
  for (uint32_t l = 0; l < model.layers; ++l) {
    for (uint32_t h = 0; h < model.heads; ++h) {
      const float along = (static_cast<float>(h) + 0.5F) / heads;
      const float fan = std::sin(kPi * along);
      add(tower,
          box_at({-(m.gap + m.wing * along), m.storey_y(l) + m.heads_y() + rise * fan,
                  0.42F + 0.3F * fan},
                 glm::vec3(side), shaders::kChannelAttention),
          {Kind::kHead, l, h, 0});
    }
  }
}

// Between the spine and the plates that it chooses from.
void Layout::add_routers(Tower& tower) {
  const Measures& m = tower.measures;
  const trace::StructureRecord& s = tower.model.structure;
  tower.first_router = elements_;
  if (s.experts == 0) return;
  const float side = std::min(0.12F, m.pitch * 0.14F);
  for (uint32_t l = s.dense_layers; l < m.layers; ++l) {
    add(tower,
        box_at({m.gap * 0.62F, m.storey_y(l) + m.pitch * 0.62F, 0.3F},
               {side * 0.7F, side * 1.6F, side * 0.7F}, shaders::kChannelFfn),
        {Kind::kRouter, l, 0, 0});
  }
}

void Layout::add_crown(Tower& tower) {
  const Measures& m = tower.measures;
  const float bar_pitch = 0.56F * m.detail;
  tower.first_candidate = elements_;
  for (uint32_t i = 0; i <= kCandidates; ++i) {
    const bool rest = i == kCandidates;
    const float x =
        (static_cast<float>(i) - 0.5F * kCandidates) * bar_pitch + (rest ? 0.16F * m.detail : 0.0F);
    shaders::Node bar =
        box_at({x, m.crown_y(), 0.95F}, {bar_pitch * 0.36F, 0.03F * m.detail, 0.12F * m.detail},
               rest ? shaders::kChannelRest : shaders::kChannelCrown);
    bar.grow = 1.3F * m.detail;
    bar.flags = shaders::kNodeGrows;
    add(tower, bar, {rest ? Kind::kRestCandidate : Kind::kCandidate, m.layers, i, 0});
  }
}

// Behind each group of heads lies the lane of the KV head that they share.
void Layout::add_shelf(Tower& tower) {
  const Measures& m = tower.measures;
  const trace::StructureRecord& s = tower.model.structure;
  Grid grid{};
  grid.elements = tower.model.record.kv_heads * m.columns;
  grid.cols = grid.group_cols = tower.model.record.kv_heads;
  grid.rows = grid.group_rows = m.columns;
  grid.group_elements = grid.elements;
  grid.past = 1;
  grid.gap = {0.12F, 0.18F};
  std::vector<shaders::Node> plates;
  for (uint32_t l = 0; l < m.layers; ++l) {
    shaders::Node plate =
        box_at({-(m.gap + m.wing * 0.5F), m.storey_y(l) + m.pitch * 0.04F, 0.0F},
               {m.wing * 0.5F, std::min(0.028F, m.pitch * 0.03F), 1.0F}, shaders::kChannelKv);
    plate.grow = m.pitch * 0.22F;
    plate.flags = shaders::kNodeGrows;
    if (windowed(s, l))
      plate.reach = static_cast<float>(s.window) / static_cast<float>(m.per_column);
    plates.push_back(plate);
  }
  tower.first_slot = add_plates(grid, plates);
}

// Plates that face the front: of one FFN, or of a mixture, whose experts stand apart.
void Layout::add_ffn(Tower& tower) {
  const Measures& m = tower.measures;
  const trace::StructureRecord& s = tower.model.structure;
  const uint32_t buckets = tower.model.record.buckets;
  const float height = m.pitch * 0.68F;
  const auto plates = [&](uint32_t first, uint32_t end, float width) {
    std::vector<shaders::Node> storeys;
    for (uint32_t l = first; l < end; ++l) {
      storeys.push_back(box_at(
          {m.gap + width * 0.5F, m.storey_y(l) + m.pitch * 0.4F + height * 0.5F, kPlateZ},
          {width * 0.5F, height * 0.5F, std::min(0.03F, 0.03F * m.pitch)}, shaders::kChannelFfn));
      storeys.back().flags = shaders::kNodeFlat;
      storeys.back().reach = m.pitch;
    }
    return storeys;
  };
  tower.first_cell = elements_;
  Grid grid{};
  grid.elements = buckets;
  grid.gap = {0.14F, 0.14F};
  if (s.dense_layers > 0) {
    const float width = width_of_neurons(s.dense_neurons, options_);
    const glm::uvec2 cells = arrange(buckets, width / height / 1.45F);
    grid.cols = grid.group_cols = cells.x;
    grid.rows = grid.group_rows = cells.y;
    grid.group_elements = buckets;
    add_plates(grid, plates(0, s.dense_layers, width));
  }
  grid.group_cols = m.cells.x;
  grid.group_rows = m.cells.y;
  grid.cols = m.cells.x * m.experts.x;
  grid.rows = m.cells.y * m.experts.y;
  grid.group_elements = m.expert_cells;
  const glm::vec2 expert = glm::vec2(m.plate, height) / glm::vec2(m.experts);
  const float apart = std::min(0.1F * height, 0.25F * std::min(expert.x, expert.y));
  if (m.experts.x > 1) grid.group_gap.x = apart / expert.x;
  if (m.experts.y > 1) grid.group_gap.y = apart / expert.y;
  add_plates(grid, plates(s.dense_layers, m.layers, m.plate));
}

void Layout::add_tape(Tower& tower) {
  const uint32_t columns = tower.measures.columns;
  Grid grid{};
  grid.elements = grid.group_elements = columns;
  grid.cols = grid.group_cols = 1;
  grid.rows = grid.group_rows = columns;
  grid.past = 1;
  grid.gap = {0.0F, 0.18F};
  shaders::Node plate = box_at({0.0F, kFloorY, 0.0F}, {0.42F, 0.035F, 1.0F}, shaders::kChannelTape);
  plate.flags = shaders::kNodeFlat;
  tower.first_tape = add_plates(grid, {plate});
}

std::string expert_name(const trace::StructureRecord& structure, uint32_t expert) {
  return expert < structure.experts ? "expert " + std::to_string(expert) : "shared expert";
}

Box Layout::box_of(uint32_t element, float now) const {
  const shaders::Node n = node(element);
  Box box{n.center, n.half_size};
  if (n.column >= 0.0F) {
    const float age = now_of(element, now) - n.column;
    box.center.z = shaders::past_z(age);
    box.half_size.z *= (shaders::past_z(age - 0.5F) - shaders::past_z(age + 0.5F)) /
                       (shaders::past_z(-0.5F) - shaders::past_z(0.5F));
  }
  return box;
}

std::string Layout::neuron_name(uint32_t layer, uint64_t neuron) const {
  const auto e = expert_of_neuron(towers_[0].model, layer, neuron);
  if (!e) return "neuron " + std::to_string(neuron);
  return (*e < structure().experts ? "expert " + std::to_string(*e) : "shared") + " neuron " +
         std::to_string(neuron - uint64_t{*e} * structure().expert_neurons);
}

std::string Layout::path(const NodeRef& ref) const {
  const Tower& tower = towers_[ref.subject];
  const trace::StructureRecord& s = tower.model.structure;
  const uint32_t per_column = tower.measures.per_column;
  const std::string of = towers_.size() > 1 ? tower.model.name + " > " : "";
  const std::string storey = of + "layer " + std::to_string(ref.layer);
  const std::string index = std::to_string(ref.index);
  std::string positions = std::to_string(ref.column * per_column);
  if (per_column > 1) positions += ".." + std::to_string((ref.column + 1) * per_column - 1);
  switch (ref.kind) {
    case Kind::kSpineAttention:
      return storey + " > residual stream, attention update";
    case Kind::kSpineFfn:
      return storey + " > residual stream, FFN update";
    case Kind::kHead:
      return storey + " > attention > head " + index;
    case Kind::kSlot:
      return storey + " > KV shelf > KV head " + index + " > position " + positions;
    case Kind::kCell: {
      const uint64_t first = first_of_cell(tower.model, ref.layer, ref.index);
      const uint64_t end = first_of_cell(tower.model, ref.layer, uint64_t{ref.index} + 1);
      const uint64_t last = std::max(end, first + 1) - 1;
      const auto e = expert_of_neuron(tower.model, ref.layer, first);
      const std::string expert = e ? expert_name(s, *e) + " > " : "";
      const uint64_t before = uint64_t{e.value_or(0)} * s.expert_neurons;
      return storey + " > FFN > " + expert + "neuron " + std::to_string(first - before) +
             (last > first ? ".." + std::to_string(last - before) : "");
    }
    case Kind::kCandidate:
      return of + "crown > candidate " + index;
    case Kind::kRestCandidate:
      return of + "crown > all other tokens";
    case Kind::kTape:
      return of + "tape > position " + positions;
    case Kind::kRouter:
      return storey + " > FFN > router of " + std::to_string(s.experts) + " experts";
    case Kind::kScenery:
      break;
  }
  return {};
}

}  // namespace scene
