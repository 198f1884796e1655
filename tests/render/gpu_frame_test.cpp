// Pictures: the same input gives the same bytes, nothing shows before its time, what is under the
// pixel is picked; all of it without a word from the validation layer (see gpu_fixture.h).
#include <algorithm>
#include <vector>

#include <imgui.h>

#include "render/ui/letters.h"
#include "tests/render/gpu_fixture.h"

namespace render::test {
namespace {

using Frames = GpuTest;

std::vector<shaders::Node> three_boxes() {
  return numbered({box({-2, 0, 0}, 0.5f, shaders::kChannelAttention),
                   box({2, 0, 0}, 0.5f, shaders::kChannelFfn),
                   box({0, 1.5f, 0}, 0.4f, shaders::kChannelKv, shaders::kNodeGrows)});
}

std::vector<shaders::Bolt> some_bolts(float instant) {
  std::vector<shaders::Bolt> bolts = {
      bolt({-2, 0, 0.6f}, {2, 0, 0.6f}, instant),
      bolt({-2, 0, 0.6f}, {2, 0, 0.6f}, instant, shaders::kBoltFork),
      bolt({-2, -1, 0.6f}, {2, -1, 0.6f}, instant, shaders::kBoltNegative),
      bolt({-2, 1, 0.6f}, {2, 1, 0.6f}, instant, shaders::kBoltRest)};
  bolts[2].share = -0.4f;
  return bolts;
}

std::vector<uint8_t> picture(gpu::Device& device, Quality quality, const FrameInput& input,
                             const std::vector<shaders::Light>& lights,
                             const std::vector<shaders::Bolt>& bolts) {
  Renderer renderer(device, quality);
  renderer.set_nodes(three_boxes(), {}, 3);
  renderer.put_step(0, lights, bolts);
  Offscreen target(device, kWidth, kHeight);
  EXPECT_TRUE(renderer.draw(target, input));
  return target.read_back();
}

int brightest(const std::vector<uint8_t>& rgba) {
  return *std::max_element(rgba.begin(), rgba.end());
}

uint64_t light_of(const std::vector<uint8_t>& rgba) {
  uint64_t sum = 0;
  for (size_t i = 0; i < rgba.size(); ++i) sum += i % 4 == 3 ? 0 : rgba[i];
  return sum;
}

TEST_F(Frames, SameInputSameBytes) {
  for (const Quality quality : {Quality::kFull, Quality::kWindow}) {
    FrameInput input = input_at(0.6f);
    const std::vector<Label> labels = {{.anchor = {0, -1, 0}, .text = "Ünïcode →"},
                                       {.anchor = {1, 1, 0}, .mono = true, .text = "x"}};
    input.labels = labels;
    const std::vector<shaders::Light> lights = {
        {0, 1, 0.5f, 1}, {1, -0.7f, 0.5f, 1}, {2, 0.8f, 0.4f, 1}};
    const auto once = picture(device(), quality, input, lights, some_bolts(0.5f));
    const auto again = picture(device(), quality, input, lights, some_bolts(0.5f));
    ASSERT_EQ(once.size(), size_t{kWidth} * kHeight * 4);
    EXPECT_TRUE(once == again);
    EXPECT_GT(light_of(once), light_of(picture(device(), quality, input_at(0.6f), {}, {})));
  }
}

TEST_F(Frames, NothingShowsBeforeItsInstant) {
  const auto dark = picture(device(), Quality::kFull, input_at(0.49f), {}, {});
  const std::vector<shaders::Light> lights = {{0, 1, 0.5f, 1}, {2, 1, 0.5f, 1}};
  EXPECT_TRUE(dark == picture(device(), Quality::kFull, input_at(0.49f), lights, some_bolts(0.5f)));
  EXPECT_FALSE(dark == picture(device(), Quality::kFull, input_at(0.52f), lights, {}));
  EXPECT_FALSE(dark == picture(device(), Quality::kFull, input_at(0.52f), {}, some_bolts(0.5f)));
  // And nothing is left when its life is over.
  EXPECT_TRUE(dark == picture(device(), Quality::kFull, input_at(1.5f), lights, some_bolts(0.5f)));
}

TEST_F(Frames, ABoltTravelsThenOnlyFades) {
  const auto bolts = std::vector<shaders::Bolt>{bolt({-2.5f, -1, 1}, {2.5f, -1, 1}, 0)};
  const auto at = [&](float playhead) {
    return light_of(picture(device(), Quality::kFull, input_at(playhead), {}, bolts));
  };
  const uint64_t travelling = at(0.05f), arrived = at(0.155f);
  EXPECT_LT(at(0), travelling);
  EXPECT_LT(travelling, arrived);
  uint64_t before = arrived;
  for (const float playhead : {0.25f, 0.4f, 0.6f, 0.8f, 1.0f}) {
    const uint64_t now = at(playhead);
    EXPECT_LT(now, before) << playhead;
    before = now;
  }
}

TEST_F(Frames, ABoltStaysInsideItsEnds) {
  // Its pixels lie between the columns of its ends: half the picture is 16 / 9 * tan(20 degrees) *
  // 10 wide.
  auto only = bolt({-1, 0, 0}, {1, 0, 0}, 0);
  only.arc = 0;
  FrameInput input = input_at(0.2f);
  input.frame.bloom = 0;
  Renderer renderer(device());
  Offscreen target(device(), kWidth, kHeight);
  ASSERT_TRUE(renderer.draw(target, input));
  const auto dark = target.read_back();
  renderer.put_step(0, {}, std::vector{only});
  ASSERT_TRUE(renderer.draw(target, input));
  const auto lit = target.read_back();
  int first = kWidth, last = -1;
  for (int y = 0; y < static_cast<int>(kHeight); ++y) {
    for (int x = 0; x < static_cast<int>(kWidth); ++x) {
      const size_t i = static_cast<size_t>(y * static_cast<int>(kWidth) + x) * 4;
      if (lit[i + 2] > dark[i + 2] + 40) first = std::min(first, x), last = std::max(last, x);
    }
  }
  const float units_per_px = input.frame.pixel_size * 10;
  EXPECT_NEAR(static_cast<float>(first), kWidth / 2.0f - 1 / units_per_px, 2.5f);
  EXPECT_NEAR(static_cast<float>(last), kWidth / 2.0f + 1 / units_per_px, 2.5f);
}

TEST_F(Frames, NodesAreGhostsBeforeTheirBirth) {
  Renderer renderer(device());
  auto nodes = three_boxes();
  renderer.set_nodes(numbered(nodes), {}, static_cast<uint32_t>(nodes.size()));
  Offscreen target(device(), kWidth, kHeight);
  ASSERT_TRUE(renderer.draw(target, input_at(1)));
  const auto born = target.read_back();
  nodes[1].birth = 5;
  renderer.set_nodes(numbered(nodes), {}, static_cast<uint32_t>(nodes.size()));
  ASSERT_TRUE(renderer.draw(target, input_at(1)));
  const auto unborn = target.read_back();
  EXPECT_LT(light_of(unborn), light_of(born));
  ASSERT_TRUE(renderer.draw(target, input_at(5)));
  EXPECT_TRUE(target.read_back() == born);
}

TEST_F(Frames, ColumnsOfThePastRecede) {
  Renderer renderer(device());
  auto nodes = three_boxes();
  nodes[0].column = 3;
  renderer.set_nodes(numbered(nodes), {}, static_cast<uint32_t>(nodes.size()));
  FrameInput input = input_at(1);
  Offscreen target(device(), kWidth, kHeight);
  const auto width_at = [&](float now) {
    input.frame.now = now;
    EXPECT_TRUE(renderer.draw(target, input));
    int width = 0;
    for (int x = 0; x < static_cast<int>(kWidth) / 2; ++x) {
      width +=
          renderer.pick_now(input.frame, {x, kHeight / 2}, {kWidth, kHeight}).node == 1 ? 1 : 0;
    }
    return width;
  };
  const int front = width_at(3), back = width_at(60);
  EXPECT_GT(front, back);
  EXPECT_GT(back, 2);
}

TEST_F(Frames, PicksWhatIsUnderThePixel) {
  Renderer renderer(device());
  auto nodes = three_boxes();
  nodes.push_back(box({2, 0, 2}, 0.3f, 0, shaders::kNodeNotPicked));  // scenery in front of node 1
  nodes.push_back(box({-2, 0, 2}, 0.1f, 0, shaders::kNodeHidden));
  renderer.set_nodes(numbered(nodes), {}, static_cast<uint32_t>(nodes.size()));
  Offscreen target(device(), kWidth, kHeight);
  FrameInput input = input_at(1);
  const float px = 1 / (input.frame.pixel_size * 10);
  const glm::ivec2 middle(kWidth / 2, kHeight / 2);
  const glm::ivec2 left = middle - glm::ivec2(static_cast<int>(2 * px), 0);
  const glm::ivec2 right = middle + glm::ivec2(static_cast<int>(2 * px), 0);
  input.pick = left;
  ASSERT_TRUE(renderer.draw(target, input));
  target.flush();
  const auto hovered = renderer.take_pick();
  ASSERT_TRUE(hovered);
  EXPECT_EQ(hovered->node, 1u);
  EXPECT_EQ(hovered->pixel, left);
  EXPECT_FALSE(renderer.take_pick());

  const glm::uvec2 size(kWidth, kHeight);
  EXPECT_EQ(renderer.pick_now(input.frame, right, size).node, 2u);
  EXPECT_EQ(
      renderer.pick_now(input.frame, middle - glm::ivec2(0, static_cast<int>(1.5f * px)), size)
          .node,
      3u);
  EXPECT_EQ(renderer.pick_now(input.frame, middle, size).node, 0u);
  EXPECT_EQ(renderer.pick_now(input.frame, {-50, 4000}, size).node, 0u);
}

TEST_F(Frames, ALitSlotRisesAndIsPickedThere) {
  Renderer renderer(device());
  auto nodes = three_boxes();
  nodes[2].grow = 1;
  renderer.set_nodes(numbered(nodes), {}, static_cast<uint32_t>(nodes.size()));
  renderer.put_step(0, std::vector<shaders::Light>{{2, 1, 0, 1}}, {});
  Offscreen target(device(), kWidth, kHeight);
  FrameInput input = input_at(0);
  const float px = 1 / (input.frame.pixel_size * 10);
  const glm::ivec2 above(kWidth / 2, kHeight / 2 - static_cast<int>(2.5f * px));
  ASSERT_TRUE(renderer.draw(target, input));
  EXPECT_EQ(renderer.pick_now(input.frame, above, {kWidth, kHeight}).node, 3u);
  input = input_at(2);
  ASSERT_TRUE(renderer.draw(target, input));
  EXPECT_EQ(renderer.pick_now(input.frame, above, {kWidth, kHeight}).node, 0u);
}

// A strong bolt, and a weak one among more than any device draws in a window that cannot keep up.
std::vector<shaders::Bolt> a_crowd() {
  std::vector<shaders::Bolt> bolts = {bolt({-2, 0, 0.6f}, {2, 0, 0.6f}, 0),
                                      bolt({-2, 1, 0.6f}, {2, 1, 0.6f}, 0)};
  bolts[1].crowd = 1e6f;
  return bolts;
}

// Bolts lit and drawn, once a frame's count has come back.
std::pair<uint32_t, uint32_t> counted(gpu::Device& device, Quality quality, const FrameInput& input,
                                      const std::vector<shaders::Bolt>& bolts) {
  Renderer renderer(device, quality);
  renderer.put_step(0, {}, bolts);
  Offscreen target(device, kWidth, kHeight);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(renderer.draw(target, input));
  return {renderer.stats().bolts_lit, renderer.stats().bolts_drawn};
}

using Counts = std::pair<uint32_t, uint32_t>;

TEST_F(Frames, AWindowLeavesTheWeakBoltsOfACrowdOutAndCountsThem) {
  const FrameInput input = input_at(0.3f);
  EXPECT_EQ(counted(device(), Quality::kWindow, input, a_crowd()), Counts(2, 1));
  const std::vector<shaders::Bolt> strong = {a_crowd()[0]};
  EXPECT_TRUE(picture(device(), Quality::kWindow, input, {}, a_crowd()) ==
              picture(device(), Quality::kWindow, input, {}, strong));
}

TEST_F(Frames, NoBoltIsLeftOutAtFullQualityNorOfAStillPictureNorWhenAllAreAskedFor) {
  FrameInput input = input_at(0.3f);
  EXPECT_EQ(counted(device(), Quality::kFull, input, a_crowd()), Counts(2, 2));
  input.refine = true;
  EXPECT_EQ(counted(device(), Quality::kWindow, input, a_crowd()), Counts(2, 2));
  input.refine = false;
  input.all_bolts = true;
  EXPECT_EQ(counted(device(), Quality::kWindow, input, a_crowd()), Counts(2, 2));
  EXPECT_GT(light_of(picture(device(), Quality::kFull, input, {}, a_crowd())),
            light_of(picture(device(), Quality::kFull, input, {}, {a_crowd()[0]})));
}

TEST_F(Frames, OnlyWhatCanBeSeenOfTheBoltsIsCountedAndForksAreNot) {
  std::vector<shaders::Bolt> bolts = some_bolts(0);
  EXPECT_EQ(counted(device(), Quality::kFull, input_at(0.3f), bolts), Counts(3, 3));
  EXPECT_EQ(counted(device(), Quality::kFull, input_at(1.5f), bolts), Counts(0, 0)) << "dark";
  EXPECT_EQ(counted(device(), Quality::kFull, input_at(-0.5f), bolts), Counts(0, 0)) << "to come";
  for (shaders::Bolt& b : bolts) {
    b.from.x += 40;
    b.to.x += 40;
  }
  EXPECT_EQ(counted(device(), Quality::kFull, input_at(0.3f), bolts), Counts(0, 0)) << "beside";
}

TEST_F(Frames, LightThemeIsInkOnPaper) {
  FrameInput input = input_at(0.2f);
  input.frame.background = {0.9f, 0.9f, 0.9f, 1};
  input.frame.horizon = {0.95f, 0.95f, 0.95f, 0.01f};
  const auto paper = picture(device(), Quality::kFull, input, {}, {});
  const auto ink = picture(device(), Quality::kFull, input, {}, some_bolts(0));
  EXPECT_GT(brightest(paper), 230);
  EXPECT_LT(light_of(ink), light_of(paper));
}

TEST_F(Frames, ArriveInOrderAndWhole) {
  Renderer renderer(device(), Quality::kWindow);
  renderer.set_nodes(three_boxes(), {}, 3);
  std::vector<uint64_t> order;
  std::vector<std::vector<uint8_t>> frames;
  Offscreen target(device(), kWidth, kHeight, [&](uint64_t index, std::span<const uint8_t> rgba) {
    order.push_back(index);
    frames.emplace_back(rgba.begin(), rgba.end());
  });
  renderer.put_step(0, std::vector<shaders::Light>{{0, 1, 0, 1}}, {});
  for (int i = 0; i < 8; ++i)
    ASSERT_TRUE(renderer.draw(target, input_at(0.1f * static_cast<float>(i))));
  target.flush();
  EXPECT_EQ(order, (std::vector<uint64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  for (size_t i = 1; i < frames.size(); ++i)
    EXPECT_LT(light_of(frames[i]), light_of(frames[i - 1]));
  EXPECT_TRUE(target.read_back() == frames.back());
}

TEST_F(Frames, TargetsOfDifferentSizesTakeTurns) {
  Renderer renderer(device());
  renderer.set_nodes(three_boxes(), {}, 3);
  Offscreen small(device(), 64, 36), odd(device(), 333, 77), tiny(device(), 1, 1);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(renderer.draw(small, input_at(0)));
    ASSERT_TRUE(renderer.draw(odd, input_at(0)));
    ASSERT_TRUE(renderer.draw(tiny, input_at(0)));
  }
  EXPECT_EQ(odd.read_back().size(), 333u * 77 * 4);
  EXPECT_EQ(tiny.read_back().size(), 4u);
  EXPECT_THROW(Offscreen(device(), 0, 10), fulgurite::Error);
  EXPECT_THROW(Offscreen(device(), 1u << 30, 10), fulgurite::Error);
}

TEST_F(Frames, TheUserInterfaceDrawsWithoutAWindow) {
  ImGui::CreateContext();
  const ui::Letters letters(15.0F);
  ImGui::GetIO().DisplaySize = ImVec2(kWidth, kHeight);
  ImGui::GetIO().IniFilename = nullptr;
  {
    Renderer renderer(device());
    std::vector<uint8_t> texels(16 * 4, 0);
    for (size_t i = 0; i < 16; ++i) texels[4 * i] = texels[4 * i + 3] = 255;
    const uintptr_t id = renderer.create_texture(4, 4, texels, true);
    Offscreen target(device(), kWidth, kHeight);
    const auto pixel = [&](size_t x, size_t y) {
      ImGui::NewFrame();
      ImGui::GetBackgroundDrawList()->AddImage((ImTextureID)id, ImVec2(10, 10), ImVec2(60, 60));
      ImGui::Render();
      FrameInput input = input_at(0);
      input.ui = ImGui::GetDrawData();
      EXPECT_TRUE(renderer.draw(target, input));
      const auto rgba = target.read_back();
      return std::vector<uint8_t>(rgba.begin() + static_cast<ptrdiff_t>(4 * (y * kWidth + x)),
                                  rgba.begin() + static_cast<ptrdiff_t>(4 * (y * kWidth + x) + 3));
    };
    EXPECT_EQ(pixel(30, 30), (std::vector<uint8_t>{255, 0, 0}));
    EXPECT_LT(pixel(80, 30)[0], 100);
    for (size_t i = 0; i < 16; ++i) texels[4 * i] = 0, texels[4 * i + 1] = 255;
    renderer.update_texture(id, texels);
    EXPECT_EQ(pixel(30, 30), (std::vector<uint8_t>{0, 255, 0}));
    renderer.destroy_texture(id);
    EXPECT_LT(pixel(30, 30)[1], 100);  // a destroyed one is left out
  }
  ImGui::DestroyContext();
}

TEST_F(Frames, EveryPassIsTimed) {
  Renderer renderer(device());
  Offscreen target(device(), kWidth, kHeight);
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(renderer.draw(target, input_at(0)));
  target.flush();
  ASSERT_TRUE(renderer.draw(target, input_at(0)));
  std::vector<std::string> names;
  for (const PassTime& pass : renderer.pass_times()) {
    names.push_back(pass.name);
    EXPECT_GE(pass.ms, 0) << pass.name;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"lights", "bolt paths", "nodes", "sky", "tensors",
                                             "bolts", "bloom", "composite", "labels", "ui"}));
}

}  // namespace
}  // namespace render::test
