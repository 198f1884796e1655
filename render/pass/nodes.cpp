#include "render/pass/nodes.h"

#include <array>

#include "shaders/shared.h"
#include "shaders/spirv.h"

namespace render {
namespace {

// Two triangles on each face that looks at the eye; corners as in shaders/node.glsl. One indexed
// draw and not one instance a box: software devices pay for every instance.
constexpr std::array<uint32_t, 18> kFaces = {1, 3, 7, 1, 7, 5, 2, 3, 7, 2, 7, 6, 4, 5, 7, 4, 7, 6};

}  // namespace

NodesPass::NodesPass(PassContext& context, VkSampleCountFlagBits samples)
    : context_(context),
      pipeline_(context, {.vertex = shaders::nodes_vert,
                          .fragment = shaders::nodes_frag,
                          .color = kSceneFormat,
                          .depth = kDepthFormat,
                          .depth_test = true,
                          .depth_write = true,
                          .samples = samples,
                          .name = "nodes"}),
      indices_(kFaces, 8, "node indices") {}

void NodesPass::record(VkCommandBuffer commands, const SceneBuffers& scene) {
  GPU_SCOPE(context_.timer, commands, "nodes");
  pipeline_.bind(commands);
  draw(commands, scene);
}

void NodesPass::draw(VkCommandBuffer commands, const SceneBuffers& scene) const {
  if (scene.node_count == 0) return;
  const gpu::PipelineLayout& layout = context_.layout;
  constexpr VkPipelineBindPoint kPoint = VK_PIPELINE_BIND_POINT_GRAPHICS;
  layout.bind_buffer(commands, kPoint, shaders::kBindFrame, scene.frame, scene.frame_offset,
                     sizeof(shaders::Frame));
  layout.bind_buffer(commands, kPoint, shaders::kBindNodes, scene.nodes);
  layout.bind_buffer(commands, kPoint, shaders::kBindNodeLights, scene.node_lights);
  indices_.bind(commands);
  context_.draw_indexed(commands, scene.node_count * indices_.indices_each(), 0, 0);
}

}  // namespace render
