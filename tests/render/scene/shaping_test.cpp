// Expected orders and forms: the Unicode charts (Arabic Presentation Forms-B) and Annex 9.
#include "render/scene/shaping.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using scene::Drawn;
using scene::shape_line;

std::u32string drawn(std::u32string_view text) {
  std::u32string out;
  for (const Drawn& d : shape_line(std::span(text.data(), text.size()))) out += d.character;
  return out;
}

TEST(ShapeLine, LeavesLeftToRightTextAlone) {
  for (const std::u32string text :
       {U"", U"ROMEO:", U" the", U"3.14 (x)", U"\u4E2D\u6587", U"\u0416\u03A9"}) {
    EXPECT_EQ(text, drawn(text));
  }
}

TEST(ShapeLine, TurnsHebrewAround) {
  EXPECT_EQ(U"\u05DD\u05D5\u05DC\u05E9", drawn(U"\u05E9\u05DC\u05D5\u05DD"));
  // Two words keep their order as read from the right.
  EXPECT_EQ(U"\u05D2 \u05D1\u05D0", drawn(U"\u05D0\u05D1 \u05D2"));
  // Within a line that begins from the left only the run is turned.
  EXPECT_EQ(U"x \u05D1\u05D0 y", drawn(U"x \u05D0\u05D1 y"));
}

TEST(ShapeLine, NumbersInRightToLeftTextKeepTheirOrder) {
  EXPECT_EQ(U"123 \u05D1\u05D0", drawn(U"\u05D0\u05D1 123"));
  EXPECT_EQ(U"(\u05D0)", drawn(U"(\u05D0)")) << "brackets are mirrored as well as moved";
}

// Annex 9, W2 to W7: separators and signs of a number are its own.
TEST(ShapeLine, NumbersStayInOnePiece) {
  EXPECT_EQ(U"12:30 \u05D0", drawn(U"\u05D0 12:30"));
  EXPECT_EQ(U"25% \u05D0", drawn(U"\u05D0 25%"));
  EXPECT_EQ(U"1,234.56 \u05D0", drawn(U"\u05D0 1,234.56"));
  EXPECT_EQ(U"%0.5  \uFEE6\uFEE3", drawn(U"\u0645\u0646  0.5%")) << "as Arabic has it";
  // After an Arabic letter digits are Arabic numbers; Arabic decimals have a separator of theirs.
  EXPECT_EQ(U"3.14 \uFEE1", drawn(U"\u0645 3.14"));
  EXPECT_EQ(U"\u0663\u066B\u0661\u0664 \uFEE1", drawn(U"\u0645 \u0663\u066B\u0661\u0664"));
  EXPECT_EQ(U"\u0661\u0662/\u0660\u0665 \uFEE1", drawn(U"\u0645 \u0661\u0662/\u0660\u0665"));
}

// Directions are those of the paragraph, whose lines are turned one by one (Annex 9, 3.4).
TEST(ShapeLine, ALineRunsAsItsParagraphDoes) {
  const auto drawn_in = [](std::u32string_view before, std::u32string_view text) {
    std::u32string out;
    for (const Drawn& d : shape_line(text, {before, {}})) out += d.character;
    return out;
  };
  EXPECT_EQ(U"12 \u05D3\u05D2", drawn_in(U"abc ", U"12 \u05D2\u05D3"));
  EXPECT_EQ(U"\u05D3\u05D2 12", drawn_in(U"abc \u05D0\u05D1 ", U"12 \u05D2\u05D3"))
      << "the number belongs to the Hebrew before it";
  EXPECT_EQ(U".abc", drawn_in(U"\u05D0\u05D1 ", U"abc.")) << "the paragraph runs from the right";
}

TEST(EndsTurned, IsOfTheLastLetter) {
  const auto ends = [](std::u32string_view text) { return scene::ends_turned(text); };
  EXPECT_TRUE(ends(U"abc \u05D0\u05D1"));
  EXPECT_TRUE(ends(U"\u0645 12%."));
  EXPECT_FALSE(ends(U"\u05D0 abc"));
  EXPECT_FALSE(ends(U"12"));
  EXPECT_FALSE(ends(U""));
}

