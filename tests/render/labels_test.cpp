// What the labels promise, from many cameras: no driver needed.
#include "render/labels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "render/scene/camera.h"
#include "render/scene/choreography.h"
#include "render/scene/quantities.h"
#include "tests/support/trace_builder.h"

namespace render {
namespace {

const glm::vec2 kScreen(1280.0F, 720.0F);
constexpr float kAspect = 1280.0F / 720.0F;
constexpr float kSize = 13.0F;

class Labels : public ::testing::Test {
 protected:
  void show(const trace::ModelRecord& model, uint32_t prompt, uint32_t more,
            const std::vector<trace::MutedPart>& muted = {}) {
    reader_ = std::make_unique<trace::Reader>(log_);
    tests::TraceBuilder builder(log_, model);
    builder.describe();
    builder.start();
    if (!muted.empty()) builder.muted(muted);
    builder.step(prompt);
    for (uint32_t i = 0; i < more; ++i) builder.step();
    reader_->poll();
    stand(scene::Layout(model));
  }
  void stand(scene::Layout layout) {
    layout_ = std::make_unique<scene::Layout>(std::move(layout));
    occluders_ = std::make_unique<scene::Occluders>(*layout_);
    palette_ = scene::palette(scene::Theme::kDark);
  }
  Annotations at(const scene::Pose& pose, std::span<const scene::Rect> covered = {},
                 uint32_t selected = 0, bool through = false) const {
    scene::Camera camera{pose};
    const auto playhead = static_cast<double>(reader_->steps());
    return make_labels({*reader_, *layout_, palette_, playhead, 1.0,
                        scene::column_now(*reader_, *layout_, playhead),
                        camera.clip_from_world(kAspect), kScreen, kSize, covered, selected,
                        through ? nullptr : occluders_.get()});
  }
  std::vector<scene::Pose> poses(int n) const {
    std::mt19937 random(5);
    std::uniform_real_distribution<float> unit(0.0F, 1.0F);
    const scene::Box box = layout_->bounds(12);
    std::vector<scene::Pose> out;
    for (int i = 0; i < n; ++i) {
      const glm::vec3 at(2 * unit(random) - 1, 2 * unit(random) - 1, 2 * unit(random) - 1);
      out.push_back({box.center + box.half_size * at, 6.28F * unit(random),
                     2.4F * unit(random) - 1.2F, 0.3F * std::pow(100.0F, unit(random))});
    }
    out.push_back(scene::home_pose(box, kAspect));
    return out;
  }
  static float alpha(const Label& label) { return static_cast<float>(label.rgba >> 24) / 255.0F; }
  std::set<std::string> words(const Annotations& notes) const {
    std::set<std::string> out;
    for (const Label& label : notes.labels) out.insert(label.text);
    return out;
  }

