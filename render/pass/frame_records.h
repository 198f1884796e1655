// Records that live for one frame, each drawn as two triangles: glyphs, lines, tiles.
#pragma once

#include <span>

#include "render/pass/pass.h"
#include "render/pass/scene_buffers.h"
#include "shaders/shared.h"

namespace render {

template <typename T>
class FrameRecords {
 public:
  // Before the frame's commands are submitted.
  void put(PassContext& context, std::span<const T> records) {
    count_ = static_cast<uint32_t>(records.size());
    if (count_ > 0) slice_ = context.staging.put(records);
  }
  bool empty() const noexcept { return count_ == 0; }
  // Whatever else the shaders need is bound before.
  void draw(PassContext& context, VkCommandBuffer commands, const SceneBuffers& scene) const {
    constexpr VkPipelineBindPoint kPoint = VK_PIPELINE_BIND_POINT_GRAPHICS;
    bind_frame(context.layout, commands, kPoint, scene);
    context.layout.bind_buffer(commands, kPoint, shaders::kBindEvents, slice_.buffer, slice_.offset,
                               count_ * sizeof(T));
    context.draw(commands, 6 * count_);
  }

 private:
  gpu::Staging::Slice slice_{};
  uint32_t count_ = 0;
};

}  // namespace render
