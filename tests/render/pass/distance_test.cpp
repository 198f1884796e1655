// Signed distances of outlines, against the distance formula itself; no driver needed.
#include "render/pass/distance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace render {
namespace {

constexpr float kSpread = 8;

std::vector<Edge> closed(const std::vector<glm::vec2>& corners) {
  std::vector<Edge> edges;
  for (size_t i = 0; i < corners.size(); ++i)
    edges.push_back({corners[i], corners[(i + 1) % corners.size()]});
  return edges;
}

std::vector<glm::vec2> circle(glm::vec2 center, float radius, float turn) {
  std::vector<glm::vec2> corners;
  constexpr int kCorners = 400;
  for (int i = 0; i < kCorners; ++i) {
    const float angle = turn * 6.28318531F * static_cast<float>(i) / kCorners;
    corners.push_back(center + radius * glm::vec2(std::cos(angle), std::sin(angle)));
  }
  return corners;
}

int expected(float inside_px) {
  return std::clamp(static_cast<int>(std::trunc(inside_px * 128.0F / kSpread)) + 128, 0, 255);
}

TEST(Distances, OfACircleAreItsRadiusLessTheDistanceFromItsMiddle) {
  const glm::vec2 center(23.3F, 19.8F);
  const glm::uvec2 size(48, 40);
  const auto got = distances(closed(circle(center, 11.5F, 1)), size, kSpread);
  for (uint32_t y = 0; y < size.y; ++y) {
    for (uint32_t x = 0; x < size.x; ++x) {
      const float inside = 11.5F - glm::length(glm::vec2(x, y) + 0.5F - center);
      EXPECT_NEAR(got[y * size.x + x], expected(inside), 1) << x << ", " << y;
    }
  }
}

TEST(Distances, CornersAreRoundOutsideAndMitredInside) {
  const auto got = distances(closed({{10, 10}, {30, 10}, {30, 20}, {10, 20}}), {40, 30}, kSpread);
  const auto at = [&](uint32_t x, uint32_t y) { return int{got[y * 40 + x]}; };
  EXPECT_EQ(at(20, 9), expected(-0.5F));
  EXPECT_EQ(at(20, 10), expected(0.5F));
  EXPECT_EQ(at(20, 14), expected(4.5F));
  EXPECT_EQ(at(7, 7), expected(-2.5F * std::sqrt(2.0F)));
  EXPECT_EQ(at(12, 12), expected(2.5F));
  EXPECT_EQ(at(0, 0), 0) << "farther than the spread";
}

TEST(Distances, AHoleIsOutsideAndWhatOverlapsIsInsideOnce) {
  std::vector<Edge> ring = closed(circle({20, 20}, 15, 1));
  const std::vector<Edge> hole = closed(circle({20, 20}, 7, -1));
  ring.insert(ring.end(), hole.begin(), hole.end());
  const auto pierced = distances(ring, {40, 40}, kSpread);
  EXPECT_LT(pierced[20 * 40 + 20], 128);
  EXPECT_GT(pierced[20 * 40 + 9], 128);
  std::vector<Edge> two = closed(circle({16, 20}, 9, 1));
  const std::vector<Edge> other = closed(circle({24, 20}, 9, 1));
  two.insert(two.end(), other.begin(), other.end());
  EXPECT_GT(distances(two, {40, 40}, kSpread)[20 * 40 + 20], 128) << "in both";
}

TEST(Distances, OfNothingAreFar) {
  const auto got = distances({}, {3, 2}, kSpread);
  EXPECT_EQ(got, std::vector<uint8_t>(6, 0));
  EXPECT_TRUE(distances({}, {0, 0}, kSpread).empty());
}

TEST(Distances, OfWhatLiesOutsideTheBitmapDoNoHarm) {
  const auto got = distances(closed({{-50, -50}, {90, -50}, {90, 90}, {-50, 90}}), {8, 8}, kSpread);
  EXPECT_EQ(got, std::vector<uint8_t>(64, 255)) << "all of it is inside";
}

}  // namespace
}  // namespace render
