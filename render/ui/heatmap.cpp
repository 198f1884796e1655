#include "render/ui/heatmap.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace ui {

namespace {

// Which of `full` numbers the i-th of `shown` cells stands for, as engine/inspection.cpp cuts them.
struct Block {
  uint32_t first, last;
};
Block block_of(uint32_t i, uint32_t shown, uint32_t full) {
  const auto begin = [&](uint64_t cell) { return static_cast<uint32_t>(cell * full / shown); };
  return {begin(i), begin(uint64_t{i} + 1) - 1};
}

std::string numbers(Block block, uint32_t offset) {
  const std::string first = std::to_string(block.first + offset);
  return block.first == block.last ? first : first + ".." + std::to_string(block.last + offset);
}

// A value's colour, as on the sheets; extreme > 0.
uint32_t heat(const scene::CellColours& colours, float value, float extreme) {
  return scene::rgba_of(
      shaders::cell_color(colours.below, colours.zero, colours.above, value / extreme));
}

// Under the cells of a row with a position each: their tokens, those of the largest values first,
// as far as they have room.
void letters(const State& state, ImVec2 origin, float cell, float height,
             std::span<const float> values) {
  const float em = ImGui::GetFontSize();
  const float right = origin.x + cell * static_cast<float>(values.size());
  ImGui::Dummy(ImVec2(0.0F, em));
  std::vector<uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto size = [&](uint32_t i) { return std::isnan(values[i]) ? -1.0F : std::abs(values[i]); };
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return size(a) > size(b); });
  std::vector<std::pair<float, float>> taken;
  for (const uint32_t i : order) {
    const std::string token = token_text(state, i);
    const float width = ImGui::CalcTextSize(token.c_str()).x;
    const float middle = origin.x + (static_cast<float>(i) + 0.5F) * cell;
    const float x = std::max(std::min(middle - 0.5F * width, right - width), origin.x);
    const float apart = 0.2F * em;
    if (x + width > right + 0.5F * em ||
        std::any_of(taken.begin(), taken.end(), [&](const auto& other) {
          return x - apart < other.second && other.first < x + width + apart;
        })) {
      continue;
    }
    taken.emplace_back(x, x + width);
    ImGui::GetWindowDrawList()->AddText(ImVec2(x, origin.y + height + 0.15F * em),
                                        ImGui::GetColorU32(ImGuiCol_Text), token.c_str());
  }
}

// A frame around what the node stands for. shape: rows and columns of the picture; cell: of its
// cells, pixels.
void mark_own(const scene::TensorName& tensor, const trace::TensorRecord& r, glm::uvec2 shape,
              ImVec2 origin, ImVec2 cell) {
  if (tensor.own < 0 || tensor.own >= (tensor.cached ? r.full_rows : r.full_cols)) return;
  const auto own = static_cast<uint64_t>(tensor.own);
  glm::uvec2 low(0);  // column, row
  glm::uvec2 high(shape.y, 0);
  if (tensor.cached) {
    low.y = static_cast<uint32_t>(own * r.rows / r.full_rows);
  } else if (r.rows == 1) {
    const auto at = static_cast<uint32_t>(own * r.cols / r.full_cols);
    low = {at % shape.y, at / shape.y};
    high.x = low.x + 1;
  } else {
    return;
  }
  high.y = low.y + 1;
  const auto at = [&](glm::uvec2 corner) {
    return ImVec2(origin.x + static_cast<float>(corner.x) * cell.x,
                  origin.y + static_cast<float>(corner.y) * cell.y);
  };
  ImGui::GetWindowDrawList()->AddRect(at(low), at(high), ImGui::GetColorU32(ImGuiCol_Text));
}

}  // namespace

