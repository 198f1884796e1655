#include "render/pass/tensors.h"

#include "model/error.h"
#include "shaders/spirv.h"

namespace render {

glm::uvec2 tile_origin(uint32_t slot) {
  constexpr uint32_t kAcross = shaders::kTileAtlas / shaders::kTileSide;
  return glm::uvec2(slot % kAcross, slot / kAcross) * shaders::kTileSide;
}

TensorsPass::TensorsPass(PassContext& context, VkSampleCountFlagBits samples)
    : context_(context),
      pipeline_(context, {.vertex = shaders::tensors_vert,
                          .fragment = shaders::tensors_frag,
                          .color = kSceneFormat,
                          .depth = kDepthFormat,
                          .depth_test = true,
                          .depth_write = true,
                          .samples = samples,
                          .blend = gpu::Blend::kPremultiplied,
                          .name = "tensors"}) {}

const gpu::Image& TensorsPass::atlas() {
  if (!atlas_) {
    atlas_ = gpu::Image(context_.device,
                        {.width = shaders::kTileAtlas,
                         .height = shaders::kTileAtlas,
                         .format = VK_FORMAT_R32G32B32A32_SFLOAT,
                         .usage = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT |
                                  VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
                         .name = "tile atlas"});
    context_.uploader.prepare(atlas_);
  }
  return atlas_;
}

void TensorsPass::put(uint32_t slot, std::span<const glm::vec4> texels) {
  CHECK(slot < kTileSlots && texels.size() == size_t{shaders::kTileSide} * shaders::kTileSide);
  const glm::ivec2 at(tile_origin(slot));
  context_.uploader.write(atlas(), {at.x, at.y}, {shaders::kTileSide, shaders::kTileSide},
                          std::as_bytes(texels), false);
}

void TensorsPass::prepare(std::span<const shaders::TileQuad> quads) {
  quads_.put(context_, quads);
  if (!quads_.empty()) atlas();
}

void TensorsPass::record(VkCommandBuffer commands, const SceneBuffers& scene,
                         const glm::mat4& clip_from_eye) {
  GPU_SCOPE(context_.timer, commands, "tensors");
  if (quads_.empty()) return;
  pipeline_.bind(commands);
  context_.layout.bind_image(commands, shaders::kBindTextureA, atlas_.view(), context_.nearest);
  context_.layout.push(commands, clip_from_eye);
  quads_.draw(context_, commands, scene);
}

}  // namespace render
