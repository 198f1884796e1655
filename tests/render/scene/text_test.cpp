#include "render/scene/text.h"

#include <gtest/gtest.h>

namespace {

using scene::readable_text;
using scene::visible_text;

TEST(VisibleText, ShowsWhatCannotBeSeen) {
  EXPECT_EQ("\u21B5", visible_text("\n"));
  EXPECT_EQ("\u21E5", visible_text("\t"));
  EXPECT_EQ("\\r\u21B5", visible_text("\r\n"));
  EXPECT_EQ("\u2423", visible_text(" ")) << "alone";
  EXPECT_EQ("\u2423\u2423\u2423", visible_text("   "));
  EXPECT_EQ(" the", visible_text(" the")) << "not in a word";
  EXPECT_EQ("\\x00\\x1B\\x7F", visible_text(std::string_view("\0\x1B\x7F", 3)));
  EXPECT_EQ("\\xC2\\x9Bm", visible_text("\u009Bm")) << "a control of ISO 6429";
  EXPECT_EQ("\u00A0", visible_text("\u00A0"));
  EXPECT_EQ("", visible_text(""));
}

TEST(VisibleText, KeepsUtf8OfEveryLength) {
  for (const char* text :
       {"abc", "\u00E9", "\u4E2D\u6587", "\U0001F329", "\uFFFD", "\U0010FFFF", "a\u0301"}) {
    EXPECT_EQ(text, visible_text(text));
    EXPECT_EQ(text, readable_text(text));
  }
}

TEST(VisibleText, BytesThatAreNoUtf8AreSpelledOut) {
  EXPECT_EQ("\\xFF", visible_text("\xFF"));
  EXPECT_EQ("\\xE4\\xB8", visible_text("\xE4\xB8")) << "half a character";
  EXPECT_EQ("\\xC0\\xAF", visible_text("\xC0\xAF")) << "overlong";
  EXPECT_EQ("\\xED\\xA0\\x80", visible_text("\xED\xA0\x80")) << "a surrogate";
  EXPECT_EQ("\\xF4\\x90\\x80\\x80", visible_text("\xF4\x90\x80\x80")) << "beyond Unicode";
  EXPECT_EQ("a\\x80z", visible_text("a\x80z"));
}

TEST(Unfinished, IsTheBeginningOfACharacterAtTheEnd) {
  const std::string text = "\u00E9\u4E2D\U0001F329";
  EXPECT_EQ(0U, scene::unfinished(text));
  EXPECT_EQ(3U, scene::unfinished(text.substr(0, 8)));
  EXPECT_EQ(1U, scene::unfinished(text.substr(0, 6)));
  EXPECT_EQ(2U, scene::unfinished(text.substr(0, 4)));
  EXPECT_EQ(1U, scene::unfinished(text.substr(0, 1)));
  EXPECT_EQ(0U, scene::unfinished("a"));
  EXPECT_EQ(0U, scene::unfinished(""));
  EXPECT_EQ(0U, scene::unfinished("\x80\x80\x80\x80")) << "none begins";
}

TEST(ReadableText, KeepsLinesAndReplacesTheRest) {
  EXPECT_EQ("To be,\nor not", readable_text("To be,\nor not"));
  EXPECT_EQ("a\uFFFDb", readable_text("a\xFF"
                                      "b"));
  EXPECT_EQ("ab", readable_text("a\x1B"
                                "b"));
}

TEST(CandidateText, HasTheIdOfOneThatWasCut) {
  const auto candidate = [](std::string_view text) {
    trace::Candidate c;
    c.id = 7;
    c.text_bytes = static_cast<uint32_t>(text.copy(c.text.data(), c.text.size()));
    return scene::candidate_text(c);
  };
  EXPECT_EQ(" the", candidate(" the"));
  EXPECT_EQ("\u2026", candidate("\u2026")) << "a token of its own";
  EXPECT_EQ("aaaaaaaaaaaaaaaaa\u2026 #7", candidate("aaaaaaaaaaaaaaaaa\u2026"));
  EXPECT_EQ("\u3042\u3042\u3042\u3042\u3042\u2026 #7",
            candidate("\u3042\u3042\u3042\u3042\u3042\u2026"));
}

TEST(EncodeUtf8, GivesWhatSequencesAreMadeOf) {
  EXPECT_EQ("A", scene::encode_utf8(U'A'));
  EXPECT_EQ("\u00E9", scene::encode_utf8(U'\u00E9'));
  EXPECT_EQ("\u732B", scene::encode_utf8(U'\u732B'));
  EXPECT_EQ("\U0010FFFF", scene::encode_utf8(U'\U0010FFFF'));
}

// What byte tokens are parts of: U+732B, a cat, is E7 8C AB.
TEST(PartOfCharacter, IsNamedWithTheCharacter) {
  using scene::part_of_character;
  EXPECT_EQ("byte 1 of 3 of \u732B", part_of_character("a", "\xE7", "\x8C\xAB."));
  EXPECT_EQ("byte 2 of 3 of \u732B", part_of_character("a\xE7", "\x8C", "\xAB"));
  EXPECT_EQ("byte 3 of 3 of \u732B", part_of_character("\xE7\x8C", "\xAB", ""));
  EXPECT_EQ("bytes 2 to 3 of 3 of \u732B", part_of_character("\xE7", "\x8C\xAB", "b"));
  EXPECT_EQ("byte 4 of 4 of \U0001F600", part_of_character("x\xF0\x9F\x98", "\x80", ""));
  EXPECT_EQ("byte 1 of 3 of a character", part_of_character("a", "\xE7", "")) << "not yet there";
  EXPECT_EQ("", part_of_character("a", "\u732B", "b")) << "a whole one";
  EXPECT_EQ("", part_of_character("", "x", "\x8C"));
  EXPECT_EQ("", part_of_character("a", "\x8C", "b")) << "of none";
  EXPECT_EQ("", part_of_character("a", "\xE7", "bcd")) << "of none";
  EXPECT_EQ("", part_of_character("a", "\xE7", "b")) << "of none";
  EXPECT_EQ("", part_of_character("a",
                                  "\xE7"
                                  "b",
                                  ""))
      << "of none";
  EXPECT_EQ("", part_of_character("a", "\xFF", "")) << "of none";
  EXPECT_EQ("", part_of_character("", "", ""));
}

}  // namespace
