#include "engine/trace/machine_memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "tests/support/data.h"

namespace {

constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

class GroupLimit : public ::testing::Test {
 protected:
  void limit(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = folder_.file(file);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << "\n";
  }
  uint64_t of(const std::string& groups) const {
    return trace::group_limit(groups, std::filesystem::path(folder_.file("x")).parent_path());
  }
  tests::TempFolder folder_;
};

TEST_F(GroupLimit, IsTheSmallestOnTheWayUp) {
  limit("memory.max", "max");
  limit("a/memory.max", "1000000");
  limit("a/b/memory.max", "2000000");
  EXPECT_EQ(1000000U, of("0::/a/b\n"));
  EXPECT_EQ(1000000U, of("0::/a/b/c\n")) << "one that cannot be read has none of its own";
  EXPECT_EQ(kNone, of("0::/\n"));
}

TEST_F(GroupLimit, IsReadFromTheFirstVersionToo) {
  limit("memory/docker/memory.limit_in_bytes", "536870912");
  limit("memory/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(536870912U, of("5:cpuset:/\n4:cpu,memory:/docker/\n0::/\n"));
}

TEST_F(GroupLimit, IsNoneWhereNothingIsSaid) {
  for (const char* groups : {"", "\n", "0::\n", "4:memory\n", ":::::\n", "0::/../..\n"})
    EXPECT_EQ(kNone, of(groups)) << groups;
}

TEST(MachineMemory, IsThere) {
  EXPECT_GE(trace::machine_memory(), uint64_t{16} << 20);
}

}  // namespace
