#include "engine/edit_distance.h"

#include <gtest/gtest.h>

namespace {

using engine::edit_distance;

TEST(EditDistance, CountsInsertionsDeletionsAndChanges) {
  EXPECT_EQ(0U, edit_distance("", ""));
  EXPECT_EQ(3U, edit_distance("", "abc"));
  EXPECT_EQ(3U, edit_distance("abc", ""));
  EXPECT_EQ(3U, edit_distance("kitten", "sitting"));  // the example of every textbook
  EXPECT_EQ(1U, edit_distance("attn.weight", "attn.weights"));
}

}  // namespace
