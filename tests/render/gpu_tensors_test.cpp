// Tensors as textures: what the engine answers is what the store, the GPU and the picture hold.
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "render/pass/tensors.h"
#include "render/scene/zoom.h"
#include "render/stage.h"
#include "render/tensor_view.h"
#include "tests/render/gpu_fixture.h"
#include "tests/support/trace_builder.h"

namespace render::test {
namespace {

trace::ModelRecord model() {
  trace::ModelRecord m = tests::small_model();
  m.width = 640;
  m.head_width = 48;
  m.vocabulary = 3000;
  return m;
}

// Some number of a cell, of either sign.
float number_of(const std::string& name, int64_t row, int64_t col) {
  const auto h = static_cast<uint32_t>(row * 2654435761 + col * 40503 + std::ssize(name));
  return static_cast<float>(h % 2001) / 1000.0F - 1.0F;
}

// Answers tiles as the engine does, from number_of().
class Answerer {
 public:
  Answerer(engine::Control& control, trace::Log& log) : control_(control), log_(log) {}

  // What has been asked since the last call.
  std::vector<engine::InspectTile> answer(float read = 1.0F) {
    std::vector<engine::InspectTile> asked;
    for (engine::Command command; control_.take(command);) {
      const auto* tile = std::get_if<engine::InspectTile>(&command);
      if (tile == nullptr) continue;
      asked.push_back(*tile);
      one(*tile, read);
    }
    return asked;
  }
  void one(const engine::InspectTile& what, float read) {
    trace::TileRecord r;
    r.request = what.request;
    r.position = what.position;
    r.first_row = what.first_row;
    r.first_col = what.first_col;
    r.row_shift = what.row_shift;
    r.col_shift = what.col_shift;
    r.rows = (what.rows + (1U << what.row_shift) - 1) >> what.row_shift;
    r.cols = (what.cols + (1U << what.col_shift) - 1) >> what.col_shift;
    r.planes = 3;
    r.read = read;
    r.name_bytes = static_cast<uint32_t>(what.name.size());
    std::vector<float> low(size_t{r.rows} * r.cols);
    std::vector<float> mean(low.size());
    std::vector<float> high(low.size());
    for (uint32_t y = 0; y < r.rows; ++y) {
      for (uint32_t x = 0; x < r.cols; ++x) {
        const glm::vec3 v = texel(what, y, x);
        const size_t i = size_t{y} * r.cols + x;
        low[i] = v.x;
        mean[i] = v.y;
        high[i] = v.z;
      }
    }
    trace::append(log_, trace::Topic::kTile, r, tests::all(low), tests::all(mean), tests::all(high),
                  tests::chars(what.name));
  }
  // Minimum, mean, maximum by looking at every cell.
  static glm::vec3 texel(const engine::InspectTile& what, uint32_t y, uint32_t x) {
    glm::vec3 v(INFINITY, 0.0F, -INFINITY);
    double sum = 0.0;
    int64_t n = 0;
    for (uint32_t r = y << what.row_shift; r < std::min((y + 1) << what.row_shift, what.rows);
         ++r) {
      for (uint32_t c = x << what.col_shift; c < std::min((x + 1) << what.col_shift, what.cols);
           ++c, ++n) {
        const float f = number_of(what.name, what.first_row + r, what.first_col + c);
        v.x = std::min(v.x, f);
        v.z = std::max(v.z, f);
        sum += double{f};
      }
    }
    v.y = static_cast<float>(sum / static_cast<double>(n));
    return v;
  }

 private:
  engine::Control& control_;
  trace::Log& log_;
};

class TensorStoreTest : public ::testing::Test {
 protected:
  TensorStoreTest() : builder_(log_, model()), reader_(log_) {
    builder_.describe();
    builder_.start();
    builder_.step(3);
    reader_.poll();
    layout_ = std::make_unique<scene::Layout>(reader_.model()->record);
  }
  void look_at(const std::string& cell) {
    camera_.pose = scene::cell_pose(*layout_, *scene::find_cell(*layout_, cell), 16.0F / 9.0F);
  }
  void update(engine::Control* control, uint32_t position = 2) {
    reader_.poll();
    view_.update(
        {reader_, *layout_, control, camera_, palette_, {1280.0F, 720.0F}, position, {}, {}});
  }
  // Until nothing more is wanted; returns all that was asked.
  std::vector<engine::InspectTile> settle(uint32_t position = 2) {
    std::vector<engine::InspectTile> all;
    do {
      update(&control_, position);
      const auto asked = answerer_.answer();
      all.insert(all.end(), asked.begin(), asked.end());
    } while (view_.store().waiting() && all.size() < 5000);
    update(&control_, position);
    return all;
  }

