#include "render/scene/measures.h"

#include <algorithm>
#include <cmath>

namespace scene {

namespace {

// The built-in model is the yardstick: 6 layers, 128 channels, 216 neurons. Numbers of models lie
// two to three orders of magnitude apart; these roots keep the largest and the smallest readable
// in one picture, and a tower about as wide as high.
constexpr float kLayerPitch = 1.34F;
constexpr float kHeightRoot = 0.5F;
constexpr float kWidthRoot = 0.35F;

float extent(double n, double of, float units, float root, const LayoutOptions& options) {
  const double ratio = n / of;
  return units *
         static_cast<float>(options.true_proportions ? ratio : std::pow(ratio, double{root}));
}

}  // namespace

float height_of(uint32_t layers, const LayoutOptions& options) {
  return extent(layers, 6.0, 6.0F * kLayerPitch, kHeightRoot, options);
}

float width_of_channels(uint32_t channels, const LayoutOptions& options) {
  return extent(channels, 128.0, 3.9F, kWidthRoot, options);
}

float width_of_neurons(uint64_t neurons, const LayoutOptions& options) {
  return extent(static_cast<double>(neurons), 216.0, 4.5F, kWidthRoot, options);
}

glm::uvec2 arrange(uint32_t cells, float aspect) {
  const float rows = std::sqrt(static_cast<float>(cells) / std::max(aspect, 1e-3F));
  const uint32_t down = std::clamp(static_cast<uint32_t>(std::lround(rows)), 1U, cells);
  // Whole rows where that takes not much of a change.
  for (uint32_t by = 0; by <= down / 3; ++by) {
    for (const uint32_t other : {down + by, down - by}) {
      if (cells % other == 0) return {cells / other, other};
    }
  }
  return {(cells + down - 1) / down, down};
}

Measures::Measures(const trace::ModelRecord& model, const trace::StructureRecord& structure,
                   const LayoutOptions& options, uint32_t max_slots)
    : layers(model.layers), parallel((structure.flags & trace::kStructureParallel) != 0) {
  const uint64_t lanes = uint64_t{model.layers} * model.kv_heads;
  const uint64_t fit = std::max<uint64_t>(max_slots / lanes, 32);
  per_column = static_cast<uint32_t>((model.context + fit - 1) / fit);
  columns = (model.context + per_column - 1) / per_column;

  pitch = height_of(model.layers, options) / static_cast<float>(model.layers);
  // Few layers are no reason for high storeys.
  pitch = std::min(pitch, kLayerPitch);
  wing = width_of_channels(structure.query_width, options);
  plate = width_of_neurons(model.neurons, options);
  spine = 0.07F * std::sqrt(std::sqrt(static_cast<float>(model.width) / 128.0F));
  gap = std::max(0.95F, 6.0F * spine);
  const float height = pitch * static_cast<float>(model.layers);
  detail = std::max(1.0F, std::max(height, 0.6F * (wing + plate)) / 11.0F);

  const float plate_aspect = plate / (pitch * 0.68F);
  expert_cells = model.buckets;
  if (structure.experts > 0) {
    const auto cells_of =
        static_cast<uint32_t>(uint64_t{structure.expert_neurons} * model.buckets / model.neurons);
    // Where a cell holds neurons of two experts, the plate cannot show them apart.
    if (cells_of > 0 &&
        uint64_t{cells_of} * model.neurons == uint64_t{structure.expert_neurons} * model.buckets) {
      expert_cells = cells_of;
    }
  }
  const uint32_t groups = (model.buckets + expert_cells - 1) / expert_cells;
  experts = arrange(groups, plate_aspect * 0.6F);
  const float aspect = plate_aspect * static_cast<float>(experts.y) / static_cast<float>(experts.x);
  // Cells a little wider than high.
  cells = arrange(expert_cells, aspect / 1.45F);
}

}  // namespace scene
