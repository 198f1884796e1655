// Tensors hung up in the scene: every matrix as a sheet that faces the front, near the node that
// uses it, and the vectors that go in and come out along its sides, so that a product reads as one:
//
//        W_q W_k W_v W_o                rows of the picture are the residual stream's channels, the
//      n ##  ##  ##  ##  o   (C down)   same ones at the same height on every sheet of a group;
//        q   k   v   z       (D across) columns are a head's, the neurons, the vocabulary.
//
// The two products of an expert and the router's are drawn in the same way. The keys and values of
// a KV head are matrices with a position a row; the residual stream's vectors stand in its
// segments, beside the gains of the norms that read it.
//
// Extents go by side(n) = s * sqrt(n), one s a group. Sheets are children of their node and appear
// when it is looked at from near; nothing here knows a number of theirs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <glm/glm.hpp>

#include "render/scene/layout.h"

namespace scene {

// Group after group: find_sheet() goes by it.
enum class Part : uint8_t {
  // of a head
  kQuery,  // W_q: rows of the head
  kKey,    // W_k, W_v: rows of its KV head
  kValue,
  kOutput,  // W_o: columns of the head
  kNormed,  // n = norm(x)
  kQ,
  kK,
  kV,
  kMix,        // z
  kQueryGain,  // of the norms of q and k, where the model has them
  kKeyGain,
  kHeadOut,  // o_h
  // of an FFN
  kGate,
  kUp,
  kDown,
  kFfnNormed,  // m = norm(x)
  kGateOut,
  kUpOut,
  kAct,
  kFfnOut,  // df
  // of the router of a mixture
  kRouterNormed,  // m = norm(x)
  kRouter,        // W_router
  kProbability,   // p
  // of an expert
  kExpertNormed,  // m
  kExpertGate,
  kExpertUp,
  kExpertDown,
  kExpertGateOut,
  kExpertUpOut,
  kExpertAct,
  kSharedGate,  // w_s, how much of the expert that always works is taken
  // of a KV head: a position a row
  kKeys,
  kValues,
  // of the residual stream, where attention adds to it
  kBefore,          // x
  kAttentionGain,   // of the norm before attention
  kAttentionOut,    // da
  kAttentionAfter,  // gain of the norm after attention, where the model has one
  // ... and where the FFN does
  kBetween,  // x + da
  kFfnGain,
  kFfnUpdate,  // df
  kFfnAfter,
  kBehind,  // x + da + df
  // of the crown
  kUnembed,
  kLastGain,  // of the norm before the unembedding
  kLastNormed,
  kLogits,
  // of the tape
  kEmbed,
  kEmbedded,
};

struct SheetId {
  Part part = Part::kQuery;
  uint32_t layer = 0;
  uint32_t index = 0;  // head, KV head, expert
  auto operator<=>(const SheetId&) const = default;
};

// One matrix or vector, or the part of it that belongs to a node.
struct Sheet {
  SheetId id;
  std::string name;   // as the engine knows it: "blk.3.attn_q.weight", "blk.3.attn.q"
  std::string title;  // "W_q"
  int64_t first_row = 0, first_col = 0;  // in the whole tensor
  int64_t rows = 0, cols = 0;
  bool transposed = false;  // rows lie across, columns down
  bool stored = true;       // a weight: the same at every position
  bool grows = false;       // rows are positions: those behind the one that is shown are not there
  NodeRef node;             // whose child it is
  uint32_t element = 0;     // the same, an element of the layout
  uint32_t channel = 0;
  // Seen from the front: top left corner, and the whole edges. World units.
  glm::dvec3 corner{0.0};
  glm::dvec3 across{0.0};
  glm::dvec3 down{0.0};
  double size = 0.0;  // of its group, by which it appears

  int64_t cells_across() const { return transposed ? rows : cols; }
  int64_t cells_down() const { return transposed ? cols : rows; }
  glm::dvec2 cell_size() const {
    return {glm::length(across) / static_cast<double>(cells_across()),
            glm::length(down) / static_cast<double>(cells_down())};
  }
  // (across, down) in cells -> world.
  glm::dvec3 at(glm::dvec2 cell) const {
    return corner + across * (cell.x / static_cast<double>(cells_across())) +
           down * (cell.y / static_cast<double>(cells_down()));
  }
};

// The sheets of a node, in this order from left to right. Of a mixture's layer there is no FFN's
// but the router's and the experts'; of another one those are empty. expert: the one that always
// works is number `experts`.
std::vector<Sheet> head_sheets(const Layout& layout, uint32_t layer, uint32_t head);
std::vector<Sheet> lane_sheets(const Layout& layout, uint32_t layer, uint32_t kv_head);
std::vector<Sheet> spine_sheets(const Layout& layout, uint32_t layer, bool ffn);
std::vector<Sheet> ffn_sheets(const Layout& layout, uint32_t layer);
std::vector<Sheet> router_sheets(const Layout& layout, uint32_t layer);
std::vector<Sheet> expert_sheets(const Layout& layout, uint32_t layer, uint32_t expert);
std::vector<Sheet> crown_sheets(const Layout& layout);
std::vector<Sheet> tape_sheets(const Layout& layout);
// Empty when the model has no such part.
std::optional<Sheet> find_sheet(const Layout& layout, const SheetId& id);

// How far a sheet has appeared, 0..1, and the groups that have begun to, nearest first. eye: world
// units; pixel_size: as in shaders::Frame, of a frame `height` pixels high. The work does not grow
// with the number of layers.
float appearance(const Sheet& sheet, const glm::dvec3& eye, double pixel_size, double height);
std::vector<Sheet> sheets_near(const Layout& layout, const glm::dvec3& eye, double pixel_size,
                               double height);

// One value of a tensor, counted in the whole tensor.
struct CellRef {
  SheetId sheet;
  int64_t row = 0, col = 0;
  bool operator==(const CellRef&) const = default;
};
// "layer 3 > attention > head 1 > W_q > row 17, column 204"
std::string path(const Layout& layout, const CellRef& cell);
// "blk.3.attn_q.weight[17,204]"; nothing when there is no such tensor in the scene, or cell in it.
std::optional<CellRef> find_cell(const Layout& layout, std::string_view text);
// Where a cell lies on its sheet, (across, down) of its top left corner.
glm::dvec2 place(const Sheet& sheet, const CellRef& cell);

// The nearest sheet that the ray from the eye hits, and the cell there.
struct SheetHit {
  size_t sheet = 0;  // index
  CellRef cell;
  double distance = 0.0;  // along the unit ray
};
std::optional<SheetHit> hit(const std::vector<Sheet>& sheets, const glm::dvec3& eye,
                            const glm::dvec3& ray);

}  // namespace scene
