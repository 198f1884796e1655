// UTF-8 and text measuring: no driver needed.
#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "render/label.h"
#include "render/pass/font.h"
#include "shaders/shared.h"

namespace render {
namespace {

TEST(Utf8, DecodesAndMendsWhatIsBroken) {
  using Text = std::vector<char32_t>;
  EXPECT_EQ(decode_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\xa9"),
            (Text{'a', 0xe9, 0x20ac, 0x1f329}));
  EXPECT_EQ(decode_utf8("\xc3"), (Text{0xfffd}));
  EXPECT_EQ(decode_utf8("\xe2\x82"
                        "b"),
            (Text{0xfffd, 'b'}));
  EXPECT_EQ(decode_utf8("\x80\xff"), (Text{0xfffd, 0xfffd}));
  EXPECT_EQ(decode_utf8("\xc0\x80"), (Text{0xfffd, 0xfffd}));  // overlong
  EXPECT_EQ(decode_utf8("\xe0\x80\x80"), (Text{0xfffd}));      // overlong
  EXPECT_EQ(decode_utf8("\xed\xa0\x80"), (Text{0xfffd}));      // a surrogate
  EXPECT_EQ(decode_utf8("\xf4\x90\x80\x80"), (Text{0xfffd}));  // beyond the last code point
  EXPECT_EQ(decode_utf8(std::string_view("\0z", 2)), (Text{0, 'z'}));
}

TEST(Text, MeasuresInProportion) {
  const glm::vec2 small = measure_text("ROMEO:", 12, false),
                  large = measure_text("ROMEO:", 36, false);
  EXPECT_GT(small.x, 20);
  EXPECT_LT(small.x, 90);
  EXPECT_NEAR(large.x, 3 * small.x, 0.01f);
  EXPECT_NEAR(large.y, 3 * small.y, 0.01f);
  EXPECT_GT(small.y, 12);
  EXPECT_EQ(measure_text("", 12, false).x, 0);
  EXPECT_NEAR(measure_text("iiii", 12, true).x, measure_text("WWWW", 12, true).x, 0.01f);
  EXPECT_LT(measure_text("iiii", 12, false).x, measure_text("WWWW", 12, false).x);
}

TEST(Text, DrawsLettersAsDistancesFromTheirOutline) {
  FontSet& fonts = FontSet::shared();
  const GlyphShape& letter = fonts.glyph(U'A', false);
  EXPECT_EQ(letter.distance.size(), size_t{letter.size.x} * letter.size.y);
  EXPECT_GT(*std::max_element(letter.distance.begin(), letter.distance.end()),
            140);  // inside a stem
  EXPECT_LT(letter.distance.front(), 20);
  EXPECT_EQ(fonts.glyph(U' ', false).size.x, 0u);
  EXPECT_GT(fonts.glyph(U' ', false).advance, 0);
}

// U+F1234 is of private use: no font has it.
TEST(Text, WhatNoFontHasShowsItsNumberInABox) {
  FontSet& fonts = FontSet::shared();
  const GlyphShape& missing = fonts.glyph(U'\U000F1234', false);
  EXPECT_EQ(missing.distance, fonts.boxed(U'\U000F1234').distance);
  EXPECT_NE(missing.distance, fonts.boxed(U'\U000F1235').distance) << "another number";
  EXPECT_NE(missing.distance, fonts.glyph(0xFFFD, false).distance);
  ASSERT_EQ(missing.distance.size(), size_t{missing.size.x} * missing.size.y);
  EXPECT_GT(missing.advance, fonts.boxed(0x200B).advance) << "six digits need more room than four";
  EXPECT_GT(std::count_if(missing.distance.begin(), missing.distance.end(),
                          [](uint8_t d) { return d > 128; }),
            150)
      << "ink of a frame and of digits";
}

TEST(Text, NothingVanishes) {
  FontSet& fonts = FontSet::shared();
  for (const char* text :
       {"\u200B", "\u200D", "\uFE0F", "\u202E", "\u3000", "\u0301", "\u4E2D", "\U0001F329",
        "\U0001F468\u200D\U0001F469", "\u05D0", "\uE000", "\u0085"}) {
    const Setting setting = fonts.set(text, true);
    EXPECT_GT(setting.width, 0) << text;
    size_t ink = 0;
    for (const Setting::Item& item : setting.items) {
      for (const uint8_t d : item.shape->distance) ink += d > 128 ? 1 : 0;
    }
    EXPECT_GT(ink, 20u) << text;
  }
}

TEST(Text, MarksSitOnTheirBase) {
  FontSet& fonts = FontSet::shared();
  constexpr float kSpread = shaders::kGlyphSpread;
  for (const bool mono : {false, true}) {
    for (const char* base : {"e", "i", "E", "\u05D0"}) {
      const float alone = fonts.set(base, mono).width;
      const Setting marked = fonts.set(std::string(base) + "\u0301", mono);
      ASSERT_EQ(marked.items.size(), 2u);
      EXPECT_FLOAT_EQ(marked.width, alone) << base;
      const auto middle = [&](const Setting::Item& item) {
        return item.offset.x + 0.5f * static_cast<float>(item.shape->size.x);
      };
      EXPECT_NEAR(middle(marked.items[0]), middle(marked.items[1]), 0.51f) << base;
      // The acute's lower end is above the letter's upper one, whether small or capital.
      const float letter_top = marked.items[0].offset.y + kSpread;
      const float mark_bottom =
          marked.items[1].offset.y + static_cast<float>(marked.items[1].shape->size.y) - kSpread;
      if (std::string(base) == "E") {
        EXPECT_LT(mark_bottom, letter_top + 1) << mono;
      }
    }
    const Setting two = fonts.set("e\u0301\u0302", mono);
    EXPECT_LT(two.items[2].offset.y, two.items[1].offset.y) << "one above the other";
  }
}

TEST(Text, MeasuresWhatItSets) {
  for (const char* text : {"ROMEO:", "e\u0301", "\u05E9\u05DC\u05D5\u05DD", "\u4E2D\u6587 x"}) {
    EXPECT_FLOAT_EQ(measure_text(text, kGlyphPx, true).x, FontSet::shared().set(text, true).width);
  }
}

}  // namespace
}  // namespace render
