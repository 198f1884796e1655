// UTF-8 and text measuring: no driver needed.
#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "render/label.h"
#include "render/pass/font.h"

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

TEST(Text, DrawsWhatNoFontHasAsAReplacement) {
  FontSet& fonts = FontSet::shared();
  EXPECT_EQ(fonts.glyph(U'\U000F1234', false).distance, fonts.glyph(0xfffd, false).distance);
  const GlyphShape& letter = fonts.glyph(U'A', false);
  EXPECT_EQ(letter.distance.size(), size_t{letter.size.x} * letter.size.y);
  EXPECT_GT(*std::max_element(letter.distance.begin(), letter.distance.end()),
            140);  // inside a stem
  EXPECT_LT(letter.distance.front(), 20);
  EXPECT_EQ(fonts.glyph(U' ', false).size.x, 0u);
  EXPECT_GT(fonts.glyph(U' ', false).advance, 0);
}

}  // namespace
}  // namespace render