void Heatmap::draw(State& state, const scene::TensorName& tensor, const trace::TensorAnswer& answer,
                   float bottom) {
  const trace::TensorRecord& r = *answer.record;
  // A single row is folded into a block, so that its cells can be seen.
  uint32_t rows = r.rows;
  uint32_t cols = r.cols;
  if (rows == 1 && cols > 32) {
    cols = std::max(16U,
                    static_cast<uint32_t>(std::ceil(std::sqrt(static_cast<float>(r.cols) * 3.0F))));
    rows = (r.cols + cols - 1) / cols;
  }
  const float extreme = std::max({std::abs(r.min), std::abs(r.max), 1e-20F});
  render::Renderer& renderer = state.stage.renderer();
  const scene::CellColours colours =
      scene::palette(state.view.look.theme, state.view.look.palette).cells;
  if (request_ != r.request || words_ != colours.words) {
    std::vector<uint8_t> pixels(size_t{4} * rows * cols, 0);
    for (size_t i = 0; i < answer.values.size(); ++i) {
      const uint32_t rgba = heat(colours, answer.values[i], extreme);
      for (size_t c = 0; c < 4; ++c) pixels[i * 4 + c] = static_cast<uint8_t>(rgba >> (8 * c));
    }
    if (texture_ == 0 || rows != rows_ || cols != cols_) {
      if (texture_ != 0) renderer.destroy_texture(texture_);
      texture_ = renderer.create_texture(cols, rows, pixels, true);
      rows_ = rows;
      cols_ = cols;
    } else {
      renderer.update_texture(texture_, pixels);
    }
    request_ = r.request;
    words_ = colours.words;
  }
  const float width = ImGui::GetContentRegionAvail().x;
  // A short row lies under its bars.
  const bool strip = rows == 1 && r.rows == 1;
  const float cell = strip
                         ? width / static_cast<float>(cols)
                         : std::min(width / static_cast<float>(cols), ImGui::GetFontSize() * 1.2F);
  const float em = ImGui::GetFontSize();
  const ImVec2 origin = ImGui::GetCursorScreenPos();
  // The whole of it without scrolling, unless that would be a strip.
  const float room = std::max(bottom - 0.8F * em - origin.y, 8.0F * em);
  const float height =
      strip ? 1.4F * em
            : std::clamp(cell * static_cast<float>(rows), 12.0F, std::min(width * 1.05F, room));
  ImGui::Image((ImTextureID)texture_, ImVec2(cell * static_cast<float>(cols), height));
  const bool hovered = ImGui::IsItemHovered();
  mark_own(tensor, r, {rows, cols}, origin, {cell, height / static_cast<float>(rows)});
  if (strip && tensor.per_position) letters(state, origin, cell, height, answer.values);
  if (!hovered) return;
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  const auto col = static_cast<uint32_t>(std::max((mouse.x - origin.x) / cell, 0.0F));
  const auto row = static_cast<uint32_t>(
      std::max((mouse.y - origin.y) / height * static_cast<float>(rows), 0.0F));
  const size_t at = size_t{row} * cols + col;
  if (col >= cols || row >= rows || at >= answer.values.size()) return;
  // What the cell stands for: one value, or the mean of a block.
  const bool one_row = r.rows == 1;
  const auto y = block_of(one_row ? 0 : row, r.rows, r.full_rows);
  const auto x = block_of(one_row ? static_cast<uint32_t>(at) : col, r.cols, r.full_cols);
  const std::string place =
      (one_row ? ""
               : numbers(y, tensor.cached ? 0 : static_cast<uint32_t>(tensor.first_row)) + ", ") +
      numbers(x, 0);
  const bool single = y.first == y.last && x.first == x.last;
  ImGui::BeginTooltip();
  ImGui::Text("[%s]%s = %.6g", place.c_str(), single ? "" : " mean", double{answer.values[at]});
  if (tensor.per_position && x.first == x.last)
    ImGui::Text("token \"%s\"", token_text(state, x.first).c_str());
  if (tensor.cached && y.first == y.last)
    ImGui::Text("token \"%s\"", token_text(state, y.first).c_str());
  ImGui::EndTooltip();
}

}  // namespace ui
