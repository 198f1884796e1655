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

TEST(Editable, ShowsCharactersOfSixteenBitsAlone) {
  Editable editable;
  const std::string shown = editable.shown("a\u00E9\u4F60\U0001F600\xFF");
  EXPECT_EQ("a\u00E9\u4F60\uE000\uE001", shown);
  EXPECT_EQ("a\u00E9\u4F60", editable.shown("a\u00E9\u4F60"));
}

TEST(Editable, WhatIsWrittenAroundOneKeepsIt) {
  Editable editable;
  const std::string shown = editable.shown("Hi \U0001F600");
  EXPECT_EQ("Hi \U0001F600, you\U0001F600", editable.meant(shown + ", you" + shown.substr(3)));
}

}  // namespace
