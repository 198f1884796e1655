#include "render/scene/cell_sources.h"

namespace scene {

namespace {

class Writer {
 public:
  Writer(const Layout& layout, const CellRef& cell) : layout_(layout), cell_(cell) {}

  // One cell, a whole row, or all of a vector, of a sheet beside the cell's own.
  void one(Part part, int64_t row, int64_t col) { add(id(part), row, col, 1, 1); }
  void row(Part part, int64_t row) { whole(id(part), row); }
  void vector(Part part) { whole(id(part), {}); }
  void vector(const SheetId& id) { whole(id, {}); }

  SheetId id(Part part) const { return {part, cell_.sheet.layer, cell_.sheet.index}; }
  void add(const SheetId& id, int64_t row, int64_t col, int64_t rows, int64_t cols) {
    found.push_back({id, row, col, rows, cols});
  }
  // The part of a row that its sheet shows; of no row: all of the sheet.
  void whole(const SheetId& id, std::optional<int64_t> row) {
    const auto sheet = find_sheet(layout_, id);
    if (!sheet) return;
    if (row) {
      add(id, *row, sheet->first_col, 1, sheet->cols);
    } else {
      add(id, sheet->first_row, sheet->first_col, sheet->rows, sheet->cols);
    }
  }

  std::vector<CellSource> found;

 private:
  const Layout& layout_;
  const CellRef& cell_;
};

}  // namespace

std::vector<CellSource> cell_sources(const Layout& layout, const CellRef& cell, uint32_t position,
                                     int32_t token) {
  const trace::ModelRecord& m = layout.model();
  const trace::StructureRecord& s = layout.structure();
  const bool parallel = (s.flags & trace::kStructureParallel) != 0;
  const uint32_t layer = cell.sheet.layer;
  const uint32_t index = cell.sheet.index;
  const int64_t d = m.head_width;
  const int64_t col = cell.col;
  const uint32_t lane = trace::kv_head_of(m, index);  // of a head
  Writer w(layout, cell);
  // What enters a layer, and what the FFN reads.
  const SheetId before{Part::kBefore, layer, 0};
  const SheetId ffn_reads = parallel ? before : SheetId{Part::kBetween, layer, 0};
  // The channel of a vector of the residual stream.
  const auto channel = [&](const SheetId& id) { w.add(id, 0, col, 1, 1); };
  // A norm reads all of x, and the channel's gain.
  const auto reads = [&](const SheetId& x, const SheetId& gain) {
    if ((s.flags & trace::kStructureBareReads) != 0) return channel(x);
    w.vector(x);
    channel(gain);
  };
  switch (cell.sheet.part) {
    case Part::kNormed:
      reads(before, {Part::kAttentionGain, layer, 0});
      break;
    case Part::kQ:
      w.vector(Part::kNormed);
      w.row(Part::kQuery, cell.row * d + col);
      break;
    case Part::kK:
      w.vector(Part::kNormed);
      w.row(Part::kKey, cell.row * d + col);
      break;
    case Part::kV:
      w.vector(Part::kNormed);
      w.row(Part::kValue, cell.row * d + col);
      break;
    case Part::kMix:
      // The values that it mixes, in the same place of the head; or through a matrix, all of what
      // is kept.
      if (layout.latent()) {
        w.add({Part::kKeys, layer, lane}, 0, 0, int64_t{position} + 1, d);
        break;
      }
      w.add({Part::kValues, layer, lane}, 0, lane * d + col, int64_t{position} + 1, 1);
      break;
    case Part::kHeadOut:
      w.vector(Part::kMix);
      w.row(Part::kOutput, col);
      break;
    case Part::kKeys:
    case Part::kValues: {
      // Any head of its group shows the lane's matrix; the first one stands for all.
      const uint32_t head = index * (m.heads / m.kv_heads);
      const Part product = cell.sheet.part == Part::kKeys ? Part::kKey : Part::kValue;
      w.whole({product, layer, head}, col);
      if (cell.row == int64_t{position}) w.vector({Part::kNormed, layer, head});
      break;
    }
    case Part::kFfnNormed:
    case Part::kExpertNormed:
    case Part::kRouterNormed:
      reads(ffn_reads, {Part::kFfnGain, layer, 0});
      break;
    case Part::kGateOut:
      w.vector(Part::kFfnNormed);
      w.row(Part::kGate, col);
      break;
    case Part::kUpOut:
      w.vector(Part::kFfnNormed);
      w.row(Part::kUp, col);
      break;
    case Part::kAct:
      if ((s.flags & trace::kStructureGated) != 0) w.one(Part::kGateOut, 0, col);
      w.one(Part::kUpOut, 0, col);
      break;
    case Part::kProbability:
      w.vector(Part::kRouterNormed);
      w.row(Part::kRouter, col);
      break;
    // The columns of an expert's activations are those of all experts.
    case Part::kExpertGateOut:
      w.vector(Part::kExpertNormed);
      w.row(Part::kExpertGate, col - int64_t{index} * s.expert_neurons);
      break;
    case Part::kExpertUpOut:
      w.vector(Part::kExpertNormed);
      w.row(Part::kExpertUp, col - int64_t{index} * s.expert_neurons);
      break;
    case Part::kExpertAct:
      if ((s.flags & trace::kStructureGated) != 0) w.one(Part::kExpertGateOut, 0, col);
      w.one(Part::kExpertUpOut, 0, col);
      break;
    case Part::kFfnOut:
    case Part::kFfnUpdate:
      if (layout.router(layer) == shaders::kNoElement) {
        w.vector({Part::kAct, layer, 0});
        w.whole({Part::kDown, layer, 0}, col);
      } else {
        w.vector({Part::kProbability, layer, 0});
        for (uint32_t e = 0; e <= s.experts; ++e) w.whole({Part::kExpertDown, layer, e}, col);
      }
      break;
    case Part::kAttentionOut:
      for (uint32_t h = 0; h < m.heads; ++h) w.add({Part::kHeadOut, layer, h}, h, col, 1, 1);
      break;
    case Part::kBefore:
      if (layer > 0) {
        channel({Part::kBehind, layer - 1, 0});
      } else {
        channel({Part::kEmbedded, 0, 0});
      }
      break;
    case Part::kBetween:
      channel(before);
      channel({Part::kAttentionOut, layer, 0});
      break;
    case Part::kBehind:
      channel({Part::kBetween, layer, 0});
      channel({Part::kFfnUpdate, layer, 0});
      break;
    case Part::kLastNormed:
      w.vector({Part::kBehind, m.layers - 1, 0});
      channel({Part::kLastGain, m.layers, 0});
      break;
    case Part::kLogits:
      w.vector(Part::kLastNormed);
      w.row(Part::kUnembed, col);
      break;
    case Part::kEmbedded:
      if (token >= 0) w.one(Part::kEmbed, token, col);
      break;
    case Part::kQuery:  // stored
    case Part::kKey:
    case Part::kValue:
    case Part::kOutput:
    case Part::kQueryGain:
    case Part::kKeyGain:
    case Part::kGate:
    case Part::kUp:
    case Part::kDown:
    case Part::kRouter:
    case Part::kExpertGate:
    case Part::kExpertUp:
    case Part::kExpertDown:
    case Part::kSharedGate:
    case Part::kAttentionGain:
    case Part::kAttentionAfter:
    case Part::kFfnGain:
    case Part::kFfnAfter:
    case Part::kUnembed:
    case Part::kLastGain:
    case Part::kEmbed:
      break;
  }
  return std::move(w.found);
}

}  // namespace scene
