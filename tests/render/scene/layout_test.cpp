#include "render/scene/layout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "render/scene/node_path.h"
#include "render/scene/numbers.h"
#include "tests/support/trace_builder.h"

namespace {

using scene::Kind;
using scene::Layout;
using scene::NodeRef;
using tests::small_model;

trace::ModelRecord shaped(uint32_t layers, uint32_t heads, uint32_t kv_heads, uint32_t neurons,
                          uint32_t buckets, uint32_t context) {
  trace::ModelRecord m = small_model();
  m.layers = layers;
  m.heads = heads;
  m.kv_heads = kv_heads;
  m.neurons = neurons;
  m.buckets = buckets;
  m.context = context;
  return m;
}

std::vector<trace::ModelRecord> models() {
  return {small_model(),
          shaped(1, 1, 1, 1, 1, 1),
          shaped(6, 4, 4, 352, 352, 256),
          shaped(3, 8, 2, 176, 176, 128),
          shaped(12, 12, 12, 3072, 512, 1024),
          shaped(5, 3, 1, 7, 5, 60001)};
}

TEST(Layout, EveryIndexNamesItsNodeAndNoOther) {
  for (const trace::ModelRecord& m : models()) {
    const Layout layout(m);
    std::set<uint32_t> used;
    const auto expect = [&](uint32_t index, const NodeRef& ref) {
      ASSERT_LT(index, layout.elements());
      EXPECT_TRUE(used.insert(index).second) << "used twice: " << index;
      EXPECT_EQ(ref, layout.ref(index)) << layout.path(ref);
    };
    for (uint32_t l = 0; l < m.layers; ++l) {
      for (uint32_t i = 0; i < Layout::kSpineParts; ++i) {
        expect(layout.spine(l, false, i), {Kind::kSpineAttention, l, i, 0});
        expect(layout.spine(l, true, i), {Kind::kSpineFfn, l, i, 0});
      }
      for (uint32_t h = 0; h < m.heads; ++h) expect(layout.head(l, h), {Kind::kHead, l, h, 0});
      for (uint32_t b = 0; b < m.buckets; ++b) expect(layout.cell(l, b), {Kind::kCell, l, b, 0});
      for (uint32_t k = 0; k < m.kv_heads; ++k) {
        for (uint32_t c = 0; c < layout.columns(); ++c)
          expect(layout.slot(l, k, c), {Kind::kSlot, l, k, c});
      }
    }
    for (uint32_t i = 0; i < Layout::kCandidates; ++i) {
      expect(layout.candidate(i), {Kind::kCandidate, m.layers, i, 0});
    }
    expect(layout.candidate(Layout::kCandidates),
           {Kind::kRestCandidate, m.layers, Layout::kCandidates, 0});
    for (uint32_t c = 0; c < layout.columns(); ++c) expect(layout.tape(c), {Kind::kTape, 0, 0, c});
    EXPECT_EQ(layout.elements(), used.size()) << "elements without a name";
  }
}

TEST(Layout, EveryPositionHasAColumn) {
  for (const trace::ModelRecord& m : models()) {
    const Layout layout(m);
    EXPECT_EQ(0U, layout.column_of(0));
    EXPECT_EQ(layout.columns() - 1, layout.column_of(m.context - 1));
    if (uint64_t{m.layers} * m.kv_heads * m.context <= Layout::kMaxSlots) {
      EXPECT_EQ(1U, layout.positions_per_column());
    }
  }
}

TEST(Layout, NoTwoNodesOfAKindOverlap) {
  for (const trace::ModelRecord& m : models()) {
    const Layout layout(m);
    std::map<Kind, std::vector<shaders::Node>> kinds;
    const uint32_t elements = layout.elements();
    for (uint32_t i = 0; i < elements; ++i) {
      const NodeRef ref = layout.ref(i);
      // Columns of the past are apart in depth: the next test. Storeys are alike.
      if (ref.column == 0 && ref.layer < 2) kinds[ref.kind].push_back(layout.node(i));
    }
    for (const auto& [kind, nodes] : kinds) {
      for (size_t i = 0; i < nodes.size(); ++i) {
        for (size_t j = i + 1; j < nodes.size(); ++j) {
          const glm::vec3 apart = glm::abs(nodes[i].center - nodes[j].center);
          const glm::vec3 reach = nodes[i].half_size + nodes[j].half_size;
          ASSERT_TRUE(apart.x > reach.x || apart.y > reach.y || apart.z > reach.z)
              << "kind " << static_cast<int>(kind) << " " << i << " " << j;
        }
      }
    }
  }
}

// shaders/node.glsl draws a column at past_z(age), as deep as its place there allows.
TEST(Layout, ColumnsLieBehindEachOtherAndNeverTouch) {
  const Layout layout(small_model());
  const float depth = layout.node(layout.slot(0, 0, 0)).half_size.z;
  const auto z = [](int halves) { return shaders::past_z(0.5F * static_cast<float>(halves)); };
  const auto half_depth = [&](int age) {
    return depth * (z(2 * age - 1) - z(2 * age + 1)) / (z(-1) - z(1));
  };
  EXPECT_EQ(0.0F, z(0));
  for (int age = 0; age < 4096; ++age) {
    EXPECT_GT(z(2 * age) - z(2 * age + 2), half_depth(age) + half_depth(age + 1)) << age;
  }
}

// plates.frag finds the cell of a place; the scene asks where a cell lies. They must agree.
TEST(Layout, EveryCellLiesWhereItsPlateShowsIt) {
  for (const trace::ModelRecord& m : models()) {
    const Layout layout(m);
    for (const shaders::Grid& grid : layout.grids()) {
      for (uint32_t e = 0; e < std::min(grid.elements, 5000U); ++e) {
        const uint32_t x = column_at(grid, e);
        const uint32_t y = row_at(grid, e);
        ASSERT_EQ(e, element_at(grid, x, y));
        const shaders::Node plate = layout.boxes()[grid.first_node];
        const shaders::Node cell = layout.node(grid.first_element + e);
        const glm::vec3 share =
            (cell.center - plate.center + plate.half_size) / (2.0F * plate.half_size);
        if (grid.past != 0) {
          EXPECT_EQ(x, static_cast<uint32_t>((1.0F - share.x) * static_cast<float>(grid.cols)));
          EXPECT_EQ(static_cast<float>(y), cell.column);
        } else {
          EXPECT_EQ(x, static_cast<uint32_t>(share.x * static_cast<float>(grid.cols)));
          EXPECT_EQ(y, static_cast<uint32_t>((1.0F - share.y) * static_cast<float>(grid.rows)));
        }
      }
      for (uint32_t x = 0; x < grid.cols; ++x) {
        EXPECT_EQ(shaders::kNoElement, element_at(grid, x, grid.rows));
      }
    }
  }
}

// Every place has a block of its own plate on every level, and no other plate has it.
TEST(Layout, BlocksOfPlatesFollowEachOther) {
  for (const trace::ModelRecord& m : models()) {
    uint32_t blocks = 0;
    const Layout layout(m);
    for (const shaders::Grid& grid : layout.grids()) {
      EXPECT_EQ(blocks, grid.first_block);
      std::set<uint32_t> used;
      for (uint32_t x = 0; x < grid.cols; ++x) {
        for (uint32_t y = 0; y < grid.rows; ++y) {
          for (uint32_t level = 1; level <= shaders::kBlockLevels; ++level)
            used.insert(block_at(grid, x, y, level));
        }
      }
      EXPECT_EQ(grid.blocks, used.size());
      EXPECT_EQ(grid.blocks - 1, *used.rbegin());
      blocks += grid.blocks * grid.plates;
    }
  }
}

TEST(Layout, StoreysStackAndTheWingsStandBesideTheSpine) {
  const Layout layout(small_model());
  for (uint32_t l = 0; l < 3; ++l) {
    EXPECT_GT(layout.junction(l, true).y, layout.junction(l, false).y);
    for (const uint32_t node : {layout.head(l, 1), layout.slot(l, 1, 3), layout.cell(l, 7)}) {
      const float y = layout.node(node).center.y;
      EXPECT_GE(y, layout.storey_y(l));
      EXPECT_LE(y, layout.storey_y(l + 1));
    }
    EXPECT_LT(layout.node(layout.head(l, 0)).center.x, 0.0F);
    EXPECT_GT(layout.node(layout.cell(l, 0)).center.x, 0.0F);
  }
  EXPECT_GT(layout.crown_y(), layout.spine_top().y);
  EXPECT_LT(layout.node(layout.tape(0)).center.y, 0.0F);
}

// engine/trace/schema.h: neuron n lies in cell n * buckets / F.
TEST(Layout, ACellNamesTheNeuronsThatTheTracePutsIntoIt) {
  for (const auto& [neurons, buckets] :
       {std::pair{60U, 20U}, {176U, 176U}, {1000U, 512U}, {28672U, 512U}, {7U, 5U}}) {
    const Layout layout(shaped(1, 1, 1, neurons, buckets, 4));
    std::map<uint64_t, std::pair<uint64_t, uint64_t>> range;
    for (uint64_t n = 0; n < neurons; ++n) {
      const auto [at, fresh] = range.try_emplace(n * buckets / neurons, n, n);
      at->second.second = n;
    }
    ASSERT_EQ(buckets, range.size()) << "no cell is empty";
    for (const auto& [cell, n] : range) {
      std::string expected = "layer 0 > FFN > neuron " + std::to_string(n.first);
      if (n.second > n.first) expected += ".." + std::to_string(n.second);
      EXPECT_EQ(expected, layout.path({Kind::kCell, 0, static_cast<uint32_t>(cell), 0}));
    }
  }
}

trace::Model mixture_model() {
  return {small_model(), tests::small_mixture(), "mix", "qwen2moe", "F32"};
}

TEST(Layout, EveryExpertHasAPlateOfItsOwn) {
  trace::Model mix = mixture_model();
  mix.record.buckets = 15;  // cells of 4 neurons
  const Layout layout({mix});
  std::vector<scene::Box> plates;
  for (uint32_t e = 0; e <= 3; ++e) plates.push_back(layout.expert_plate(1, e));
  for (size_t a = 0; a < plates.size(); ++a) {
    EXPECT_GT(plates[a].half_size.x, 0.0F);
    for (size_t b = a + 1; b < plates.size(); ++b) {
      const glm::vec3 apart = glm::abs(plates[a].center - plates[b].center);
      const glm::vec3 reach = plates[a].half_size + plates[b].half_size;
      EXPECT_TRUE(apart.x > reach.x || apart.y > reach.y) << a << " and " << b;
    }
  }
  // Neuron 20 is the fourth of expert 1: cell 5 lies on its plate.
  const glm::vec3 cell = layout.node(layout.cell(1, 5)).center;
  EXPECT_LE(std::abs(cell.x - plates[1].center.x), plates[1].half_size.x);
  EXPECT_EQ("layer 1 > FFN > expert 1 > neuron 4..7", layout.path(layout.ref(layout.cell(1, 5))));
  EXPECT_EQ("layer 1 > FFN > shared expert > neuron 0..3",
            layout.path(layout.ref(layout.cell(1, 12))));
}

TEST(Layout, AnFfnsPlateHoldsAllOfItsCellsAndNoMore) {
  for (const uint32_t dense : {0U, 1U, 3U}) {
    trace::Model model = mixture_model();
    model.structure.dense_layers = dense;
    model.structure.dense_neurons = 48;
    if (dense == 3) model = {small_model(), {}, "dense", "llama", "F32"};
    const Layout layout({model});
    for (uint32_t l = 0; l < 3; ++l) {
      const scene::Box plate = layout.ffn_plate(l);
      glm::vec2 least(1e9F);  // free at the plate's edges, left and below, right and above
      glm::vec2 most(1e9F);
      for (uint32_t c = 0; c < layout.model().buckets; ++c) {
        const shaders::Node cell = layout.node(layout.cell(l, c));
        const glm::vec2 offset = cell.center - plate.center;
        least = glm::min(least, glm::vec2(plate.half_size - cell.half_size) + offset);
        most = glm::min(most, glm::vec2(plate.half_size - cell.half_size) - offset);
      }
      EXPECT_GT(std::min(least.x, std::min(most.x, most.y)), -1e-5F) << dense << ' ' << l;
      EXPECT_GT(least.y, -1e-5F) << dense << ' ' << l;
      const glm::vec3 cell = layout.node(layout.cell(l, 0)).half_size;
      EXPECT_LT(std::max(least.x, most.x), cell.x) << dense << ' ' << l;
    }
  }
}

TEST(Layout, ARouterStandsBetweenTheSpineAndItsExperts) {
  trace::Model mix = mixture_model();
  mix.structure.dense_layers = 1;
  mix.structure.dense_neurons = 48;
  const Layout layout({mix});
  EXPECT_EQ(shaders::kNoElement, layout.router(0)) << "a dense layer";
  EXPECT_EQ(0U, layout.structure_of(0).experts);
  EXPECT_EQ(3U, layout.structure_of(1).experts);
  for (const uint32_t l : {1U, 2U}) {
    const uint32_t router = layout.router(l);
    EXPECT_EQ((NodeRef{Kind::kRouter, l, 0, 0}), layout.ref(router));
    const shaders::Node node = layout.node(router);
    EXPECT_GT(node.center.x, 0.0F);
    EXPECT_LT(node.center.x, layout.expert_plate(l, 0).center.x);
    EXPECT_GT(node.center.y, layout.storey_y(l));
    EXPECT_LT(node.center.y, layout.storey_y(l + 1));
  }
  EXPECT_EQ("layer 2 > FFN > router of 3 experts", layout.path(layout.ref(layout.router(2))));
  EXPECT_EQ(shaders::kNoElement, Layout(small_model()).router(0));
}

TEST(Layout, ADenseLayerOfAMixtureHasNeuronsOfItsOwnNumber) {
  trace::Model mix = mixture_model();
  mix.structure.dense_layers = 1;
  mix.structure.dense_neurons = 2 * mix.record.buckets;
  const Layout layout({mix});
  for (const uint32_t neuron : {0U, 5U, mix.structure.dense_neurons - 1}) {
    const uint32_t cell = *scene::find_node("L0.F" + std::to_string(neuron), layout);
    EXPECT_EQ(layout.cell(0, neuron / 2), cell);
    EXPECT_EQ(neuron / 2 * 2, layout.first_neuron(0, neuron / 2));
  }
  EXPECT_EQ("layer 0 > FFN > neuron 4..5", layout.path(layout.ref(layout.cell_of(0, 5))));
  EXPECT_FALSE(scene::find_node("L0.F" + std::to_string(mix.structure.dense_neurons), layout));
  EXPECT_EQ(mix.record.neurons, layout.first_neuron(1, mix.record.buckets));
  EXPECT_EQ(layout.cell(0, mix.record.buckets - 1), layout.cell_of(0, mix.record.neurons))
      << "what a trace lists and the layer does not have";
}

TEST(Layout, ParallelUpdatesEnterAtOnePlace) {
  trace::Model model{small_model(), trace::structure_of(small_model()), "p", "phi2", "F32"};
  EXPECT_NE(Layout({model}).junction(1, false), Layout({model}).junction(1, true));
  model.structure.flags = trace::kStructureParallel;
  EXPECT_EQ(Layout({model}).junction(1, false), Layout({model}).junction(1, true));
}

// model/config.h: of so many layers the last is not windowed.
TEST(Layout, WindowedLayersSeeOnlyTheirWindow) {
  trace::Model model{small_model(), trace::structure_of(small_model()), "w", "gemma2", "F32"};
  model.structure.window = 10;
  model.structure.window_period = 2;
  const Layout layout({model});
  const shaders::Grid& shelf = layout.grids()[0];
  ASSERT_EQ(3U, shelf.plates);
  EXPECT_EQ(10.0F, layout.boxes()[shelf.first_node].reach);
  EXPECT_EQ(0.0F, layout.boxes()[shelf.first_node + 1].reach) << "sees everything";
  EXPECT_EQ(10.0F, layout.boxes()[shelf.first_node + 2].reach);
}

TEST(Layout, ModelsSideBySideKeepApartAndShareOneScale) {
  const trace::ModelRecord large = shaped(24, 16, 4, 4096, 128, 64);
  const auto model = [](const trace::ModelRecord& m, const char* name) {
    return trace::Model{m, trace::structure_of(m), name, "llama", "F32"};
  };
  scene::LayoutOptions lettered;
  lettered.brackets = true;
  const Layout both({model(small_model(), "small"), model(large, "large")}, lettered);
  const Layout alone({model(large, "large")});
  float right = -1e9F;   // of the first
  float left = 1e9F;     // of the second
  glm::vec3 size(0.0F);  // of a head of the second
  for (uint32_t e = 0; e < both.elements(); ++e) {
    const NodeRef ref = both.ref(e);
    const shaders::Node node = both.node(e);
    if (ref.kind == Kind::kCandidate || ref.kind == Kind::kRestCandidate) continue;
    if (ref.subject == 0) right = std::max(right, node.center.x + node.half_size.x);
    if (ref.subject == 1) left = std::min(left, node.center.x - node.half_size.x);
    if (ref.subject == 1 && ref.kind == Kind::kHead) size = node.half_size;
  }
  EXPECT_LT(right, left);
  EXPECT_EQ(size, alone.node(alone.head(0, 0)).half_size);
  EXPECT_EQ(both.elements(), Layout(small_model()).elements() + alone.elements());
  EXPECT_EQ("large > layer 3 > attention > head 2", both.path({Kind::kHead, 3, 2, 0, 1}));
  std::set<std::string> notes;
  for (const scene::Note& note : both.notes()) notes.insert(note.text);
  for (const uint32_t subject : {0U, 1U}) {
    const trace::Model& m = both.subject(subject);
    const std::string parameters = scene::rounded(m.record.parameters) + " parameters";
    EXPECT_TRUE(notes.contains(m.name + ", " + parameters)) << m.name;
  }
  for (const char* text : {"24 layers", "16 heads x 8", "4,096 neurons"})
    EXPECT_TRUE(notes.contains(text)) << text;
}

// As the shader has it (kNodeAtRest): outlines and words stand where the column is drawn.
TEST(Layout, APastThatDoesNotMoveStandsAtItsOwnLastColumn) {
  const auto model = [](const trace::ModelRecord& m) {
    return trace::Model{m, trace::structure_of(m), "m", "llama", "F32"};
  };
  const std::vector<trace::Model> two = {model(small_model()),
                                         model(shaped(24, 16, 4, 4096, 128, 16))};
  const auto front = [&](bool all_move) {
    scene::LayoutOptions options;
    options.all_move = all_move;
    const Layout layout(two, options);
    // The column 12 of the second model's tape, while column 40 of the first is at the front.
    for (uint32_t e = layout.first_element(1); e < layout.elements(); ++e) {
      if (layout.ref(e).kind == Kind::kTape && layout.ref(e).column == 12)
        return layout.box_of(e, 40.0F).center.z;
    }
    return 0.0F;
  };
  EXPECT_EQ(shaders::past_z(3.0F), front(false));
  EXPECT_EQ(shaders::past_z(28.0F), front(true));
}

TEST(Layout, NeuronsOfAMixtureAreNamedAsTheirExpertCountsThem) {
  const Layout mix({mixture_model()});
  EXPECT_EQ("expert 1 neuron 4", mix.neuron_name(1, 20));
  EXPECT_EQ("shared neuron 2", mix.neuron_name(1, 50));
  EXPECT_EQ("neuron 20", Layout(small_model()).neuron_name(1, 20));
  // Whatever stands beside it.
  const Layout both({{small_model(), {}, "dense", "llama", "F32"}, mixture_model()});
  EXPECT_EQ("mix > layer 1 > FFN > expert 1 > neuron 2..4", both.path({Kind::kCell, 1, 6, 0, 1}));
}

TEST(Layout, MoreOfAnythingIsNeverDrawnSmaller) {
  for (const bool true_proportions : {false, true}) {
    scene::LayoutOptions options;
    options.true_proportions = true_proportions;
    for (uint32_t n = 1; n < 1U << 20; n *= 2) {
      EXPECT_LT(scene::width_of_channels(n, options), scene::width_of_channels(2 * n, options));
      EXPECT_LT(scene::width_of_neurons(n, options), scene::width_of_neurons(2 * n, options));
    }
    EXPECT_LT(scene::height_of(48, options), scene::height_of(96, options));
  }
  scene::LayoutOptions exact;
  exact.true_proportions = true;
  EXPECT_NEAR(96.0F, scene::width_of_channels(12288, exact) / scene::width_of_channels(128, exact),
              0.01F);
}

TEST(Numbers, AreWrittenForPeople) {
  EXPECT_EQ("0", scene::grouped(0));
  EXPECT_EQ("1 layer", scene::counted(1, "layer"));
  EXPECT_EQ("49,152 tokens", scene::counted(49152, "token"));
  EXPECT_EQ("999", scene::grouped(999));
  EXPECT_EQ("50,257", scene::grouped(50257));
  EXPECT_EQ("1,000,000", scene::grouped(1000000));
  EXPECT_EQ("124.4 M", scene::rounded(124439808));
  EXPECT_EQ("8.03 B", scene::rounded(8030261248));
  EXPECT_EQ("405.9 B", scene::rounded(405853388800));
  EXPECT_EQ("512", scene::rounded(512));
}

TEST(Layout, PathsAreForPeople) {
  const Layout layout(small_model());
  EXPECT_EQ("layer 2 > attention > head 3", layout.path({Kind::kHead, 2, 3, 0}));
  EXPECT_EQ("layer 0 > KV shelf > KV head 1 > position 5", layout.path({Kind::kSlot, 0, 1, 5}));
  EXPECT_EQ("crown > candidate 0", layout.path({Kind::kCandidate, 3, 0, 0}));
  EXPECT_EQ("tape > position 9", layout.path({Kind::kTape, 0, 0, 9}));
  const Layout wide(shaped(1, 1, 1, 4, 4, 2 * Layout::kMaxSlots));
  EXPECT_EQ(2U, wide.positions_per_column());
  EXPECT_EQ("tape > position 18..19", wide.path({Kind::kTape, 0, 0, 9}));
}

TEST(Layout, HugeModelsStayFiniteAndBounded) {
  for (const trace::ModelRecord& m :
       {shaped(96, 96, 96, 49152, 512, 8192), shaped(96, 96, 8, 49152, 512, 131072),
        shaped(126, 128, 8, 53248, 512, 1U << 20)}) {
    const Layout layout(m);
    // What is drawn grows with storeys and heads, not with neurons and positions.
    EXPECT_LE(layout.boxes().size(), m.layers * (m.heads + 2 * Layout::kSpineParts + 4) + 64);
    EXPECT_LT(layout.elements(), Layout::kMaxSlots + (1U << 20));
    for (const shaders::Node& node : layout.boxes()) {
      for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(std::isfinite(node.center[i]));
        ASSERT_LT(std::abs(node.center[i]), 200.0F);
        ASSERT_GT(node.half_size[i], 0.0F);
      }
    }
    const scene::Box box = layout.bounds(layout.columns());
    EXPECT_LT(glm::length(box.half_size), 120.0F);
  }
}

}  // namespace
