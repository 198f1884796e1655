#include "render/scene/tiles.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>

namespace scene {

Pyramid::Pyramid(const Sheet& sheet) : cells(sheet.cells_across(), sheet.cells_down()) {
  const glm::dvec2 size = sheet.cell_size();
  const int ratio = static_cast<int>(std::lround(std::log2(size.x / size.y)));
  less = {std::max(ratio, 0), std::max(-ratio, 0)};
  while (tiles(levels - 1) != glm::uvec2(1)) ++levels;
}

glm::ivec2 Pyramid::shift(int level) const {
  return glm::max(glm::ivec2(level) - less, glm::ivec2(0));
}

glm::uvec2 Pyramid::tiles(int level) const {
  const glm::ivec2 s = shift(level);
  const auto count = [](int64_t n, int by) {
    const int64_t span = int64_t{kTileTexels} << by;
    return static_cast<uint32_t>((n + span - 1) / span);
  };
  return {count(cells.x, s.x), count(cells.y, s.y)};
}

bool TileKey::operator<(const TileKey& o) const {
  return std::tie(sheet, level, at.x, at.y) < std::tie(o.sheet, o.level, o.at.x, o.at.y);
}

CellRange range_of(const Pyramid& pyramid, int level, glm::uvec2 at) {
  const glm::ivec2 shift = pyramid.shift(level);
  const glm::i64vec2 span(int64_t{kTileTexels} << shift.x, int64_t{kTileTexels} << shift.y);
  const glm::i64vec2 first = glm::i64vec2(at) * span;
  return {first, glm::min(first + span, pyramid.cells)};
}

namespace {

// Outside one of the planes of the view with all four corners.
bool outside(const std::array<glm::dvec3, 4>& corners, const glm::mat4& clip_from_eye) {
  std::array<int, 5> out{};
  for (const glm::dvec3& corner : corners) {
    const glm::vec4 c = clip_from_eye * glm::vec4(glm::vec3(corner), 1.0F);
    out[0] += c.x < -c.w;
    out[1] += c.x > c.w;
    out[2] += c.y < -c.w;
    out[3] += c.y > c.w;
    out[4] += c.w <= 0.0F;
  }
  return std::any_of(out.begin(), out.end(), [](int n) { return n == 4; });
}

class Cut {
 public:
  Cut(const std::vector<Sheet>& sheets, const TileView& view, double texel_px)
      : sheets_(sheets), view_(view), texel_px_(texel_px) {
    for (size_t i = 0; i < sheets.size(); ++i) {
      const Pyramid pyramid(sheets[i]);
      visit(i, pyramid, pyramid.levels - 1, {0, 0});
    }
    std::stable_sort(wanted.keep.begin(), wanted.keep.end(),
                     [](const WantedTile& a, const WantedTile& b) { return a.level > b.level; });
  }
  bool too_many() const { return too_many_; }
  Wanted wanted;

 private:
  void visit(size_t index, const Pyramid& pyramid, int level, glm::uvec2 at) {
    if (too_many_) return;
    const Sheet& sheet = sheets_[index];
    const CellRange range = range_of(pyramid, level, at);
    const glm::dvec2 a(range.first);
    const glm::dvec2 b(range.last);
    const std::array<glm::dvec3, 4> corners = {
        sheet.at(a) - view_.eye, sheet.at({b.x, a.y}) - view_.eye, sheet.at(b) - view_.eye,
        sheet.at({a.x, b.y}) - view_.eye};
    if (outside(corners, view_.clip_from_eye)) return;
    wanted.keep.push_back({index, level, at});
    if (level == 0 || !too_coarse(sheet, pyramid, level, corners)) {
      wanted.draw.push_back({index, level, at});
      too_many_ = wanted.draw.size() > kMostTiles;
      return;
    }
    const glm::uvec2 finer = pyramid.tiles(level - 1);
    const glm::ivec2 split = pyramid.shift(level) - pyramid.shift(level - 1);
    for (uint32_t y = 0; y <= static_cast<uint32_t>(split.y); ++y) {
      for (uint32_t x = 0; x <= static_cast<uint32_t>(split.x); ++x) {
        const glm::uvec2 child((at.x << split.x) + x, (at.y << split.y) + y);
        if (child.x < finer.x && child.y < finer.y) visit(index, pyramid, level - 1, child);
      }
    }
  }

  // A texel of this level is larger than two of the least ones.
  bool too_coarse(const Sheet& sheet, const Pyramid& pyramid, int level,
                  const std::array<glm::dvec3, 4>& corners) const {
    const glm::ivec2 shift = pyramid.shift(level);
    const glm::dvec2 cell = sheet.cell_size();
    const double texel = std::max(std::ldexp(cell.x, shift.x), std::ldexp(cell.y, shift.y));
    return texel > 2.0 * texel_px_ * view_.pixel_size * nearest(corners);
  }

  // Distance from the eye to the rectangle.
  static double nearest(const std::array<glm::dvec3, 4>& c) {
    const glm::dvec3 u = c[1] - c[0];
    const glm::dvec3 v = c[3] - c[0];
    const double s = std::clamp(-glm::dot(c[0], u) / glm::dot(u, u), 0.0, 1.0);
    const double t = std::clamp(-glm::dot(c[0], v) / glm::dot(v, v), 0.0, 1.0);
    return std::max(glm::length(c[0] + u * s + v * t), 1e-12);
  }

  const std::vector<Sheet>& sheets_;
  const TileView& view_;
  double texel_px_;
  bool too_many_ = false;
};

}  // namespace

Wanted wanted_tiles(const std::vector<Sheet>& sheets, const TileView& view) {
  for (double texel_px = view.texel_px;; texel_px *= 1.3) {
    Cut cut(sheets, view, texel_px);
    // More sheets than tiles: the nearest ones come first.
    if (!cut.too_many() || texel_px > 1e4 * view.texel_px) {
      if (cut.wanted.draw.size() > kMostTiles) cut.wanted.draw.resize(kMostTiles);
      return std::move(cut.wanted);
    }
  }
}

}  // namespace scene
