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

// Of layers, the first without; a shared expert beside the routed ones.
Layout mixture(uint32_t dense_layers = 1) {
  trace::StructureRecord s = tests::small_mixture();
  s.dense_layers = dense_layers;
  s.dense_neurons = 40;
  trace::ModelRecord m = tests::small_model();
  m.buckets = 15;  // of four neurons: experts have whole ones
  return Layout({trace::Model{m, s, {}, {}, {}}});
}

// Of a position 12 values are kept for all heads, of which each writes from 8.
Layout latent() {
  trace::ModelRecord m = tests::small_model();
  m.kv_heads = 1;
  m.head_width = 12;
  trace::StructureRecord s = trace::structure_of(m);
  s.kv_width = 12;
  s.query_width = 8 * m.heads;
  return Layout({trace::Model{m, s, {}, {}, {}}});
}

std::vector<Sheet> all(const Layout& layout) {
  std::vector<Sheet> sheets = scene::crown_sheets(layout);
  const trace::StructureRecord& s = layout.structure();
  const auto add = [&](std::vector<Sheet> more) {
    sheets.insert(sheets.end(), more.begin(), more.end());
  };
  add(scene::tape_sheets(layout));
  for (uint32_t l = 0; l < layout.model().layers; ++l) {
    add(scene::ffn_sheets(layout, l));
    add(scene::router_sheets(layout, l));
    for (uint32_t e = 0; s.experts > 0 && e <= s.experts; ++e)
      add(scene::expert_sheets(layout, l, e));
    for (uint32_t h = 0; h < layout.model().heads; ++h) add(scene::head_sheets(layout, l, h));
    for (uint32_t k = 0; k < layout.model().kv_heads; ++k) add(scene::lane_sheets(layout, l, k));
    for (const bool ffn : {false, true}) add(scene::spine_sheets(layout, l, ffn));
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

TEST(Sheets, LatentAttentionHasOneMatrixForAllKeysAndValues) {
  const Layout layout = latent();
  ASSERT_TRUE(layout.latent());
  EXPECT_FALSE(Layout(tests::small_model()).latent());
  std::map<std::string, const Sheet*> found;
  const std::vector<Sheet> sheets = scene::head_sheets(layout, 1, 3);
  for (const Sheet& s : sheets) found[s.title] = &s;
  EXPECT_EQ("blk.1.attn_kv_a_mqa.weight", found.at("W_DKV")->name);
  EXPECT_EQ(12, found.at("W_DKV")->rows);
  EXPECT_FALSE(found.contains("q")) << "no matrix that is shown makes it";
  EXPECT_EQ(0, found.at("k")->first_row) << "of the only KV head";
  EXPECT_EQ(8, found.at("z")->cols);
  EXPECT_EQ(3 * 8, found.at("W_o")->first_col);
  EXPECT_EQ(8, found.at("W_o")->cols);
  EXPECT_FALSE(found.contains("W_v"));
  EXPECT_EQ(1U, scene::lane_sheets(layout, 1, 0).size()) << "values are the beginning of the keys";
}

// Every group of a layout, each as it is hung up.
std::vector<std::vector<Sheet>> groups(const Layout& layout) {
  std::vector<std::vector<Sheet>> out;
  for (const Sheet& sheet : all(layout)) {
    const bool same = !out.empty() && out.back()[0].node == sheet.node &&
                      out.back()[0].id.index == sheet.id.index;
    if (!same) out.emplace_back();
    out.back().push_back(sheet);
  }
  return out;
}

TEST(Sheets, ExtentsGoByTheSquareRoot) {
  for (const Layout& layout :
       {Layout(tests::small_model()), Layout(eight_billion()), mixture(), latent()}) {
    for (const auto& group : groups(layout)) {
      double s = 0.0;
      for (const Sheet& sheet : group) {
        if (sheet.rows == 1) continue;
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

TEST(Sheets, NoTwoOverlapWhichLieInOnePlane) {
  for (const Layout& layout : {Layout(tests::small_model()), mixture()}) {
    const std::vector<Sheet> sheets = all(layout);
    for (size_t i = 0; i < sheets.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        const Sheet& a = sheets[i];
        const Sheet& b = sheets[j];
        const bool apart =
            a.corner.x >= b.corner.x + b.across.x || b.corner.x >= a.corner.x + a.across.x ||
            a.corner.y <= b.corner.y + b.down.y || b.corner.y <= a.corner.y + a.down.y ||
            std::abs(a.corner.z - b.corner.z) > 1e-6;
        EXPECT_TRUE(apart) << a.name << " " << a.title << " and " << b.name << " " << b.title;
      }
    }
  }
}

TEST(Sheets, AHeadsLieOnTheFrontOfItsBox) {
  const Layout layout(eight_billion());
  const shaders::Node box = layout.node(layout.head(3, 7));
  for (const Sheet& s : scene::head_sheets(layout, 3, 7)) {
    for (const glm::dvec3 corner : {s.corner, s.corner + s.across + s.down}) {
      EXPECT_LT(std::abs(corner.x - double{box.center.x}), double{box.half_size.x});
      EXPECT_LT(std::abs(corner.y - double{box.center.y}), double{box.half_size.y});
      EXPECT_GT(corner.z, double{box.center.z} + double{box.half_size.z});
    }
  }
}

// What the router chooses from: every weight of the layer's experts hangs on one plate of its own.
TEST(Sheets, TheExpertsOfALayerShareOutItsMatrices) {
  const Layout layout = mixture();
  const trace::StructureRecord& s = layout.structure();
  EXPECT_TRUE(scene::router_sheets(layout, 0).empty()) << "layer 0 is dense";
  EXPECT_TRUE(scene::expert_sheets(layout, 0, 0).empty());
  EXPECT_TRUE(scene::ffn_sheets(layout, 1).empty()) << "layer 1 is a mixture";
  EXPECT_EQ(40, scene::ffn_sheets(layout, 0)[1].rows) << "neurons of a dense layer";
  std::map<std::string, int64_t> columns;
  for (uint32_t e = 0; e <= s.experts; ++e) {
    const scene::Box plate = layout.expert_plate(1, e);
    const std::vector<Sheet> group = scene::expert_sheets(layout, 1, e);
    ASSERT_FALSE(group.empty()) << e;
    for (const Sheet& sheet : group) {
      if (sheet.name == "blk.1.ffn.act") columns[sheet.name] += sheet.cols;
      for (const glm::dvec3 corner : {sheet.corner, sheet.corner + sheet.across + sheet.down}) {
        EXPECT_LT(std::abs(corner.x - double{plate.center.x}), double{plate.half_size.x}) << e;
        EXPECT_LT(std::abs(corner.y - double{plate.center.y}), double{plate.half_size.y}) << e;
      }
    }
    const bool shared = e == s.experts;
    EXPECT_EQ(
        shared ? "blk.1.ffn_gate_shexp.weight" : "blk.1.ffn_gate." + std::to_string(e) + ".weight",
        group[1].name);
    EXPECT_EQ(shared ? s.shared_neurons : s.expert_neurons, group[1].rows);
  }
  EXPECT_EQ(layout.model().neurons, columns["blk.1.ffn.act"]) << "every neuron, once";
  EXPECT_EQ(s.experts, scene::router_sheets(layout, 1)[1].rows);
}

TEST(Sheets, AShelfShowsItsKeysAndValuesAPositionARow) {
  const Layout layout(tests::small_model());
  const trace::ModelRecord& m = layout.model();
  for (uint32_t k = 0; k < m.kv_heads; ++k) {
    const std::vector<Sheet> group = scene::lane_sheets(layout, 1, k);
    ASSERT_EQ(2U, group.size());
    EXPECT_EQ("blk.1.kv.k", group[0].name);
    EXPECT_EQ("blk.1.kv.v", group[1].name);
    for (const Sheet& s : group) {
      EXPECT_TRUE(s.grows && !s.stored && !s.transposed);
      EXPECT_EQ(m.context, s.rows);
      EXPECT_EQ(m.head_width, s.cols);
      EXPECT_EQ(k * m.head_width, s.first_col);
      // Over its own lane, before its newest slot.
      const shaders::Node slot = layout.node(layout.slot(1, k, 0));
      EXPECT_LE(std::abs(s.corner.x - double{slot.center.x}), double{slot.half_size.x});
      EXPECT_GT(s.corner.z, double{shaders::past_z(-0.5F)});
    }
  }
}

TEST(Sheets, EveryNormsGainHangsBesideTheStreamThatItScales) {
  std::map<std::string, int> seen;
  trace::StructureRecord structure = trace::structure_of(tests::small_model());
  structure.flags |= trace::kStructurePostNorms | trace::kStructureHeadNorms;
  const Layout layout({trace::Model{tests::small_model(), structure, {}, {}, {}}});
  for (const Sheet& s : all(layout)) {
    if (s.name.ends_with("norm.weight")) ++seen[s.name];
  }
  EXPECT_EQ(1, seen["output_norm.weight"]);
  for (const char* name : {"attn_norm", "ffn_norm", "post_attention_norm", "post_ffw_norm"}) {
    EXPECT_EQ(1, seen["blk.2." + std::string(name) + ".weight"]) << name;
  }
  EXPECT_EQ(4, seen["blk.2.attn_q_norm.weight"]) << "beneath every head's q";
  EXPECT_EQ(4, seen["blk.2.attn_k_norm.weight"]);
  for (const Sheet& s : scene::head_sheets(layout, 2, 3)) {
    if (s.id.part != Part::kQueryGain) continue;
    EXPECT_EQ(0, s.first_col) << "one gain for all heads";
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
  for (const Layout& layout : {Layout(tests::small_model()), Layout(eight_billion()), mixture()}) {
    for (const glm::dvec3 eye : {glm::dvec3(-2.0, 2.0, 1.4),
                                 {1.5, 3.0, 0.5},
                                 {0.0, 23.0, 4.0},
                                 {1.0, -0.4, 1.0},
                                 {0.0, 1.0, 0.4},
                                 {-1.2, 0.1, 0.6}}) {
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

TEST(Sheets, EveryOneIsFoundByItsIdAndByItsName) {
  for (const Layout& layout : {Layout(tests::small_model()), mixture()}) {
    for (const Sheet& sheet : all(layout)) {
      const auto found = scene::find_sheet(layout, sheet.id);
      ASSERT_TRUE(found) << sheet.name << ", " << sheet.title;
      EXPECT_EQ(sheet.id, found->id) << sheet.name;
      EXPECT_EQ(sheet.name, found->name);
      const auto cell =
          scene::find_cell(layout, sheet.name + "[" + std::to_string(sheet.first_row) + "," +
                                       std::to_string(sheet.first_col) + "]");
      ASSERT_TRUE(cell) << sheet.name;
      EXPECT_TRUE(scene::find_sheet(layout, cell->sheet)) << sheet.name;
    }
  }
}

TEST(Sheets, ACellIsNamedFoundAndHit) {
  const Layout layout(eight_billion());
  for (const char* name :
       {"blk.3.attn_q.weight[17,204]", "blk.31.attn_output.weight[4095,4095]",
        "blk.0.ffn_down.weight[0,14335]", "output.weight[128255,7]", "token_embd.weight[99,0]",
        "blk.7.ffn.act[0,20]", "blk.7.attn.q[31,127]", "blk.7.kv.k[8191,1023]", "blk.7.kv.v[0,128]",
        "blk.30.attn_norm.weight[0,4000]", "blk.30.resid.post[0,1]", "output_norm.weight[0,9]"}) {
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
  EXPECT_EQ("layer 7 > KV shelf > KV head 1 > V > position 5, column 130",
            scene::path(layout, *scene::find_cell(layout, "blk.7.kv.v[5,130]")));
  EXPECT_EQ("layer 7 > residual stream > g > 9",
            scene::path(layout, *scene::find_cell(layout, "blk.7.ffn_norm.weight[0,9]")));
  const Layout mixed = mixture();
  EXPECT_EQ("layer 2 > FFN > expert 1 > W_up > row 3, column 5",
            scene::path(mixed, *scene::find_cell(mixed, "blk.2.ffn_up.1.weight[3,5]")));
  EXPECT_EQ("layer 2 > FFN > shared expert > act > 50",
            scene::path(mixed, *scene::find_cell(mixed, "blk.2.ffn.act[0,50]")));
  EXPECT_EQ("layer 2 > FFN > router of 3 experts > W_router > row 2, column 31",
            scene::path(mixed, *scene::find_cell(mixed, "blk.2.ffn_gate_inp.weight[2,31]")));
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
