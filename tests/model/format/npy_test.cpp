#include "model/format/npy.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "model/error.h"
#include "tests/support/data.h"
#include "tests/support/full_disk.h"

namespace {

using model::write_npy;

std::string written(const std::vector<float>& values, const std::vector<int64_t>& shape) {
  const tests::TempFolder folder;
  write_npy(folder.file("x.npy"), values, shape);
  EXPECT_FALSE(std::filesystem::exists(folder.file("x.npy.part")));
  return tests::read_file(folder.file("x.npy"));
}

std::string header(const std::string& shape) {
  std::string fields = "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }";
  while ((10 + fields.size() + 1) % 64 != 0) fields += ' ';
  fields += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(fields.size()) + '\0' + fields;
}

TEST(Npy, AnOutputThatIsNoFileIsWrittenToAndALinkFollowed) {
  const tests::TempFolder folder;
  const std::vector<float> one = {1};
  std::ofstream(folder.file("old.npy")) << "old";
  std::filesystem::create_symlink("old.npy", folder.file("link.npy"));
  write_npy(folder.file("link.npy"), one, {1});
  EXPECT_TRUE(std::filesystem::is_symlink(folder.file("link.npy")));
  EXPECT_EQ(128U + 4U, tests::read_file(folder.file("old.npy")).size());

  const std::string pipe = folder.file("pipe");
  ASSERT_EQ(0, mkfifo(pipe.c_str(), 0600));
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  write_npy(pipe, one, {1});
  std::array<char, 256> bytes{};
  EXPECT_EQ(128 + 4, read(reader, bytes.data(), bytes.size()));
  close(reader);
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));

  if (!std::filesystem::exists("/dev/full")) return;
  EXPECT_THROW(write_npy("/dev/full", one, {1}), fulgurite::Error);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

// What the specification of numpy.lib.format asks of numpy.arange(6, dtype="<f4").reshape(2, 3).
TEST(Npy, AMatrixIsTheFileOfTheSpecification) {
  const std::string npy = written({0, 1, 2, 3, 4, 5}, {2, 3});
  ASSERT_EQ(128U + 24U, npy.size());
  EXPECT_EQ(std::string("\x93NUMPY\x01\x00v\x00", 10), npy.substr(0, 10));
  EXPECT_EQ(
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }" + std::string(58, ' ') + '\n',
      npy.substr(10, 118));
  EXPECT_EQ(std::string("\x00\x00\x00\x00\x00\x00\x80\x3F\x00\x00\x00\x40", 12),
            npy.substr(128, 12));
}

TEST(Npy, ShapesArePrintedAsTuples) {
  EXPECT_EQ(header("()"), written({7}, {}).substr(0, 128));
  EXPECT_EQ(header("(2,)"), written({1, 2}, {2}).substr(0, 128));
  EXPECT_EQ(header("(1, 2, 1)"), written({1, 2}, {1, 2, 1}).substr(0, 128));
  EXPECT_EQ(header("(0, 3)"), written({}, {0, 3}));
}

TEST(Npy, DataBeginAtAMultipleOf64WhateverTheShape) {
  for (size_t dims = 0; dims <= 32; ++dims) {
    const std::string npy = written({1}, std::vector<int64_t>(dims, 1));
    const size_t length = static_cast<uint8_t>(npy[8]) + 256U * static_cast<uint8_t>(npy[9]);
    EXPECT_EQ(0U, (10 + length) % 64) << dims;
    EXPECT_EQ(10 + length + 4, npy.size()) << dims;
    EXPECT_EQ('\n', npy[9 + length]) << dims;
  }
}

TEST(Npy, EveryBitIsKept) {
  const std::vector<float> values = {std::numeric_limits<float>::quiet_NaN(), -0.0F, INFINITY,
                                     std::numeric_limits<float>::denorm_min()};
  const std::string npy = written(values, {4});
  EXPECT_EQ(0, std::memcmp(values.data(), npy.data() + 128, 16));
}

// As a shell's >(...) and /dev/stdout of a program in a pipeline name one.
TEST(Npy, APipeBehindALinkOfTheSystemIsWrittenTo) {
  if (!std::filesystem::exists("/proc/self/fd")) GTEST_SKIP() << "needs /proc";
  int ends[2];
  ASSERT_EQ(0, pipe(ends));
  const std::vector<float> one = {1};
  write_npy("/proc/self/fd/" + std::to_string(ends[1]), one, {1});
  std::string bytes(200, ' ');
  ASSERT_EQ(132, read(ends[0], bytes.data(), bytes.size()));
  EXPECT_EQ("\x93NUMPY", bytes.substr(0, 6));
  close(ends[0]);
  close(ends[1]);
}

TEST(Npy, AFailureNamesThePathAndLeavesTheOldFile) {
  const tests::TempFolder folder;
  const std::vector<float> one = {1};
  try {
    write_npy(folder.file("absent/x.npy"), one, {1});
    FAIL();
  } catch (const fulgurite::Error& error) {
    EXPECT_EQ(fulgurite::ExitCode::kFailed, error.code());
    EXPECT_CONTAINS(error.what(), "absent/x.npy");
  }
  write_npy(folder.file("x.npy"), one, {1});
  // A browser calls what it has not downloaded yet like this.
  std::ofstream(folder.file("x.npy.part")) << "somebody else's";
  write_npy(folder.file("x.npy"), one, {1});
  {
    const tests::FullDisk full(1000);
    EXPECT_THROW(write_npy(folder.file("x.npy"), std::vector<float>(100000), {100000}),
                 fulgurite::Error);
  }
  EXPECT_EQ(132U, tests::read_file(folder.file("x.npy")).size());
  EXPECT_EQ("somebody else's", tests::read_file(folder.file("x.npy.part")));
  EXPECT_FALSE(std::filesystem::exists(folder.file("x.npy.part1")));
}

TEST(NpyDeathTest, AShapeThatDoesNotHoldTheValuesIsABug) {
  const std::vector<float> two = {1, 2};
  EXPECT_DEATH(write_npy("x.npy", two, {3}), "bug");
  EXPECT_DEATH(write_npy("x.npy", two, {-1, -2}), "bug");
}

}  // namespace
