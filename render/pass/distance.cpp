#include "render/pass/distance.h"

#include <algorithm>
#include <cmath>

namespace render {
namespace {

// Pixels whose middles lie in [from, to).
struct Range {
  uint32_t begin;
  uint32_t end;
};
uint32_t first_middle(float from, uint32_t size) {
  return static_cast<uint32_t>(std::clamp(std::ceil(from - 0.5F), 0.0F, static_cast<float>(size)));
}
Range middles(float from, float to, uint32_t size) {
  return {first_middle(from, size), first_middle(to, size)};
}

// To the edge's nearest point, squared, where that is less than so far.
void near_edge(const Edge& edge, glm::uvec2 size, float spread, std::vector<float>& squared) {
  const glm::vec2 low = glm::min(edge.from, edge.to) - spread;
  const glm::vec2 high = glm::max(edge.from, edge.to) + spread;
  const Range columns = middles(low.x, high.x, size.x);
  const Range rows = middles(low.y, high.y, size.y);
  const glm::vec2 along = edge.to - edge.from;
  const float inverse = 1.0F / std::max(glm::dot(along, along), 1e-12F);
  for (uint32_t y = rows.begin; y < rows.end; ++y) {
    float* row = squared.data() + size_t{y} * size.x;
    for (uint32_t x = columns.begin; x < columns.end; ++x) {
      const glm::vec2 p = glm::vec2(x, y) + 0.5F - edge.from;
      const glm::vec2 off = p - along * std::clamp(glm::dot(p, along) * inverse, 0.0F, 1.0F);
      row[x] = std::min(row[x], glm::dot(off, off));
    }
  }
}

// An edge turns the outline around every pixel to its right.
void wind(const Edge& edge, glm::uvec2 size, std::vector<int>& turns) {
  const bool down = edge.to.y > edge.from.y;
  const glm::vec2 upper = down ? edge.from : edge.to;
  const glm::vec2 lower = down ? edge.to : edge.from;
  const Range rows = middles(upper.y, lower.y, size.y);
  for (uint32_t y = rows.begin; y < rows.end; ++y) {
    const float share = (static_cast<float>(y) + 0.5F - upper.y) / (lower.y - upper.y);
    const float x = upper.x + share * (lower.x - upper.x);
    const uint32_t column = first_middle(x, size.x);
    turns[size_t{y} * (size.x + 1) + column] += down ? 1 : -1;
  }
}

}  // namespace

std::vector<uint8_t> distances(std::span<const Edge> edges, glm::uvec2 size, float spread) {
  std::vector<float> squared(size_t{size.x} * size.y, spread * spread);
  std::vector<int> turns(size_t{size.x + 1} * size.y, 0);
  for (const Edge& edge : edges) {
    near_edge(edge, size, spread, squared);
    wind(edge, size, turns);
  }
  std::vector<uint8_t> out(squared.size());
  for (uint32_t y = 0; y < size.y; ++y) {
    int winding = 0;
    for (uint32_t x = 0; x < size.x; ++x) {
      winding += turns[size_t{y} * (size.x + 1) + x];
      const size_t i = size_t{y} * size.x + x;
      const int off = static_cast<int>(std::sqrt(squared[i]) * (128.0F / spread));
      out[i] = static_cast<uint8_t>(winding != 0 ? std::min(128 + off, 255) : 128 - off);
    }
  }
  return out;
}

}  // namespace render
