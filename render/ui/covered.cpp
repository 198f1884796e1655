#include "render/ui/covered.h"

#include <imgui.h>

namespace render {

std::vector<scene::Rect> covered_by(const ImDrawData* ui) {
  std::vector<scene::Rect> covered;
  if (ui == nullptr || !ui->Valid) return covered;
  const glm::vec2 origin(ui->DisplayPos.x, ui->DisplayPos.y);
  const glm::vec2 scale(ui->FramebufferScale.x, ui->FramebufferScale.y);
  for (int i = 0; i < ui->CmdListsCount; ++i) {
    // One list a window: where it has drawn, as far as that is not clipped.
    const ImDrawList& list = *ui->CmdLists[i];
    if (list.VtxBuffer.empty() || list.CmdBuffer.empty()) continue;
    scene::Rect drawn{glm::vec2(1e9F), glm::vec2(-1e9F)};
    for (const ImDrawVert& vertex : list.VtxBuffer) {
      const glm::vec2 at(vertex.pos.x, vertex.pos.y);
      drawn.low = glm::min(drawn.low, at);
      drawn.high = glm::max(drawn.high, at);
    }
    scene::Rect clip{glm::vec2(1e9F), glm::vec2(-1e9F)};
    for (const ImDrawCmd& command : list.CmdBuffer) {
      clip.low = glm::min(clip.low, glm::vec2(command.ClipRect.x, command.ClipRect.y));
      clip.high = glm::max(clip.high, glm::vec2(command.ClipRect.z, command.ClipRect.w));
    }
    const scene::Rect rect{(glm::max(drawn.low, clip.low) - origin) * scale,
                           (glm::min(drawn.high, clip.high) - origin) * scale};
    if (rect.low.x < rect.high.x && rect.low.y < rect.high.y) covered.push_back(rect);
  }
  return covered;
}

}  // namespace render
