// Where everything stands: the scene graph of one model, from its description alone.
//
// Up (+y) is depth: the tape lies on the floor, every layer is one storey, the crown is on
// top. The front (+z) is now, the back is the past. The residual stream is the vertical at
// x = z = 0, the attention wing stands to its left (-x), the FFN wing to its right.
// Extents follow side(n) = s * sqrt(n), so that nothing dwarfs the rest.
//
// Elements are what lights up and can be pointed at; boxes are what is drawn. A plate is one box
// that shows a grid of elements: the cells of an FFN, the slots of a storey's KV shelf, the tape.
// So there are as many boxes as storeys and heads, whatever the number of neurons and positions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <glm/glm.hpp>

#include "engine/trace/schema.h"
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
};

// What a box stands for. index: head, KV head, cell or rank, by kind.
struct NodeRef {
  Kind kind = Kind::kScenery;
  uint32_t layer = 0;
  uint32_t index = 0;
  uint32_t column = 0;
  bool operator==(const NodeRef&) const = default;
};

struct Box {
  glm::vec3 center{0.0F};
  glm::vec3 half_size{0.0F};
};

class Layout;

// The elements one by one, as if each was a box: where it lies and how large it is.
class Elements {
 public:
  explicit Elements(const Layout& layout) : layout_(layout) {}
  shaders::Node operator[](size_t element) const;
  size_t size() const;

 private:
  const Layout& layout_;
};

// What each element stands for.
class Names {
 public:
  explicit Names(const Layout& layout) : layout_(layout) {}
  NodeRef operator[](size_t element) const;
  size_t size() const;

 private:
  const Layout& layout_;
};

class Layout {
 public:
  static constexpr uint32_t kSpineParts = 6;       // boxes a sub-layer, so that a pulse can climb
  static constexpr uint32_t kCandidates = 12;      // bars at the crown
  static constexpr uint32_t kMaxSlots = 1U << 21;  // more positions than fit share a column

  explicit Layout(const trace::ModelRecord& model);

  const trace::ModelRecord& model() const { return model_; }
  Elements nodes() const { return Elements(*this); }
  Names refs() const { return Names(*this); }
  uint32_t elements() const { return elements_; }
  shaders::Node node(uint32_t element) const;
  NodeRef ref(uint32_t element) const;

  // What is drawn, plates first, and how the plates' cells lie.
  const std::vector<shaders::Node>& boxes() const { return boxes_; }
  const std::vector<shaders::Grid>& grids() const { return grids_; }

  // Positions that share a column (1 unless the context is very long), and columns in all.
  uint32_t positions_per_column() const { return per_column_; }
  uint32_t columns() const { return columns_; }
  uint32_t column_of(uint32_t position) const { return position / per_column_; }

  // Index into nodes(), refs() and the lights. Arguments out of range are a bug.
  uint32_t spine(uint32_t layer, bool ffn, uint32_t part) const;
  uint32_t head(uint32_t layer, uint32_t h) const;
  uint32_t slot(uint32_t layer, uint32_t kv_head, uint32_t column) const;
  uint32_t cell(uint32_t layer, uint32_t bucket) const;
  uint32_t candidate(uint32_t rank) const;  // kCandidates: the rest
  uint32_t tape(uint32_t column) const;

  // The spine at the top of a sub-layer: where its update enters.
  glm::vec3 junction(uint32_t layer, bool ffn) const;
  glm::vec3 spine_foot() const { return {0.0F, 0.0F, 0.0F}; }
  glm::vec3 spine_top() const;
  float storey_y(uint32_t layer) const { return static_cast<float>(layer) * pitch_; }
  float pitch() const { return pitch_; }
  float attention_left() const { return attention_left_; }  // x of the wing's outer edge
  float ffn_right() const { return ffn_right_; }
  float crown_y() const;

  // The whole scene as far as it is usually looked at: the past is cut after `columns`.
  Box bounds(uint32_t columns) const;

  // "layer 3 > attention > head 2"
  std::string path(const NodeRef& ref) const;

 private:
  // A box that shows the next element.
  void add(const shaders::Node& node, const NodeRef& ref);
  // Plates of one kind, one a storey, and their elements.
  uint32_t add_plates(shaders::Grid grid, const std::vector<shaders::Node>& plates);
  const shaders::Grid* grid_of(uint32_t element) const;
  void add_spine();
  void add_heads();
  void add_crown();
  void add_shelf();
  void add_ffn();
  void add_tape();

  trace::ModelRecord model_;
  uint32_t per_column_ = 1;
  uint32_t columns_ = 1;
  float pitch_ = 1.0F;
  float attention_left_ = -1.0F;
  float ffn_right_ = 1.0F;
  float wing_ = 1.0F;  // width of the attention wing
  uint32_t elements_ = 0;
  uint32_t first_spine_ = 0, first_head_ = 0, first_slot_ = 0, first_cell_ = 0;
  uint32_t first_candidate_ = 0, first_tape_ = 0;
  std::vector<shaders::Node> plates_;  // while it is built
  std::vector<shaders::Node> boxes_;
  std::vector<shaders::Grid> grids_;  // by first_element, ascending
  std::vector<uint32_t> box_of_;      // of the elements before those of the plates
  std::vector<NodeRef> refs_;         // the same
};

}  // namespace scene
