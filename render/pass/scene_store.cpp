#include "render/pass/scene_store.h"

#include <algorithm>

#include "model/error.h"

namespace render {
namespace {

constexpr VkBufferUsageFlags kUsage =
    VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
constexpr uint32_t kFirstRaised = 4096;

}  // namespace

SceneStore::SceneStore(PassContext& context) : context_(context) {
  reserve_raised(kFirstRaised);
  set({}, {}, 0);
}

void SceneStore::set(std::span<const shaders::Node> nodes, std::span<const shaders::Grid> grids,
                     uint32_t elements) {
  node_count_ = static_cast<uint32_t>(nodes.size());
  grid_count_ = static_cast<uint32_t>(grids.size());
  element_count_ = elements;
  const auto is_plate = [](const shaders::Node& n) { return (n.flags & shaders::kNodePlate) != 0; };
  CHECK(std::is_partitioned(nodes.begin(), nodes.end(), is_plate));
  plate_count_ = static_cast<uint32_t>(std::count_if(nodes.begin(), nodes.end(), is_plate));
  uint64_t blocks = 0;
  for (const shaders::Grid& grid : grids) {
    blocks = std::max(blocks, grid.first_block + uint64_t{grid.blocks} * grid.plates);
  }
  const auto buffer = [&](uint64_t count, size_t bytes, VkBufferUsageFlags more, const char* name) {
    return gpu::Buffer(context_.device, std::max<uint64_t>(count, 1) * bytes, kUsage | more,
                       gpu::Memory::kDevice, name);
  };
  nodes_ = buffer(node_count_, sizeof(shaders::Node), 0, "nodes");
  lights_ =
      buffer(elements, sizeof(glm::vec2), VK_BUFFER_USAGE_TRANSFER_SRC_BIT, "lights of elements");
  grids_ = buffer(grid_count_, sizeof(shaders::Grid), 0, "grids");
  blocks_ = buffer(blocks, sizeof(shaders::Block), 0, "blocks");
  context_.uploader.write(nodes_, 0, std::as_bytes(nodes));
  context_.uploader.write(grids_, 0, std::as_bytes(grids));
}

void SceneStore::reserve_raised(uint32_t count) {
  if (count <= raised_) return;
  raised_ = std::max(count, raised_ + raised_ / 2);
  raised_buffer_ = gpu::Buffer(
      context_.device, sizeof(VkDrawIndirectCommand) + uint64_t{raised_} * sizeof(uint32_t),
      kUsage | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT, gpu::Memory::kDevice, "raised");
}

SceneBuffers SceneStore::buffers() const {
  SceneBuffers b;
  b.nodes = nodes_.handle();
  b.node_lights = lights_.handle();
  b.grids = grids_.handle();
  b.blocks = blocks_.handle();
  b.raised = raised_buffer_.handle();
  b.node_count = node_count_;
  b.plate_count = plate_count_;
  b.grid_count = grid_count_;
  return b;
}

}  // namespace render