// The Unicode Standard, chapter 12: a left-side vowel sign is seen before all of its consonants.
TEST(ShapeLine, VowelSignsAreSeenWhereTheyBelong) {
  EXPECT_EQ(U"\u093F\u0915", drawn(U"\u0915\u093F")) << "ki";
  EXPECT_EQ(U"\u093F\u0939\u0928\u094D\u0926\u0940", drawn(U"\u0939\u093F\u0928\u094D\u0926\u0940"))
      << "hindi";
  EXPECT_EQ(U"\u093F\u0938\u094D\u0925", drawn(U"\u0938\u094D\u0925\u093F")) << "sthi";
  EXPECT_EQ(U"\u093F\u0915\u0902", drawn(U"\u0915\u093F\u0902")) << "kim: the dot is the letter's";
  EXPECT_EQ(U"\u0BC6\u0B95\u0BBE", drawn(U"\u0B95\u0BCA")) << "Tamil ko, on both sides";
  EXPECT_EQ(U"\u0B87\u0BAA\u0BCD\u0BC7\u0BAA\u0BBE\u0BA4\u0BC1",
            drawn(U"\u0B87\u0BAA\u0BCD\u0BAA\u0BCB\u0BA4\u0BC1"))
      << "Tamil ippodu: a pulli makes no conjunct";
  EXPECT_EQ(U"\u0915\u094D\u093F\u0937", drawn(U"\u0915\u094D\u200C\u0937\u093F"))
      << "nor a virama with a non-joiner";
  EXPECT_EQ(U"\u0DD9\u0DB4\u0DCA\u0DBB", drawn(U"\u0DB4\u0DCA\u200D\u0DBB\u0DD9"))
      << "a Sinhala conjunct";
  EXPECT_EQ(U"\u093F", drawn(U"\u093F")) << "a token may be the sign alone";
  EXPECT_EQ(U" \u093F", drawn(U" \u093F"));
  EXPECT_EQ(U"\u0E19\u0E4D\u0E49\u0E32", drawn(U"\u0E19\u0E49\u0E33"))
      << "Thai nam: its ring below the tone";
}

TEST(ShapeLine, JoinsArabicLetters) {
  // salaam: seen initial, lam with alef as one, final, then meem alone.
  EXPECT_EQ(U"\uFEE1\uFEFC\uFEB3", drawn(U"\u0633\u0644\u0627\u0645"));
  // bayt: beh initial, yeh medial, teh final.
  EXPECT_EQ(U"\uFE96\uFEF4\uFE91", drawn(U"\u0628\u064A\u062A"));
  EXPECT_EQ(U"\uFE8F", drawn(U"\u0628")) << "alone";
  EXPECT_EQ(U"\uFE8F\uFE8F", drawn(U"\u0628\u200C\u0628")) << "a non-joiner parts them";
  EXPECT_EQ(U"\uFB57\uFB58", drawn(U"\u067E\u067E")) << "Persian peh";
}

TEST(ShapeLine, MarksFollowTheirBase) {
  const std::u32string_view text = U"e\u0301x";
  const std::vector<Drawn> line = shape_line(std::span(text.data(), text.size()));
  ASSERT_EQ(3U, line.size());
  EXPECT_FALSE(line[0].mark);
  EXPECT_TRUE(line[1].mark);
  EXPECT_FALSE(line[2].mark);
  // Also where the line is turned around: shin with its dot, then alef.
  EXPECT_EQ(U"\u05D0\u05E9\u05C1", drawn(U"\u05E9\u05C1\u05D0"));
  EXPECT_EQ(U"\u25CC\u0301", drawn(U"\u0301")) << "alone, on a dotted circle";
}

TEST(ShapeLine, InvisibleCharactersAreBoxedUnlessTheyJoin) {
  const auto boxed = [](std::u32string_view text) {
    size_t n = 0;
    for (const Drawn& d : shape_line(std::span(text.data(), text.size()))) n += d.boxed ? 1 : 0;
    return n;
  };
  for (const char32_t c :
       {0x7, 0x85, 0xAD, 0x200B, 0x200D, 0x200E, 0x2028, 0x202E, 0xFE0F, 0xFEFF}) {
    EXPECT_EQ(1U, boxed(std::u32string(1, c))) << std::hex << static_cast<uint32_t>(c);
  }
  EXPECT_EQ(1U, boxed(U"a\u200Bb"));
  EXPECT_EQ(0U, boxed(U"\U0001F468\u200D\U0001F469")) << "a joiner between two";
  EXPECT_EQ(0U, boxed(U"\u2764\uFE0F")) << "a variation";
  EXPECT_EQ(2U, boxed(U"\u3000\u00A0")) << "spaces alone";
  EXPECT_EQ(0U, boxed(U"a\u00A0b")) << "a space between letters is seen";
}

// Nothing is lost and nothing crashes, whatever the order.
TEST(ShapeLine, KeepsEveryVisibleCharacter) {
  uint32_t state = 1;
  const std::u32string_view alphabet =
      U"aZ7 "
      U".(\u05D0\u05E9\u05C1\u0628\u0644\u0627\u0661\u064E\u0301\u200D\u200C\u202E\u4E2D\U0001F600";
  for (int round = 0; round < 2000; ++round) {
    std::u32string text;
    for (int i = 0; i < round % 9; ++i) {
      state = state * 1664525U + 1013904223U;
      text += alphabet[(state >> 8) % alphabet.size()];
    }
    size_t visible = 0;
    bool marks = false;
    size_t ligatures = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      visible += text[i] != 0x200D && text[i] != 0x200C ? 1 : 0;
      marks |= scene::is_mark(text[i]);
      ligatures += text[i] == 0x644 ? 1 : 0;
    }
    const size_t n = shape_line(std::span(text.data(), text.size())).size();
    EXPECT_GE(n + ligatures, visible);
    if (!marks) {
      EXPECT_LE(n, text.size());
    }
  }
}

}  // namespace
