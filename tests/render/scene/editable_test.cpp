#include "render/scene/editable.h"

#include <gtest/gtest.h>

#include "render/scene/text.h"

namespace {

using scene::Editable;

TEST(Editable, EveryTextComesBackAsItWas) {
  Editable editable;
  for (const std::string& text :
       {std::string("plain"), std::string("caf\u00E9 \u4F60\u597D"), std::string("a \U0001F600 b"),
        std::string("\uE000\uF8FF"), std::string("\xFF\xC3 \xF0\x9F"), std::string("a\0b", 3),
        std::string("\U0001F600\U0001F601\U0001F600")}) {
    EXPECT_EQ(text, editable.meant(editable.shown(text)));
  }
}

// A play is written in lines: they survive a field that has but one.
TEST(Editable, EndsOfLinesAreSignsInTheField) {
  Editable editable;
  const std::string play = "JULIET:\n\tO Romeo\nROMEO:";
  EXPECT_EQ("JULIET:\u21B5\u21E5O Romeo\u21B5ROMEO:", editable.shown(play));
  EXPECT_EQ(play, editable.meant(editable.shown(play)));
  EXPECT_EQ(play, editable.meant(editable.pasted("JULIET:\r\n\tO Romeo\rROMEO:")));
  const std::string arrows = "a \u21B5 that was there, \u21E5";
  EXPECT_EQ(arrows, editable.meant(editable.shown(arrows)));
}

TEST(Editable, ShowsCharactersOfSixteenBitsAlone) {
  Editable editable;
  const std::string shown = editable.shown("a\u00E9\u4F60\U0001F600\xFF");
  EXPECT_EQ("a\u00E9\u4F60\uE000\uE001", shown);
  EXPECT_EQ("a\u00E9\u4F60", editable.shown("a\u00E9\u4F60"));
  EXPECT_EQ("\uE002", editable.shown("\uF8FF")) << "which may stand for a letter in other panels";
}

TEST(Editable, WhatIsTypedOrPastedIsKeptToo) {
  Editable editable;
  EXPECT_FALSE(editable.keep_typed(U'\u00E9')) << "the field takes it";
  EXPECT_EQ("", editable.take_typed());
  EXPECT_TRUE(editable.keep_typed(U'\U0001F44D'));
  EXPECT_TRUE(editable.keep_typed(U'a')) << "what comes behind it stays behind it";
  EXPECT_TRUE(editable.keep_typed(U'\u21B5'));
  EXPECT_EQ("\U0001F44Da\u21B5", editable.meant(editable.take_typed()));
  EXPECT_EQ("", editable.take_typed());
  const std::string arrows = "a \u21B5 b\u21E5\U0001F44D";
  EXPECT_EQ(arrows, editable.meant(editable.pasted(arrows)));
}

TEST(Editable, WhatIsWrittenAroundOneKeepsIt) {
  Editable editable;
  const std::string shown = editable.shown("Hi \U0001F600");
  EXPECT_EQ("Hi \U0001F600, you\U0001F600", editable.meant(shown + ", you" + shown.substr(3)));
}

}  // namespace
