// Pass 8: Dear ImGui's draw lists. Works headless and with 1.86 as with 1.90; textures of our own.
#pragma once

#include <map>
#include <span>

#include "render/pass/pass.h"

struct ImDrawData;

namespace render {

class ImguiRenderer {
 public:
  explicit ImguiRenderer(PassContext& context) : context_(context) {}

  // Copies the lists and uploads the font atlas, if it is another one than before; before the
  // frame's uploads are flushed.
  void prepare(ImDrawData* data);
  // Inside a rendering over the whole target.
  void record(VkCommandBuffer commands, VkExtent2D extent, VkFormat format);

  uintptr_t create_texture(VkExtent2D size, std::span<const uint8_t> rgba, bool nearest);
  void update_texture(uintptr_t id, std::span<const uint8_t> rgba);
  void destroy_texture(uintptr_t id) { textures_.erase(id); }

 private:
  void load_fonts();

  struct Texture {
    gpu::Image image;
    bool nearest = false;
  };
  struct List {
    gpu::Staging::Slice vertices;
    VkDeviceSize vertex_bytes = 0;
    gpu::Staging::Slice indices;
  };
  PassContext& context_;
  std::map<VkFormat, gpu::Pipeline> pipelines_;  // of the target
  std::map<uintptr_t, Texture> textures_;
  uintptr_t next_id_ = 1;
  uintptr_t fonts_ = 0;
  uint64_t revision_ = 0;  // of the atlas
  ImDrawData* data_ = nullptr;
  std::vector<List> lists_;
};

}  // namespace render
