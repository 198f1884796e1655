// Pass 3b: tensors as textures, over the boxes and plates that they belong to. Owns the atlas of
// tiles.
#pragma once

#include <glm/glm.hpp>

#include "render/pass/frame_records.h"

namespace render {

inline constexpr uint32_t kTileSlots =
    (shaders::kTileAtlas / shaders::kTileSide) * (shaders::kTileAtlas / shaders::kTileSide);

// Top left texel of a slot in the atlas.
glm::uvec2 tile_origin(uint32_t slot);

class TensorsPass {
 public:
  TensorsPass(PassContext& context, VkSampleCountFlagBits samples);

  // kTileSide x kTileSide texels (minimum, mean, maximum, 0), row after row. Before the frame's
  // uploads are flushed.
  void put(uint32_t slot, std::span<const glm::vec4> texels);
  void prepare(std::span<const shaders::TileQuad> quads);
  // Inside the rendering of the scene. clip_from_eye: world axes, from the eye.
  void record(VkCommandBuffer commands, const SceneBuffers& scene, const glm::mat4& clip_from_eye);

  const gpu::Image& atlas();

 private:
  PassContext& context_;
  ThemePipeline pipeline_;
  gpu::Image atlas_;  // made when the first tile comes
  FrameRecords<shaders::TileQuad> quads_;
};

}  // namespace render
