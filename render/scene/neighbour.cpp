#include "render/scene/neighbour.h"

#include <algorithm>

namespace scene {

namespace {

// `at` moved by `by`, within [0, count).
uint32_t moved(uint32_t at, int by, uint32_t count) {
  return static_cast<uint32_t>(
      std::clamp<int64_t>(int64_t{at} + by, 0, std::max<int64_t>(int64_t{count} - 1, 0)));
}

}  // namespace

uint32_t neighbour(const Layout& layout, uint32_t element, int layers, int along,
                   uint32_t positions) {
  const NodeRef ref = layout.ref(element);
  const auto& m = layout.model();
  if (ref.subject != 0) return element;
  const uint32_t columns =
      std::min(layout.column_of(std::max(positions, 1U) - 1) + 1, layout.columns());
  const uint32_t layer = moved(ref.layer, layers, m.layers);
  switch (ref.kind) {
    case Kind::kSpineAttention:
    case Kind::kSpineFfn: {
      const uint32_t half = 2 * layer + (ref.kind == Kind::kSpineFfn ? 1 : 0);
      const uint32_t at = moved(half, along, 2 * m.layers);
      return layout.spine(at / 2, at % 2 == 1, Layout::kSpineParts - 1);
    }
    case Kind::kHead:
      return layout.head(layer, moved(ref.index, along, m.heads));
    case Kind::kSlot:
      return layout.slot(layer, ref.index, moved(ref.column, along, columns));
    case Kind::kCell:
      return layout.cell(layer, moved(ref.index, along, m.buckets));
    case Kind::kRouter:
      return layout.router(layer) != shaders::kNoElement ? layout.router(layer) : element;
    case Kind::kCandidate:
      return layout.candidate(moved(ref.index, along, Layout::kCandidates));
    case Kind::kTape:
      return layout.tape(moved(ref.column, along, columns));
    case Kind::kRestCandidate:
    case Kind::kScenery:
      break;
  }
  return element;
}

}  // namespace scene
