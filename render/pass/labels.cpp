#include "render/pass/labels.h"

#include <algorithm>

#include "shaders/spirv.h"

namespace render {

LabelsPass::LabelsPass(PassContext& context)
    : context_(context),
      pipeline_(context, {.vertex = shaders::labels_vert,
                          .fragment = shaders::labels_frag,
                          .blend = gpu::Blend::kPremultiplied,
                          .name = "labels"}) {
  atlas_ = gpu::Image(context.device,
                      {.width = shaders::kGlyphAtlas,
                       .height = shaders::kGlyphAtlas,
                       .format = VK_FORMAT_R8_UNORM,
                       .usage = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT,
                       .name = "glyph atlas"});
  context.uploader.prepare(atlas_);
}

void LabelsPass::prepare(std::span<const Label> labels, const shaders::Frame& frame) {
  glyphs_.clear();
  for (const Label& label : labels) add(label, frame);
  if (full_) {  // start over with what this frame needs
    placed_.clear();
    pen_ = {};
    row_height_ = 0;
    full_ = false;
    glyphs_.clear();
    for (const Label& label : labels) add(label, frame);
    full_ = false;
  }
  records_.put(context_, glyphs_);
}

void LabelsPass::add(const Label& label, const shaders::Frame& frame) {
  const glm::vec4 clip = frame.clip_from_world * glm::vec4(label.anchor, 1);
  if (clip.w <= 0 || clip.z < 0) return;
  const glm::vec2 at = (glm::vec2(clip) / clip.w * 0.5f + 0.5f) * frame.viewport + label.offset_px;
  const float scale = label.size_px / kGlyphPx;
  const Setting setting = FontSet::shared().set(label.text, label.mono);
  const float width = setting.width * scale;
  // Across the middle of the capitals, which are about 0.73 em high.
  glm::vec2 pen = at + glm::vec2(0, 0.365f * label.size_px);
  if (label.align == LabelAlign::kCenter) pen.x -= 0.5f * width;
  if (label.align == LabelAlign::kRight) pen.x -= width;
  if (pen.x > frame.viewport.x || pen.x + width < 0 || at.y < -label.size_px ||
      at.y > frame.viewport.y + label.size_px) {
    return;
  }
  for (const Setting::Item& item : setting.items) {
    if (const Placed* placed = place(item)) {
      glyphs_.push_back({.at = pen + item.offset * scale,
                         .texel = placed->texel,
                         .texel_size = placed->size,
                         .px_per_texel = scale,
                         .halo = 0.75f,
                         .rgba = label.rgba});
    }
  }
}

const LabelsPass::Placed* LabelsPass::place(const Setting::Item& item) {
  if (const auto it = placed_.find(item.key); it != placed_.end())
    return it->second.size.x > 0 ? &it->second : nullptr;
  const GlyphShape& shape = *item.shape;
  Placed placed;
  if (shape.size.x != 0) {
    const glm::uvec2 padded = shape.size + 2u;  // an empty rim, for the bilinear filter
    if (pen_.x + padded.x > shaders::kGlyphAtlas) {
      pen_ = {0, pen_.y + row_height_};
      row_height_ = 0;
    }
    if (pen_.y + padded.y > shaders::kGlyphAtlas) {
      full_ = true;
      return nullptr;
    }
    std::vector<uint8_t> bitmap(size_t{padded.x} * padded.y, 0);
    for (uint32_t y = 0; y < shape.size.y; ++y) {
      std::copy_n(shape.distance.begin() + y * shape.size.x, shape.size.x,
                  bitmap.begin() + (y + 1) * padded.x + 1);
    }
    context_.uploader.write(atlas_, {static_cast<int32_t>(pen_.x), static_cast<int32_t>(pen_.y)},
                            {padded.x, padded.y}, std::as_bytes(std::span(bitmap)), false);
    placed = {glm::vec2(pen_ + 1u), glm::vec2(shape.size)};
    pen_.x += padded.x;
    row_height_ = std::max(row_height_, padded.y);
  }
  placed_[item.key] = placed;
  return placed.size.x > 0 ? &placed_[item.key] : nullptr;
}

void LabelsPass::record(VkCommandBuffer commands, const SceneBuffers& scene, VkFormat format) {
  GPU_SCOPE(context_.timer, commands, "labels");
  if (records_.empty()) return;
  pipeline_.bind(commands, format);
  context_.layout.bind_image(commands, shaders::kBindTextureA, atlas_.view(), context_.linear);
  records_.draw(context_, commands, scene);
}

}  // namespace render
