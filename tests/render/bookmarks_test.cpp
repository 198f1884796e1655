// Files of any content, and folders that are not there; no driver needed.
#include "render/bookmarks.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace render {
namespace {

namespace fs = std::filesystem;

class BookmarkFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("bookmarks-" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ / name; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  size_t held(const Bookmarks& bookmarks) const {
    size_t n = 0;
    for (size_t i = 1; i <= Bookmarks::kCount; ++i) n += bookmarks.get(i) ? 1 : 0;
    return n;
  }
  fs::path folder_;
};

TEST_F(BookmarkFile, ComesBackInTheNextProgram) {
  const scene::Pose pose{{1.25F, -2.5F, 3.0F}, -0.47F, 0.2F, 7.5F};
  EXPECT_TRUE(Bookmarks(path("deep/er/a")).set(3, pose));
  const Bookmarks again(path("deep/er/a"));
  EXPECT_EQ(1U, held(again));
  ASSERT_TRUE(again.get(3));
  EXPECT_EQ(pose.target, again.get(3)->target);
  EXPECT_NEAR(pose.yaw, again.get(3)->yaw, 1e-5F);
  EXPECT_NEAR(pose.pitch, again.get(3)->pitch, 1e-5F);
  EXPECT_EQ(pose.distance, again.get(3)->distance);
  EXPECT_EQ(1, std::distance(fs::directory_iterator(path("deep/er")), {})) << "no draft is left";
}

TEST_F(BookmarkFile, LinesThatAreNoBookmarkAreLeftOut) {
  write("a",
        "1 0,0,5,1,2,3\n"
        "hello\n"
        "0 0,0,5,1,2,3\n"
        "22 0,0,5,1,2,3\n"
        "3 nan,0,5,1,2,3\n"
        "4 0,0,5,1,2,inf\n"
        "5 0,0,5,1,2\n"
        "6 0,0,-1e30,1,2,3\n"
        "7 0,0,5,1,2,3,4\n"
        "8\n"
        "9 10,20,30,1e99,0,0\n"
        "2 0,500,-5,1,2,3\n");
  const Bookmarks bookmarks(path("a"));
  EXPECT_EQ(2U, held(bookmarks));
  ASSERT_TRUE(bookmarks.get(1) && bookmarks.get(2));
  EXPECT_LT(std::abs(bookmarks.get(2)->pitch), 1.6F) << "never upside down";
  EXPECT_GT(bookmarks.get(2)->distance, 0.0F);
}

TEST_F(BookmarkFile, TakesAFileOfAnyContent) {
  write("zeros", std::string(100000, '\0'));
  write("ones", std::string(100000, '1'));
  write("long", "1 " + std::string(100000, '9') + "\n");
  std::string noise;
  for (uint32_t i = 0; i < 20000; ++i) noise += static_cast<char>(i * 2654435761U >> 24);
  write("noise", noise);
  fs::create_directory(path("folder"));
  for (const char* name : {"zeros", "ones", "long", "noise", "folder", "missing"}) {
    EXPECT_EQ(0U, held(Bookmarks(path(name)))) << name;
  }
}

TEST_F(BookmarkFile, LastsAsLongAsTheProgramWhereItCannotBeWritten) {
  write("file", "in the way");
  for (const std::string& where : {std::string(), path("file/below")}) {
    Bookmarks bookmarks(where);
    EXPECT_FALSE(bookmarks.set(1, {}));
    EXPECT_TRUE(bookmarks.get(1));
  }
}

// XDG Base Directory Specification 0.8: relative paths are invalid and to be ignored.
TEST(BookmarksPath, FollowsXdg) {
  setenv("XDG_STATE_HOME", "/tmp/state", 1);
  EXPECT_EQ("/tmp/state/fulgurite/bookmarks/00000000000000ff", bookmarks_path(255));
  setenv("XDG_STATE_HOME", "relative", 1);
  setenv("HOME", "/home/someone", 1);
  EXPECT_EQ("/home/someone/.local/state/fulgurite/bookmarks/0000000000000001", bookmarks_path(1));
  unsetenv("XDG_STATE_HOME");
  unsetenv("HOME");
  EXPECT_EQ("", bookmarks_path(1));
}

}  // namespace
}  // namespace render
