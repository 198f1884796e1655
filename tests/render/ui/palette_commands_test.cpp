// What the command palette finds.
#include "render/ui/palette_commands.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>
#include <gtest/gtest.h>

#include <set>

#include "render/scene/camera.h"
#include "render/scene/node_path.h"
#include "tests/support/trace_builder.h"

namespace {

class Offers : public ::testing::Test {
 protected:
  std::vector<ui::Offer> typed(std::string_view text) const { return ui::offers(text, layout_); }
  scene::Layout layout_{tests::small_model()};
};

TEST_F(Offers, AreAllOfThemWhereNothingIsTyped) {
  std::set<std::string> words;
  std::set<std::pair<int, int>> keys;
  for (const ui::Offer& offer : typed("")) {
    EXPECT_TRUE(words.insert(offer.words).second) << offer.words;
    if (offer.key != 0) {
      EXPECT_TRUE(keys.insert({offer.key, offer.mods}).second) << offer.words;
    }
    EXPECT_NE(offer.key == 0, offer.view.empty()) << offer.words << ": one or the other";
    EXPECT_EQ(offer.key == 0, offer.keys.empty()) << offer.words;
  }
  EXPECT_GT(words.size(), 50U);
}

TEST_F(Offers, AreFoundByEveryWordInAnyCase) {
  const auto found = typed("LENS logit");
  ASSERT_EQ(1U, found.size());
  EXPECT_EQ(GLFW_KEY_R, found[0].key);
  EXPECT_EQ(GLFW_KEY_DOWN, typed("ctrl down")[0].key) << "by its keys as well";
  EXPECT_TRUE(typed("no such thing").empty());
  EXPECT_EQ(typed("").size(), typed("   ").size());
}

TEST_F(Offers, BeginWithTheNodeOfThatName) {
  for (const char* name : {"L2.H3", "l2.h3", " L2.H3 "}) {
    const auto found = typed(name);
    ASSERT_FALSE(found.empty()) << name;
    EXPECT_EQ(layout_.head(2, 3), scene::find_node(found[0].node, layout_));
    EXPECT_EQ("select layer 2 > attention > head 3", found[0].words);
  }
  EXPECT_EQ("L1", typed("l1")[0].view);
  EXPECT_TRUE(typed("L9.H0").empty()) << "there is no such layer";
}

TEST_F(Offers, NameViewsThatThereAre) {
  for (const ui::Offer& offer : typed("view:")) {
    ASSERT_FALSE(offer.view.empty());
    EXPECT_TRUE(scene::named_pose(offer.view, layout_, 4, 1.7F)) << offer.view;
  }
}

TEST_F(Offers, OfHostileTextAreNone) {
  EXPECT_TRUE(typed(std::string(100'000, 'z')).empty());
  EXPECT_TRUE(typed("\xFF\xFE\x80 L\xC3").empty());
  EXPECT_TRUE(typed("L99999999999999999999.H1").empty());
}

}  // namespace