  trace::Log log_;
  tests::TraceBuilder builder_;
  trace::Reader reader_;
  engine::Control control_;
  Answerer answerer_{control_, log_};
  std::unique_ptr<scene::Layout> layout_;
  scene::Camera camera_;
  const scene::Palette palette_ = scene::palette(scene::Theme::kDark);
  TensorView view_;
};

TEST_F(TensorStoreTest, EveryCellOnTheSheetIsItsNumber) {
  for (const std::string name : {"blk.1.attn_q.weight[57,333]", "blk.2.attn_output.weight[639,100]",
                                 "output.weight[2999,1]", "blk.0.ffn.act[0,30]"}) {
    const auto cell = scene::find_cell(*layout_, name);
    ASSERT_TRUE(cell) << name;
    look_at(name);
    settle();
    const auto sheet = scene::find_sheet(*layout_, cell->sheet);
    const auto value = view_.store().value(*sheet, *cell);
    ASSERT_TRUE(value) << name;
    EXPECT_EQ(number_of(sheet->name, cell->row, cell->col), *value) << name;
    const auto under = view_.under({0.0F, 0.0F});
    ASSERT_TRUE(under);
    EXPECT_EQ(*cell, under->cell) << "it is in the middle of the frame";
  }
}

TEST_F(TensorStoreTest, ATexelIsTheMinimumMeanAndMaximumOfItsCells) {
  camera_.pose = scene::cell_pose(*layout_, *scene::find_cell(*layout_, "output.weight[1500,300]"),
                                  16.0F / 9.0F);
  camera_.pose.distance *= 30.0F;
  settle();
  size_t compared = 0;
  for (const scene::Sheet& sheet : view_.sheets()) {
    if (sheet.name != "output.weight") continue;
    const scene::Pyramid pyramid(sheet);
    for (int level = 0; level < pyramid.levels; ++level) {
      const glm::uvec2 tiles = pyramid.tiles(level);
      for (uint32_t i = 0; i < tiles.x * tiles.y; ++i) {
        const glm::uvec2 at(i % tiles.x, i / tiles.x);
        const auto found = view_.store().find(sheet, pyramid, level, at);
        if (!found || found->level != level) continue;
        const scene::CellRange range = scene::range_of(pyramid, level, at);
        const glm::ivec2 shift = pyramid.shift(level);
        const auto& texels = view_.store().texels(found->slot);
        for (uint32_t y = 0; y < scene::kTileTexels; y += 7) {
          for (uint32_t x = 0; x < scene::kTileTexels; x += 5) {
            // Across are rows of the vocabulary, down channels.
            float low = INFINITY;
            float high = -INFINITY;
            for (int64_t a = range.first.x + (int64_t{x} << shift.x);
                 a < std::min(range.first.x + (int64_t{x + 1} << shift.x), range.last.x); ++a) {
              for (int64_t d = range.first.y + (int64_t{y} << shift.y);
                   d < std::min(range.first.y + (int64_t{y + 1} << shift.y), range.last.y); ++d) {
                low = std::min(low, number_of(sheet.name, a, d));
                high = std::max(high, number_of(sheet.name, a, d));
              }
            }
            if (low > high) continue;
            EXPECT_EQ(low, texels[y * scene::kTileTexels + x].x);
            EXPECT_EQ(high, texels[y * scene::kTileTexels + x].z);
            ++compared;
          }
        }
      }
    }
  }
  EXPECT_GT(compared, 300U);
}

TEST_F(TensorStoreTest, NothingIsAskedTwiceAndFromAfarNothingAtAll) {
  camera_.pose = scene::home_pose(layout_->bounds(9), 16.0F / 9.0F);
  camera_.pose.distance *= 4.0F;
  EXPECT_TRUE(settle().empty());
  EXPECT_TRUE(view_.quads().empty()) << "from afar there are no sheets";
  look_at("blk.1.attn_q.weight[57,333]");
  EXPECT_FALSE(settle().empty());
  EXPECT_TRUE(settle().empty());
  EXPECT_FALSE(view_.store().waiting());
}

TEST_F(TensorStoreTest, ActivationsAreAskedAgainForAnotherPosition) {
  look_at("blk.0.ffn.act[0,30]");
  settle(1);
  const auto again = settle(2);
  ASSERT_FALSE(again.empty());
  for (const engine::InspectTile& what : again) {
    EXPECT_EQ(2U, what.position);
    EXPECT_FALSE(what.name.ends_with(".weight")) << "a weight is what it was";
  }
}

TEST_F(TensorStoreTest, OfTheCacheThereIsWhatHasBeenWritten) {
  const auto first = *scene::find_cell(*layout_, "blk.1.kv.k[0,50]");
  look_at("blk.1.kv.k[0,50]");
  camera_.pose.distance *= 3.0F;
  settle(2);
  const auto sheet = scene::find_sheet(*layout_, first.sheet);
  EXPECT_EQ(number_of("blk.1.kv.k", 2, 50), view_.store().value(*sheet, {first.sheet, 2, 50}));
  EXPECT_FALSE(view_.store().value(*sheet, {first.sheet, 3, 50}));
  // In the middle of the frame is position 0; some rows down there is nothing.
  ASSERT_TRUE(view_.under({0.0F, 0.0F}));
  EXPECT_EQ(first, view_.under({0.0F, 0.0F})->cell);
  EXPECT_FALSE(view_.under({0.0F, 0.8F}));
}

TEST_F(TensorStoreTest, WithoutAModelSheetsAreThereAndSayThatTheyHaveNoNumbers) {
  look_at("blk.1.attn_q.weight[57,333]");
  update(nullptr);
  ASSERT_FALSE(view_.quads().empty());
  for (const shaders::TileQuad& q : view_.quads()) EXPECT_EQ(0U, q.flags & shaders::kTileKnown);
  EXPECT_FALSE(view_.store().waiting());
  look_at("output.weight[1500,300]");
  camera_.pose.distance *= 100.0F;
  update(nullptr);
  bool said = false;
  for (const Label& label : view_.labels({palette_, camera_.clip_from_world(16.0F / 9.0F), 13.0F}))
    said = said || label.text.find("running model") != std::string::npos;
  EXPECT_TRUE(said);
}

TEST_F(TensorStoreTest, AnAnswerInPartsIsShownAndWaitedFor) {
  look_at("output.weight[1500,300]");
  camera_.pose.distance *= 30.0F;
  update(&control_);
  const auto asked = answerer_.answer(0.4F);
  ASSERT_FALSE(asked.empty());
  update(&control_);
  EXPECT_TRUE(view_.store().waiting());
  for (const engine::InspectTile& what : asked) answerer_.one(what, 1.0F);
  settle();
  EXPECT_FALSE(view_.store().waiting());
}

class TensorPictures : public GpuTest {};

TEST_F(TensorPictures, TheGpuHoldsTheTexelsThatTheEngineSent) {
  Renderer renderer(device(), Quality::kFull);
  std::vector<glm::vec4> texels(size_t{shaders::kTileSide} * shaders::kTileSide);
  for (const uint32_t slot : {0U, 17U, kTileSlots - 1}) {
    for (size_t i = 0; i < texels.size(); ++i)
      texels[i] = {-1.0F * static_cast<float>(i), 0.1F * static_cast<float>(slot), 3e-39F, 0.0F};
    renderer.put_tile(slot, texels);
    const std::vector<glm::vec4> held = renderer.read_tile(slot);
    ASSERT_EQ(texels.size(), held.size());
    EXPECT_EQ(0, std::memcmp(texels.data(), held.data(), texels.size() * sizeof(glm::vec4)));
  }
}

// A sheet of nine cells before the camera, from this slot of the atlas.
shaders::TileQuad sheet_before_the_camera(uint32_t slot) {
  shaders::TileQuad q{};
  q.corner[0] = {-4, 4, -10};
  q.corner[1] = {4, 4, -10};
  q.corner[2] = {4, -4, -10};
  q.corner[3] = {-4, -4, -10};
  q.cells = {3, 3};
  q.slot = glm::vec2(tile_origin(slot));
  q.texels_a_cell = glm::vec2(1);
  q.last = glm::vec2(2.0F);
  q.hovered = q.selected = glm::vec2(-1e6F);
  q.scale = 1.0F;
  q.alpha = 1.0F;
  q.flags = shaders::kTileKnown;
  return q;
}

std::vector<uint8_t> picture_of(gpu::Device& device, uint32_t slot,
                                const std::vector<glm::vec4>& texels, shaders::TileQuad q,
                                scene::PaletteName palette = scene::PaletteName::kDefault) {
  Renderer renderer(device, Quality::kFull);
  renderer.set_nodes({}, {}, 0);
  renderer.put_tile(slot, texels);
  const scene::CellColours colours = scene::palette(scene::Theme::kDark, palette).cells;
  q.below = colours.below;
  q.zero = colours.zero;
  q.above = colours.above;
  FrameInput input = input_at(0);
  input.frame.bloom = 0;
  input.tiles = {&q, 1};
  const scene::Camera camera{{{0, 0, 0}, 0, 0, 10}};
  input.clip_from_eye = camera.clip_from_eye(static_cast<float>(kWidth) / kHeight);
  Offscreen target(device, kWidth, kHeight);
  EXPECT_TRUE(renderer.draw(target, input));
  return target.read_back();
}

// The middle of the frame shows `value`. 0..255, sRGB.
glm::vec3 colour_of(gpu::Device& device, float value, float scale, uint32_t flags,
                    scene::PaletteName palette = scene::PaletteName::kDefault) {
  const std::vector<glm::vec4> texels(size_t{shaders::kTileSide} * shaders::kTileSide,
                                      glm::vec4(value, value, value, 0.0F));
  shaders::TileQuad q = sheet_before_the_camera(3);
  q.scale = scale;
  q.flags = flags;
  const std::vector<uint8_t> rgba = picture_of(device, 3, texels, q, palette);
  const uint8_t* p = rgba.data() + (size_t{kHeight / 2} * kWidth + kWidth / 2) * 4;
  return {p[0], p[1], p[2]};
}

// Which slot a tile comes to depends on which answer was there first.
TEST_F(TensorPictures, ATileLooksTheSameToTheLastBitWhereverItLies) {
  std::vector<glm::vec4> texels(size_t{shaders::kTileSide} * shaders::kTileSide);
  for (size_t i = 0; i < texels.size(); ++i) {
    texels[i] = glm::vec4(std::sin(static_cast<float>(i)));
  }
  const auto picture = [&](uint32_t slot) {
    shaders::TileQuad q = sheet_before_the_camera(slot);
    q.cells = {97, 131};
    q.texels_a_cell = {0.5F, 0.25F};
    q.texel = {3.5F, 7.25F};
    q.last = glm::vec2(shaders::kTileSide - 1);
    return picture_of(device(), slot, texels, q);
  };
  const std::vector<uint8_t> first = picture(0);
  EXPECT_EQ(first, picture(17));
  EXPECT_EQ(first, picture(kTileSlots - 1));
}

TEST_F(TensorPictures, BelowZeroIsBlueAboveIsOrangeAndMoreIsBrighter) {
  const auto known = shaders::kTileKnown;
  const glm::vec3 below = colour_of(device(), -0.5F, 1.0F, known);
  const glm::vec3 above = colour_of(device(), 0.5F, 1.0F, known);
  const glm::vec3 zero = colour_of(device(), 0.0F, 1.0F, known);
  EXPECT_GT(below.z, below.x + 60.0F);
  EXPECT_GT(above.x, above.z + 60.0F);
  EXPECT_LT(zero.x + zero.y + zero.z, 90.0F);
  EXPECT_GT(colour_of(device(), 0.5F, 0.5F, known).x, above.x + 20.0F) << "full colour is brighter";
}

TEST_F(TensorPictures, ACellHasTheColourThatItsPaletteGivesItsNumber) {
  for (size_t i = 0; i < scene::kPaletteCount; ++i) {
    const auto name = static_cast<scene::PaletteName>(i);
    const scene::CellColours c = scene::palette(scene::Theme::kDark, name).cells;
    for (const float value : {-0.8F, -0.2F, 0.0F, 0.3F, 0.9F}) {
      const uint32_t wanted =
          scene::rgba_of(shaders::cell_color(c.below, c.zero, c.above, 0.5F * value));
      const glm::vec3 shown = colour_of(device(), value, 2.0F, shaders::kTileKnown, name);
      for (int channel = 0; channel < 3; ++channel) {
        const auto byte = static_cast<float>(wanted >> (8 * channel) & 255);
        EXPECT_NEAR(byte, shown[channel], 2.5F) << scene::palette_names()[i] << " " << value;
      }
    }
  }
}

TEST_F(TensorPictures, WhatNobodyAnsweredAndWhatIsNoNumberLookLikeNeither) {
  const glm::vec3 unknown = colour_of(device(), 0.5F, 1.0F, 0);
  EXPECT_LT(unknown.x, 70.0F);
  const glm::vec3 broken = colour_of(device(), NAN, 1.0F, shaders::kTileKnown);
  EXPECT_GT(std::min(broken.x, broken.z), 120.0F) << "no number: magenta";
  const glm::vec3 unread =
      colour_of(device(), NAN, 1.0F, shaders::kTileKnown | shaders::kTilePartial);
  EXPECT_LT(unread.x, 70.0F) << "not read yet";
}

}  // namespace
}  // namespace render::test
