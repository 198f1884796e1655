#include "render/scene/wrap.h"

#include <gtest/gtest.h>

namespace {

using scene::Line;
using scene::wrap;

// Every character is one wide.
float characters(const std::string& text) {
  float n = 0.0F;
  for (const char c : text) n += (c & 0xC0) != 0x80 ? 1.0F : 0.0F;
  return n;
}

std::vector<std::string> lines_of(const std::vector<std::string>& texts, float width) {
  std::vector<std::string> lines;
  for (const Line& line : wrap(texts, width, characters)) {
    std::string& text = lines.emplace_back();
    for (const scene::Run& run : line) text += run.text;
    EXPECT_LE(characters(text), width) << text;
  }
  return lines;
}

using Lines = std::vector<std::string>;

TEST(Wrap, BreaksBetweenWords) {
  EXPECT_EQ((Lines{"To be, or", "not to be"}), lines_of({"To be, or not to be"}, 10));
  EXPECT_EQ((Lines{"To be, or", "not"}), lines_of({"To", " be", ",", " or", " not"}, 10));
}

TEST(Wrap, AWordOfSeveralTextsStaysWhole) {
  EXPECT_EQ((Lines{"the", "kingdom is"}), lines_of({"the", " king", "dom", " is"}, 10));
  EXPECT_EQ((Lines{"a", "world"}), lines_of({"a", " ", "w", "o", "r", "l", "d"}, 6))
      << "every byte a token";
}

TEST(Wrap, KeepsTheLinesOfTheText) {
  EXPECT_EQ((Lines{"ROMEO:", "", "  O"}), lines_of({"ROMEO:", "\n\n", "  O"}, 10));
  EXPECT_EQ((Lines{""}), lines_of({}, 10));
  EXPECT_EQ((Lines{"a", ""}), lines_of({"a\n"}, 10));
}

TEST(Wrap, BreaksWhatIsWiderThanALine) {
  EXPECT_EQ((Lines{"abcde", "fgh"}), lines_of({"abcdefgh"}, 5));
  EXPECT_EQ((Lines{"abcd", "efgh"}), lines_of({"abcd", "efgh"}, 5)) << "between texts first";
  EXPECT_EQ((Lines{"\u00E9\u00E9", "\u00E9"}), lines_of({"\u00E9\u00E9\u00E9"}, 2));
  EXPECT_EQ(3U, wrap(std::vector<std::string>{"abc"}, 0.5F, characters).size())
      << "a character a line, if there is no more room";
}

TEST(Wrap, SaysWhichTextARunIsOf) {
  const auto lines = wrap(std::vector<std::string>{"one", " two"}, 4.0F, characters);
  EXPECT_EQ((std::vector<Line>{{{0, "one"}}, {{1, "two"}}}), lines);
}

TEST(Wrap, SaysWhereTheTextItselfBeginsALine) {
  const auto lines = wrap(std::vector<std::string>{"one two\n\nthree"}, 5.0F, characters);
  ASSERT_EQ(4U, lines.size());
  EXPECT_TRUE(lines[0].begins);
  EXPECT_FALSE(lines[1].begins);
  EXPECT_TRUE(lines[2].begins);
  EXPECT_TRUE(lines[3].begins);
}

}  // namespace
