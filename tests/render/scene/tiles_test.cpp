#include "render/scene/tiles.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include <glm/gtc/matrix_transform.hpp>

#include "render/scene/tile_cache.h"
#include "tests/support/trace_builder.h"

namespace {

using scene::Pyramid;
using scene::Sheet;
using scene::TileKey;
using scene::WantedTile;

Sheet sheet_of(int64_t across, int64_t down, double width, double height) {
  Sheet s;
  s.rows = down;
  s.cols = across;
  s.corner = {-0.5 * width, 0.5 * height, 0.0};
  s.across = {width, 0.0, 0.0};
  s.down = {0.0, -height, 0.0};
  s.size = std::min(width, height);
  return s;
}

// From the front, the point under the middle of the frame at (x, y).
scene::TileView view_from(double x, double y, double distance, int height = 720) {
  scene::TileView view;
  view.eye = {x, y, distance};
  view.pixel_size = 2.0 * std::tan(0.31) / height;
  view.clip_from_eye = glm::perspectiveRH_ZO(0.62F, 16.0F / 9.0F, 1e-6F, 100.0F);
  return view;
}

TEST(Pyramid, TexelsAreAboutSquareAndTheTopIsOneTile) {
  for (const auto& [across, down] : std::vector<std::pair<int64_t, int64_t>>{
           {128, 4096}, {128256, 4096}, {14336, 4096}, {1, 4096}, {216, 128}, {1, 1}, {65, 64}}) {
    const double w = std::sqrt(static_cast<double>(across));
    const double h = std::sqrt(static_cast<double>(down));
    const Sheet s = sheet_of(across, down, w, h);
    const Pyramid p(s);
    EXPECT_EQ(glm::uvec2(1), p.tiles(p.levels - 1));
    EXPECT_EQ(glm::ivec2(0), p.shift(0)) << "the finest level is the cells";
    const glm::ivec2 top = p.shift(p.levels - 1);
    if (top.x > 0 && top.y > 0) {
      const double ratio = std::ldexp(s.cell_size().x, top.x) / std::ldexp(s.cell_size().y, top.y);
      EXPECT_LT(std::abs(std::log2(ratio)), 0.51) << across << " x " << down;
    }
    // Every level is covered by its tiles without gap or overlap.
    for (int level = 0; level < p.levels; ++level) {
      int64_t cells = 0;
      const glm::uvec2 n = p.tiles(level);
      if (uint64_t{n.x} * n.y > 200000) continue;
      for (uint32_t y = 0; y < n.y; ++y) {
        for (uint32_t x = 0; x < n.x; ++x) {
          const scene::CellRange r = range_of(p, level, {x, y});
          EXPECT_TRUE(r.last.x > r.first.x && r.last.y > r.first.y);
          cells += (r.last.x - r.first.x) * (r.last.y - r.first.y);
        }
      }
      EXPECT_EQ(across * down, cells);
    }
  }
}

TEST(WantedTiles, FromFarOneTileIsEnough) {
  const std::vector<Sheet> sheets = {sheet_of(4096, 4096, 1.0, 1.0)};
  const scene::Wanted wanted = wanted_tiles(sheets, view_from(0, 0, 30.0));
  ASSERT_EQ(1U, wanted.draw.size());
  EXPECT_EQ(Pyramid(sheets[0]).levels - 1, wanted.draw[0].level);
}

TEST(WantedTiles, NearEnoughTheyAreTheCellsThemselves) {
  const std::vector<Sheet> sheets = {sheet_of(4096, 4096, 1.0, 1.0)};
  // 20 pixels a cell.
  const double cell = 1.0 / 4096;
  const scene::Wanted wanted =
      wanted_tiles(sheets, view_from(0.1, 0.2, cell / 20.0 / view_from(0, 0, 1).pixel_size));
  ASSERT_FALSE(wanted.draw.empty());
  for (const WantedTile& t : wanted.draw) EXPECT_EQ(0, t.level);
  EXPECT_LE(wanted.draw.size(), 4U) << "64 cells of 20 pixels fill a frame";
}

TEST(WantedTiles, CoverWhatIsVisibleOnceAtOneScaleOfTexels) {
  const std::vector<Sheet> sheets = {sheet_of(14336, 4096, 1.2, 0.64)};
  const Pyramid p(sheets[0]);
  for (double distance = 2.0; distance > 1e-4; distance *= 0.7) {
    const scene::TileView view = view_from(0.13, -0.21, distance);
    const scene::Wanted wanted = wanted_tiles(sheets, view);
    EXPECT_LE(wanted.draw.size(), scene::kMostTiles);
    // Points of the frame: exactly one drawn tile under each that hits the sheet.
    for (int i = 0; i < 100; ++i) {
      const double half = std::tan(0.31) * distance;
      const glm::dvec3 at(view.eye.x + half * 1.7 * (i % 10 - 4.5) / 4.6,
                          view.eye.y + half * 0.95 * (i / 10 - 4.5) / 4.6, 0.0);
      const auto hit = scene::hit(sheets, view.eye, glm::normalize(at - view.eye));
      if (!hit) continue;
      int covering = 0;
      for (const WantedTile& t : wanted.draw) {
        const scene::CellRange r = range_of(p, t.level, t.at);
        covering += hit->cell.col >= r.first.x && hit->cell.col < r.last.x &&
                    hit->cell.row >= r.first.y && hit->cell.row < r.last.y;
        const glm::ivec2 shift = p.shift(t.level);
        const double texel_px =
            std::ldexp(sheets[0].cell_size().x, shift.x) / distance / view.pixel_size;
        EXPECT_TRUE(t.level == 0 || texel_px <= 2.0 * view.texel_px * 2.9);
      }
      EXPECT_EQ(1, covering) << "at " << distance;
    }
  }
}

TEST(WantedTiles, AncestorsAreKeptCoarsestFirst) {
  const std::vector<Sheet> sheets = {sheet_of(4096, 4096, 1.0, 1.0)};
  const scene::Wanted wanted = wanted_tiles(sheets, view_from(0.1, 0.2, 0.01));
  int level = Pyramid(sheets[0]).levels - 1;
  EXPECT_EQ(level, wanted.keep[0].level);
  std::set<std::tuple<int, uint32_t, uint32_t>> kept;
  for (const WantedTile& t : wanted.keep) {
    EXPECT_LE(t.level, level);
    level = t.level;
    kept.insert({t.level, t.at.x, t.at.y});
  }
  for (const WantedTile& t : wanted.draw) {
    for (int up = 0; t.level + up < Pyramid(sheets[0]).levels; ++up)
      EXPECT_TRUE(kept.contains({t.level + up, t.at.x >> up, t.at.y >> up}));
  }
}

TEST(WantedTiles, StayFewHoweverManySheetsThereAre) {
  std::vector<Sheet> sheets;
  for (int i = 0; i < 60; ++i) {
    sheets.push_back(sheet_of(4096, 4096, 1.0, 1.0));
    sheets.back().corner += glm::dvec3(0.4 * (i % 10) - 2.0, 0.3 * (i / 10) - 1.0, -0.001 * i);
  }
  EXPECT_LE(wanted_tiles(sheets, view_from(0, 0, 1.0)).draw.size(), scene::kMostTiles);
  EXPECT_LE(wanted_tiles(sheets, view_from(0, 0, 1.0, 2160)).draw.size(), scene::kMostTiles);
}

TEST(WantedTiles, NothingBehindTheEyeOrBesideTheFrame) {
  const std::vector<Sheet> sheets = {sheet_of(64, 64, 1.0, 1.0)};
  EXPECT_TRUE(wanted_tiles(sheets, view_from(0, 0, -1.0)).keep.empty());
  EXPECT_TRUE(wanted_tiles(sheets, view_from(9.0, 0, 1.0)).keep.empty());
}

TileKey key(uint32_t x) {
  TileKey k;
  k.at = {x, 0};
  return k;
}

TEST(TileCache, TheLeastRecentlyUsedGoesFirst) {
  scene::TileCache cache(3);
  for (uint32_t i = 0; i < 3; ++i) EXPECT_TRUE(cache.place(key(i)));
  cache.begin_frame();
  EXPECT_TRUE(cache.use(key(0)));
  cache.begin_frame();
  EXPECT_TRUE(cache.use(key(1)));
  EXPECT_TRUE(cache.place(key(3)));
  EXPECT_FALSE(cache.holds(key(2)));
  EXPECT_TRUE(cache.holds(key(0)) && cache.holds(key(1)) && cache.holds(key(3)));
  EXPECT_EQ(3U, cache.size());
}

TEST(TileCache, WhatTheFrameNeedsIsNotThrownOut) {
  scene::TileCache cache(2);
  cache.begin_frame();
  EXPECT_TRUE(cache.place(key(0)));
  EXPECT_TRUE(cache.place(key(1)));
  EXPECT_FALSE(cache.place(key(2))) << "both are in use";
  EXPECT_TRUE(cache.place(key(1))) << "its own slot again";
  cache.begin_frame();
  EXPECT_TRUE(cache.place(key(2)));
}

TEST(TileCache, ASlotHasOneOwner) {
  scene::TileCache cache(5);
  std::map<uint32_t, uint32_t> owner;
  for (uint32_t i = 0; i < 200; ++i) {
    cache.begin_frame();
    const auto slot = cache.place(key(i * 7919 % 23));
    ASSERT_TRUE(slot);
    ASSERT_LT(*slot, 5U);
    owner[*slot] = i * 7919 % 23;
    for (const auto& [s, k] : owner) {
      EXPECT_TRUE(!cache.holds(key(k)) || s == *cache.use(key(k)));
    }
  }
}

}  // namespace
