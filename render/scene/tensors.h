// The tensors behind a node, by the names that the engine answers to (engine/control.h).
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "render/scene/layout.h"

namespace scene {

struct TensorName {
  std::string title;  // for a tab: "attention weights"
  std::string name;   // "blk.3.attn.weights"
  int32_t first_row = 0;
  int32_t rows = -1;          // -1: to the end
  bool stored = false;        // a weight: the same at every position
  bool per_position = false;  // columns are positions of the context
  bool cached = false;        // rows are positions of the cache, first_row is a KV head
  int64_t own = -1;  // what the node stands for: of the cache a row, else a column; -1: all
};

// token: id at the node's column, for the embedding row; candidate: id at the crown; -1: none.
std::vector<TensorName> tensors_of(const Layout& layout, const NodeRef& ref, int32_t token,
                                   int32_t candidate);

// By its name, whole or without the layer: "blk.3.attn.z", "attn.z".
bool is_called(const TensorName& tensor, std::string_view name);

// Both ends are in it.
struct IndexRange {
  uint64_t first = 0;
  uint64_t last = 0;
  IndexRange(uint64_t index) : first(index), last(index) {}  // NOLINT: a plain index is one
  IndexRange(uint64_t from, uint64_t to) : first(from), last(to) {}
};
// Of a cell.
IndexRange neurons_of(const Layout& layout, const NodeRef& cell);

// "blk.3.attn.weights[1,36]": one value of a layer's tap, or of one outside the layers (without
// `layer`); a range of indices is written "4..7".
std::string value_name(std::string_view tap, std::optional<uint32_t> layer,
                       std::initializer_list<IndexRange> indices = {});

}  // namespace scene