  trace::Log log_;
  std::unique_ptr<trace::Reader> reader_;
  std::unique_ptr<scene::Layout> layout_;
  std::unique_ptr<scene::Occluders> occluders_;
  scene::Palette palette_;
};

TEST_F(Labels, WhatGlidesToTheFrontHasItsWordAlready) {
  show(tests::small_model(), 2, 3);
  const auto words_at = [&](double playhead) {
    return written({*reader_, *layout_, palette_, playhead, 1.0,
                    scene::column_now(*reader_, *layout_, playhead)});
  };
  EXPECT_EQ(3U, words_at(1.5)) << "positions 0 to 2";
  EXPECT_EQ(4U, words_at(1.99)) << "the next one comes";
}

// Of a context that has more positions than there is room for slots.
TEST_F(Labels, ASlotOfSeveralPositionsNamesThemAll) {
  trace::ModelRecord model = tests::small_model();
  model.context = 2 * scene::Layout::kMaxSlots / (model.layers * model.kv_heads);
  show(model, 6, 3);
  ASSERT_EQ(2U, layout_->positions_per_column());
  EXPECT_EQ("t4t5", scene::column_text(*reader_, *layout_, 2, 9));
  EXPECT_EQ("t8", scene::column_text(*reader_, *layout_, 4, 9)) << "t9 is not there yet";
  EXPECT_EQ("t6", scene::column_text(*reader_, *layout_, 3, 7));
  EXPECT_EQ("", scene::column_text(*reader_, *layout_, 5, 9));
  EXPECT_EQ("positions 4 to 5", scene::column_name(*layout_, 2));
  const scene::Box tape = layout_->box_of(layout_->tape(3), 4.0F);
  const std::set<std::string> seen = words(at({tape.center, 0.6F, 0.7F, 4.0F}));
  EXPECT_TRUE(seen.contains("t8")) << "the newest";
  EXPECT_TRUE(seen.contains("t6t7"));
  EXPECT_FALSE(seen.contains("t6"));
}

TEST_F(Labels, SayWhatIsMuted) {
  show(tests::small_model(), 8, 4,
       {{trace::MutedKind::kHead, 1, 2}, {trace::MutedKind::kNeurons, 0, 0}});
  const Annotations notes = at(scene::home_pose(layout_->bounds(12), kAspect));
  EXPECT_EQ(2, std::count_if(notes.labels.begin(), notes.labels.end(),
                             [](const Label& label) { return label.text == "muted"; }));
}

// As the climb passes a storey its own reading stands there; above it that of the step before, and
// of the first step nothing.
TEST_F(Labels, SayWhatTheModelWouldSayBehindEachLayer) {
  reader_ = std::make_unique<trace::Reader>(log_);
  tests::TraceBuilder builder(log_, tests::small_model());
  builder.describe();
  builder.start();
  builder.step(4);
  builder.lens(3);
  builder.step();
  reader_->poll();
  stand(scene::Layout(tests::small_model()));
  const scene::Pose home = scene::home_pose(layout_->bounds(12), kAspect);
  const auto readings = [&](double playhead, bool lens = true) {
    LabelInput in{*reader_,
                  *layout_,
                  palette_,
                  playhead,
                  1.0,
                  scene::column_now(*reader_, *layout_, playhead),
                  scene::Camera{home}.clip_from_world(kAspect),
                  kScreen,
                  kSize};
    in.lens = lens;
    const auto there = words(make_labels(in));
    std::string out;
    for (const char* word : {"B  50%", "C  50%", "c  50%"})
      if (there.contains(word)) out += word[0];
    return out;
  };
  const scene::Clock clock(layout_->model().layers);
  EXPECT_EQ("", readings(double{clock.in_layer(0, 0.9F)}));
  EXPECT_EQ("B", readings(double{clock.in_layer(1, 0.5F)}));
  EXPECT_EQ("BC", readings(double{clock.in_layer(2, 0.5F)}));
  EXPECT_EQ("BCc", readings(0.8));
  EXPECT_EQ("", readings(0.8, false));
  EXPECT_EQ("BCc", readings(1.01)) << "the last step's, until the climb comes there";
  EXPECT_EQ("Cc", readings(1.0 + double{clock.in_layer(1, 0.1F)})) << "this one has no reading";
}

TEST_F(Labels, NeverLieOnEachOtherNorOnWhatTheyNameNorOnPanels) {
  show(tests::small_model(), 8, 4,
       {{trace::MutedKind::kHeads, 1, 0}, {trace::MutedKind::kNeuron, 2, 20}});
  const std::vector<scene::Rect> panels = {{{15, 15}, {375, 215}}, {{860, 15}, {1265, 430}}};
  size_t seen = 0;
  for (const scene::Pose& pose : poses(400)) {
    const Annotations notes = at(pose, panels, layout_->head(1, 2) + 1);
    ASSERT_EQ(notes.labels.size(), notes.rects.size());
    for (size_t i = 0; i < notes.rects.size(); ++i) {
      ++seen;
      if (notes.named[i]) {
        EXPECT_GE(gap_between(notes.rects[i], *notes.named[i]), -0.01F) << notes.labels[i].text;
      }
      for (const scene::Rect& panel : panels) EXPECT_GT(gap_between(notes.rects[i], panel), 0.0F);
      for (size_t j = 0; j < i; ++j) {
        if (gap_between(notes.rects[i], notes.rects[j]) > 0.0F) continue;
        EXPECT_LE(std::min(alpha(notes.labels[i]), alpha(notes.labels[j])), 0.51F)
            << notes.labels[i].text << " on " << notes.labels[j].text;
      }
    }
  }
  EXPECT_GT(seen, 4000U);
}

// The camera goes round in small steps: what is named fades in and out, it does not jump.
TEST_F(Labels, DoNotPopAsTheCameraMoves) {
  show(tests::small_model(), 8, 4);
  scene::Pose pose = scene::home_pose(layout_->bounds(12), kAspect);
  std::map<std::string, float> before;
  float worst = 0.0F;
  std::string which;
  for (int i = 0; i < 3000; ++i) {
    pose.yaw += 0.0002F;
    pose.distance *= 0.99965F;
    std::map<std::string, float> now;
    for (const Label& label : at(pose).labels) {
      float& most = now[label.text];
      most = std::max(most, alpha(label));
    }
    for (const auto& [text, visible] : now) {
      const auto it = before.find(text);
      const float jump = std::abs(visible - (it == before.end() ? 0.0F : it->second));
      if (i > 0 && jump > worst) worst = jump, which = text;
    }
    before = std::move(now);
  }
  EXPECT_LT(worst, 0.25F) << which;
}

TEST_F(Labels, NameTheLayersTheCandidatesAndTheNewestToken) {
  show(tests::small_model(), 8, 4);
  const auto home = words(at(scene::home_pose(layout_->bounds(12), kAspect)));
  for (const char* text :
       {"layer 0", "layer 1", "layer 2", "a", "40%", "t11", "4 attention heads"}) {
    EXPECT_TRUE(home.contains(text)) << text;
  }
  EXPECT_FALSE(home.contains("57")) << "neurons are not named from afar";
}

// From everywhere a storey's name stands as high as a part of that storey, not beside another.
TEST_F(Labels, ALayersNameStandsAtItsOwnStorey) {
  show(tests::small_model(), 8, 4);
  size_t seen = 0;
  for (const char* name : {"home", "front", "left", "right", "back", "close", "L1.H2", "L2"}) {
    const scene::Pose pose = *scene::named_pose(name, *layout_, 12, kAspect, 11.0F);
    const Annotations notes = at(pose);
    scene::Camera camera{pose};
    const glm::mat4 world = camera.clip_from_world(kAspect);
    const auto height = [&](glm::vec3 point) {
      const glm::vec4 clip = world * glm::vec4(point, 1.0F);
      return (clip.y / clip.w * 0.5F + 0.5F) * kScreen.y;
    };
    for (size_t i = 0; i < notes.labels.size(); ++i) {
      if (!notes.labels[i].text.starts_with("layer ")) continue;
      const auto layer = static_cast<uint32_t>(std::stoul(notes.labels[i].text.substr(6)));
      const float y = 0.5F * (notes.rects[i].low.y + notes.rects[i].high.y);
      const float low = layout_->storey_y(layer);
      const float high = low + layout_->pitch();
      // At the spine, or at the far end of the plate.
      const auto within = [&](float x) {
        const float a = height({x, low, 0.0F});
        const float b = height({x, high, 0.0F});
        return y >= std::min(a, b) - 0.5F * kSize && y <= std::max(a, b) + 0.5F * kSize;
      };
      EXPECT_TRUE(within(0.0F) || within(layout_->ffn_right()))
          << notes.labels[i].text << " from " << name;
      ++seen;
    }
  }
  EXPECT_GT(seen, 12U);
}

// A word that fits under its bar in several rows stands in one of them.
TEST_F(Labels, ACandidateStandsOnce) {
  show(tests::small_model(), 8, 4);
  size_t seen = 0;
  for (const scene::Pose& pose : poses(200)) {
    std::map<std::string, int> clear;
    for (const Label& label : at(pose).labels) {
      if (label.mono && alpha(label) > 0.55F && label.text.size() == 1) ++clear[label.text];
    }
    for (const auto& [word, times] : clear) EXPECT_EQ(1, times) << word;
    seen += clear.size();
  }
  EXPECT_GT(seen, 200U);
}

// Every layer of a mixture, the one that always works among them; the words that count the experts
// stand below all of them.
TEST_F(Labels, NameTheExperts) {
  show(tests::small_model(), 8, 4);
  trace::Model mix{tests::small_model(), tests::small_mixture(), "mix", "qwen2moe", "F32"};
  mix.record.buckets = 15;  // cells of 4 neurons
  stand(scene::Layout({mix}));
  scene::Pose pose = scene::home_pose(layout_->bounds(12), kAspect);
  pose.yaw = pose.pitch = 0.0F;
  const Annotations notes = at(pose);
  const glm::mat4 world = scene::Camera{pose}.clip_from_world(kAspect);
  const auto seen = [&](glm::vec3 point) {
    const glm::vec4 clip = world * glm::vec4(point, 1.0F);
    return (glm::vec2(clip) / clip.w * 0.5F + 0.5F) * kScreen;
  };
  for (uint32_t l = 0; l < layout_->model().layers; ++l) {
    for (uint32_t e = 0; e <= layout_->structure().experts; ++e) {
      const std::string name = e < layout_->structure().experts ? std::to_string(e) : "shared";
      const scene::Box plate = layout_->expert_plate(l, e);
      const glm::vec2 low = seen(plate.center - plate.half_size);
      const glm::vec2 high = seen(plate.center + plate.half_size);
      bool found = false;
      for (size_t i = 0; i < notes.labels.size(); ++i) {
        const glm::vec2 middle = 0.5F * (notes.rects[i].low + notes.rects[i].high);
        found = found || (notes.labels[i].text == name && middle.x > low.x && middle.x < high.x &&
                          middle.y < low.y && middle.y > high.y);
      }
      EXPECT_TRUE(found) << "expert " << name << " of layer " << l;
    }
  }
  const scene::Box plate = layout_->ffn_plate(0);
  for (size_t i = 0; i < notes.labels.size(); ++i) {
    if (!notes.labels[i].text.starts_with("FFN, ")) continue;
    EXPECT_GT(notes.rects[i].low.y, seen(plate.center - plate.half_size).y);
  }
}

TEST_F(Labels, OfModelsSideBySideEveryNameIsWholeInThePicture) {
  show(tests::small_model(), 8, 4);
  const auto named = [](std::string name) {
    return trace::Model{tests::small_model(), {}, std::move(name), "llama", "F32"};
  };
  scene::LayoutOptions options;
  options.brackets = true;
  stand(scene::Layout({named("left"), named("a right one that has quite a long name")}, options));
  for (const char* view : {"home", "front", "top"}) {
    const Annotations notes = at(*scene::named_pose(view, *layout_, 12, kAspect, 11.0F));
    std::map<std::string, float> names;  // one that fades stands in two rows
    for (size_t i = 0; i < notes.labels.size(); ++i) {
      if (notes.labels[i].text.find(" parameters") == std::string::npos) continue;
      names[notes.labels[i].text] += alpha(notes.labels[i]);
      EXPECT_GE(notes.rects[i].low.x, 0.0F) << view;
      EXPECT_LE(notes.rects[i].high.x, kScreen.x) << view;
    }
    EXPECT_EQ(2U, names.size()) << view;
    for (const auto& [name, visible] : names) EXPECT_GT(visible, 0.9F) << name << " from " << view;
  }
}

TEST_F(Labels, NameWhatIsNear) {
  show(tests::small_model(), 8, 4);
  const auto near = [&](const char* name) {
    scene::Pose pose = *scene::named_pose(name, *layout_, 12, kAspect, 11.0F);
    return words(at(pose));
  };
  const auto ffn = near("L1.F0");
  EXPECT_TRUE(ffn.contains("0") && ffn.contains("3")) << "the first neurons of cells";
  EXPECT_TRUE(near("L1.H2").contains("2"));
  const auto shelf = near("L1.K1.9");
  EXPECT_TRUE(shelf.contains("t9") && shelf.contains("t8"));
}

// From behind the boards of the FFN the numbers of the heads cannot be seen; from the front they
// can, and what is selected always.
TEST_F(Labels, DoNotShowThroughWhatStandsBeforeThem) {
  show(tests::small_model(), 8, 4);
  const scene::Box head = layout_->box_of(layout_->head(1, 2), 11.0F);
  const scene::Box cell = layout_->box_of(layout_->cell(1, 10), 11.0F);
  // Along the line from the head through the board, and from the other side.
  const glm::vec3 towards = glm::normalize(cell.center - head.center);
  scene::Pose pose;
  pose.target = head.center;
  pose.yaw = std::atan2(towards.x, towards.z);
  pose.pitch = std::asin(towards.y);
  pose.distance = glm::length(cell.center - head.center) * 1.3F;
  const std::string name = layout_->path(layout_->ref(layout_->head(1, 2)));
  const auto behind = words(at(pose));
  EXPECT_TRUE(words(at(pose, {}, 0, true)).contains("2")) << "it would be named";
  EXPECT_FALSE(behind.contains("2")) << "a board stands before it";
  EXPECT_TRUE(words(at(pose, {}, layout_->head(1, 2) + 1)).contains(name)) << "it is selected";
  pose.yaw += 3.14159F;
  pose.pitch = -pose.pitch;
  EXPECT_TRUE(words(at(pose)).contains("2")) << "nothing stands before it";
}

// A bar is as high as its probability: the name of a selected one stands above its top.
TEST_F(Labels, NameASelectedBarAboveWhereItEnds) {
  show(tests::small_model(), 8, 4);
  const scene::Pose home = scene::home_pose(layout_->bounds(12), kAspect);
  const LabelBoard board(scene::Camera{home}.clip_from_world(kAspect), kScreen, kSize, {});
  const trace::Logits& logits = reader_->position(reader_->positions() - 1).logits;
  for (const uint32_t rank : {0U, 1U, scene::Layout::kCandidates}) {
    const uint32_t bar = layout_->candidate(rank);
    const float height = rank < scene::Layout::kCandidates ? logits.candidates[rank].probability
                                                           : scene::rest_of_bars(logits);
    const shaders::Node node = layout_->node(bar);
    const glm::vec3 top =
        node.center + glm::vec3(0.0F, node.half_size.y + node.grow * height, 0.0F);
    const Annotations notes = at(home, {}, bar + 1);
    const auto named = std::find_if(notes.labels.begin(), notes.labels.end(), [&](const Label& l) {
      return l.text == layout_->path(layout_->ref(bar));
    });
    ASSERT_NE(named, notes.labels.end()) << rank;
    const auto i = static_cast<size_t>(named - notes.labels.begin());
    EXPECT_LT(notes.rects[i].high.y, board.project(top)->y) << rank;
  }
}

// 126 layers of 128 heads and 53,248 neurons cost about as much as 3 layers of 4 and 60: what is
// named is what is large on the screen. Counted, not timed.
TEST_F(Labels, AreAsManyForAGiantAsForADwarf) {
  trace::ModelRecord giant = tests::small_model();
  giant.layers = 126;
  giant.heads = 128;
  giant.kv_heads = 8;
  giant.neurons = 53248;
  giant.buckets = 512;
  giant.context = 131072;
  show(giant, 2, 1);
  size_t most = 0;
  for (const scene::Pose& pose : poses(100)) most = std::max(most, at(pose).labels.size());
  EXPECT_LT(most, 1000U) << "as many as a screen has room for";
  LabelBoard board(
      scene::Camera{scene::home_pose(layout_->bounds(12), kAspect)}.clip_from_world(kAspect),
      kScreen, kSize, {});
  uint32_t asked = 0;
  board.along(
      1U << 30, [&](uint32_t i) { return ++asked, glm::vec3(0, 0, -static_cast<float>(i)); },
      [](uint32_t) { return 1.0F; }, 20.0F, [](uint32_t) {});
  EXPECT_LT(asked, 2000U);
}

TEST(ByRoundness, LeavesRoundNumbersWhereRoomIsShort) {
  const std::vector<uint32_t> numbers = {3, 4, 5, 6, 7, 8, 9};
  EXPECT_EQ((std::vector<uint32_t>{8, 4, 6, 3, 5, 7, 9}), by_roundness(numbers));
}

}  // namespace
}  // namespace render
