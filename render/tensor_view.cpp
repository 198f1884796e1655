#include "render/tensor_view.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "render/outline.h"
#include "render/pass/tensors.h"

namespace render {

namespace {

constexpr glm::vec2 kNoCell{-1e6F, -1e6F};
constexpr double kTexelPx = 1.6;  // in a frame 720 pixels high; more in a higher one

}  // namespace

TensorView::TensorView() : store_(kTileSlots) {}

void TensorView::update(const Input& input) {
  viewport_ = input.viewport;
  const float aspect = viewport_.x / std::max(viewport_.y, 1.0F);
  eye_ = input.camera.exact_eye();
  clip_from_eye_ = input.camera.clip_from_eye(aspect);
  eye_from_clip_ = glm::inverse(glm::dmat4(clip_from_eye_));
  pixel_size_ = 2.0 * std::tan(double{scene::Camera::kFovY} * 0.5) / double{viewport_.y};
  answered_ = input.control != nullptr;
  position_ = input.position;
  sheets_.clear();
  appearance_.clear();
  for (scene::Sheet& sheet :
       scene::sheets_near(input.layout, eye_, pixel_size_, double{viewport_.y})) {
    // What the model does not have leaves its place empty.
    if (store_.missing(sheet) != nullptr && store_.facts(sheet.id) == nullptr) continue;
    const float alpha = scene::appearance(sheet, eye_, pixel_size_, double{viewport_.y});
    if (alpha <= 0.0F) continue;
    appearance_.push_back(alpha);
    sheets_.push_back(std::move(sheet));
  }
  const double texel_px = kTexelPx * std::max(double{viewport_.y} / 720.0, 1.0);
  const scene::Wanted wanted =
      scene::wanted_tiles(sheets_, {eye_, clip_from_eye_, pixel_size_, texel_px});
  store_.update({input.reader, input.control, input.position}, sheets_, wanted);
  quads_.clear();
  for (const scene::WantedTile& tile : wanted.draw) add_quad(input, tile.sheet, tile);
}

void TensorView::add_quad(const Input& input, size_t index, const scene::WantedTile& tile) {
  const scene::Sheet& sheet = sheets_[index];
  const scene::Pyramid pyramid(sheet);
  scene::CellRange range = scene::range_of(pyramid, tile.level, tile.at);
  // Where the sheet ends for now; what is still to come is not drawn.
  const glm::i64vec2 end(pyramid.cells.x, present(sheet));
  range.last.y = std::min(range.last.y, end.y);
  if (range.first.y >= range.last.y) return;
  const glm::dvec2 a(range.first);
  const glm::dvec2 b(range.last);
  shaders::TileQuad q{};
  q.corner[0] = glm::vec3(sheet.at(a) - eye_);
  q.corner[1] = glm::vec3(sheet.at({b.x, a.y}) - eye_);
  q.corner[2] = glm::vec3(sheet.at(b) - eye_);
  q.corner[3] = glm::vec3(sheet.at({a.x, b.y}) - eye_);
  q.cells = glm::vec2(b - a);
  q.first = glm::vec2(range.first % glm::i64vec2(shaders::kTileGrid));
  const auto mark = [&](const std::optional<scene::CellRef>& cell) {
    if (!cell || !(cell->sheet == sheet.id)) return kNoCell;
    return glm::vec2(scene::place(sheet, *cell) - a);
  };
  q.hovered = mark(input.hovered);
  q.selected = mark(input.selected);
  q.below = input.palette.cells.below;
  q.zero = input.palette.cells.zero;
  q.above = input.palette.cells.above;
  q.alpha = appearance_[index];
  q.scale = 1.0F;
  q.flags = (range.first.y == 0 ? 1U : 0U) | (range.last.x == end.x ? 2U : 0U) |
            (range.last.y == end.y ? 4U : 0U) | (range.first.x == 0 ? 8U : 0U);
  q.flags *= shaders::kTileEdges;
  const SheetFacts* facts = store_.facts(sheet.id);
  if (const auto found = store_.find(sheet, pyramid, tile.level, tile.at); found && facts) {
    const glm::ivec2 shift = pyramid.shift(found->level);
    const scene::CellRange held = scene::range_of(pyramid, found->level, found->at);
    const glm::dvec2 per_cell(std::ldexp(1.0, -shift.x), std::ldexp(1.0, -shift.y));
    q.slot = glm::vec2(tile_origin(found->slot));
    q.texels_a_cell = glm::vec2(per_cell);
    q.texel = glm::vec2((a - glm::dvec2(held.first)) * per_cell);
    q.last = glm::vec2(glm::ceil(glm::dvec2(held.last - held.first) * per_cell) - 1.0);
    q.scale = facts->scale;
    q.flags |= shaders::kTileKnown | (found->partial ? shaders::kTilePartial : 0U);
  }
  quads_.push_back(q);
}

glm::dvec3 TensorView::ray(glm::vec2 point) const {
  const glm::dvec4 far = eye_from_clip_ * glm::dvec4(glm::dvec2(point), 1.0, 1.0);
  return glm::normalize(glm::dvec3(far) / far.w);
}

std::optional<glm::vec2> TensorView::pixel(const glm::dvec3& world) const {
  const glm::dvec4 clip = glm::dmat4(clip_from_eye_) * glm::dvec4(world - eye_, 1.0);
  if (clip.w <= 0.0 || clip.z < 0.0) return {};
  return (glm::vec2(glm::dvec2(clip) / clip.w) * 0.5F + 0.5F) * viewport_;
}

std::optional<scene::SheetHit> TensorView::under(glm::vec2 point) const {
  auto hit = scene::hit(sheets_, eye_, ray(point));
  if (hit && sheets_[hit->sheet].grows && hit->cell.row > int64_t{position_}) return {};
  return hit;
}

int64_t TensorView::present(const scene::Sheet& sheet) const {
  const int64_t all = sheet.cells_down();
  return sheet.grows ? std::min(all, int64_t{position_} + 1) : all;
}

bool TensorView::fills_frame() const {
  if (sheets_.empty()) return false;
  for (const glm::vec2 corner : {glm::vec2(-1.0F), {1.0F, -1.0F}, {-1.0F, 1.0F}, {1.0F, 1.0F}}) {
    const auto hit = under(corner);
    if (!hit || appearance_[hit->sheet] < 1.0F) return false;
  }
  return true;
}

void TensorView::outline(const std::vector<scene::CellSource>& parts, const scene::Palette& palette,
                         float width_px, std::vector<shaders::Line>& lines) const {
  for (size_t i = 0; i < sheets_.size(); ++i) {
    const scene::Sheet& sheet = sheets_[i];
    const uint32_t colour = scene::faded(palette.text, 0.88F * appearance_[i]);
    for (const scene::CellSource& part : parts) {
      if (!(part.sheet == sheet.id)) continue;
      const glm::dvec2 a = scene::place(sheet, {sheet.id, part.row, part.col});
      const glm::dvec2 size(static_cast<double>(sheet.transposed ? part.rows : part.cols),
                            static_cast<double>(sheet.transposed ? part.cols : part.rows));
      const glm::dvec2 b = a + size;
      const std::array corners = {sheet.at(a), sheet.at({b.x, a.y}), sheet.at(b),
                                  sheet.at({a.x, b.y})};
      for (size_t c = 0; c < corners.size(); ++c) {
        const auto clip = [&](const glm::dvec3& at) {
          return glm::dmat4(clip_from_eye_) * glm::dvec4(at - eye_, 1.0);
        };
        add_line(clip(corners[c]), clip(corners[(c + 1) % corners.size()]), viewport_, width_px,
                 colour, lines);
      }
    }
  }
}

bool TensorView::covers(const Label& label, const glm::mat4& clip_from_world) const {
  if (sheets_.empty()) return false;
  const glm::vec4 clip = clip_from_world * glm::vec4(label.anchor, 1.0F);
  if (clip.w <= 0.0F) return false;
  const auto hit = under(glm::vec2(clip) / clip.w + label.offset_px / viewport_ * 2.0F);
  return hit && appearance_[hit->sheet] > 0.5F &&
         hit->distance < glm::length(glm::dvec3(label.anchor) - eye_);
}

}  // namespace render
