#include "render/pass/nodes.h"

#include <array>

#include "shaders/shared.h"
#include "shaders/spirv.h"

namespace render {
namespace {

// Two triangles on each face that looks at the eye; corners as in shaders/node.glsl. One indexed
// draw and not one instance a box: software devices pay for every instance.
constexpr std::array<uint32_t, 18> kFaces = {1, 3, 7, 1, 7, 5, 2, 3, 7, 2, 7, 6, 4, 5, 7, 4, 7, 6};

ThemePipeline pipeline(PassContext& context, VkFormat color, VkSampleCountFlagBits samples,
                       std::span<const uint32_t> vertex, std::span<const uint32_t> fragment,
                       const char* name) {
  return {context, gpu::GraphicsDesc{.vertex = vertex,
                                     .fragment = fragment,
                                     .color = color,
                                     .depth = kDepthFormat,
                                     .depth_test = true,
                                     .depth_write = true,
                                     .samples = samples,
                                     .name = name}};
}

}  // namespace

NodePipelines::NodePipelines(PassContext& context, VkFormat color, VkSampleCountFlagBits samples,
                             std::span<const uint32_t> box_fragment,
                             std::span<const uint32_t> plate_fragment)
    : plates(pipeline(context, color, samples, shaders::plates_vert, plate_fragment, "plates")),
      raised(pipeline(context, color, samples, shaders::raised_vert, box_fragment, "raised")),
      boxes(pipeline(context, color, samples, shaders::nodes_vert, box_fragment, "boxes")) {}

NodesPass::NodesPass(PassContext& context, VkSampleCountFlagBits samples)
    : context_(context),
      pipelines_(context, kSceneFormat, samples, shaders::nodes_frag, shaders::plates_frag),
      indices_(kFaces, 8, "node indices") {}

void NodesPass::record(VkCommandBuffer commands, const SceneBuffers& scene) {
  GPU_SCOPE(context_.timer, commands, "nodes");
  draw(commands, scene, pipelines_);
}

void NodesPass::draw(VkCommandBuffer commands, const SceneBuffers& scene,
                     NodePipelines& pipelines) const {
  if (scene.node_count == 0) return;
  const gpu::PipelineLayout& layout = context_.layout;
  constexpr VkPipelineBindPoint kPoint = VK_PIPELINE_BIND_POINT_GRAPHICS;
  bind_frame(layout, commands, kPoint, scene);
  layout.bind_buffer(commands, kPoint, shaders::kBindNodes, scene.nodes);
  layout.bind_buffer(commands, kPoint, shaders::kBindNodeLights, scene.node_lights);
  layout.bind_buffer(commands, kPoint, shaders::kBindGrids, scene.grids);
  layout.bind_buffer(commands, kPoint, shaders::kBindBlocks, scene.blocks);
  layout.bind_buffer(commands, kPoint, shaders::kBindRaised, scene.raised);
  indices_.bind(commands);
  const uint32_t each = indices_.indices_each();
  // The nearest things first: what they hide need not be shaded.
  if (scene.node_count > scene.plate_count) {
    pipelines.boxes.bind(commands);
    context_.draw_indexed(commands, (scene.node_count - scene.plate_count) * each, 0,
                          static_cast<int32_t>(scene.plate_count * 8));
  }
  if (scene.plate_count == 0) return;
  pipelines.raised.bind(commands);
  layout.push(commands, scene.grid_count);
  context_.draw_indirect(commands, scene.raised);
  pipelines.plates.bind(commands);
  context_.draw_indexed(commands, scene.plate_count * each, 0, 0);
}

}  // namespace render
