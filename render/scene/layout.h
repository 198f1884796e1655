// Where everything stands: the scene graph of one model or of several side by side, from their
// descriptions alone.
//
// Up (+y) is depth: the tape lies on the floor, every layer is one storey, the crown is on
// top. The front (+z) is now, the back is the past. The residual stream is the vertical at
// x = z = 0, the attention wing stands to its left (-x), the FFN wing to its right. Further models
// stand to the right, on the same floor and at the same scale.
//
// Elements are what lights up and can be pointed at; boxes are what is drawn. A plate is one box
// that shows a grid of elements: the cells of an FFN, the slots of a storey's KV shelf, the tape.
// So there are as many boxes as storeys and heads, whatever the number of neurons and positions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <glm/glm.hpp>

#include "engine/trace/reader.h"
#include "engine/trace/schema.h"
#include "render/scene/measures.h"
#include "shaders/shared.h"

namespace scene {

enum class Kind : uint8_t {
  kSpineAttention,  // the part of the residual stream that the attention update enters
  kSpineFfn,        // the part that the FFN update enters
  kHead,
  kSlot,           // one KV head's entry of a column
  kCell,           // neurons of one bucket of an FFN plate
  kCandidate,      // by rank
  kRestCandidate,  // all that are not listed
  kTape,           // tokens of a column
  kScenery,
  kRouter,  // chooses the experts of a mixture
};

// A bar, whose numbers stand until the next climb's; see crown_of() in scene/clock.h.
constexpr bool at_crown(Kind kind) {
  return kind == Kind::kCandidate || kind == Kind::kRestCandidate;
}

constexpr bool in_a_layer(Kind kind) {
  return !at_crown(kind) && kind != Kind::kTape && kind != Kind::kScenery;
}

// What a box stands for. index: head, KV head, cell or rank, by kind.
struct NodeRef {
  Kind kind = Kind::kScenery;
  uint32_t layer = 0;
  uint32_t index = 0;
  uint32_t column = 0;
  uint32_t subject = 0;  // which of the models; 0: the trace's
  bool operator==(const NodeRef&) const = default;
};

// What the lettering of a structure says, and where; texts belong to nothing that can be picked.
struct Note {
  glm::vec3 at{0.0F};
  std::string text;
  uint32_t channel = shaders::kChannelCount;  // kChannelCount: plain text
  float size = 1.0F;                          // of a normal label
  glm::vec3 of{0.0F};  // the middle of the model that a number is of: it stands away from there
};

// "expert 5"; behind the others "shared expert", the one that always works.
std::string expert_name(const trace::StructureRecord& structure, uint32_t expert);

class Layout {
 public:
  static constexpr uint32_t kSpineParts = 6;       // boxes a sub-layer, so that a pulse can climb
  static constexpr uint32_t kCandidates = 12;      // bars at the crown
  static constexpr uint32_t kMaxSlots = 1U << 23;  // more positions than fit share a column

  // A dense model, as traces without a structure mean it.
  explicit Layout(const trace::ModelRecord& model);
  // subjects: at least one; the first is the trace's, to which all accessors refer that name none.
  explicit Layout(std::vector<trace::Model> subjects, const LayoutOptions& options = {});

  const trace::ModelRecord& model() const { return towers_[0].model.record; }
  const trace::StructureRecord& structure() const { return towers_[0].model.structure; }
  bool latent() const { return trace::latent(model(), structure()); }
  // As if all layers were like this one: without experts where it has none.
  trace::StructureRecord structure_of(uint32_t layer) const;
  size_t subjects() const { return towers_.size(); }
  const trace::Model& subject(size_t i) const { return towers_[i].model; }
  const LayoutOptions& options() const { return options_; }

  // How many elements there are; of one, where it lies and how large it is, as if it was a box, and
  // what it stands for.
  uint32_t elements() const { return elements_; }
  shaders::Node node(uint32_t element) const;
  NodeRef ref(uint32_t element) const;
  // The column at the front where an element stands: of models without a trace the last one.
  float now_of(uint32_t element, float now) const {
    const Tower& tower = tower_of(element);
    if (&tower == towers_.data() || options_.all_move) return now;
    return static_cast<float>(tower.measures.columns - 1);
  }

  // Where an element lies when column `now` is at the front.
  Box box_of(uint32_t element, float now) const;

  // Of one of the models: the first of its elements, which follow each other as in a layout of it
  // alone, and where its spine stands.
  uint32_t first_element(size_t subject) const { return towers_[subject].begin; }
  float spine_x(size_t subject) const { return towers_[subject].x; }

  // What is drawn, plates first, and how the plates' cells lie.
  const std::vector<shaders::Node>& boxes() const { return boxes_; }
  const std::vector<shaders::Grid>& grids() const { return grids_; }
  const std::vector<Note>& notes() const { return notes_; }

