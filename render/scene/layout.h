// Where everything stands: the scene graph of one model, from its description alone.
//
// Up (+y) is depth: the tape lies on the floor, every layer is one storey, the crown is on
// top. The front (+z) is now, the back is the past. The residual stream is the vertical at
// x = z = 0, the attention wing stands to its left (-x), the FFN wing to its right.
// Extents follow side(n) = s * sqrt(n), so that nothing dwarfs the rest.
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

class Layout {
 public:
  static constexpr uint32_t kSpineParts = 6;    // boxes a sub-layer, so that a pulse can climb
  static constexpr uint32_t kCandidates = 12;   // bars at the crown
  static constexpr uint32_t kMaxSlots = 60000;  // more positions than fit share a column

  explicit Layout(const trace::ModelRecord& model);

  const trace::ModelRecord& model() const { return model_; }
  const std::vector<shaders::Node>& nodes() const { return nodes_; }
  const std::vector<NodeRef>& refs() const { return refs_; }

  // Positions that share a column (1 unless the context is very long), and columns in all.
  uint32_t positions_per_column() const { return per_column_; }
  uint32_t columns() const { return columns_; }
  uint32_t column_of(uint32_t position) const { return position / per_column_; }

  // Index into nodes(). Arguments out of range are a bug.
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
  uint32_t add(const shaders::Node& node, const NodeRef& ref);
  void add_spine();
  void add_attention();
  void add_ffn();
  void add_crown();
  void add_tape();

  trace::ModelRecord model_;
  uint32_t per_column_ = 1;
  uint32_t columns_ = 1;
  float pitch_ = 1.0F;
  float attention_left_ = -1.0F;
  float ffn_right_ = 1.0F;
  float head_spacing_ = 0.5F;
  uint32_t first_spine_ = 0, first_head_ = 0, first_slot_ = 0, first_cell_ = 0;
  uint32_t first_candidate_ = 0, first_tape_ = 0;
  std::vector<shaders::Node> nodes_;
  std::vector<NodeRef> refs_;
};

}  // namespace scene
