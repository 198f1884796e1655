// Text, over the finished picture so that neither bloom nor tone mapping touches it.
#pragma once

#include <unordered_map>

#include "render/label.h"
#include "render/pass/font.h"
#include "render/pass/frame_records.h"

namespace render {

class LabelsPass {
 public:
  explicit LabelsPass(PassContext& context);
  // Lays out and queues new glyphs; before the frame's uploads are flushed.
  void prepare(std::span<const Label> labels, const shaders::Frame& frame);
  // Inside a rendering over the whole target.
  void record(VkCommandBuffer commands, const SceneBuffers& scene, VkFormat format);

 private:
  struct Placed {
    glm::vec2 texel{};
    glm::vec2 size{};
  };
  void add(const Label& label, const shaders::Frame& frame);
  const Placed* place(const Setting::Item& item);

  PassContext& context_;
  ThemePipeline pipeline_;
  gpu::Image atlas_;
  std::unordered_map<uint64_t, Placed> placed_;  // by Setting::Item::key
  glm::uvec2 pen_{};                             // atlas rows fill from the top left
  uint32_t row_height_ = 0;
  bool full_ = false;
  std::vector<shaders::Glyph> glyphs_;
  FrameRecords<shaders::Glyph> records_;
};

}  // namespace render
