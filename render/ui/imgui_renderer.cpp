#include "render/ui/imgui_renderer.h"

#include <imgui.h>
#include <glm/glm.hpp>

#include "model/error.h"
#include "render/ui/letters.h"
#include "shaders/shared.h"
#include "shaders/spirv.h"

namespace render {

static_assert(sizeof(ImDrawVert) == 20, "shaders/ui.vert pulls the default vertex layout");

void ImguiRenderer::prepare(ImDrawData* data) {
  data_ = data;
  lists_.clear();
  if (data == nullptr) return;
  if (fonts_ == 0 || revision_ != ui::Letters::revision()) load_fonts();
  for (int i = 0; i < data->CmdListsCount; ++i) {
    const ImDrawList& list = *data->CmdLists[i];
    const std::span<const ImDrawVert> vertices(list.VtxBuffer.Data,
                                               static_cast<size_t>(list.VtxBuffer.Size));
    const std::span<const ImDrawIdx> indices(list.IdxBuffer.Data,
                                             static_cast<size_t>(list.IdxBuffer.Size));
    lists_.push_back(
        {context_.staging.put(vertices), vertices.size_bytes(), context_.staging.put(indices)});
  }
}

void ImguiRenderer::record(VkCommandBuffer commands, VkExtent2D extent, VkFormat format) {
  GPU_SCOPE(context_.timer, commands, "ui");
  if (data_ == nullptr || data_->CmdListsCount == 0) return;
  gpu::Pipeline& pipeline = pipelines_[format];
  if (!pipeline) {
    pipeline = gpu::Pipeline(context_.device, context_.layout,
                             {.vertex = shaders::ui_vert,
                              .fragment = shaders::ui_frag,
                              .color = format,
                              .blend = gpu::Blend::kAlpha,
                              .name = "ui"});
  }
  pipeline.bind(commands);
  const gpu::PipelineLayout& layout = context_.layout;
  const glm::vec2 origin(data_->DisplayPos.x, data_->DisplayPos.y);
  const glm::vec2 pixels(data_->FramebufferScale.x, data_->FramebufferScale.y);
  struct {
    glm::vec2 scale;
    glm::vec2 offset;
  } push{};
  push.scale = 2.0f / glm::vec2(data_->DisplaySize.x, data_->DisplaySize.y);
  push.offset = -1.0f - origin * push.scale;
  layout.push(commands, push);
  for (size_t i = 0; i < lists_.size(); ++i) {
    const ImDrawList& list = *data_->CmdLists[static_cast<int>(i)];
    if (list.VtxBuffer.Size == 0) continue;
    layout.bind_buffer(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, shaders::kBindEvents,
                       lists_[i].vertices.buffer, lists_[i].vertices.offset,
                       lists_[i].vertex_bytes);
    vkCmdBindIndexBuffer(commands, lists_[i].indices.buffer, lists_[i].indices.offset,
                         sizeof(ImDrawIdx) == 2 ? VK_INDEX_TYPE_UINT16 : VK_INDEX_TYPE_UINT32);
    for (const ImDrawCmd& command : list.CmdBuffer) {
      if (command.UserCallback != nullptr) {
        if (command.UserCallback != ImDrawCallback_ResetRenderState)
          command.UserCallback(&list, &command);
        continue;
      }
      const glm::vec2 limit(extent.width, extent.height);
      const glm::vec2 low =
          glm::clamp((glm::vec2(command.ClipRect.x, command.ClipRect.y) - origin) * pixels,
                     glm::vec2(0), limit);
      const glm::vec2 high =
          glm::clamp((glm::vec2(command.ClipRect.z, command.ClipRect.w) - origin) * pixels,
                     glm::vec2(0), limit);
      // Lists that were built before the atlas was uploaded name no texture yet: the atlas is
      // meant.
      const auto id = (uintptr_t)command.GetTexID();
      const auto texture = textures_.find(id != 0 ? id : fonts_);
      if (high.x <= low.x || high.y <= low.y || texture == textures_.end()) continue;
      const VkRect2D scissor{
          {static_cast<int32_t>(low.x), static_cast<int32_t>(low.y)},
          {static_cast<uint32_t>(high.x - low.x), static_cast<uint32_t>(high.y - low.y)}};
      vkCmdSetScissor(commands, 0, 1, &scissor);
      layout.bind_image(commands, shaders::kBindTextureA, texture->second.image.view(),
                        texture->second.nearest ? context_.nearest : context_.linear);
      context_.draw_indexed(commands, command.ElemCount, command.IdxOffset,
                            static_cast<int32_t>(command.VtxOffset));
    }
  }
}

uintptr_t ImguiRenderer::create_texture(VkExtent2D size, std::span<const uint8_t> rgba,
                                        bool nearest) {
  CHECK(size.width > 0 && size.height > 0 && rgba.size() == size_t{size.width} * size.height * 4);
  Texture& texture = textures_[next_id_];
  texture.nearest = nearest;
  texture.image = gpu::Image(context_.device,
                             {.width = size.width,
                              .height = size.height,
                              .format = VK_FORMAT_R8G8B8A8_UNORM,
                              .usage = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT,
                              .name = "ui texture"});
  context_.uploader.write(texture.image, {0, 0}, size, std::as_bytes(rgba), true);
  return next_id_++;
}

void ImguiRenderer::update_texture(uintptr_t id, std::span<const uint8_t> rgba) {
  const auto it = textures_.find(id);
  CHECK(it != textures_.end());
  const VkExtent2D size = it->second.image.extent();
  CHECK(rgba.size() == size_t{size.width} * size.height * 4);
  context_.uploader.write(it->second.image, {0, 0}, size, std::as_bytes(rgba), false);
}

void ImguiRenderer::load_fonts() {
  ImGuiIO& io = ImGui::GetIO();
  io.BackendRendererName = "fulgurite";
  io.BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset;
  if (fonts_ != 0) destroy_texture(fonts_);
  unsigned char* pixels = nullptr;
  int width = 0, height = 0;
  io.Fonts->GetTexDataAsRGBA32(&pixels, &width, &height);
  const VkExtent2D size{static_cast<uint32_t>(width), static_cast<uint32_t>(height)};
  fonts_ = create_texture(size, {pixels, size_t{size.width} * size.height * 4}, false);
  io.Fonts->SetTexID((ImTextureID)fonts_);
  revision_ = ui::Letters::revision();
}

}  // namespace render
