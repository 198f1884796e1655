#include "render/commands/options.h"

#include <chrono>
#include <cstdio>
#include <thread>

#include "model/error.h"

namespace render::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

void wait_for_end(Stage& stage) {
  const trace::Reader& reader = stage.reader();
  for (;;) {
    stage.poll();
    if (reader.finished() || reader.failed()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  if (reader.failed()) {
    const bool usage = reader.note_kind() == trace::NoteKind::kError;
    throw Error(usage ? ExitCode::kUsage : ExitCode::kFailed, std::string(reader.note()));
  }
  if (!stage.ready() || reader.steps() == 0) {
    throw Error(ExitCode::kBadModel, "there is nothing to show", "trace",
                "it holds no forward step");
  }
}

scene::Pose first_pose(const SceneOptions& options, const Stage& stage, float aspect) {
  const auto pose =
      scene::named_pose(options.camera, stage.layout(), stage.columns_in_view(), aspect);
  if (pose) {
    scene::Camera camera{*pose};
    // The inspector stands on the right: make room.
    if (!options.select.empty()) {
      camera.pose.distance *= 1.12F;
      camera.pan({-0.08F * aspect, 0.0F}, 1.0F);
    }
    return camera.pose;
  }
  throw Error(ExitCode::kUsage, "there is no view '" + options.camera + "'", "--camera",
              "home, front, left, top, close, or yaw,pitch,distance[,x,y,z]");
}

std::optional<scene::CellRef> zoom_cell(const SceneOptions& options, const scene::Layout& layout) {
  if (options.zoom_to.empty()) return {};
  const auto cell = scene::find_cell(layout, options.zoom_to);
  if (cell) return cell;
  throw Error(ExitCode::kUsage, "there is no value '" + options.zoom_to + "' in the scene",
              "--zoom-to",
              "TENSOR[ROW,COLUMN], e.g. blk.0.attn_q.weight[17,20] or token_embd.weight[65,0]");
}

uint32_t selected_node(const SceneOptions& options, const scene::Layout& layout) {
  if (options.select.empty()) return 0;
  const auto& m = layout.model();
  unsigned layer = 0;
  unsigned index = 0;
  unsigned column = 0;
  int used = -1;
  const char* text = options.select.c_str();
  const auto whole = [&] {
    return used > 0 && static_cast<size_t>(used) == options.select.size() && layer < m.layers;
  };
  if (std::sscanf(text, "L%u.H%u%n", &layer, &index, &used) == 2 && whole() && index < m.heads) {
    return layout.head(layer, index) + 1;
  }
  used = -1;
  if (std::sscanf(text, "L%u.F%u%n", &layer, &index, &used) == 2 && whole() && index < m.neurons) {
    return layout.cell(layer, static_cast<uint32_t>(uint64_t{index} * m.buckets / m.neurons)) + 1;
  }
  used = -1;
  if (std::sscanf(text, "L%u.K%u.%u%n", &layer, &index, &column, &used) == 3 && whole() &&
      index < m.kv_heads && column < m.context) {
    return layout.slot(layer, index, layout.column_of(column)) + 1;
  }
  throw Error(ExitCode::kUsage, "there is no node '" + options.select + "'", "--select",
              "L3.H1 is head 1 of layer 3, L3.F20 neuron 20, L3.K0.5 position 5 of KV head 0");
}

}  // namespace render::commands
