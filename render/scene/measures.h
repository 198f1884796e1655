// How large the parts of a model's scene are. Every extent follows from the model's own numbers
// and constants that all models share, so that several of them side by side are to scale.
#pragma once

#include <cstdint>

#include <glm/glm.hpp>

#include "engine/trace/schema.h"

namespace scene {

struct Box {
  glm::vec3 center{0.0F};
  glm::vec3 half_size{0.0F};
};

struct LayoutOptions {
  bool true_proportions = false;  // extents grow as the numbers do, not as roots of them
  bool brackets = false;          // dimension lines and lettering
  bool all_move = false;          // every model has a trace, not only the first
  uint32_t models = 1;            // that share the places for positions, if more than the layout's
};

// World units that so many layers, channels or neurons extend over.
float height_of(uint32_t layers, const LayoutOptions& options);
float width_of_channels(uint32_t channels, const LayoutOptions& options);
float width_of_neurons(uint64_t neurons, const LayoutOptions& options);

// So many cells, width / height of the whole about `aspect` times that of a cell: across and down.
glm::uvec2 arrange(uint32_t cells, float aspect);

struct Measures {
  Measures(const trace::ModelRecord& model, const trace::StructureRecord& structure,
           const LayoutOptions& options, uint32_t max_slots);

  // Positions that share a column of the past, and columns.
  uint32_t per_column;
  uint32_t columns;

  uint32_t layers;
  bool parallel;
  float pitch;   // of storeys
  float spine;   // half the width of the residual stream
  float gap;     // between the spine and the nearest head or cell
  float wing;    // width of the attention wing
  float plate;   // width of an FFN plate
  float detail;  // size of marks, bars and letters, 1 in the built-in model

  // The FFN of a mixture: cells of one expert and how experts and their cells are arranged.
  uint32_t expert_cells;
  glm::uvec2 experts{1, 1};  // across and down
  glm::uvec2 cells{1, 1};    // of one expert; of the whole plate where there are none

  float storey_y(uint32_t layer) const { return static_cast<float>(layer) * pitch; }
  glm::vec3 junction(uint32_t layer, bool ffn) const {
    return {0.0F, storey_y(layer) + pitch * (ffn || parallel ? 1.0F : 0.5F), 0.0F};
  }
  float attention_left() const { return -(gap + wing); }
  float ffn_right() const { return gap + plate; }
  float crown_y() const { return storey_y(layers) + 0.55F * detail; }
  float crown_top() const { return crown_y() + 1.25F * detail; }
  float heads_y() const { return pitch * (parallel ? 0.6F : 0.36F); }  // above the storey's floor
};

// The floor on which the tape lies.
inline constexpr float kFloorY = -0.75F;

}  // namespace scene
