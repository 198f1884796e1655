#include "model/utf8.h"

#include <gtest/gtest.h>

namespace {

using model::printable;

TEST(Printable, KeepsWhatCanBeSeenAndNamesTheRest) {
  EXPECT_EQ("caf\u00E9 \u732B", printable("caf\u00E9 \u732B"));
  EXPECT_EQ("a\\x0Ab\\x1B[31m", printable("a\nb\x1B[31m"));
  EXPECT_EQ("\\xFFx", printable("\xFFx"));
  EXPECT_EQ("\\xE2\\x80\\xAEabc", printable("\u202Eabc")) << "which would turn it around";
  EXPECT_EQ("abc...", printable("abcdef", 3));
  EXPECT_EQ("", printable(""));
}

TEST(Printable, NamesWhatWouldLookLikeNothing) {
  EXPECT_EQ("\\xE2\\x80\\x8B", printable("\u200B"));
  EXPECT_EQ("\\xEF\\xBB\\xBF", printable("\uFEFF"));
  EXPECT_EQ("\U0001F468\u200D\U0001F469", printable("\U0001F468\u200D\U0001F469"))
      << "between two it joins them";
}

}  // namespace
