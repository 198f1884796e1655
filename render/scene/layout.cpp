#include "render/scene/layout.h"

#include <algorithm>
#include <cmath>

#include "model/error.h"

namespace scene {

namespace {

constexpr float kPi = 3.14159265F;
// A node that exists from the beginning.
constexpr float kAlways = -1e9F;
constexpr float kFixed = -1.0F;  // Node.column of what does not move with the past

constexpr float kSpineX = 0.07F;
constexpr float kWingGap = 0.95F;  // between the spine and the nearest head or cell
constexpr float kSlotDepth = 0.28F;
constexpr float kPlateZ = -0.45F;  // behind the spine, so that bolts run in front of the cells
constexpr float kFloorY = -0.75F;

}  // namespace

Layout::Layout(const trace::ModelRecord& model) : model_(model) {
  const uint64_t lanes = uint64_t{model.layers} * model.kv_heads;
  const uint64_t fit = std::max<uint64_t>(kMaxSlots / lanes, 32);
  per_column_ = static_cast<uint32_t>((model.context + fit - 1) / fit);
  columns_ = (model.context + per_column_ - 1) / per_column_;
  const auto layers = static_cast<float>(model.layers);
  pitch_ = 1.34F * std::pow(std::max(1.0F, layers / 6.0F), -0.4F);
  add_spine();
  add_attention();
  add_ffn();
  add_crown();
  add_tape();
}

uint32_t Layout::add(const shaders::Node& node, const NodeRef& ref) {
  nodes_.push_back(node);
  refs_.push_back(ref);
  return static_cast<uint32_t>(nodes_.size() - 1);
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
  first_spine_ = static_cast<uint32_t>(nodes_.size());
  const float part = pitch_ * 0.5F / kSpineParts;
  for (uint32_t l = 0; l < model_.layers; ++l) {
    for (const bool ffn : {false, true}) {
      for (uint32_t i = 0; i < kSpineParts; ++i) {
        const float y =
            storey_y(l) + (ffn ? pitch_ * 0.5F : 0.0F) + (static_cast<float>(i) + 0.5F) * part;
        add({{0.0F, y, 0.0F},
             kAlways,
             {kSpineX, part * 0.47F, kSpineX},
             0.0F,
             shaders::kChannelResidual,
             shaders::kNodeFlat,
             kFixed},
            {ffn ? Kind::kSpineFfn : Kind::kSpineAttention, l, i, 0});
      }
    }
  }
  // A collar where an update enters.
  for (uint32_t l = 0; l < model_.layers; ++l) {
    for (const bool ffn : {false, true}) {
      add({junction(l, ffn),
           kAlways,
           {0.2F, 0.022F, 0.2F},
           0.0F,
           shaders::kChannelResidual,
           shaders::kNodeFlat,
           kFixed},
          {ffn ? Kind::kSpineFfn : Kind::kSpineAttention, l, kSpineParts - 1, 0});
    }
  }
}

void Layout::add_attention() {
  const auto heads = static_cast<float>(model_.heads);
  const float wing = 3.9F * std::sqrt(heads / 4.0F);
  head_spacing_ = wing / heads;
  attention_left_ = -(kWingGap + wing);
  const float side = std::min(0.165F, head_spacing_ * 0.34F);
  first_head_ = static_cast<uint32_t>(nodes_.size());
  for (uint32_t l = 0; l < model_.layers; ++l) {
    for (uint32_t h = 0; h < model_.heads; ++h) {
      const float along = (static_cast<float>(h) + 0.5F) / heads;
      const float fan = std::sin(kPi * along);
      add({{-(kWingGap + wing * along), storey_y(l) + pitch_ * 0.36F + 0.13F * fan,
            0.42F + 0.3F * fan},
           kAlways,
           glm::vec3(side),
           0.0F,
           shaders::kChannelAttention,
           0,
           kFixed},
          {Kind::kHead, l, h, 0});
    }
  }
  // Behind each group of heads lies the lane of the KV head that they share.
  const float lane = wing / static_cast<float>(model_.kv_heads);
  first_slot_ = static_cast<uint32_t>(nodes_.size());
  for (uint32_t l = 0; l < model_.layers; ++l) {
    for (uint32_t k = 0; k < model_.kv_heads; ++k) {
      const float x = -(kWingGap + lane * (static_cast<float>(k) + 0.5F));
      for (uint32_t c = 0; c < columns_; ++c) {
        add({{x, storey_y(l) + pitch_ * 0.04F, 0.0F},
             kAlways,
             {lane * 0.44F, 0.028F, kSlotDepth * 0.5F},
             pitch_ * 0.22F,
             shaders::kChannelKv,
             shaders::kNodeGrows,
             static_cast<float>(c)},
            {Kind::kSlot, l, k, c});
      }
    }
  }
}

void Layout::add_ffn() {
  // A plate about three times as wide as high, facing the front.
  const auto cells = static_cast<float>(model_.buckets);
  const uint32_t rows = std::max(1U, static_cast<uint32_t>(std::lround(std::sqrt(cells / 3.2F))));
  const uint32_t cols = (model_.buckets + rows - 1) / rows;
  const float width = 4.5F * std::sqrt(std::sqrt(static_cast<float>(model_.neurons) / 216.0F));
  const float step_x = std::min(width, 7.0F) / static_cast<float>(cols);
  const float step_y = pitch_ * 0.68F / static_cast<float>(rows);
  ffn_right_ = kWingGap + step_x * static_cast<float>(cols);
  first_cell_ = static_cast<uint32_t>(nodes_.size());
  for (uint32_t l = 0; l < model_.layers; ++l) {
    for (uint32_t b = 0; b < model_.buckets; ++b) {
      const auto col = static_cast<float>(b % cols);
      const auto row = static_cast<float>(b / cols);
      const float y =
          storey_y(l) + pitch_ * 0.4F + step_y * (static_cast<float>(rows) - row - 0.5F);
      add({{kWingGap + step_x * (col + 0.5F), y, kPlateZ},
           kAlways,
           {step_x * 0.43F, step_y * 0.43F, 0.03F},
           0.0F,
           shaders::kChannelFfn,
           shaders::kNodeFlat,
           kFixed},
          {Kind::kCell, l, b, 0});
    }
  }
}

void Layout::add_crown() {
  constexpr float kBar = 0.56F;
  first_candidate_ = static_cast<uint32_t>(nodes_.size());
  for (uint32_t i = 0; i <= kCandidates; ++i) {
    const bool rest = i == kCandidates;
    const float x = (static_cast<float>(i) - 0.5F * kCandidates) * kBar + (rest ? 0.16F : 0.0F);
    add({{x, crown_y(), 0.95F},
         kAlways,
         {kBar * 0.36F, 0.03F, 0.12F},
         1.3F,
         rest ? shaders::kChannelRest : shaders::kChannelCrown,
         shaders::kNodeGrows,
         kFixed},
        {rest ? Kind::kRestCandidate : Kind::kCandidate, model_.layers, i, 0});
  }
}

void Layout::add_tape() {
  first_tape_ = static_cast<uint32_t>(nodes_.size());
  for (uint32_t c = 0; c < columns_; ++c) {
    add({{0.0F, kFloorY, 0.0F},
         kAlways,
         {0.42F, 0.035F, kSlotDepth * 0.5F},
         0.0F,
         shaders::kChannelTape,
         shaders::kNodeFlat,
         static_cast<float>(c)},
        {Kind::kTape, 0, 0, c});
  }
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
