#include "render/scene/sheets.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/support/trace_builder.h"

namespace {

using scene::CellRef;
using scene::Layout;
using scene::Part;
using scene::Sheet;

// Llama 3 8B (Meta 2024): L=32 C=4096 H=32 K=8 D=128 F=14336 V=128256.
trace::ModelRecord eight_billion() {
  trace::ModelRecord m = tests::small_model();
  m.layers = 32;
  m.width = 4096;
  m.heads = 32;
  m.kv_heads = 8;
  m.head_width = 128;
  m.neurons = 14336;
  m.vocabulary = 128256;
  m.context = 8192;
  m.buckets = 448;
  return m;
}

constexpr double kPixel = 0.00089;  // of a frame 720 pixels high
constexpr double kHeight = 720.0;

std::vector<Sheet> all(const Layout& layout) {
  std::vector<Sheet> sheets = scene::crown_sheets(layout);
  const auto add = [&](std::vector<Sheet> more) {
    sheets.insert(sheets.end(), more.begin(), more.end());
  };
  add(scene::tape_sheets(layout));
  for (uint32_t l = 0; l < layout.model().layers; ++l) {
    add(scene::ffn_sheets(layout, l));
    for (uint32_t h = 0; h < layout.model().heads; ++h) add(scene::head_sheets(layout, l, h));
  }
  return sheets;
}

TEST(Sheets, TheHeadsOfALayerShareOutItsMatrices) {
  const Layout layout(tests::small_model());
  const trace::ModelRecord& m = layout.model();
  std::map<std::string, int64_t> cells;
  for (uint32_t h = 0; h < m.heads; ++h) {
    for (const Sheet& s : scene::head_sheets(layout, 1, h)) {
      if (s.stored) cells[s.name] += s.rows * s.cols;
    }
  }
  const int64_t width = m.width;
  EXPECT_EQ(m.heads * m.head_width * width, cells["blk.1.attn_q.weight"]);
  EXPECT_EQ(m.heads * m.head_width * width, cells["blk.1.attn_output.weight"]);
  // Every head shows its KV head's.
  EXPECT_EQ(m.heads * m.head_width * width, cells["blk.1.attn_k.weight"]);
  for (const Sheet& s : scene::head_sheets(layout, 1, 3)) {
    if (s.id.part != Part::kValue) continue;
    EXPECT_EQ(m.head_width, s.first_row) << "head 3 reads KV head 1";
  }
}

TEST(Sheets, ExtentsGoByTheSquareRoot) {
  for (const trace::ModelRecord& m : {tests::small_model(), eight_billion()}) {
    const Layout layout(m);
    for (const auto& group : {scene::head_sheets(layout, 1, 2), scene::ffn_sheets(layout, 2),
                              scene::crown_sheets(layout), scene::tape_sheets(layout)}) {
      double s = 0.0;
      for (const Sheet& sheet : group) {
        if (!sheet.stored) continue;
        const double across =
            glm::length(sheet.across) / std::sqrt(static_cast<double>(sheet.cells_across()));
        const double down =
            glm::length(sheet.down) / std::sqrt(static_cast<double>(sheet.cells_down()));
        if (s == 0.0) s = across;
        EXPECT_NEAR(s, across, s * 1e-9) << sheet.title;
        EXPECT_NEAR(s, down, s * 1e-9) << sheet.title;
      }
    }
  }
}

TEST(Sheets, TheResidualStreamsChannelsLieAtOneHeightInAGroup) {
  const Layout layout(eight_billion());
  for (const auto& group : {scene::head_sheets(layout, 5, 9), scene::ffn_sheets(layout, 31)}) {
    const Sheet& first = group[0];
    for (const Sheet& s : group) {
      if (s.cells_down() != 4096) continue;
      EXPECT_NEAR(first.at({0, 1234}).y, s.at({0, 1234}).y, 1e-12) << s.title;
    }
  }
}

TEST(Sheets, OnesOfAGroupDoNotOverlap) {
  for (const trace::ModelRecord& m : {tests::small_model(), eight_billion()}) {
    const Layout layout(m);
    for (const auto& group : {scene::head_sheets(layout, 1, 2), scene::ffn_sheets(layout, 2),
                              scene::crown_sheets(layout), scene::tape_sheets(layout)}) {
      for (size_t i = 0; i < group.size(); ++i) {
        for (size_t j = 0; j < i; ++j) {
          const Sheet& a = group[i];
          const Sheet& b = group[j];
          const bool apart =
              a.corner.x >= b.corner.x + b.across.x || b.corner.x >= a.corner.x + a.across.x ||
              a.corner.y <= b.corner.y + b.down.y || b.corner.y <= a.corner.y + a.down.y;
          EXPECT_TRUE(apart) << a.title << " and " << b.title;
        }
      }
    }
  }
}

TEST(Sheets, AHeadsLieOnTheFrontOfItsBox) {
  const Layout layout(eight_billion());
  const shaders::Node box = layout.nodes()[layout.head(3, 7)];
  for (const Sheet& s : scene::head_sheets(layout, 3, 7)) {
    for (const glm::dvec3 corner : {s.corner, s.corner + s.across + s.down}) {
      EXPECT_LT(std::abs(corner.x - double{box.center.x}), double{box.half_size.x});
      EXPECT_LT(std::abs(corner.y - double{box.center.y}), double{box.half_size.y});
      EXPECT_GT(corner.z, double{box.center.z} + double{box.half_size.z});
    }
  }
}

TEST(Sheets, AppearWhenNearAndStayAway) {
  const Layout layout(eight_billion());
  const Sheet s = scene::head_sheets(layout, 3, 7)[1];
  const glm::dvec3 middle = s.corner + 0.5 * (s.across + s.down);
  float before = 0.0F;
  for (double distance = 30.0; distance > 1e-4; distance *= 0.8) {
    const float now =
        scene::appearance(s, middle + glm::dvec3(0.0, 0.0, distance), kPixel, kHeight);
    EXPECT_GE(now, before);
    before = now;
  }
  EXPECT_EQ(1.0F, before);
  EXPECT_EQ(0.0F, scene::appearance(s, middle + glm::dvec3(0.0, 0.0, 30.0), kPixel, kHeight));
}

TEST(Sheets, TheOnesThatAppearAreAmongThoseNearWhateverTheModelsDepth) {
  for (const trace::ModelRecord& m : {tests::small_model(), eight_billion()}) {
    const Layout layout(m);
    for (const glm::dvec3 eye :
         {glm::dvec3(-2.0, 2.0, 1.4), {1.5, 3.0, 0.5}, {0.0, 23.0, 4.0}, {1.0, -0.4, 1.0}}) {
      const auto near = scene::sheets_near(layout, eye, kPixel, kHeight);
      size_t appeared = 0;
      for (const Sheet& s : all(layout)) {
        if (scene::appearance(s, eye, kPixel, kHeight) == 0.0F) continue;
        ++appeared;
        EXPECT_TRUE(std::any_of(near.begin(), near.end(), [&](const Sheet& other) {
          return other.id == s.id;
        })) << s.name;
      }
      EXPECT_GE(near.size(), appeared);
      EXPECT_LT(near.size(), 1000U);
    }
  }
}

TEST(Sheets, ACellIsNamedFoundAndHit) {
  const Layout layout(eight_billion());
  for (const char* name :
       {"blk.3.attn_q.weight[17,204]", "blk.31.attn_output.weight[4095,4095]",
        "blk.0.ffn_down.weight[0,14335]", "output.weight[128255,7]", "token_embd.weight[99,0]",
        "blk.7.ffn.act[0,20]", "blk.7.attn.q[31,127]"}) {
    const auto cell = scene::find_cell(layout, name);
    ASSERT_TRUE(cell) << name;
    const auto sheet = scene::find_sheet(layout, cell->sheet);
    ASSERT_TRUE(sheet) << name;
    const glm::dvec3 at = sheet->at(scene::place(*sheet, *cell) + 0.5);
    const auto hit = scene::hit({*sheet}, at + glm::dvec3(0.0, 0.0, 0.5), {0.0, 0.0, -1.0});
    ASSERT_TRUE(hit) << name;
    EXPECT_EQ(*cell, hit->cell) << name;
    EXPECT_NEAR(0.5, hit->distance, 1e-9);
  }
  EXPECT_EQ("layer 3 > attention > head 0 > W_q > row 17, column 204",
            scene::path(layout, *scene::find_cell(layout, "blk.3.attn_q.weight[17,204]")));
  EXPECT_EQ("layer 0 > FFN > W_down > row 0, column 14335",
            scene::path(layout, *scene::find_cell(layout, "blk.0.ffn_down.weight[0,14335]")));
  EXPECT_EQ("crown > W_U > row 128255, column 7",
            scene::path(layout, *scene::find_cell(layout, "output.weight[128255,7]")));
  EXPECT_EQ("layer 7 > FFN > act > 20",
            scene::path(layout, *scene::find_cell(layout, "blk.7.ffn.act[0,20]")));
}

TEST(Sheets, ThereIsNoOtherCell) {
  const Layout layout(eight_billion());
  for (const char* name :
       {"", "[", "[]", "blk.3.attn_q.weight", "blk.3.attn_q.weight[17]",
        "blk.3.attn_q.weight[17,204", "blk.3.attn_q.weight[17,204]x", "blk.3.attn_q.weight[a,b]",
        "blk.3.attn_q.weight[4096,0]", "blk.3.attn_q.weight[0,4096]", "blk.3.attn_q.weight[-1,0]",
        "blk.32.attn_q.weight[0,0]", "blk.x.attn_q.weight[0,0]", "nonsense[0,0]",
        "blk.3.attn_q.weight[99999999999999999999,0]", "blk.99999999999.attn_q.weight[0,0]"}) {
    EXPECT_FALSE(scene::find_cell(layout, name)) << name;
  }
}

TEST(Sheets, ARayHitsTheNearestAndNothingBesideOrBehind) {
  const Layout layout(tests::small_model());
  const std::vector<Sheet> group = scene::head_sheets(layout, 0, 0);
  std::vector<Sheet> sheets = {group[1], group[1]};
  sheets[1].corner.z += 1.0;
  const glm::dvec3 middle = group[1].corner + 0.5 * (group[1].across + group[1].down);
  const glm::dvec3 eye = middle + glm::dvec3(0.0, 0.0, 3.0);
  EXPECT_EQ(1U, scene::hit(sheets, eye, {0.0, 0.0, -1.0})->sheet);
  EXPECT_FALSE(scene::hit(sheets, eye, {0.0, 0.0, 1.0}));
  EXPECT_FALSE(scene::hit(sheets, eye + group[1].across, {0.0, 0.0, -1.0}));
  EXPECT_FALSE(scene::hit(sheets, eye, {1.0, 0.0, 0.0})) << "along the sheet";
}

}  // namespace
