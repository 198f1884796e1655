#include "render/scene/layout.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/error.h"

namespace scene {

using shaders::Grid;

namespace {

constexpr float kPi = 3.14159265F;
// A node that exists from the beginning.
constexpr float kAlways = -1e9F;
constexpr float kFixed = -1.0F;  // Node.column of what does not move with the past

constexpr float kSpineX = 0.07F;
constexpr float kWingGap = 0.95F;    // between the spine and the nearest head or cell
constexpr float kSlotPitch = 0.34F;  // of columns at the front, as shaders::past_z has it
constexpr float kPlateZ = -0.45F;    // behind the spine, so that bolts run in front of the cells
constexpr float kFloorY = -0.75F;

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

}  // namespace

Layout::Layout(const trace::ModelRecord& model) : model_(model) {
  const uint64_t lanes = uint64_t{model.layers} * model.kv_heads;
  const uint64_t fit = std::max<uint64_t>(kMaxSlots / lanes, 32);
  per_column_ = static_cast<uint32_t>((model.context + fit - 1) / fit);
  columns_ = (model.context + per_column_ - 1) / per_column_;
  const auto layers = static_cast<float>(model.layers);
  pitch_ = 1.34F * std::pow(std::max(1.0F, layers / 6.0F), -0.4F);
  add_spine();
  add_heads();
  add_crown();
  // Elements of plates come last: their boxes follow from the grids.
  add_shelf();
  add_ffn();
  add_tape();
  const auto plates = static_cast<uint32_t>(plates_.size());
  for (uint32_t& box : box_of_) box += plates;
  plates_.insert(plates_.end(), boxes_.begin(), boxes_.end());
  boxes_ = std::exchange(plates_, {});
}

void Layout::add(const shaders::Node& node, const NodeRef& ref) {
  box_of_.push_back(static_cast<uint32_t>(boxes_.size()));
  refs_.push_back(ref);
  boxes_.push_back(node);
  boxes_.back().element = elements_++;
}

uint32_t Layout::add_plates(Grid grid, const std::vector<shaders::Node>& plates) {
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
  for (const shaders::Node& plate : plates) {
    plates_.push_back(plate);
    plates_.back().flags |= shaders::kNodePlate;
    plates_.back().element = elements_;
    plates_.back().grid = static_cast<uint32_t>(grids_.size());
    elements_ += grid.elements;
  }
  grids_.push_back(grid);
  return grid.first_element;
}

const Grid* Layout::grid_of(uint32_t element) const {
  for (const Grid& grid : grids_) {
    if (element - grid.first_element < grid.elements * grid.plates) return &grid;
  }
  return nullptr;
}

// As shaders/raised.vert and plates.frag place it.
shaders::Node Layout::node(uint32_t element) const {
  CHECK(element < elements_);
  const Grid* grid = grid_of(element);
  if (grid == nullptr) return boxes_[box_of_[element]];
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
  CHECK(element < elements_);
  if (element < refs_.size()) return refs_[element];
  if (element >= first_tape_) return {Kind::kTape, 0, 0, element - first_tape_};
  if (element >= first_cell_) {
    const uint32_t cell = element - first_cell_;
    return {Kind::kCell, cell / model_.buckets, cell % model_.buckets, 0};
  }
  const uint32_t slot = element - first_slot_;
  const uint32_t lane = slot / columns_;
  return {Kind::kSlot, lane / model_.kv_heads, lane % model_.kv_heads, slot % columns_};
}

shaders::Node Elements::operator[](size_t element) const {
  return layout_.node(static_cast<uint32_t>(element));
}
size_t Elements::size() const {
  return layout_.elements();
}
NodeRef Names::operator[](size_t element) const {
  return layout_.ref(static_cast<uint32_t>(element));
}
size_t Names::size() const {
  return layout_.elements();
}

uint32_t Layout::spine(uint32_t layer, bool ffn, uint32_t part) const {
  CHECK(layer < model_.layers && part < kSpineParts);
  return first_spine_ + (layer * 2 + (ffn ? 1 : 0)) * kSpineParts + part;
}

uint32_t Layout::head(uint32_t layer, uint32_t h) const {
  CHECK(layer < model_.layers && h < model_.heads);
  return first_head_ + layer * model_.heads + h;
}

uint32_t Layout::slot(uint32_t layer, uint32_t kv_head, uint32_t column) const {
  CHECK(layer < model_.layers && kv_head < model_.kv_heads && column < columns_);
  return first_slot_ + (layer * model_.kv_heads + kv_head) * columns_ + column;
}

uint32_t Layout::cell(uint32_t layer, uint32_t bucket) const {
  CHECK(layer < model_.layers && bucket < model_.buckets);
  return first_cell_ + layer * model_.buckets + bucket;
}

uint32_t Layout::candidate(uint32_t rank) const {
  CHECK(rank <= kCandidates);
  return first_candidate_ + rank;
}

uint32_t Layout::tape(uint32_t column) const {
  CHECK(column < columns_);
  return first_tape_ + column;
}

glm::vec3 Layout::junction(uint32_t layer, bool ffn) const {
  return {0.0F, storey_y(layer) + pitch_ * (ffn ? 1.0F : 0.5F), 0.0F};
}

glm::vec3 Layout::spine_top() const {
  return {0.0F, storey_y(model_.layers), 0.0F};
}

float Layout::crown_y() const {
  return storey_y(model_.layers) + 0.55F;
}

Box Layout::bounds(uint32_t columns) const {
  const float back = shaders::past_z(static_cast<float>(std::min(columns, columns_)));
  const glm::vec3 low(attention_left_, kFloorY, back);
  const glm::vec3 high(ffn_right_, crown_y() + 1.25F, 1.0F);
  return {(low + high) * 0.5F, (high - low) * 0.5F};
}

void Layout::add_spine() {
  first_spine_ = elements_;
  const float part = pitch_ * 0.5F / kSpineParts;
  for (uint32_t l = 0; l < model_.layers; ++l) {
    for (const bool ffn : {false, true}) {
      for (uint32_t i = 0; i < kSpineParts; ++i) {
        const float y =
            storey_y(l) + (ffn ? pitch_ * 0.5F : 0.0F) + (static_cast<float>(i) + 0.5F) * part;
        shaders::Node box =
            box_at({0.0F, y, 0.0F}, {kSpineX, part * 0.47F, kSpineX}, shaders::kChannelResidual);
        box.flags = shaders::kNodeFlat;
        add(box, {ffn ? Kind::kSpineFfn : Kind::kSpineAttention, l, i, 0});
      }
      // A collar where the update enters: dark, and looked through.
      shaders::Node collar =
          box_at(junction(l, ffn), {0.2F, 0.022F, 0.2F}, shaders::kChannelResidual);
      collar.flags = shaders::kNodeFlat | shaders::kNodeNotPicked;
      boxes_.push_back(collar);
    }
  }
}

void Layout::add_heads() {
  const auto heads = static_cast<float>(model_.heads);
  wing_ = 3.9F * std::sqrt(heads / 4.0F);
  attention_left_ = -(kWingGap + wing_);
  const float side = std::min(0.165F, wing_ / heads * 0.34F);
  first_head_ = elements_;
  for (uint32_t l = 0; l < model_.layers; ++l) {
    for (uint32_t h = 0; h < model_.heads; ++h) {
      const float along = (static_cast<float>(h) + 0.5F) / heads;
      const float fan = std::sin(kPi * along);
      add(box_at({-(kWingGap + wing_ * along), storey_y(l) + pitch_ * 0.36F + 0.13F * fan,
                  0.42F + 0.3F * fan},
                 glm::vec3(side), shaders::kChannelAttention),
          {Kind::kHead, l, h, 0});
    }
  }
}

void Layout::add_crown() {
  constexpr float kBar = 0.56F;
  first_candidate_ = elements_;
  for (uint32_t i = 0; i <= kCandidates; ++i) {
    const bool rest = i == kCandidates;
    const float x = (static_cast<float>(i) - 0.5F * kCandidates) * kBar + (rest ? 0.16F : 0.0F);
    shaders::Node bar = box_at({x, crown_y(), 0.95F}, {kBar * 0.36F, 0.03F, 0.12F},
                               rest ? shaders::kChannelRest : shaders::kChannelCrown);
    bar.grow = 1.3F;
    bar.flags = shaders::kNodeGrows;
    add(bar, {rest ? Kind::kRestCandidate : Kind::kCandidate, model_.layers, i, 0});
  }
}

// Behind each group of heads lies the lane of the KV head that they share.
void Layout::add_shelf() {
  Grid grid{};
  grid.elements = model_.kv_heads * columns_;
  grid.cols = grid.group_cols = model_.kv_heads;
  grid.rows = grid.group_rows = columns_;
  grid.group_elements = grid.elements;
  grid.past = 1;
  grid.gap = {0.12F, 0.18F};
  std::vector<shaders::Node> plates;
  for (uint32_t l = 0; l < model_.layers; ++l) {
    shaders::Node plate = box_at({-(kWingGap + wing_ * 0.5F), storey_y(l) + pitch_ * 0.04F, 0.0F},
                                 {wing_ * 0.5F, 0.028F, 1.0F}, shaders::kChannelKv);
    plate.grow = pitch_ * 0.22F;
    plate.flags = shaders::kNodeGrows;
    plates.push_back(plate);
  }
  first_slot_ = add_plates(grid, plates);
}

// A plate about three times as wide as high, facing the front.
void Layout::add_ffn() {
  const auto cells = static_cast<float>(model_.buckets);
  Grid grid{};
  grid.elements = grid.group_elements = model_.buckets;
  grid.rows = std::max(1U, static_cast<uint32_t>(std::lround(std::sqrt(cells / 3.2F))));
  grid.cols = (model_.buckets + grid.rows - 1) / grid.rows;
  grid.group_cols = grid.cols;
  grid.group_rows = grid.rows;
  grid.gap = {0.14F, 0.14F};
  const float width =
      std::min(4.5F * std::sqrt(std::sqrt(static_cast<float>(model_.neurons) / 216.0F)), 7.0F);
  const float height = pitch_ * 0.68F;
  ffn_right_ = kWingGap + width;
  std::vector<shaders::Node> plates;
  for (uint32_t l = 0; l < model_.layers; ++l) {
    shaders::Node plate =
        box_at({kWingGap + width * 0.5F, storey_y(l) + pitch_ * 0.4F + height * 0.5F, kPlateZ},
               {width * 0.5F, height * 0.5F, 0.03F}, shaders::kChannelFfn);
    plate.flags = shaders::kNodeFlat;
    plates.push_back(plate);
  }
  first_cell_ = add_plates(grid, plates);
}

void Layout::add_tape() {
  Grid grid{};
  grid.elements = grid.group_elements = columns_;
  grid.cols = grid.group_cols = 1;
  grid.rows = grid.group_rows = columns_;
  grid.past = 1;
  grid.gap = {0.0F, 0.18F};
  shaders::Node plate = box_at({0.0F, kFloorY, 0.0F}, {0.42F, 0.035F, 1.0F}, shaders::kChannelTape);
  plate.flags = shaders::kNodeFlat;
  first_tape_ = add_plates(grid, {plate});
}

std::string Layout::path(const NodeRef& ref) const {
  const std::string storey = "layer " + std::to_string(ref.layer);
  const std::string index = std::to_string(ref.index);
  std::string positions = std::to_string(ref.column * per_column_);
  if (per_column_ > 1) positions += ".." + std::to_string((ref.column + 1) * per_column_ - 1);
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
      const uint64_t first =
          (uint64_t{ref.index} * model_.neurons + model_.buckets - 1) / model_.buckets;
      const uint64_t last =
          ((uint64_t{ref.index} + 1) * model_.neurons + model_.buckets - 1) / model_.buckets - 1;
      return storey + " > FFN > neuron " + std::to_string(first) +
             (last > first ? ".." + std::to_string(last) : "");
    }
    case Kind::kCandidate:
      return "crown > candidate " + std::to_string(ref.index + 1);
    case Kind::kRestCandidate:
      return "crown > all other tokens";
    case Kind::kTape:
      return "tape > position " + positions;
    case Kind::kScenery:
      break;
  }
  return {};
}

}  // namespace scene