  // Positions that share a column (1 unless the context is very long), and columns in all.
  uint32_t positions_per_column() const { return towers_[0].measures.per_column; }
  uint32_t columns() const { return towers_[0].measures.columns; }
  uint32_t column_of(uint32_t position) const { return position / positions_per_column(); }

  // Elements by what they stand for, as node(), ref() and the lights count them. Arguments out of
  // range are a bug.
  uint32_t spine(uint32_t layer, bool ffn, uint32_t part) const;
  uint32_t head(uint32_t layer, uint32_t h) const;
  uint32_t slot(uint32_t layer, uint32_t kv_head, uint32_t column) const;
  uint32_t cell(uint32_t layer, uint32_t bucket) const;
  uint32_t candidate(uint32_t rank) const;  // kCandidates: the rest
  uint32_t tape(uint32_t column) const;
  // What chooses the experts of a layer, and the part of its FFN plate that is expert e; the expert
  // that always works is number `experts`. kNoElement and an empty box in a layer without.
  uint32_t router(uint32_t layer) const;
  Box expert_plate(uint32_t layer, uint32_t e) const;
  Box ffn_plate(uint32_t layer) const;  // the whole of it
  // The cell that a neuron of a layer lies in (the last one, where the layer has no such neuron),
  // and a cell's first neuron; bucket <= the number of cells, of which it is the number of neurons.
  uint32_t cell_of(uint32_t layer, uint32_t neuron) const;
  uint64_t first_neuron(uint32_t layer, uint64_t bucket) const;
  // Of a mixture: the expert that a neuron of a layer, or a cell's first one, belongs to.
  uint32_t expert_of(uint32_t layer, uint64_t neuron) const;
  uint32_t expert_of(const NodeRef& cell) const;

  // The spine at the top of a sub-layer: where its update enters. One place for both where
  // attention and FFN are parallel.
  glm::vec3 junction(uint32_t layer, bool ffn) const {
    return towers_[0].measures.junction(layer, ffn);
  }
  glm::vec3 spine_foot() const { return {0.0F, 0.0F, 0.0F}; }
  glm::vec3 spine_top() const { return {0.0F, storey_y(model().layers), 0.0F}; }
  float storey_y(uint32_t layer) const { return static_cast<float>(layer) * pitch(); }
  float pitch() const { return towers_[0].measures.pitch; }
  float attention_left() const { return towers_[0].measures.attention_left(); }
  float ffn_right() const { return towers_[0].measures.ffn_right(); }
  float crown_y() const { return towers_[0].measures.crown_y(); }

  // The whole scene as far as it is usually looked at: the past is cut after `columns`.
  Box bounds(uint32_t columns) const;
  // How much larger than the built-in model's the whole scene is, at least 1: what fog, floor and
  // the camera's reach go by.
  float scale() const { return scale_; }

  // "neuron 20", of a mixture as its expert counts it: "expert 5 neuron 20".
  std::string neuron_name(uint32_t layer, uint64_t neuron) const;

  // "layer 3 > attention > head 2"; with several models, the model's name first.
  std::string path(const NodeRef& ref) const;

 private:
  struct Tower {
    trace::Model model;
    Measures measures;
    float x = 0.0F;               // of its spine
    uint32_t begin = 0, end = 0;  // of its elements
    uint32_t first_spine = 0, first_head = 0, first_router = 0, first_candidate = 0;
    uint32_t first_slot = 0, first_cell = 0, first_tape = 0;
    // Of its first elements, which are boxes of their own.
    std::vector<uint32_t> own_boxes{};
    std::vector<NodeRef> refs{};
  };

  // A box that shows the next element; one that shows none.
  void add(Tower& tower, const shaders::Node& node, NodeRef ref);
  void add_scenery(glm::vec3 center, glm::vec3 half_size, uint32_t channel, uint32_t flags = 0);
  // Plates of one kind, one a storey, and their elements.
  uint32_t add_plates(shaders::Grid grid, const std::vector<shaders::Node>& plates);
  const shaders::Grid* grid_of(uint32_t element) const;
  const Tower& tower_of(uint32_t element) const;
  void build(Tower& tower);
  void add_spine(Tower& tower);
  void add_heads(Tower& tower);
  void add_routers(Tower& tower);
  void add_crown(Tower& tower);
  void add_shelf(Tower& tower);
  void add_ffn(Tower& tower);
  void add_tape(Tower& tower);
  void add_brackets(const Tower& tower);
  void bracket(const Measures& m, glm::vec3 from, glm::vec3 to, glm::vec3 out, std::string text,
               uint32_t channel);

  LayoutOptions options_;
  std::vector<Tower> towers_;
  uint32_t elements_ = 0;
  float scale_ = 1.0F;
  uint32_t subject_ = 0;               // while it is built
  glm::vec3 origin_{0.0F};             // the same
  std::vector<shaders::Node> plates_;  // the same
  std::vector<shaders::Node> boxes_;
  std::vector<shaders::Grid> grids_;  // by first_element, ascending
  std::vector<Note> notes_;
};

}  // namespace scene
