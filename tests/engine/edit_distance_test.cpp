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

TEST(EditDistance, NearestNamesComeFirst) {
  EXPECT_EQ((std::vector<std::string>{"model", "models"}),
            engine::nearest("Model", {"tap", "models", "model", "inspect"}, 2));
  EXPECT_TRUE(engine::nearest("x", {}, 3).empty());
}

TEST(EditDistance, WhatWasProbablyMeantIsMostlyRight) {
  EXPECT_EQ("models", engine::probably("modles", {"tap", "models"}));
  EXPECT_EQ("models", engine::probably("MODELS", {"tap", "models"}));
  EXPECT_EQ("tap", engine::probably("tapp", {"tap", "models"}));
  EXPECT_EQ("", engine::probably("generate", {"tap", "models"}));
  EXPECT_EQ("", engine::probably("generate", {}));
}

}  // namespace
